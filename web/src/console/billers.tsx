/** Whose bills the city carries. */
import { useState } from 'preact/hooks';
import { c } from '../common/text';
import { Badge, Button, Empty, Page, Search, Table } from '../kit';
import { useLoad } from '../lib/load';
import { go, href } from '../lib/router';
import { type Biller, billers } from './api';
import { Loaded, billerName } from './parts';
import { t, word } from './text';
import { useMay } from './who';

const fits = (one: Biller, text: string): boolean =>
  [one.name.zh, one.name.en, one.pack, one.id, one.region].some((field) => field.toLowerCase().includes(text.trim().toLowerCase()));

export default function Billers() {
  const [text, setText] = useState('');
  const found = useLoad(billers, []);
  const may = useMay('admin');
  const add = may && (
    <Button kind="primary" icon="plus" href={href('/billers/new')}>
      {t('billers.add')}
    </Button>
  );
  return (
    <Page title={t('nav.billers')} wide actions={found.data && found.data.items.length > 0 && add}>
      <Loaded load={found}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty icon="bill" title={t('billers.none')} note={t(may ? 'billers.none.note' : 'billers.none.viewer')} action={add} />
          ) : (
            <>
              <Search label={t('billers.search')} placeholder={t('billers.search.hint')} clearLabel={c('clear')} value={text} onInput={setText} />
              <Table
                caption={t('nav.billers')}
                rows={items.filter((one) => fits(one, text))}
                rowKey={(one) => one.id}
                onRow={(one) => go(`/billers/${one.pack}`)}
                empty={<Empty icon="search" title={t('billers.unfound')} note={t('billers.unfound.note')} />}
                columns={[
                  { key: 'name', label: t('biller'), cell: (one) => billerName(one.name) },
                  { key: 'category', label: t('category'), cell: (one) => <Badge>{word(`category.${one.category}`)}</Badge> },
                  { key: 'region', label: t('region'), cell: (one) => <span class="k-num">{one.region}</span> },
                  { key: 'account', label: t('account'), cell: (one) => <code class="o-code">{one.account_pattern}</code> },
                  { key: 'rule', label: t('amount.rule'), cell: (one) => word(`rule.${one.amount_rule}`) },
                  { key: 'pack', label: t('pack'), cell: (one) => <code class="o-code">{one.pack}</code> },
                ]}
              />
            </>
          )
        }
      </Loaded>
    </Page>
  );
}
