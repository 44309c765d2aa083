/** The trail: who did what to whom, and why. It is only ever read. */
import { useMemo, useState } from 'preact/hooks';
import { c } from '../common/text';
import { Empty, Page, Pager, Search, SelectField, Table } from '../kit';
import { usePages } from '../lib/load';
import { number } from '../lib/format';
import { type Act, audit } from './api';
import { Id, Loaded, Refused, State, When, failureWord } from './parts';
import { t, word } from './text';

const outcome = (act: Act) => {
  if (!act.outcome) return <State tone="warn">{t('audit.cut')}</State>;
  if (act.outcome === 'done' || act.outcome === 'found') return <State tone="ok">{t('audit.done')}</State>;
  return <State tone="bad">{failureWord(act.outcome)}</State>;
};

export default function Audit() {
  const found = usePages((cursor, signal) => audit(cursor, signal), []);
  const [text, setText] = useState('');
  const [who, setWho] = useState('');
  const [action, setAction] = useState('');
  const all = found.data ?? [];
  const people = useMemo(() => [...new Map(all.map((act) => [act.operator, act.operator_name ?? act.operator]))], [found.data]);
  const actions = useMemo(() => [...new Set(all.map((act) => act.action))].sort(), [found.data]);
  const needle = text.trim().toLowerCase();
  const rows = all.filter(
    (act) =>
      (who === '' || act.operator === who) &&
      (action === '' || act.action === action) &&
      (needle === '' || [act.subject, act.detail, act.reason ?? '', act.id, act.key].some((field) => field.toLowerCase().includes(needle))),
  );
  return (
    <Page title={t('nav.audit')} wide>
      <div class="o-filters">
        <Search label={t('audit.search')} placeholder={t('audit.search.hint')} clearLabel={c('clear')} value={text} onInput={setText} />
        <SelectField label={t('operator')} value={who} options={[{ value: '', label: t('all') }, ...people.map(([value, label]) => ({ value, label }))]} onChange={setWho} />
        <SelectField label={t('action')} value={action} options={[{ value: '', label: t('all') }, ...actions.map((value) => ({ value, label: word(`act.${value}`) }))]} onChange={setAction} />
      </div>
      <Loaded load={found}>
        {() => (
          <>
            <p class="o-note" aria-live="polite">
              {t('audit.shown', { n: number(rows.length), all: number(all.length) })}
            </p>
            <Table
              caption={t('nav.audit')}
              rows={rows}
              rowKey={(act) => act.id}
              empty={<Empty icon="history" title={t(all.length === 0 ? 'audit.none' : 'audit.unfound')} note={t(all.length === 0 ? 'audit.none.note' : 'audit.unfound.note')} />}
              columns={[
                { key: 'at', label: t('time'), cell: (act) => <When at={act.at} /> },
                { key: 'who', label: t('operator'), cell: (act) => act.operator_name ?? <Id id={act.operator} /> },
                { key: 'action', label: t('action'), cell: (act) => <strong class="o-short">{word(`act.${act.action}`)}</strong> },
                {
                  key: 'subject',
                  label: t('subject'),
                  cell: (act) => (
                    <span class="o-subject">
                      {act.subject && <Id id={act.subject} />}
                      {act.detail && <span class="o-note">{act.detail}</span>}
                    </span>
                  ),
                },
                { key: 'reason', label: t('reason'), cell: (act) => act.reason || t('none') },
                { key: 'outcome', label: t('outcome'), cell: outcome },
              ]}
            />
          </>
        )}
      </Loaded>
      {found.data && <Refused failure={found.failure} />}
      {found.more && <Pager label={t('audit.older')} busy={found.busy} onMore={found.more} />}
    </Page>
  );
}
