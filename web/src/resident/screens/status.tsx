/** What works where: for everybody, signed in or not. */
import { useState } from 'preact/hooks';
import { c } from '../../common/text';
import { Badge, Button, Card, Cell, Empty, List, Segmented, SelectField } from '../../kit';
import { dateTime } from '../../lib/format';
import { usePages } from '../../lib/load';
import * as api from '../api';
import { SubScreen } from '../screen';
import { categoryIcon, cityOf, named } from '../services';
import { useBillers, useSession } from '../state';
import { Loaded } from '../states';
import { t } from '../text';

type State = 'works' | 'down' | 'not_yet';
const TONE = { works: 'ok', down: 'bad', not_yet: 'neutral' } as const;

export default function StatusScreen() {
  const session = useSession();
  const billers = useBillers();
  const [region, setRegion] = useState('');
  const [state, setState] = useState<State | 'all'>('all');
  const [sums, setSums] = useState<{ at: string; works: number; down: number }>();
  const rows = usePages(
    async (cursor, signal) => {
      const page = await api.status({ region: region || undefined, state: state === 'all' ? undefined : state, cursor, limit: 50 }, signal);
      if (state === 'all') setSums(page);
      return page;
    },
    [region, state],
  );
  const cities = new Map([...(billers.data ?? [])].sort((a, b) => a.region.localeCompare(b.region)).map((one) => [one.region, cityOf(one)]));
  const cityName = (row: { region: string; region_name: string }) => cities.get(row.region) ?? row.region_name;
  return (
    <SubScreen title={t('status.title')} back={session.at === 'in' ? '#/me' : '#/'}>
      <Loaded of={rows}>
        {(all) => (
          <>
            {sums && (
              <Card tone={sums.down > 0 ? 'warn' : 'ok'}>
                <p role="status">{sums.down > 0 ? t('status.down', { down: sums.down, works: sums.works }) : t('status.good', { works: sums.works })}</p>
                <p class="muted">{c('as.of', { time: dateTime(sums.at) })}</p>
              </Card>
            )}
            <div class="choose">
              <SelectField
                label={t('bills.city')}
                value={region}
                onChange={setRegion}
                options={[{ value: '', label: t('bills.city.all') }, ...[...cities].map(([value, label]) => ({ value, label }))]}
              />
              <Segmented
                label={t('status.filter')}
                value={state}
                onChange={(value) => setState(value as State | 'all')}
                options={(['all', 'works', 'down', 'not_yet'] as const).map((value) => ({ value, label: t(`status.state.${value}`) }))}
              />
            </div>
            {all.length === 0 ? (
              <Empty icon="search" title={t('status.none')} />
            ) : (
              <List>
                {all.map((row) => (
                  <Cell
                    key={`${row.region} ${row.pack}`}
                    icon={categoryIcon(row.category)}
                    title={named(row.name)}
                    note={`${cityName(row)} · ${t(`category.${row.category}`)}${row.since && row.state === 'down' ? ` · ${t('status.since', { time: dateTime(row.since) })}` : ''}`}
                    value={<Badge tone={TONE[row.state]}>{t(`status.state.${row.state}`)}</Badge>}
                  />
                ))}
              </List>
            )}
            {rows.more && (
              <Button block busy={rows.busy} onClick={rows.more}>
                {c('more')}
              </Button>
            )}
          </>
        )}
      </Loaded>
    </SubScreen>
  );
}
