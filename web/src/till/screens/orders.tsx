/** The shop's orders, newest first, by state, day, till and number. */
import { useState } from 'preact/hooks';
import { c } from '../../common/text';
import { Amount, Button, Cell, DateField, Empty, List, Pager, Search, Segmented, SelectField } from '../../kit';
import { dateTime, money, today } from '../../lib/format';
import { useLoad, usePages } from '../../lib/load';
import { href, replace } from '../../lib/router';
import { type Status, listTills, listTrades } from '../api';
import { StatusBadge } from '../badges';
import { Frame } from '../frame';
import { t } from '../text';
import { Loaded, Refusal } from '../view';

const STATES: Status[] = ['paid', 'refunded', 'waiting', 'open', 'closed'];

export default function Orders({ query }: { query: URLSearchParams }) {
  const given = (name: string) => query.get(name) ?? '';
  const state = STATES.find((one) => one === query.get('state'));
  const filter = { state, from: given('from'), to: given('to'), till: given('till'), order_no: given('order_no') };
  const [search, setSearch] = useState(filter.order_no);
  const [open, setOpen] = useState(filter.from !== '' || filter.till !== '');
  const set = (change: Partial<typeof filter>) => replace('/orders', { ...filter, ...change });
  const tills = useLoad(listTills, []);
  const orders = usePages((cursor, signal) => listTrades(filter, cursor, 30, signal), Object.values(filter));
  const tillName = (id: string) => tills.data?.find((till) => till.id === id)?.name ?? '';
  const filtered = Object.values(filter).some((value) => value !== undefined && value !== '');
  return (
    <Frame title={t('nav.orders')} tab="/orders">
      <Search
        label={t('orders.search')}
        placeholder={t('orders.search')}
        value={search}
        onInput={(text) => {
          setSearch(text);
          if (text === '') set({ order_no: '' });
        }}
        onSubmit={() => set({ order_no: search.trim() })}
        clearLabel={c('clear')}
      />
      <Segmented
        label={t('orders.state')}
        value={state ?? ''}
        options={[{ value: '', label: t('orders.any') }, ...STATES.map((one) => ({ value: one, label: t(`status.${one}`) }))]}
        onChange={(chosen) => set({ state: STATES.find((one) => one === chosen) })}
      />
      <Button icon="filter" pressed={open} onClick={() => setOpen(!open)}>
        {t('orders.filter')}
      </Button>
      {open && (
        <div class="till-fields">
          <DateField label={t('orders.from')} value={filter.from} max={filter.to || today()} onChange={(from) => set({ from })} />
          <DateField label={t('orders.to')} value={filter.to} min={filter.from} max={today()} onChange={(to) => set({ to })} />
          <SelectField
            label={t('orders.till')}
            value={filter.till}
            options={[{ value: '', label: t('orders.any') }, ...(tills.data ?? []).map((till) => ({ value: till.id, label: till.name }))]}
            onChange={(till) => set({ till })}
          />
        </div>
      )}
      <Loaded load={{ ...orders, failure: orders.data ? undefined : orders.failure }}>
        {(items) => (
          <div aria-busy={orders.busy}>
            {items.length > 0 && (
              <List label={t('nav.orders')}>
                {items.map((one) => (
                  <Cell
                    key={one.trade}
                    href={href(`/orders/${one.trade}`)}
                    title={<span class="k-num">{one.order_no ?? t('orders.poster')}</span>}
                    note={[dateTime(one.paid_at ?? one.ordered_at ?? ''), one.till ? tillName(one.till) : '', one.subject ?? ''].filter(Boolean).join('\u00a0· ')}
                    value={
                      <span class="till-two">
                        {one.amount && <Amount text={money(one.amount)} />}
                        <StatusBadge status={one.status} />
                      </span>
                    }
                  />
                ))}
              </List>
            )}
            {items.length === 0 && !orders.busy && (
              <Empty
                icon="bill"
                title={orders.more ? t('orders.looking') : filtered ? t('orders.none') : t('orders.empty')}
                note={filtered ? undefined : t('orders.empty.note')}
                action={filtered && !orders.more ? <Button onClick={() => { setSearch(''); replace('/orders'); }}>{t('orders.reset')}</Button> : undefined}
              />
            )}
            <Refusal failure={orders.failure} />
            {orders.more && <Pager onMore={orders.more} busy={orders.busy} label={c('more')} />}
          </div>
        )}
      </Loaded>
    </Frame>
  );
}
