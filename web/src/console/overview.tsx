/** The living city: what is paid now and in the last hour, whether the engines are well, and what wants a hand. */
import type { ComponentType } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { c } from '../common/text';
import {
  Badge, Bars, Button, Card, ChartFrame, Columns, Descriptions, Empty, Page, Row, Section, Segmented, Skeleton, Stat, Table, type Tone, toast,
} from '../kit';
import { useAct } from '../lib/load';
import { money, number, percent, time } from '../lib/format';
import { type Alert, type BooksCheck, type Engine, type Live, type Minute, type Tally, live, startCheck } from './api';
import { alertHref } from './alerts';
import type { ChartProps } from './chart';
import { Loaded, Money, Refused, State, When } from './parts';
import { usePoll } from './poll';
import { t, word } from './text';
import { useMay } from './who';

const EVERY_MS = 2_000;
const COLOURS = 6;
type Measure = 'paid' | 'value' | 'success';

interface Sum {
  paid: number;
  refused: number;
  minor: number;
  currency: string;
}
const sum = (tallies: Tally[]): Sum =>
  tallies.reduce<Sum>(
    (all, one) => ({ paid: all.paid + one.paid, refused: all.refused + one.refused, minor: all.minor + one.value.minor, currency: one.value.currency }),
    { paid: 0, refused: 0, minor: 0, currency: 'CNY' },
  );
/** The share of payments that were made; nothing where none was tried. */
const success = ({ paid, refused }: { paid: number; refused: number }): number | null => (paid + refused === 0 ? null : paid / (paid + refused));
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
  const now = sum(city.now);
  const hour = useMemo(() => sum(city.minutes.flatMap((m) => m.channels)), [city.minutes]);
  const part = success(now);
  return (
    <>
      <Alerts alerts={city.alerts} />
      <Columns min="s">
        <Stat label={t('live.rate')} value={number(now.paid / 60, 1)} note={t('live.minute', { n: number(now.paid) })} />
        <Stat label={t('live.value')} value={<Money of={{ minor: now.minor, currency: now.currency }} />} note={t('live.hour', { sum: money(hour) })} />
        <Stat label={t('live.success')} value={share(part)} note={t('live.hour', { sum: share(success(hour)) })} tone={part !== null && part < 0.9 ? 'warn' : undefined} />
        <Stat label={t('live.lag')} value={lag(city.feed_lag_ms)} note={t('live.lag.note')} tone={city.feed_lag_ms > 5_000 ? 'warn' : undefined} />
      </Columns>
      <Hour minutes={city.minutes} />
      <div class="o-cols">
        <div class="o-col">
          <Channels now={city.now} />
          <Refusals refusals={city.refusals} />
        </div>
        <Health city={city} />
      </div>
    </>
  );
}

const lag = (ms: number): string => (ms < 1_000 ? t('live.ms', { n: number(ms) }) : t('live.s', { n: number(ms / 1_000, 1) }));

const SEVERITY: Record<Alert['severity'], Tone> = { critical: 'bad', warning: 'warn', notice: 'info' };
const ORDER: Alert['severity'][] = ['critical', 'warning', 'notice'];

