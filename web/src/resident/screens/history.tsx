/** History: movements of the wallet, and bills that were paid, with filters, months and a chart. */
import { useState } from 'preact/hooks';
import { c } from '../../common/text';
import { Amount, Bars, Button, Cell, ChartFrame, DateField, Empty, List, Section, Segmented, SelectField } from '../../kit';
import { money, month, today } from '../../lib/format';
import { usePages } from '../../lib/load';
import { href, replace } from '../../lib/router';
import type { ScreenProps } from '../app';
import * as api from '../api';
import { useKept } from '../kept';
import { CATEGORIES, kindIcon, named } from '../services';
import { shortDay, shortTime } from '../dates';
import { TabScreen } from '../screen';
import { useBillers } from '../state';
import { Loaded } from '../states';
import { t } from '../text';
import { keep } from '../kept';

const PAGE = 30;

export default function History({ query }: ScreenProps) {
  const show = query.get('show') === 'bills' ? 'bills' : 'wallet';
  return (
    <TabScreen title={t('history.title')} tab="#/history">
      <Segmented
        label={t('history.title')}
        value={show}
        onChange={(value) => replace('/history', value === 'bills' ? { show: value } : {})}
        options={[
          { value: 'wallet', label: t('history.wallet') },
          { value: 'bills', label: t('history.bills') },
        ]}
      />
      {show === 'wallet' ? <Movements /> : <Paid />}
    </TabScreen>
  );
}

/** Lists by month, the newest first. */
function byMonth<I>(items: I[], at: (item: I) => string): [string, I[]][] {
  const months = new Map<string, I[]>();
  for (const item of items) {
    const key = today(new Date(at(item))).slice(0, 7);
    months.set(key, [...(months.get(key) ?? []), item]);
  }
  return [...months];
}

function Movements() {
  const [kind, setKind] = useState('');
  const kept = useKept<api.Entry[]>('movements', async () => (await api.movements(undefined, PAGE)).items);
  const pages = usePages<api.Entry>((cursor, signal) => api.movements(cursor, PAGE, signal), []);
  const from = pages.data === undefined ? kept : { ...pages, at: undefined };
  const wanted = (one: api.Entry) => kind === '' || one.kind === kind || one.direction === kind;
  return (
    <>
      <SelectField
        label={t('history.filter')}
        value={kind}
        onChange={setKind}
        options={[
          { value: '', label: t('history.all') },
          { value: 'in', label: t('history.in') },
          { value: 'out', label: t('history.out') },
          ...(['trade_payment', 'bill_payment', 'transfer', 'trade_refund', 'deposit', 'withdrawal'] as const).map((one) => ({ value: one, label: t(`kind.${one}`) })),
        ]}
      />
      <Loaded of={from}>
        {(list) => {
          const shown = list.filter(wanted);
          if (shown.length === 0) return <Empty icon="history" title={t('history.empty')} note={pages.more ? t('history.empty.more') : t('history.empty.note')} />;
          return byMonth(shown, (one) => one.at).map(([key, items]) => (
            <Section key={key} title={month(key)}>
              <List>
                {items.map((one) => (
                  <Cell
                    key={one.id + one.direction}
                    icon={kindIcon(one)}
                    href={href(`/history/${one.id}`, { kind: one.kind })}
                    title={t(`kind.${one.kind}` as 'kind.deposit')}
                    note={shortTime(one.at)}
                    value={<Signed entry={one} />}
                  />
                ))}
              </List>
            </Section>
          ));
        }}
      </Loaded>
      <More of={pages} />
    </>
  );
}

const Signed = ({ entry }: { entry: api.Entry }) => {
  const minor = entry.direction === 'out' ? -entry.amount.minor : entry.amount.minor;
  return <Amount text={money({ ...entry.amount, minor }, 'always')} tone={minor > 0 ? 'ok' : undefined} />;
};

const More = ({ of }: { of: { more: (() => void) | undefined; busy: boolean } }) =>
  of.more ? (
    <p class="center">
      <Button busy={of.busy} onClick={of.more}>
        {c('more')}
      </Button>
    </p>
  ) : null;

