/** One mandate: its terms, what it did and will do, resting and ending it, skipping one bill. */
import { useState } from 'preact/hooks';
import { c, failureText } from '../../common/text';
import { Badge, Button, Card, Cell, Dialog, Empty, List, Section, Stack, toast } from '../../kit';
import { Failure } from '../../lib/call';
import { day, money } from '../../lib/format';
import { useAct, useLoad, useOnline, usePages } from '../../lib/load';
import type { ScreenProps } from '../app';
import * as api from '../api';
import { forWhat, stands, stateTone, when } from '../mandates';
import { Facts } from '../paying';
import { SubScreen } from '../screen';
import { named } from '../services';
import { Loaded, Refused } from '../states';
import { t } from '../text';

export default function MandateScreen({ params }: ScreenProps) {
  const id = params.id ?? '';
  const mandate = useLoad((signal) => api.mandate(id, signal), [id]);
  const runs = usePages((cursor, signal) => api.mandateRuns(id, cursor, signal), [id]);
  const [ending, setEnding] = useState(false);
  const online = useOnline();
  const turn = useAct(async (to: 'pause' | 'resume' | 'revoke') => {
    mandate.set(await api.turnMandate(id, to));
    setEnding(false);
    toast(t(`autopay.done.${to}`), 'ok');
    runs.reload();
  });
  const skip = useAct(async (bill: string) => {
    await api.skipBill(id, bill);
    toast(t('run.skip.done'), 'ok');
    runs.reload();
  });
  return (
    <SubScreen title={t('autopay.one')} back="#/autopay">
      <Loaded of={mandate} shape="card">
        {(one) => (
          <>
            <div class="person">
              <p class="person-name">
                {forWhat(one)} <Badge tone={stateTone(one.state)}>{t(`autopay.state.${one.state}`)}</Badge>
              </p>
              {one.account && <p class="muted k-num">{one.account.account_no}</p>}
            </div>
            <Card>
              <Facts
                rows={[
                  [t('autopay.cap.bill'), money(one.cap_bill)],
                  [t('autopay.cap.month'), money(one.cap_month)],
                  [t('autopay.left'), money(one.left)],
                  [t('autopay.when'), when(one.days_before_due)],
                  [t('autopay.notice'), t(one.notice_days === 0 ? 'autopay.notice.none' : 'autopay.notice.days', { n: one.notice_days })],
                  [t('autopay.valid'), one.valid_until ? t('fee.span', { from: day(one.valid_from), to: day(one.valid_until) }) : t('autopay.valid.open', { day: day(one.valid_from) })],
                ]}
              />
            </Card>
            {one.state !== 'revoked' && (
              <Stack>
                {!ending && <Refused failure={turn.failure} />}
                <div class="pair">
                  <Button busy={turn.busy} disabled={!online} onClick={() => turn.run(one.state === 'paused' ? 'resume' : 'pause')}>
                    {t(one.state === 'paused' ? 'autopay.resume' : 'autopay.pause')}
                  </Button>
                  <Button kind="danger" disabled={!online} onClick={() => setEnding(true)}>
                    {t('autopay.revoke')}
                  </Button>
                </div>
              </Stack>
            )}
          </>
        )}
      </Loaded>
      <Section title={t('run.title')}>
        <Refused failure={skip.failure} />
        <Loaded of={runs}>
          {(all) =>
            all.length === 0 ? (
              <Empty icon="history" title={t('run.none')} note={t('run.none.note')} />
            ) : (
              <>
                <List>
                  {all.map((run) => (
                    <Cell
                      key={run.bill}
                      title={named(run.biller_name)}
                      note={
                        <>
                          <span class="k-num">{run.account_no}</span> · {stands(run)}
                          {run.reason && (run.state === 'refused' || run.state === 'given_up') && ` · ${failureText(new Failure('refused', run.reason, '', 409))}`}
                        </>
                      }
                      value={money(run.amount)}
                      trailing={
                        run.can_be_skipped ? (
                          <Button small kind="quiet" busy={skip.busy} disabled={!online} onClick={() => skip.run(run.bill)}>
                            {t('run.skip')}
                          </Button>
                        ) : undefined
                      }
                    />
                  ))}
                </List>
                {runs.more && (
                  <Button block busy={runs.busy} onClick={runs.more}>
                    {c('more')}
                  </Button>
                )}
              </>
            )
          }
        </Loaded>
      </Section>
      <Dialog
        open={ending}
        title={t('autopay.revoke.title')}
        onClose={() => setEnding(false)}
        actions={
          <>
            <Button onClick={() => setEnding(false)}>{c('cancel')}</Button>
            <Button kind="danger" busy={turn.busy} onClick={() => turn.run('revoke')}>
              {t('autopay.revoke')}
            </Button>
          </>
        }
      >
        <p>{t('autopay.revoke.note')}</p>
        <Refused failure={turn.failure} />
      </Dialog>
    </SubScreen>
  );
}
