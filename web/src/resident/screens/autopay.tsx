/** The mandates: which bills are paid by themselves. */
import { c } from '../../common/text';
import { Badge, Button, Cell, Empty, List } from '../../kit';
import { money } from '../../lib/format';
import { usePages } from '../../lib/load';
import { href } from '../../lib/router';
import * as api from '../api';
import { forWhat, stateTone } from '../mandates';
import { SubScreen } from '../screen';
import { Loaded } from '../states';
import { t } from '../text';

export default function AutoPayScreen() {
  const list = usePages((cursor, signal) => api.mandates(cursor, signal), []);
  const make = (
    <Button kind="primary" block icon="plus" href="#/autopay/new">
      {t('autopay.new')}
    </Button>
  );
  return (
    <SubScreen title={t('autopay.title')} back="#/me">
      <p class="lead">{t('autopay.lead')}</p>
      <Loaded of={list}>
        {(all) =>
          all.length === 0 ? (
            <Empty icon="refresh" title={t('autopay.none')} note={t('autopay.none.note')} action={make} />
          ) : (
            <>
              <List>
                {all.map((one) => (
                  <Cell
                    key={one.id}
                    href={href(`/autopay/${one.id}`)}
                    title={
                      <>
                        {forWhat(one)} <Badge tone={stateTone(one.state)}>{t(`autopay.state.${one.state}`)}</Badge>
                      </>
                    }
                    note={
                      <>
                        {one.account && <span class="k-num">{one.account.account_no} · </span>}
                        {t('autopay.caps', { bill: money(one.cap_bill), month: money(one.cap_month) })}
                      </>
                    }
                  />
                ))}
              </List>
              {list.more && (
                <Button block busy={list.busy} onClick={list.more}>
                  {c('more')}
                </Button>
              )}
              {make}
            </>
          )
        }
      </Loaded>
    </SubScreen>
  );
}
