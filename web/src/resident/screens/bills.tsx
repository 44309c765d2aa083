/** Bills: whose, in which city; remembered accounts first. */
import { useState } from 'preact/hooks';
import { c } from '../../common/text';
import { Badge, Banner, Button, Cell, Empty, List, Row, Search, Section, SelectField, Tiles } from '../../kit';
import { day, money } from '../../lib/format';
import { useAct } from '../../lib/load';
import { href } from '../../lib/router';
import type { ScreenProps } from '../app';
import * as api from '../api';
import { nearest } from '../cities';
import { useChoice, useKept } from '../kept';
import { TabScreen } from '../screen';
import { categoryIcon, cityOf, named, used } from '../services';
import { useBillers } from '../state';
import { Loaded } from '../states';
import { t } from '../text';

export default function Bills({ query }: ScreenProps) {
  const billers = useBillers();
  const category = query.get('category') ?? undefined;
  return (
    <TabScreen key={category ?? ''} title={category ? t(`category.${category}` as 'category.power') : t('bills.title')} tab="#/bills">
      {!category && <Accounts />}
      <Loaded of={billers}>{(all) => <Choose billers={all} category={category} />}</Loaded>
    </TabScreen>
  );
}

/** The accounts that were remembered, with what is due on them. */
function Accounts() {
  const saved = useKept('accounts', api.savedAccounts);
  const due = useKept('due', api.dueBills);
  if (!saved.data || saved.data.length === 0) return null;
  return (
    <Section title={t('bills.mine')}>
      <List>
        {saved.data.map((one) => {
          const open = due.data?.filter((d) => d.account_no === one.account_no && d.biller === one.biller) ?? [];
          const sum = open.reduce((n, d) => n + d.amount.minor, 0);
          return (
            <Cell
              key={one.biller + one.account_no}
              icon={categoryIcon(one.category)}
              href={href(`/bills/${one.biller}/${encodeURIComponent(one.account_no)}`)}
              title={
                <>
                  {one.label || named(one.biller_name)} {open.some((d) => d.overdue) && <Badge tone="bad">{t('bill.overdue')}</Badge>}
                </>
              }
              note={open[0] ? t('bill.due', { day: day(open[0].due_on) }) : <span class="k-num">{one.account_no}</span>}
              value={open[0] ? money({ minor: sum, currency: open[0].amount.currency }) : t('bills.none')}
            />
          );
        })}
      </List>
    </Section>
  );
}

function Choose({ billers, category }: { billers: api.Biller[]; category: string | undefined }) {
  const [city, setCity] = useChoice('city', '');
  const [text, setText] = useState('');
  const [uses] = useChoice<Record<string, number>>('uses', {});
  const [note, setNote] = useState('');
  const cities = new Map([...billers].sort((a, b) => a.region.localeCompare(b.region)).map((one) => [one.region, cityOf(one)]));
  const cityName = (region: string) => cities.get(region) ?? region;
  const near = useAct(async () => {
    setNote('');
    const here = await new Promise<GeolocationPosition | undefined>((resolve) => {
      if (!navigator.geolocation) return resolve(undefined);
      navigator.geolocation.getCurrentPosition(resolve, () => resolve(undefined), { timeout: 10_000, maximumAge: 600_000 });
    });
    const found = here && nearest([...cities.keys()], here.coords.latitude, here.coords.longitude);
    if (found) setCity(found);
    setNote(found ? t('bills.near.found', { city: cityName(found) }) : t('bills.near.none'));
  });
  const wanted = text.trim().toLowerCase();
  const inCity = billers.filter((one) => city === '' || one.region === city);
  const shown = inCity
    .filter((one) => !category || one.category === category)
    .sort((a, b) => Number(b.connected && !b.closed) - Number(a.connected && !a.closed))
    .filter((one) => !wanted || [one.name.zh, one.name.en, one.pack, cityOf(one)].some((name) => name.toLowerCase().includes(wanted)));
  return (
    <>
      <div class="choose">
        <SelectField
          label={t('bills.city')}
          value={city}
          onChange={setCity}
          options={[{ value: '', label: t('bills.city.all') }, ...[...cities].map(([value, label]) => ({ value, label }))]}
        />
        <Row>
          <Button kind="quiet" icon="city" busy={near.busy} onClick={() => near.run()}>
            {t('bills.near')}
          </Button>
        </Row>
        <Search label={t('bills.search')} placeholder={t('bills.search')} clearLabel={c('clear')} value={text} onInput={setText} />
        <div aria-live="polite">{note && <Banner>{note}</Banner>}</div>
      </div>
      {!category && !wanted && (
        <Section title={t('bills.kinds')}>
          <Tiles
            label={t('bills.kinds')}
            items={used(inCity, uses).map((kind) => ({ href: href('/bills', { category: kind }), label: t(`category.${kind}`), icon: categoryIcon(kind) }))}
          />
        </Section>
      )}
      <Section
        title={t('bills.billers')}
        action={
          category ? (
            <Button kind="quiet" small href="#/bills">
              {t('bills.all')}
            </Button>
          ) : undefined
        }
      >
        {shown.length === 0 ? (
          <Empty
            icon="search"
            title={t('bills.empty')}
            note={city ? t('bills.empty.city', { city: cityName(city) }) : t('bills.empty.note')}
            action={city ? <Button onClick={() => setCity('')}>{t('bills.city.all')}</Button> : undefined}
          />
        ) : (
          <List>
            {shown.map((one) => (
              <Cell
                key={one.id}
                icon={categoryIcon(one.category)}
                href={href(`/bills/${one.pack}`)}
                title={
                  <>
                    {named(one.name)} {(one.closed || !one.connected) && <Badge>{t(one.closed ? 'biller.closed' : 'biller.apart')}</Badge>}
                  </>
                }
                note={`${cityOf(one)} · ${t(`category.${one.category}`)}`}
              />
            ))}
          </List>
        )}
      </Section>
    </>
  );
}
