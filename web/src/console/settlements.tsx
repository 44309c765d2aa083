/** All billers of a day: who is settled, who is not, and where lists disagree. */
import { useState } from 'preact/hooks';
import { Button, DateField, Empty, Page, Row, Segmented, Stat, Table, type Tone } from '../kit';
import { money, number, today } from '../lib/format';
import { useLoad } from '../lib/load';
import { href, replace } from '../lib/router';
import { type SettlementRow, settlements } from './api';
import type { ScreenProps } from './app';
import { Breaks } from './breaks';
import { Loaded, Money, State, billerName, dayBy, inCity, isDay } from './parts';
import { t } from './text';

type Stand = 'open' | 'closed' | 'matched' | 'breaks';
const TONE: Record<Stand, Tone> = { open: 'neutral', closed: 'info', matched: 'ok', breaks: 'warn' };

/** How a day stands: not matched; matched with nothing returned; agreed; with breaks nobody has decided on. */
function stand({ report, open_breaks }: SettlementRow): Stand {
  if (!report) return 'open';
  if (open_breaks > 0) return 'breaks';
  return report.ledger.count > 0 && !report.billers && !report.banks ? 'closed' : 'matched';
}

export default function Settlements({ query }: ScreenProps) {
  const given = query.get('day');
  const day = isDay(given) ? given : dayBy(today(), -1);
  const found = useLoad((signal) => settlements(day, signal), [day]);
  const [view, setView] = useState('billers');
  const to = (next: string) => replace('/settlements', { day: next });
  return (
    <Page title={t('nav.settlements')} wide>
      <Row>
        <div class="o-days">
          <Button small icon="back" label={t('day.before')} onClick={() => to(dayBy(day, -1))} />
          <DateField label={t('day')} hideLabel value={day} onChange={(next) => next && to(next)} />
          <Button small icon="chevron-right" label={t('day.after')} onClick={() => to(dayBy(day, 1))} />
        </div>
        <Segmented
          label={t('settlements.view')}
          value={view}
          options={[
            { value: 'billers', label: t('nav.billers') },
            { value: 'breaks', label: t('breaks') },
            { value: 'all', label: t('breaks.all') },
          ]}
          onChange={setView}
        />
      </Row>
      <Loaded load={found}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty icon="settlement" title={t('settlements.none')} note={t('settlements.none.note')} action={<Button href={href('/billers')}>{t('nav.billers')}</Button>} />
          ) : view !== 'billers' ? (
            <Breaks
              key={view}
              of={view === 'all' ? { state: 'open' } : { day }}
              names={new Map(items.map((row) => [row.biller, billerName(row.name)]))}
              onAccepted={found.reload}
            />
          ) : (
            <Day rows={items} day={day} />
          )
        }
      </Loaded>
    </Page>
  );
}

function Day({ rows, day }: { rows: SettlementRow[]; day: string }) {
  const total = (pick: (row: SettlementRow) => number) => rows.reduce((sum, row) => sum + pick(row), 0);
  return (
    <>
      <div class="o-stats">
        <Stat label={t('settlements.done')} value={t('n.of', { n: number(rows.filter((r) => stand(r) !== 'open').length), all: number(rows.length) })} />
        <Stat label={t('settle.ledger')} value={money(inCity(total((r) => r.report?.ledger.amount_minor ?? 0)))} />
        <Stat label={t('settle.payout')} value={money(inCity(total((r) => r.report?.payout_minor ?? 0)))} />
        <Stat label={t('breaks')} value={number(total((r) => r.report?.breaks ?? 0))} tone={total((r) => r.open_breaks) > 0 ? 'warn' : undefined} />
      </div>
      <Table
        caption={t('nav.settlements')}
        rows={rows}
        rowKey={(row) => row.biller}
        columns={[
          {
            key: 'biller',
            label: t('biller'),
            cell: (row) => (
              <a class="k-link" href={href(`/billers/${row.pack || row.biller}`, { tab: 'settlements', day })}>
                {billerName(row.name)}
              </a>
            ),
          },
          { key: 'state', label: t('state'), cell: (row) => <State tone={TONE[stand(row)]}>{t(`settled.${stand(row)}`)}</State> },
          { key: 'count', label: t('bills'), align: 'end', cell: (row) => (row.report ? number(row.report.ledger.count) : t('none')) },
          { key: 'sum', label: t('settle.ledger'), align: 'end', cell: (row) => <Money of={row.report && inCity(row.report.ledger.amount_minor)} /> },
          { key: 'payout', label: t('settle.payout'), align: 'end', cell: (row) => <Money of={row.report && inCity(row.report.payout_minor)} /> },
          { key: 'breaks', label: t('breaks'), align: 'end', cell: (row) => (row.report ? number(row.report.breaks) : t('none')) },
          { key: 'open', label: t('breaks.undecided'), align: 'end', cell: (row) => (row.report ? number(row.open_breaks) : t('none')) },
        ]}
      />
    </>
  );
}
