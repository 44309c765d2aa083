/** One biller: which account. The form of the number is checked while it is typed. */
import { useState } from 'preact/hooks';
import { Banner, Button, Cell, List, Section, Stack, TextField } from '../../kit';
import { call } from '../../lib/call';
import { go, href } from '../../lib/router';
import type { ScreenProps } from '../app';
import * as api from '../api';
import { useKept } from '../kept';
import { type Followed, follow, sample, tidy } from '../pattern';
import { SubScreen } from '../screen';
import { categoryIcon, cityOf, named } from '../services';
import { Loaded } from '../states';
import { t } from '../text';

export const useBiller = (id: string) =>
  useKept<api.Biller>(`biller.${id}`, (signal) => call('get', '/v1/billers/{id}', { path: { id }, signal }));

export default function BillerScreen({ params }: ScreenProps) {
  const id = params.biller ?? '';
  const biller = useBiller(id);
  return (
    <SubScreen title={biller.data ? named(biller.data.name) : t('bills.title')} back="#/bills">
      <Loaded of={biller}>{(one) => <Account biller={one} id={id} />}</Loaded>
    </SubScreen>
  );
}

/** That a biller takes no payments, or cannot be reached from here. */
export const Reach = ({ biller }: { biller: api.Biller }) =>
  biller.closed || !biller.connected ? (
    <Banner tone="warn" title={t(biller.closed ? 'biller.closed' : 'biller.apart')}>
      {t(biller.closed ? 'biller.closed.note' : 'biller.apart.note')}
    </Banner>
  ) : null;

const words = (followed: Followed): string | undefined =>
  followed.at === 'wrong' ? t(`account.want.${followed.want}`, { place: followed.place, itself: followed.itself }) : undefined;

function Account({ biller, id }: { biller: api.Biller; id: string }) {
  const saved = useKept('accounts', api.savedAccounts);
  const mine = saved.data?.filter((one) => one.biller === biller.id || one.biller === biller.pack) ?? [];
  const [typed, setTyped] = useState('');
  const [pressed, setPressed] = useState(false);
  const account = tidy(typed);
  const followed = follow(biller.account_pattern, account);
  const example = biller.account.example || sample(biller.account_pattern);
  const rule = t('account.example', { example, n: biller.account_pattern.length });
  return (
    <>
      <p class="lead">
        {cityOf(biller)} · {t(`category.${biller.category}`)}
      </p>
      <Reach biller={biller} />
      {mine.length > 0 && (
        <Section title={t('account.mine')}>
          <List>
            {mine.map((one) => (
              <Cell
                key={one.account_no}
                icon={categoryIcon(biller.category)}
                title={one.label || one.account_no}
                note={one.label ? <span class="k-num">{one.account_no}</span> : undefined}
                href={href(`/bills/${id}/${encodeURIComponent(one.account_no)}`)}
              />
            ))}
          </List>
        </Section>
      )}
      <form
        onSubmit={(e) => {
          e.preventDefault();
          setPressed(true);
          if (followed.at === 'whole') go(`/bills/${id}/${encodeURIComponent(account)}`);
        }}
      >
        <Stack>
          <TextField
            label={named(biller.account.label)}
            mono
            inputMode={/^[\d#]+$/.test(biller.account_pattern) ? 'numeric' : 'text'}
            name="account"
            value={typed}
            onInput={(text) => {
              setTyped(text);
              setPressed(false);
            }}
            error={words(followed) ?? (pressed && followed.at === 'part' ? t('account.left', { n: followed.left }) : pressed && followed.at === 'empty' ? t('account.number.missing') : undefined)}
            hint={followed.at === 'part' ? `${rule} · ${t('account.left', { n: followed.left })}` : followed.at === 'whole' ? t('account.whole') : rule}
          />
          <p class="muted">{t('account.where')}</p>
          <Button kind="primary" type="submit" block>
            {t('account.find')}
          </Button>
        </Stack>
      </form>
    </>
  );
}
