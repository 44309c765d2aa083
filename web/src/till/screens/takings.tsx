/** What the shop took: today, and day by day. */
import { useState } from 'preact/hooks';
import { Amount, Bars, Cell, ChartFrame, List, Section, Segmented, Stat, Table } from '../../kit';
import { day as dayText, money, number, today } from '../../lib/format';
import { useLoad } from '../../lib/load';
import { href } from '../../lib/router';
import { type DayTakings, readBalance, readTakings } from '../api';
import { daysBefore } from '../days';
import { Frame } from '../frame';
import { live } from '../live';
import { useMe } from '../me';
import { t } from '../text';
import { Loaded, useWide } from '../view';

/** Every day of the span, also those without a payment. */
function filled(days: DayTakings[], from: string, to: string, currency: string): DayTakings[] {
  const by = new Map(days.map((one) => [one.day, one]));
  const none = { minor: 0, currency };
  const all: DayTakings[] = [];
  for (let at = from; at <= to; at = daysBefore(at, -1)) {
    all.push(by.get(at) ?? { day: at, closed: at < to, payments: 0, gross: none, refunds: 0, refunded: none, fee: none, net: none, paid_out: none });
  }
  return all;
}

/** A table where there is room for its columns, else a line for each day. */
function Days({ days }: { days: DayTakings[] }) {
  const wide = useWide();
  const orders = (one: DayTakings) => href('/orders', { from: one.day, to: one.day });
  if (!wide) {
    return (
      <List label={t('takings.days')}>
        {days.map((one) => (
          <Cell
            key={one.day}
            href={orders(one)}
            title={dayText(one.day)}
            note={t('takings.line', { n: one.payments, refunded: money(one.refunded), fee: money(one.fee) })}
            value={<Amount text={money(one.net)} />}
          />
        ))}
      </List>
    );
  }
  return (
    <Table
      caption={t('takings.days')}
      rows={days}
      rowKey={(one) => one.day}
      columns={[
        {
          key: 'day',
          label: t('takings.day'),
          cell: (one) => (
            <a class="k-link" href={orders(one)}>
              {dayText(one.day)}
            </a>
          ),
        },
        { key: 'n', label: t('takings.count'), align: 'end', cell: (one) => number(one.payments) },
        { key: 'gross', label: t('takings.gross'), align: 'end', cell: (one) => money(one.gross) },
        { key: 'refunds', label: t('takings.refunds'), align: 'end', cell: (one) => money(one.refunded) },
        { key: 'fee', label: t('takings.fee'), align: 'end', cell: (one) => money(one.fee) },
        { key: 'net', label: t('takings.net'), align: 'end', cell: (one) => money(one.net) },
      ]}
    />
  );
}

export default function Takings() {
  const [span, setSpan] = useState<7 | 30>(7);
  const { currency } = useMe();
  const { heard } = live.use();
  const to = today();
  const from = daysBefore(to, span - 1);
  const takings = useLoad((signal) => readTakings(from, to, signal), [from, to]);
  const balance = useLoad(readBalance, []);
  const total = (days: DayTakings[], of: 'gross' | 'net') => money({ minor: days.reduce((sum, one) => sum + one[of].minor, 0), currency });
  return (
    <Frame title={t('nav.takings')} tab="/takings" wide>
      <Loaded load={takings} shape="card">
        {(found) => {
          const days = filled(found, from, to, currency);
          const now = days[days.length - 1] as DayTakings;
          return (
            <>
              <Section title={t('takings.today')}>
                <div class="till-stats">
                  <Stat label={t('takings.gross')} value={money(now.gross)} note={t('takings.payments', { n: now.payments })} />
                  <Stat label={t('takings.refunds')} value={money(now.refunded)} note={t('takings.refund.count', { n: now.refunds })} />
                  <Stat label={t('takings.fee')} value={money(now.fee)} />
                  <Stat label={t('takings.net')} value={money(now.net)} tone="brand" />
                  <Stat label={t('takings.balance')} value={balance.data ? money(balance.data.available) : t('none')} note={t('takings.balance.note')} />
                </div>
                {heard > 0 && (
                  <p>
                    <button
                      class="k-link"
                      type="button"
                      onClick={() => {
                        takings.reload();
                        balance.reload();
                      }}
                    >
                      {t('takings.refresh')}
                    </button>
                  </p>
                )}
              </Section>
              <Section title={t('takings.days')}>
                <Segmented
                  label={t('takings.span')}
                  value={String(span)}
                  options={[
                    { value: '7', label: t('takings.week') },
                    { value: '30', label: t('takings.month') },
                  ]}
                  onChange={(value) => setSpan(value === '30' ? 30 : 7)}
                />
                <div class="k-card">
                  <ChartFrame
                    title={t('takings.chart')}
                    note={t('takings.chart.note', { sign: currency })}
                    summary={t('takings.summary', { from: dayText(from), to: dayText(to), gross: total(days, 'gross'), net: total(days, 'net') })}
                  >
                    <Bars
                      label={t('takings.chart')}
                      items={days.map((one, i) => ({
                        label: span === 7 || i % 5 === 4 ? one.day.slice(8) : '',
                        value: one.gross.minor,
                        text: money(one.gross),
                      })).map((one, i) => ({ ...one, label: one.label || '\u200b'.repeat(i + 1) }))}
                    />
                  </ChartFrame>
                </div>
                <Days days={[...days].reverse()} />
              </Section>
            </>
          );
        }}
      </Loaded>
    </Frame>
  );
}
