/** How much of the country can pay its bills here: a map from province to county, how it grew, and who to win next. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { c } from '../common/text';
import { Badge, Banner, Bars, Button, Card, Columns, Descriptions, Empty, Page, Pager, Row, Section, Segmented, SelectField, Stack, Stat, Table } from '../kit';
import { download } from '../lib/call';
import { month as monthText, number, percent, today } from '../lib/format';
import { useAct, useLoad } from '../lib/load';
import { prefs } from '../lib/prefs';
import { go, href, replace } from '../lib/router';
import { Legend, type Region, RegionMap, RegionTiles, outlinesOf, shadeOf } from '../map/map';
import { picture } from '../map/picture';
import {
  type Category,
  type Covered,
  type Gain,
  type Look,
  type Measure,
  type RegionCovered,
  type UnequalMonth,
  coverage,
  coverageFile,
  coverageHistory,
  coverageNext,
  inequality,
} from './api';
import type { ScreenProps } from './app';
import { Loaded, Refused, State } from './parts';
import { t, word } from './text';

const CATEGORIES: Category[] = ['power', 'water', 'gas', 'broadband', 'mobile', 'traffic_fine', 'heating', 'property', 'tax', 'tv', 'tuition', 'social_insurance', 'parking', 'hospital', 'other'];
const WAYS = ['file', 'direct', 'bank', 'provider'] as const;
const MEASURES: Measure[] = ['payments', 'payments_per_1000', 'covered'];
const NEXT_SHOWN = 10;
const BARS = 12;

type Named = Pick<RegionCovered, 'name' | 'name_en'>;
const nameOf = ({ name, name_en }: Named): string => (prefs().lang === 'en' ? (name_en ?? name) : name);
/** Only provinces have English names; the others are read as what they are. */
const Name = ({ of }: { of: Named }) => (prefs().lang === 'en' && !of.name_en ? <span lang="zh-CN">{of.name}</span> : <>{nameOf(of)}</>);

const share = (bps: number): string => percent(bps / 10_000);
const bps = (covered: number, units: number): number => (units === 0 ? 0 : Math.floor((covered * 10_000) / units));
const sum = (rows: RegionCovered[], of: (row: RegionCovered) => number): number => rows.reduce((all, row) => all + of(row), 0);

const levelIn = (parent: string | undefined): Look['level'] => (parent === undefined ? 'province' : parent.endsWith('0000') ? 'prefecture' : 'county');
/** Something of one's own in the address is as nothing. */
const oneOf = <T extends string>(all: readonly T[], text: string | null): T | undefined => all.find((one) => one === text);
const matching = (pattern: RegExp, text: string | null): string | undefined => (text !== null && pattern.test(text) ? text : undefined);