function Paid() {
  const billers = useBillers();
  const [filter, setFilter] = useState<api.BillFilter>({});
  const [opened, setOpened] = useState(false);
  const change = (next: api.BillFilter) => setFilter({ ...filter, ...next });
  const pages = usePages<api.PaidBill>(
    async (cursor, signal) => {
      const page = await api.billPayments({ ...filter, cursor, limit: PAGE }, signal);
      if (!cursor && Object.values(filter).every((value) => !value)) void keep('paid', page.items);
      return page;
    },
    [JSON.stringify(filter)],
  );
  const old = useKept<api.PaidBill[]>('paid', async () => (await api.billPayments({})).items);
  const from = pages.data === undefined ? old : { ...pages, at: undefined };
  const active = Object.values(filter).filter(Boolean).length;
  return (
    <>
      <Months />
      <Section
        title={t('history.paid')}
        action={
          <Button kind="quiet" small icon="filter" pressed={opened} onClick={() => setOpened(!opened)}>
            {active > 0 ? t('history.filters.n', { n: active }) : t('history.filters')}
          </Button>
        }
      >
        {opened && (
          <div class="filters">
            <SelectField
              label={t('history.category')}
              value={filter.category ?? ''}
              onChange={(category) => change({ category: CATEGORIES.find((one) => one === category) })}
              options={[{ value: '', label: t('history.all') }, ...CATEGORIES.map((one) => ({ value: one, label: t(`category.${one}`) }))]}
            />
            <SelectField
              label={t('history.biller')}
              value={filter.biller ?? ''}
              onChange={(biller) => change({ biller })}
              options={[{ value: '', label: t('history.all') }, ...(billers.data ?? []).map((one) => ({ value: one.id, label: named(one.name) }))]}
            />
            <DateField label={t('history.from')} value={filter.from ?? ''} max={filter.to || today()} onChange={(value) => change({ from: value })} />
            <DateField label={t('history.to')} value={filter.to ?? ''} min={filter.from} max={today()} onChange={(value) => change({ to: value })} />
            {active > 0 && (
              <Button kind="quiet" onClick={() => setFilter({})}>
                {c('clear')}
              </Button>
            )}
          </div>
        )}
        <Loaded of={from}>
          {(list) =>
            list.length === 0 ? (
              <Empty icon="bill" title={t('history.empty')} note={t(pages.more ? 'history.empty.more' : active > 0 ? 'history.empty.filter' : 'history.empty.bills')} />
            ) : (
              byMonth(list, (one) => one.payment.at).map(([key, items]) => (
                <div key={key} class="month">
                  <h3>{month(key)}</h3>
                  <List label={month(key)}>
                    {items.map((one) => (
                      <Cell
                        key={one.payment.id}
                        icon="bill"
                        href={href(`/history/${one.payment.id}`, { kind: 'bill_payment' })}
                        title={named(one.biller_name) || one.account_no}
                        note={
                          <>
                            <span class="k-num">{one.account_no}</span> · <span class="nowrap">{shortDay(one.payment.at)}</span>
                          </>
                        }
                        value={money(one.payment.amount)}
                      />
                    ))}
                  </List>
                </div>
              ))
            )
          }
        </Loaded>
        <More of={pages} />
      </Section>
    </>
  );
}

const thisYear = (): number => Number(today().slice(0, 4));

/** What was paid for bills in each month of a year. */
function Months() {
  const [year, setYear] = useState(thisYear());
  return <Year key={year} year={year} go={setYear} />;
}

function Year({ year, go }: { year: number; go: (year: number) => void }) {
  const months = useKept(`months.${year}`, (signal) => api.billMonths(year, signal));
  const title = t('months.title', { year });
  return (
    <Loaded of={months} shape="card">
      {(sums) => {
        const total = sums.reduce((n, one) => n + one.amount.minor, 0);
        const count = sums.reduce((n, one) => n + one.count, 0);
        const currency = sums[0]?.amount.currency ?? 'CNY';
        return (
          <ChartFrame
            title={title}
            note={
              <span class="year">
                <Button kind="quiet" small icon="back" label={t('months.before')} onClick={() => go(year - 1)} />
                <Button kind="quiet" small icon="chevron-right" label={t('months.after')} disabled={year >= thisYear()} onClick={() => go(year + 1)} />
              </span>
            }
            summary={t('months.sum', { year, n: count, amount: money({ minor: total, currency }) })}
          >
            <Bars
              label={title}
              items={sums.map((one) => ({ label: String(Number(one.month.slice(-2))), value: one.amount.minor, text: money(one.amount) }))}
            />
          </ChartFrame>
        );
      }}
    </Loaded>
  );
}