function Alerts({ alerts }: { alerts: Alert[] }) {
  const sorted = [...alerts].sort((a, b) => ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity) || a.since.localeCompare(b.since));
  return (
    <Section title={t('alerts')}>
      {sorted.length === 0 ? (
        <p class="o-calm">
          <State tone="ok">{t('alerts.none')}</State>
        </p>
      ) : (
        <ul class="o-alerts" role="list" aria-live="polite">
          {sorted.map((one) => {
            const to = alertHref(one);
            return (
              <li key={`${one.code} ${one.subject ?? ''}`} class={`o-alert o-${one.severity}`}>
                <State tone={SEVERITY[one.severity]}>{t(`severity.${one.severity}`)}</State>
                <span class="o-alert-text">
                  <strong>{word(`alert.${one.code}`)}</strong>
                  <span class="o-note">
                    {one.detail && <span>{one.detail} · </span>}
                    {t('alert.since')} <When at={one.since} />
                  </span>
                </span>
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

function Hour({ minutes }: { minutes: Minute[] }) {
  const [measure, setMeasure] = useState<Measure>('paid');
  const [point, setPoint] = useState<number>();
  const { Chart, failed, again } = useChart();
  const channels = useMemo(() => [...new Set(minutes.flatMap((m) => m.channels.map((one) => one.channel)))].sort(), [minutes]);
  const times = useMemo(() => minutes.map((m) => Date.parse(m.at) / 1000), [minutes]);
  const series = useMemo(
    () =>
      channels.map((channel, i) => ({
        label: word(`channel.${channel}`),
        colour: `--o-${(i % COLOURS) + 1}`,
        values: minutes.map((m) => {
          const one = m.channels.find((each) => each.channel === channel);
          if (measure === 'paid') return one?.paid ?? 0;
          if (measure === 'value') return one?.value.minor ?? 0;
          return one ? success(one) : null;
        }),
      })),
    [minutes, measure, channels],
  );
  const currency = minutes.flatMap((m) => m.channels)[0]?.value.currency ?? 'CNY';
  const format = (value: number): string =>
    measure === 'paid' ? number(value) : measure === 'value' ? money({ minor: Math.round(value), currency }) : percent(value);
  const shown = point ?? minutes.length - 1;
  const all = sum(minutes.flatMap((m) => m.channels));
  const summary = t('chart.summary', { paid: number(all.paid), sum: money(all), share: share(success(all)) });
  return (
    <Card>
    <ChartFrame title={t('chart.title')} summary={summary}>
      <Row>
        <Segmented
          label={t('chart.measure')}
          value={measure}
          options={(['paid', 'value', 'success'] as const).map((value) => ({ value, label: t(`chart.${value}`) }))}
          onChange={(value) => setMeasure(value as Measure)}
        />
      </Row>
      {channels.length === 0 ? (
        <Empty icon="city" title={t('chart.empty')} note={t('chart.empty.note')} />
      ) : (
        <>
          {Chart ? (
            <Chart times={times} series={series} format={format} most={measure === 'success' ? 1 : undefined} onPoint={setPoint} />
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
                { key: 'paid', label: t('chart.paid'), align: 'end', cell: (m) => number(sum(m.channels).paid) },
                { key: 'value', label: t('chart.value'), align: 'end', cell: (m) => money(sum(m.channels)) },
                { key: 'success', label: t('chart.success'), align: 'end', cell: (m) => share(success(sum(m.channels))) },
              ]}
            />
          </details>
        </>
      )}
    </ChartFrame>
    </Card>
  );
}

function Channels({ now }: { now: Tally[] }) {
  return (
    <Section title={t('channels')}>
      <Table
        caption={t('channels')}
        rows={now}
        rowKey={(one) => one.channel}
        empty={<Empty title={t('channels.none')} />}
        columns={[
          { key: 'channel', label: t('channel'), cell: (one) => word(`channel.${one.channel}`) },
          { key: 'paid', label: t('live.paid'), align: 'end', cell: (one) => number(one.paid) },
          { key: 'value', label: t('amount'), align: 'end', cell: (one) => money(one.value) },
          { key: 'success', label: t('live.success'), align: 'end', cell: (one) => share(success(one)) },
        ]}
      />
    </Section>
  );
}

function Refusals({ refusals }: { refusals: Live['refusals'] }) {
  const sorted = [...refusals].sort((a, b) => b.count - a.count);
  return (
    <Section title={t('refusals')}>
      <Card>
        {sorted.length === 0 ? (
          <Empty title={t('refusals.none')} />
        ) : (
          <Bars rows label={t('refusals')} items={sorted.slice(0, 12).map((one) => ({ label: word(`refusal.${one.code}`), value: one.count, text: number(one.count) }))} />
        )}
      </Card>
    </Section>
  );
}

const engine = (of: Engine) => (
  <>
    <State tone={of.ok ? 'ok' : 'bad'}>{of.ok ? t('health.ok') : t('health.bad')}</State>
    {of.detail && <span class="o-note"> {of.detail}</span>}
  </>
);

const CHECK: Record<BooksCheck['state'], Tone> = { never: 'neutral', running: 'info', passed: 'ok', failed: 'bad', stopped: 'warn' };

function Health({ city }: { city: Live }) {
  const may = useMay('staff');
  const { check } = city;
  const doing = useAct(async () => {
    await startCheck();
    toast(t('check.started'), 'ok');
  });
  return (
    <Section title={t('health')}>
      <Card>
        <Descriptions
          items={[
            { label: t('health.ledger'), value: engine(city.ledger) },
            { label: t('health.database'), value: engine(city.database) },
            {
              label: t('check'),
              value: (
                <span aria-live="polite">
                  {check.state === 'never' ? <Badge>{t('check.never')}</Badge> : <State tone={CHECK[check.state]}>{t(`check.${check.state}`)}</State>}
                  {check.detail && <span class="o-note"> {check.detail}</span>}
                </span>
              ),
            },
            { label: t('check.at'), value: <When at={check.finished_at ?? check.started_at} /> },
          ]}
        />
        <p class="o-note">{t('check.note')}</p>
        <Refused failure={doing.failure} />
        {may && (
          <Button icon="refresh" busy={doing.busy || check.state === 'running'} onClick={doing.run}>
            {t('check.now')}
          </Button>
        )}
      </Card>
    </Section>
  );
}
