/** Where on the map billers can be paid: by province, with the billers of the one that is chosen. */
import { useState } from 'preact/hooks';
import { Badge, Card, Columns, Empty, Page, Section, Stack, Stat, Table } from '../kit';
import { number } from '../lib/format';
import { useLoad } from '../lib/load';
import { prefs } from '../lib/prefs';
import { go } from '../lib/router';
import { ChinaMap, loadMapTexts, provinceName } from '../map/map';
import { type Biller, billers } from './api';
import { Loaded, billerName } from './parts';
import { t, word } from './text';

/** The province of a region: its first two digits (GB/T 2260). */
const provinceOf = (region: string): string => `${region.slice(0, 2)}0000`;

interface Row {
  code: string;
  billers: Biller[];
  categories: string[];
}

function rows(items: Biller[]): Row[] {
  const by = new Map<string, Biller[]>();
  for (const one of items) by.set(provinceOf(one.region), [...(by.get(provinceOf(one.region)) ?? []), one]);
  const made = [...by].map(([code, own]) => ({ code, billers: own, categories: [...new Set(own.map((one) => one.category))] }));
  return made.sort((a, b) => b.billers.length - a.billers.length || a.code.localeCompare(b.code));
}

export default function Coverage() {
  const [chosen, setChosen] = useState<string>();
  const found = useLoad(
    async (signal) => {
      const [{ items }] = await Promise.all([billers(signal), loadMapTexts(prefs().lang)]);
      return rows(items);
    },
    [prefs().lang],
  );
  return (
    <Page title={t('nav.coverage')} wide>
      <Loaded load={found} shape="card">
        {(provinces) => {
          const one = provinces.find((row) => row.code === chosen);
          return (
            <div class="o-map">
              <Card>
                <ChinaMap
                  label={t('coverage.map')}
                  values={new Map(provinces.map((row) => [row.code, row.billers.length]))}
                  chosen={chosen}
                  onChoose={(code) => setChosen(code === chosen ? undefined : code)}
                />
              </Card>
              <Stack>
                <Columns min="s">
                  <Stat label={t('coverage.provinces')} value={t('n.of', { n: number(provinces.length), all: 34 })} />
                  <Stat label={t('biller')} value={number(provinces.reduce((n, row) => n + row.billers.length, 0))} />
                </Columns>
                <Table
                  caption={t('coverage.table')}
                  rows={provinces}
                  rowKey={(row) => row.code}
                  onRow={(row) => setChosen(row.code === chosen ? undefined : row.code)}
                  empty={<Empty icon="globe" title={t('billers.none')} note={t('billers.none.note')} />}
                  columns={[
                    { key: 'name', label: t('coverage.province'), cell: (row) => provinceName(row.code) },
                    { key: 'billers', label: t('biller'), align: 'end', cell: (row) => <span class="k-num">{number(row.billers.length)}</span> },
                    { key: 'kinds', label: t('category'), cell: (row) => row.categories.map((kind) => word(`category.${kind}`)).join(t('comma')) },
                  ]}
                />
                {chosen && (
                  <Section title={provinceName(chosen)}>
                    <Table
                      caption={provinceName(chosen)}
                      rows={one?.billers ?? []}
                      rowKey={(each) => each.id}
                      onRow={(each) => go(`/billers/${each.pack}`)}
                      empty={<Empty icon="globe" title={t('coverage.none')} />}
                      columns={[
                        { key: 'name', label: t('biller'), cell: (each) => billerName(each.name) },
                        { key: 'category', label: t('category'), cell: (each) => <Badge>{word(`category.${each.category}`)}</Badge> },
                        { key: 'region', label: t('region'), cell: (each) => <span class="k-num">{each.region}</span> },
                      ]}
                    />
                  </Section>
                )}
              </Stack>
            </div>
          );
        }}
      </Loaded>
    </Page>
  );
}
