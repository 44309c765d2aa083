/** The living city: what is paid now and in the last hour, whether the engines are well, and what wants a hand. */
import type { ComponentType } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { c } from '../common/text';
import {
  Badge, Banner, Bars, Button, Card, ChartFrame, Descriptions, Empty, Page, Row, Section, Segmented, Skeleton, Stat, Table, type Tone, toast,
} from '../kit';
import { useAct } from '../lib/load';
import { money, number, percent, time } from '../lib/format';
import { type Alert, type BooksCheck, type BooksReport, type ChannelTally, type Live, type Minute, live, startCheck } from './api';
import { alertDetail, alertHref } from './alerts';
import type { ChartProps } from './chart';
import { Loaded, Money, Refused, State, When, inCity } from './parts';
import { usePoll } from './poll';
import { t, word } from './text';
import { useMay } from './who';

const EVERY_MS = 2_000;
const COLOURS = 6;
/** The followers that must keep up; the bill follower stands before a silent biller's payment, which is no lag. */
const KEEP_UP = ['live', 'webhook'];
const LAG_MAX_MS = 5_000;
type Measure = 'payments' | 'value' | 'success';

interface Sum {
  payments: number;
  minor: number;
  ok: number;
  refused: number;
}
const sumOf = (minutes: Minute[]): Sum =>
  minutes.reduce<Sum>(
    (all, one) => ({
      payments: all.payments + one.payments,
      minor: all.minor + one.value.minor,
      ok: all.ok + one.ok_here,
      refused: all.refused + one.refused_here,
    }),
    { payments: 0, minor: 0, ok: 0, refused: 0 },
  );
/** The share of requests to pay that were taken; nothing where there were none. */
const success = (ok: number, refused: number): number | null => (ok + refused === 0 ? null : ok / (ok + refused));
const share = (part: number | null): string => (part === null ? t('none') : percent(part));

export default function Overview() {
  const found = usePoll(live, () => EVERY_MS, []);
  return (
    <Page
      title={t('nav.overview')}
      wide
      actions={found.data && <span class="o-asof">{c('as.of', { time: time(found.data.at, true) })}</span>}
    >
      <Loaded load={found} shape="card">
        {(city) => <City city={city} />}
      </Loaded>
    </Page>
  );
}

function City({ city }: { city: Live }) {
  const now = city.last_60_s;
  const hour = useMemo(() => sumOf(city.minutes), [city.minutes]);
  const part = now.success_bp === null || now.success_bp === undefined ? null : now.success_bp / 10_000;
  const lagMs = Math.max(0, ...city.feed.followers.filter((f) => KEEP_UP.includes(f.name)).map((f) => f.lag_ms));
  return (
    <>
      <Alerts alerts={city.alerts} />
      <div class="o-stats">
        <Stat label={t('live.rate')} value={number(now.payments / 60, 1)} note={t('live.peak', { n: number(now.peak_per_second) })} />
        <Stat label={t('live.value')} value={money(now.value)} note={t('live.hour', { sum: money({ minor: hour.minor, currency: now.value.currency }) })} />
        <Stat
          label={t('live.success')}
          value={share(part)}
          note={t('live.hour', { sum: share(success(hour.ok, hour.refused)) })}
          tone={part !== null && part < 0.9 ? 'warn' : undefined}
        />
        <Stat label={t('live.lag')} value={lag(lagMs)} note={t('live.lag.note')} tone={lagMs > LAG_MAX_MS ? 'warn' : undefined} />
      </div>
      <Hour minutes={city.minutes} />
      <div class="o-cols">
        <div class="o-col">
          <Channels now={now.channels} />
          <Refusals refusals={city.refusals} />
        </div>
        <Health city={city} />
      </div>
    </>
  );
}

const lag = (ms: number): string => (ms < 1_000 ? t('live.ms', { n: number(ms) }) : t('live.s', { n: number(ms / 1_000, 1) }));

const SEVERITY: Record<Alert['severity'], Tone> = { critical: 'bad', warning: 'warn' };
/** Alerts whose sentence says more than their code does. */
const TELLING = new Set(['books_check_failed', 'import_failed', 'breaks_open', 'webhook_disabled', 'restore_overdue']);

function toHealth() {
  const at = document.getElementById('o-health');
  at?.scrollIntoView({ block: 'center' });
  at?.querySelector('button')?.focus({ preventScroll: true });
}

function Detail({ of }: { of: Alert }) {
  const { text, lang } = alertDetail(of);
  return (
    <span class="o-note" lang={lang}>
      {text}
    </span>
  );
}

