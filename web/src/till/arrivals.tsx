/** What arrived today: the sums, and the last of it. */
import { useEffect, useState } from 'preact/hooks';
import { c } from '../common/text';
import { Amount, Banner, Button, Cell, Columns, Empty, List, Section, Skeleton, Stat } from '../kit';
import { money, time, today } from '../lib/format';
import { useLoad } from '../lib/load';
import { href } from '../lib/router';
import { type Trade, listTrades, readTakings } from './api';
import { type Arrival, dismissMeanwhile, fillIn, live } from './live';
import { useMe } from './me';
import { t } from './text';
import { Refusal } from './view';

function arrivalOf(trade: Trade): Arrival[] {
  if (!trade.paid_at || !trade.amount) return [];
  return [
    { id: trade.trade, type: 'trade.paid', at: trade.paid_at, trade: trade.trade, orderNo: trade.order_no ?? null, till: trade.till ?? null, amount: trade.amount },
  ];
}

/** The day, looked at again now and then: a till stays open over midnight. */
function useToday(): string {
  const [day, set] = useState(today);
  useEffect(() => {
    const timer = setInterval(() => set(today()), 30_000);
    return () => clearInterval(timer);
  }, []);
  return day;
}

/** Grows a while after events came, so that a rush of them is one question. */
function useHeard(): number {
  const { heard } = live.use();
  const [calm, set] = useState(heard);
  useEffect(() => {
    if (calm === heard) return;
    const timer = setTimeout(() => set(heard), 2_500);
    return () => clearTimeout(timer);
  }, [heard, calm]);
  return calm;
}

function Meanwhile() {
  const { meanwhile } = live.use();
  const { currency } = useMe();
  if (!meanwhile) return null;
  return (
    <Banner
      tone="info"
      icon="bell"
      role="status"
      action={
        <Button small onClick={dismissMeanwhile}>
          {c('ok')}
        </Button>
      }
    >
      {t('arrivals.meanwhile', { from: time(meanwhile.from), n: meanwhile.payments, amount: money({ minor: meanwhile.minor, currency }) })}
    </Banner>
  );
}

export function Arrivals() {
  const day = useToday();
  const heard = useHeard();
  const { currency } = useMe();
  const { arrivals } = live.use();
  const sums = useLoad((signal) => readTakings(day, day, signal), [day, heard]);
  const first = useLoad((signal) => listTrades({ from: day, to: day }, undefined, 30, signal), [day]);
  useEffect(() => {
    if (first.data) fillIn(first.data.items.flatMap(arrivalOf));
  }, [first.data]);
  const line = sums.data?.find((one) => one.day === day);
  const shown = arrivals.filter((one) => today(new Date(one.at)) === day);
  return (
    <Section title={t('arrivals.title')} action={<a class="k-link" href={href('/orders', { from: day, to: day })}>{t('arrivals.all')}</a>}>
      <Meanwhile />
      <Columns min="s">
        <Stat label={t('arrivals.sum')} value={sums.data ? money(line?.gross ?? { minor: 0, currency }) : t('none')} />
        <Stat label={t('arrivals.count')} value={sums.data ? String(line?.payments ?? 0) : t('none')} />
      </Columns>
      {shown.length > 0 ? (
        <List label={t('arrivals.title')}>
          {shown.map((one) => (
            <Cell
              key={one.id}
              href={href(`/orders/${one.trade}`)}
              title={one.type === 'trade.paid' ? t('arrivals.paid') : t('arrivals.refunded')}
              note={
                <span class="k-num">
                  {time(one.at, true)} {one.orderNo === null ? t('arrivals.poster') : ''}
                </span>
              }
              value={<Amount text={money({ ...one.amount, minor: one.type === 'trade.paid' ? one.amount.minor : -one.amount.minor }, 'always')} tone={one.type === 'trade.paid' ? 'ok' : 'neutral'} />}
            />
          ))}
        </List>
      ) : first.data ? (
        <Empty icon="bell" title={t('arrivals.empty')} note={t('arrivals.empty.note')} />
      ) : first.failure ? (
        <Refusal failure={first.failure} />
      ) : (
        <Skeleton shape="list" lines={3} label={c('loading')} />
      )}
    </Section>
  );
}
