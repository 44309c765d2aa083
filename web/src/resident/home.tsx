/** Home: what is done most, how much there is, and what needs attention. */
import { useEffect } from 'preact/hooks';
import { c } from '../common/text';
import { Amount, Badge, Button, Cell, Icon, type IconName, List, Section, Skeleton, Tiles } from '../kit';
import { dateTime, day, money } from '../lib/format';
import { href } from '../lib/router';
import * as api from './api';
import { useChoice, useKept } from './kept';
import { Open } from './open';
import { TabScreen } from './screen';
import { CATEGORIES, categoryIcon, named, used } from './services';
import { useBillers, useMe } from './state';
import { t } from './text';

const ACTIONS: [string, 'home.scan' | 'home.code' | 'home.collect' | 'home.transfer', IconName][] = [
  ['/scan', 'home.scan', 'scan'],
  ['/code', 'home.code', 'qr'],
  ['/collect', 'home.collect', 'collect'],
  ['/transfer', 'home.transfer', 'transfer'],
];
const LOOK_MS = 15_000;

export function Home() {
  const wallet = useKept('wallet', api.wallet);
  useEffect(() => {
    const again = () => document.visibilityState === 'visible' && wallet.reload();
    document.addEventListener('visibilitychange', again);
    return () => document.removeEventListener('visibilitychange', again);
  }, [wallet.reload]);
  return (
    <TabScreen title={t('app')} tab="#/" actions={<Bell />}>
      <nav class="actions" aria-label={t('home.actions')}>
        {ACTIONS.map(([path, key, icon]) => (
          <a key={path} href={href(path)}>
            <Icon name={icon} />
            <span>{t(key)}</span>
          </a>
        ))}
      </nav>
      <BalanceCard wallet={wallet} />
      <Attention changed={wallet.reload} />
      <Services />
    </TabScreen>
  );
}

/** The way to the inbox, with how many notes are unread. */
function Bell() {
  const unread = useKept('unread', api.unread).data ?? 0;
  return (
    <a class="k-hit bell" href="#/inbox" aria-label={unread > 0 ? t('inbox.bell', { n: unread }) : t('inbox.title')}>
      <Icon name="bell" />
      {unread > 0 && (
        <span class="k-count" aria-hidden="true">
          {unread > 99 ? '99+' : unread}
        </span>
      )}
    </a>
  );
}

function BalanceCard({ wallet }: { wallet: ReturnType<typeof useKept<api.Balance>> }) {
  const [hidden, setHidden] = useChoice('hidden', false);
  const { data, at, failure } = wallet;
  return (
    <section class="balance" aria-labelledby="balance">
      <div class="balance-head">
        <h2 id="balance">{t('home.balance')}</h2>
        <Button kind="quiet" small icon={hidden ? 'eye-off' : 'eye'} label={t(hidden ? 'home.show' : 'home.hide')} onClick={() => setHidden(!hidden)} />
      </div>
      {data ? (
        <>
          {hidden ? (
            <span class="balance-hidden">
              <span aria-hidden="true">••••••</span>
              <span class="k-vh">{t('home.hidden')}</span>
            </span>
          ) : (
            <Amount text={money(data.available)} size="l" />
          )}
          {data.held.minor > 0 && !hidden && <p class="balance-note">{t('home.held', { amount: money(data.held) })}</p>}
          {failure && at !== undefined && <p class="balance-note">{c('as.of', { time: dateTime(at) })}</p>}
        </>
      ) : failure && !wallet.busy ? (
        <Button small onClick={wallet.reload}>
          {c('retry')}
        </Button>
      ) : (
        <Skeleton lines={1} label={c('loading')} />
      )}
    </section>
  );
}

function Attention({ changed }: { changed: () => void }) {
  const me = useMe();
  const due = useKept('due', api.dueBills);
  const waiting = useKept('waiting', api.waiting);
  useEffect(() => {
    const timer = setInterval(() => document.visibilityState === 'visible' && navigator.onLine && waiting.reload(), LOOK_MS);
    return () => clearInterval(timer);
  }, [waiting.reload]);
  const charges = (waiting.at === undefined && waiting.data) || [];
  const bills = due.data?.filter((one) => one.remind) ?? [];
  const pin = me.data && !me.data.resident.has_pin;
  const locked = me.data?.resident.pin_locked;
  const nothing = charges.length === 0 && bills.length === 0 && !pin && !locked;
  return (
    <div class="attention" aria-live="polite">
      <Open changed={changed} />
      {!nothing && (
        <Section title={t('home.attention')}>
          <List>
            {charges.map((one) => (
              <Cell
                key={one.trade}
                icon="pay"
                tone="warn"
                href="#/code"
                title={t('home.waiting', { name: one.merchant_name })}
                note={t('home.waiting.note')}
                value={<Amount text={money(one.amount)} />}
              />
            ))}
            {bills.slice(0, 5).map((one) => (
              <Cell
                key={one.bill}
                icon={categoryIcon(one.category)}
                href={href(`/bills/${one.biller}/${encodeURIComponent(one.account_no)}`)}
                title={
                  <>
                    {one.label || named(one.biller_name)} {one.overdue && <Badge tone="bad">{t('bill.overdue')}</Badge>}
                  </>
                }
                note={t('bill.due', { day: day(one.due_on) })}
                value={<Amount text={money(one.amount)} />}
              />
            ))}
            {(pin || locked) && <Cell key="pin" icon="lock" href="#/me/pin?next=/" title={t(locked ? 'home.pin.locked' : 'home.pin')} note={t('home.pin.note')} />}
          </List>
        </Section>
      )}
    </div>
  );
}

function Services() {
  const billers = useBillers();
  const [uses] = useChoice<Record<string, number>>('uses', {});
  const shown = billers.data ? used(billers.data, uses).slice(0, 8) : billers.failure && !billers.busy ? CATEGORIES.slice(0, 8) : undefined;
  return (
    <Section title={t('home.services')}>
      {shown ? (
        <Tiles
          label={t('home.services')}
          items={shown.map((category) => ({ href: href('/bills', { category }), label: t(`category.${category}`), icon: categoryIcon(category) }))}
        />
      ) : (
        <Skeleton shape="tiles" label={c('loading')} />
      )}
    </Section>
  );
}