function Alerts({ alerts }: { alerts: Alert[] }) {
  return (
    <Section title={t('alerts')}>
      {alerts.length === 0 ? (
        <p class="o-calm">
          <State tone="ok">{t('alerts.none')}</State>
        </p>
      ) : (
        <ul class="o-alerts" role="list" aria-live="polite">
          {alerts.map((one) => {
            const to = alertHref(one);
            return (
              <li key={`${one.code} ${one.subject} ${one.detail}`} class={`o-alert o-${one.severity}`}>
                <State tone={SEVERITY[one.severity]}>{t(`severity.${one.severity}`)}</State>
                <span class="o-alert-text">
                  <strong>{word(`alert.${one.code}`)}</strong>
                  {TELLING.has(one.code) && <Detail of={one} />}
                  {one.since && (
                    <span class="o-note">
                      {t('alert.since')} <When at={one.since} />
                    </span>
                  )}
                </span>
                {one.code.startsWith('books_check') && (
                  <Button small onClick={toHealth}>
                    {t('alert.mend')}
                  </Button>
                )}
                {to && (
                  <Button small href={to}>
                    {t('alert.mend')}
                  </Button>
                )}
              </li>
            );
          })}
        </ul>
      )}
    </Section>
  );
}

/** The chart's own chunk, when somebody looks at it. */
function useChart(): { Chart: ComponentType<ChartProps> | undefined; failed: boolean; again: () => void } {
  const [Chart, set] = useState<ComponentType<ChartProps>>();
  const [turn, setTurn] = useState(0);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    setFailed(false);
    import('./chart').then(
      (module) => set(() => module.default),
      () => setFailed(true),
    );
  }, [turn]);
  return { Chart, failed, again: () => setTurn((n) => n + 1) };
}

function Hour({ minutes: all }: { minutes: Minute[] }) {
  const [measure, setMeasure] = useState<Measure>('payments');
  const [point, setPoint] = useState<number>();
  const { Chart, failed, again } = useChart();
  // The minute that is not over would always look like a fall.
  const minutes = useMemo(() => all.slice(0, -1), [all]);
  const times = useMemo(() => minutes.map((m) => Date.parse(m.at) / 1000), [minutes]);
  const channels = useMemo(() => (minutes[0]?.channels ?? []).map((one) => one.channel), [minutes]);
  const series = useMemo(() => {
    if (measure === 'success') return [{ label: t('chart.success'), colour: '--o-1', values: minutes.map((m) => success(m.ok_here, m.refused_here)) }];
    return channels.map((channel, i) => ({
      label: word(`channel.${channel}`),
      colour: `--o-${(i % COLOURS) + 1}`,
      values: minutes.map((m) => {
        const one = m.channels.find((each) => each.channel === channel);
        return measure === 'payments' ? (one?.payments ?? 0) : (one?.value.minor ?? 0);
      }),
    }));
  }, [minutes, measure]);
  const currency = minutes[0]?.value.currency ?? 'CNY';
  const format = (value: number): string =>
    measure === 'payments' ? number(value) : measure === 'value' ? money({ minor: Math.round(value), currency }) : percent(value);
  const shown = point ?? minutes.length - 1;
  const hour = sumOf(all);
  const summary = t('chart.summary', { n: number(hour.payments), sum: money({ minor: hour.minor, currency }), share: share(success(hour.ok, hour.refused)) });
  return (
    <Card>
      <ChartFrame title={t('chart.title')} summary={summary}>
        <Row>
          <Segmented
            label={t('chart.measure')}
            value={measure}
            options={(['payments', 'value', 'success'] as const).map((value) => ({ value, label: t(`chart.${value}`) }))}
            onChange={(value) => setMeasure(value as Measure)}
          />
        </Row>
        {hour.payments + hour.ok + hour.refused === 0 ? (
          <Empty icon="city" title={t('chart.empty')} note={t('chart.empty.note')} />
        ) : (
          <>
            {Chart ? (
              <Chart times={times} series={series} format={format} whole={measure === 'payments'} most={measure === 'success' ? 1 : undefined} onPoint={setPoint} />
            ) : failed ? (
              <Empty
                icon="offline"
                title={c('failed.title')}
                note={c('chunk.note')}
                action={
                  <Button icon="refresh" onClick={again}>
                    {c('retry')}
                  </Button>
                }
              />
            ) : (
              <Skeleton shape="card" label={c('loading')} />
            )}
            <ul class="o-legend" role="list">
              <li class="o-legend-at">{times[shown] !== undefined && time(times[shown] * 1000)}</li>
              {series.map((one, i) => {
                const value = one.values[shown];
                return (
                  <li key={one.label}>
                    <span class={`o-swatch o-swatch-${(i % COLOURS) + 1}`} aria-hidden="true" />
                    {one.label} <b class="k-num">{value === null || value === undefined ? t('none') : format(value)}</b>
                  </li>
                );
              })}
            </ul>
            <details class="o-details">
              <summary>{t('chart.table')}</summary>
              <Table
                caption={t('chart.title')}
                rows={[...minutes].reverse()}
                rowKey={(m) => m.at}
                columns={[
                  { key: 'at', label: t('time'), cell: (m) => time(m.at) },
                  { key: 'payments', label: t('chart.payments'), align: 'end', cell: (m) => number(m.payments) },
                  { key: 'value', label: t('chart.value'), align: 'end', cell: (m) => money(m.value) },
                  { key: 'success', label: t('chart.success'), align: 'end', cell: (m) => share(success(m.ok_here, m.refused_here)) },
                ]}
              />
            </details>
          </>
        )}
      </ChartFrame>
    </Card>
  );
}