export default function Coverage({ query }: ScreenProps) {
  const parent = matching(/^\d{6}$/, query.get('in'));
  const look: Look = {
    level: levelIn(parent),
    parent,
    category: oneOf(CATEGORIES, query.get('category')),
    way: oneOf(WAYS, query.get('way')),
    month: matching(/^\d{4}-(0[1-9]|1[0-2])$/, query.get('month')),
  };
  const at = { in: parent, category: look.category, way: look.way, month: look.month };
  const change = (to: Partial<typeof at>) => replace('/coverage', { ...at, ...to });
  const into = (code: string | undefined) => href('/coverage', { ...at, in: code });
  const all = [parent, look.category, look.way, look.month];
  const found = useLoad(
    async (signal) => {
      const [answer, outlines] = await Promise.all([coverage(look, signal), outlinesOf(parent ?? '')]);
      const drawn = outlines && (answer.items.length === 0 || answer.items.some((one) => one.code in outlines.paths)) ? outlines : undefined;
      return { answer, outlines: drawn, of: parent };
    },
    all,
  );
  const figure = useRef<HTMLElement>(null);
  const svg = useRef<SVGSVGElement>(null);
  const here = useRef<HTMLSpanElement>(null);
  const first = useRef(true);
  useEffect(() => {
    // What was pressed is gone: whoever uses the keyboard goes on from the name of where they are now.
    if (!first.current) here.current?.focus();
    first.current = false;
  }, [parent]);
  const where = found.data?.answer.path.map(nameOf).join(' ') || t('coverage.country');
  const told = [where, look.category && word(`category.${look.category}`), look.way && t(`way.${look.way as (typeof WAYS)[number]}`), monthText(look.month ?? today().slice(0, 7))];
  const csv = useAct(() => download(coverageFile(look), `coverage-${parent ?? 'cn'}.csv`));
  const png = useAct(async () => {
    if (!figure.current) return;
    const link = document.createElement('a');
    link.href = URL.createObjectURL(await picture(figure.current, told.filter(Boolean).join(' · '), t('coverage.schematic')));
    link.download = `coverage-${parent ?? 'cn'}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  });
  return (
    <Page
      title={t('nav.coverage')}
      wide
      actions={
        <Row>
          <Button icon="download" small busy={csv.busy} onClick={csv.run}>
            {t('coverage.csv')}
          </Button>
          <Button icon="photo" small busy={png.busy} disabled={!found.data} onClick={png.run}>
            {t('coverage.png')}
          </Button>
        </Row>
      }
    >
      <Crumbs path={found.data?.of === parent ? found.data?.answer.path : undefined} into={into} here={here} />
      <div class="o-filters">
        <SelectField
          label={t('category')}
          value={look.category ?? ''}
          options={[{ value: '', label: t('all') }, ...CATEGORIES.map((value) => ({ value, label: word(`category.${value}`) }))]}
          onChange={(value) => change({ category: (value || undefined) as Category | undefined })}
        />
        <SelectField
          label={t('way')}
          value={look.way ?? ''}
          options={[{ value: '', label: t('all') }, ...WAYS.map((value) => ({ value, label: t(`way.${value}`) }))]}
          onChange={(value) => change({ way: value || undefined })}
        />
        <Months chosen={look.month} onChoose={(month) => change({ month })} />
      </div>
      <Refused failure={csv.failure ?? png.failure} />
      <Loaded load={found} shape="card">
        {({ answer, outlines }) => (
          <div class="o-map">
            <Card>
              <figure class="map-figure" ref={figure}>
                <Drawing answer={answer} outlines={outlines} label={t('coverage.map', { where })} svg={svg} onChoose={(code) => go('/coverage', { ...at, in: code })} />
                <Legend label={t('coverage.legend')} note={t('coverage.schematic')} text={(shade) => (shade === 0 ? t('coverage.zero') : t('coverage.to', { share: percent(shade / 5) }))} />
              </figure>
            </Card>
            <Regions rows={answer.items} where={where} into={into} />
          </div>
        )}
      </Loaded>
      <div class="o-cols">
        <History look={look} where={where} />
        <Unequal look={look} />
      </div>
      <Next look={look} />
    </Page>
  );
}

function Crumbs({ path, into, here }: { path: Named[] | undefined | (Named & { code: string })[]; into: (code: string | undefined) => string; here: { current: HTMLSpanElement | null } }) {
  const steps = [undefined, ...((path ?? []) as (Named & { code: string })[])];
  const text = (step: (typeof steps)[number]): ComponentChildren => (step ? <Name of={step} /> : t('coverage.country'));
  return (
    <nav aria-label={t('coverage.where')}>
      <ol class="o-crumbs">
        {steps.map((step, i) => (
          <li key={step?.code ?? ''}>
            {i < steps.length - 1 ? (
              <a class="k-link" href={into(step?.code)}>
                {text(step)}
              </a>
            ) : (
              <span aria-current="page" tabIndex={-1} ref={here}>
                {text(step)}
              </span>
            )}
          </li>
        ))}
      </ol>
    </nav>
  );
}

/** The months from the first in which anybody could be paid to this one, which stands for now. */
function Months({ chosen, onChoose }: { chosen: string | undefined; onChoose: (month: string | undefined) => void }) {
  const found = useLoad((signal) => coverageHistory({ level: 'province' }, signal), []);
  const [held, setHeld] = useState<number>();
  const timer = useRef(0);
  useEffect(() => setHeld(undefined), [chosen]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const now = today().slice(0, 7);
  const months = (found.data ?? []).map((one) => one.month).filter((one) => one < now);
  const last = months.length;
  const place = held ?? (chosen === undefined ? last : months.includes(chosen) ? months.indexOf(chosen) : last);
  const text = place >= last ? t('coverage.now') : monthText(months[place] ?? now);
  return (
    <label class="o-slider">
      <span class="o-slider-head">
        <span>{t('coverage.month')}</span>
        <output>{text}</output>
      </span>
      <input
        type="range"
        min={0}
        max={Math.max(1, last)}
        value={last === 0 ? 1 : place}
        disabled={last === 0}
        aria-valuetext={text}
        onInput={(e) => {
          const to = Number(e.currentTarget.value);
          setHeld(to);
          // Whoever drags it wants the month where it comes to rest.
          clearTimeout(timer.current);
          timer.current = window.setTimeout(() => onChoose(months[to]), 250);
        }}
      />
    </label>
  );
}

function Drawing({ answer, outlines, label, svg, onChoose }: { answer: Covered; outlines: Awaited<ReturnType<typeof outlinesOf>>; label: string; svg: { current: SVGSVGElement | null }; onChoose: (code: string) => void }) {
  const regions: Region[] = answer.items.map((one) => ({ code: one.code, name: nameOf(one), text: share(one.covered_bps), shade: shadeOf(one.covered_bps), leads: one.divided }));
  const of = { label, regions, svg, onChoose };
  return outlines ? <RegionMap of={outlines} {...of} /> : <RegionTiles {...of} />;
}

type SortKey = 'name' | 'covered' | 'institutions' | 'opened';
const VALUE: Record<Exclude<SortKey, 'name'>, (row: RegionCovered) => number> = {
  covered: (row) => row.covered_bps,
  institutions: (row) => row.institutions,
  opened: (row) => row.opened,
};

function Regions({ rows, where, into }: { rows: RegionCovered[]; where: string; into: (code: string) => string }) {
  const [sort, setSort] = useState<{ key: SortKey; dir: 'asc' | 'desc' }>({ key: 'covered', dir: 'desc' });
  const [units, covered] = [sum(rows, (row) => row.units), sum(rows, (row) => row.covered)];
  const sign = sort.dir === 'asc' ? 1 : -1;
  const order = (a: RegionCovered, b: RegionCovered) => (sort.key === 'name' ? 0 : sign * (VALUE[sort.key](a) - VALUE[sort.key](b))) || (sort.key === 'name' ? sign : 1) * a.code.localeCompare(b.code);
  const people = rows.some((row) => row.people != null);
  return (
    <Stack>
      <Columns min="s">
        <Stat label={t('coverage.share')} value={share(bps(covered, units))} note={t('coverage.share.note', { n: number(covered), all: number(units) })} />
        <Stat label={t('coverage.regions')} value={t('n.of', { n: number(rows.filter((row) => row.covered > 0).length), all: number(rows.length) })} note={t('coverage.regions.note')} />
      </Columns>
      <div class="o-regions">
        <Table
          caption={t('coverage.table', { where })}
          rows={[...rows].sort(order)}
          rowKey={(row) => row.code}
          empty={<Empty icon="globe" title={t('coverage.undivided')} note={t('coverage.undivided.note')} />}
          sort={{ ...sort, onSort: (key) => setSort({ key: key as SortKey, dir: sort.key === key && sort.dir === 'desc' ? 'asc' : 'desc' }) }}
          columns={[
            {
              key: 'name',
              label: t('coverage.region'),
              sortable: true,
              cell: (row) =>
                row.divided ? (
                  <a class="k-link" href={into(row.code)}>
                    <Name of={row} />
                  </a>
                ) : (
                  <Name of={row} />
                ),
            },
            {
              key: 'covered',
              label: t('coverage.share'),
              align: 'end',
              sortable: true,
              cell: (row) => (
                <span class="o-subject">
                  <span>{share(row.covered_bps)}</span>
                  <span class="o-note">{t('n.of', { n: number(row.covered), all: number(row.units) })}</span>
                </span>
              ),
            },
            ...(people
              ? [
                  {
                    key: 'people',
                    label: t('coverage.people'),
                    align: 'end' as const,
                    cell: (row: RegionCovered) => (row.people == null ? t('none') : t('n.of', { n: row.people_covered == null ? t('none') : number(row.people_covered), all: number(row.people) })),
                  },
                ]
              : []),
            { key: 'institutions', label: t('biller'), align: 'end', sortable: true, cell: (row) => number(row.institutions) },
            { key: 'opened', label: t('coverage.opened'), align: 'end', sortable: true, cell: (row) => number(row.opened) },
          ]}
        />
      </div>
    </Stack>
  );
}

function History({ look, where }: { look: Look; where: string }) {
  const found = useLoad((signal) => coverageHistory({ ...look, month: undefined }, signal), [look.parent, look.category, look.way]);
  return (
    <Section title={t('coverage.history')}>
      <Loaded load={found} shape="card">
        {(months) =>
          months.length === 0 ? (
            <Empty icon="calendar" title={t('coverage.history.none')} />
          ) : (
            <Card>
              <Stack>
                <p class="o-note">{t('coverage.history.note', { where })}</p>
                <Bars
                  label={t('coverage.history')}
                  rows={months.length < 3}
                  items={months.slice(-BARS).map((one) => ({
                    label: one.month.slice(2),
                    value: one.opened,
                    text: t('coverage.history.opened', { n: number(one.opened) }),
                    mark: one.month === (look.month ?? months.at(-1)?.month),
                  }))}
                />
                <details class="o-details">
                  <summary>{t('chart.table')}</summary>
                  <Table
                    caption={t('coverage.history')}
                    rows={[...months].reverse()}
                    rowKey={(one) => one.month}
                    columns={[
                      { key: 'month', label: t('coverage.month'), cell: (one) => monthText(one.month) },
                      { key: 'opened', label: t('coverage.opened'), align: 'end', cell: (one) => number(one.opened) },
                      { key: 'institutions', label: t('biller'), align: 'end', cell: (one) => number(one.institutions) },
                      { key: 'covered', label: t('coverage.share'), align: 'end', cell: (one) => share(one.covered_bps) },
                    ]}
                  />
                </details>
              </Stack>
            </Card>
          )
        }
      </Loaded>
    </Section>
  );
}

const milli = (value: number | null | undefined): string => (value == null ? t('none') : t('coverage.times', { n: number(value / 1_000, 1) }));
const ppm = (value: number | null | undefined): string => (value == null ? t('none') : number(value / 1_000_000, 3));

function Unequal({ look }: { look: Look }) {
  const [measure, setMeasure] = useState<Measure>('payments');
  const found = useLoad((signal) => inequality(look, measure, signal).then(({ items }) => items), [look.parent, look.category, look.way, measure]);
  return (
    <Section title={t('coverage.unequal')}>
      <Card>
        <Stack>
          <Segmented label={t('coverage.measure')} value={measure} options={MEASURES.map((value) => ({ value, label: t(`measure.${value}`) }))} onChange={(value) => setMeasure(value as Measure)} />
          <Loaded load={found}>
            {(months) => {
              const one = (look.month && months.find((each) => each.month === look.month)) || months.at(-1);
              return one ? <Indices of={one} months={months} /> : <Empty icon="settlement" title={t('coverage.unequal.none')} note={t(`measure.${measure}.none`)} />;
            }}
          </Loaded>
        </Stack>
      </Card>
    </Section>
  );
}

function Indices({ of, months }: { of: UnequalMonth; months: UnequalMonth[] }) {
  return (
    <Stack>
      <p class="o-note">{t('coverage.unequal.note', { month: monthText(of.month), n: number(of.regions), zeros: number(of.zeros) })}</p>
      <Descriptions
        items={[
          { label: t('coverage.gini'), value: <span class="k-num">{ppm(of.gini_ppm)}</span> },
          { label: t('coverage.theil'), value: <span class="k-num">{ppm(of.theil_ppm)}</span> },
          { label: t('coverage.best'), value: <span class="k-num">{milli(of.best_worst_milli)}</span> },
          { label: t('coverage.p90'), value: <span class="k-num">{milli(of.p90_p10_milli)}</span> },
        ]}
      />
      <p class="o-note">{t('coverage.gini.note')}</p>
      {months.length > 1 && (
        <details class="o-details">
          <summary>{t('chart.table')}</summary>
          <Table
            caption={t('coverage.unequal')}
            rows={[...months].reverse()}
            rowKey={(one) => one.month}
            columns={[
              { key: 'month', label: t('coverage.month'), cell: (one) => monthText(one.month) },
              { key: 'gini', label: t('coverage.gini'), align: 'end', cell: (one) => ppm(one.gini_ppm) },
              { key: 'theil', label: t('coverage.theil'), align: 'end', cell: (one) => ppm(one.theil_ppm) },
              { key: 'best', label: t('coverage.best'), align: 'end', cell: (one) => milli(one.best_worst_milli) },
              { key: 'p90', label: t('coverage.p90'), align: 'end', cell: (one) => milli(one.p90_p10_milli) },
            ]}
          />
        </details>
      )}
    </Stack>
  );
}

function Next({ look }: { look: Look }) {
  const found = useLoad((signal) => coverageNext({ ...look, month: undefined }, signal).then(({ items }) => items), [look.parent, look.category, look.way]);
  const [shown, setShown] = useState(NEXT_SHOWN);
  useEffect(() => setShown(NEXT_SHOWN), [look.parent, look.category, look.way]);
  return (
    <Section title={t('coverage.next')}>
      <Loaded load={found}>
        {(items: Gain[]) => (
          <Stack>
            {items.length > 0 && <Banner tone="info">{t('coverage.next.note')}</Banner>}
            <Table
              caption={t('coverage.next')}
              rows={items.slice(0, shown)}
              rowKey={(one) => `${one.pack ?? one.name.zh} ${one.region} ${one.category}`}
              empty={<Empty icon="check" tone="ok" title={t('coverage.next.none')} />}
              columns={[
                { key: 'name', label: t('biller'), cell: (one) => <strong>{prefs().lang === 'zh' ? one.name.zh : one.name.en}</strong> },
                { key: 'category', label: t('category'), cell: (one) => <Badge>{word(`category.${one.category}`)}</Badge> },
                { key: 'region', label: t('coverage.region'), cell: (one) => <span lang="zh-CN">{one.region_name}</span> },
                { key: 'by', label: t('way'), cell: (one) => (one.route_stands ? <State tone="ok">{t('coverage.next.stands', { way: word(`way.${one.by}`) })}</State> : word(`way.${one.by}`)) },
                { key: 'units', label: t('coverage.next.units'), align: 'end', cell: (one) => number(one.units) },
                ...(items.some((one) => one.people != null) ? [{ key: 'people', label: t('coverage.next.people'), align: 'end' as const, cell: (one: Gain) => (one.people == null ? t('none') : number(one.people)) }] : []),
              ]}
            />
            {items.length > shown && <Pager label={c('more')} onMore={() => setShown(shown + 50)} />}
          </Stack>
        )}
      </Loaded>
    </Section>
  );
}