function Channels({ now }: { now: ChannelTally[] }) {
  return (
    <Section title={t('channels')}>
      <Table
        caption={t('channels')}
        rows={now}
        rowKey={(one) => one.channel}
        columns={[
          { key: 'channel', label: t('channel'), cell: (one) => word(`channel.${one.channel}`) },
          { key: 'payments', label: t('chart.payments'), align: 'end', cell: (one) => number(one.payments) },
          { key: 'value', label: t('amount'), align: 'end', cell: (one) => money(one.value) },
        ]}
      />
    </Section>
  );
}

function Refusals({ refusals }: { refusals: Live['refusals'] }) {
  const sorted = Object.entries(refusals).sort(([, a], [, b]) => b - a);
  return (
    <Section title={t('refusals')}>
      <Card>
        {sorted.length === 0 ? (
          <Empty title={t('refusals.none')} />
        ) : (
          <Bars rows label={t('refusals')} items={sorted.slice(0, 12).map(([code, count]) => ({ label: word(`refusal.${code}`), value: count, text: number(count) }))} />
        )}
      </Card>
    </Section>
  );
}

const engine = (ok: boolean, name?: string) => (
  <>
    {name && <span class="o-note">{word(`engine.${name}`)} </span>}
    <State tone={ok ? 'ok' : 'bad'}>{ok ? t('health.ok') : t('health.bad')}</State>
  </>
);

const CHECK: Record<BooksCheck['state'], Tone> = { never: 'neutral', running: 'info', passed: 'ok', failed: 'bad', stopped: 'warn' };

function Health({ city }: { city: Live }) {
  const may = useMay('staff');
  const { check, health, feed } = city;
  const doing = useAct(async () => {
    await startCheck();
    toast(t('check.started'), 'ok');
  });
  return (
    <Section title={t('health')}>
      <Card>
        <Descriptions
          items={[
            { label: t('health.ledger'), value: engine(health.ledger) },
            { label: t('health.database'), value: engine(health.database, health.database_engine) },
            { label: t('health.committed'), value: <When at={feed.committed_at} /> },
            ...feed.followers.map((one) => ({ label: word(`follower.${one.name}`), value: lag(one.lag_ms) })),
          ]}
        />
      </Card>
      <div id="o-health">
        <Card title={t('check')}>
          <Descriptions
            items={[
              {
                label: t('state'),
                value: <span aria-live="polite">{check.state === 'never' ? <Badge>{t('check.never')}</Badge> : <State tone={CHECK[check.state]}>{t(`check.${check.state}`)}</State>}</span>,
              },
              ...(check.state === 'running'
                ? [{ label: t('check.so.far'), value: t('check.counted', { accounts: number(check.accounts ?? 0), transfers: number(check.transfers ?? 0) }) }]
                : []),
              { label: t('check.at'), value: <When at={check.finished_at} /> },
            ]}
          />
          {check.report && <Found report={check.report} />}
          <p class="o-note">{t('check.note')}</p>
          <Refused failure={doing.failure} />
          {may && (
            <Button icon="refresh" busy={doing.busy || check.state === 'running'} onClick={doing.run}>
              {t('check.now')}
            </Button>
          )}
        </Card>
      </div>
    </Section>
  );
}

function Found({ report }: { report: BooksReport }) {
  const sums = ['bank', 'wallets', 'shops', 'billers', 'fees'] as const;
  return (
    <>
      {report.differences > 0 && (
        <Banner tone="bad" title={t('check.differences', { n: number(report.differences) })}>
          <ul class="o-differences" lang="en">
            {report.first.map((one, i) => (
              <li key={i}>
                {one.id && <code class="o-code">{one.id}</code>} {one.what}
              </li>
            ))}
          </ul>
        </Banner>
      )}
      {report.stopped && (
        <Banner tone="warn">
          <span lang="en">{report.stopped}</span>
        </Banner>
      )}
      <details class="o-details">
        <summary>{t('check.found')}</summary>
        <Descriptions
          items={[
            ...sums.map((name) => ({ label: t(`books.${name}`), value: <Money of={inCity(report[`${name}_minor`])} /> })),
            { label: t('check.size'), value: t('check.counted', { accounts: number(report.accounts), transfers: number(report.transfers) }) },
          ]}
        />
      </details>
    </>
  );
}
