/** Bill files on their way in, with how far they are and the rows that were refused. */
import { useEffect, useState } from 'preact/hooks';
import { c } from '../common/text';
import { Button, Empty, Pager, Sheet, Table, type Column } from '../kit';
import { type Load, usePages } from '../lib/load';
import { number, percent } from '../lib/format';
import { href } from '../lib/router';
import { type Import, type Page, importErrors, imports } from './api';
import { Loaded, Refused, State, When, billerName } from './parts';
import { usePoll } from './poll';
import { t, word } from './text';

const EVERY_MS = 2_000;

/** The newest imports, asked for again while one is under way, and older ones by page. */
export function useImports(biller: string | undefined): Load<Page<Import>> {
  return usePoll<Page<Import>>(
    (signal) => imports({ biller }, signal),
    (page) => (page?.items.some((one) => !one.done && !one.stopped) ? EVERY_MS : undefined),
    [biller],
  );
}

function Progress({ of: { import: of, done, stopped } }: { of: Import }) {
  if (stopped) {
    return (
      <span class="o-accepted">
        <State tone="bad">{t('import.stopped')}</State>
        <span class="o-note" lang="en">
          {stopped}
        </span>
      </span>
    );
  }
  if (done) return <State tone={of.refused > 0 ? 'warn' : 'ok'}>{of.refused > 0 ? t('import.partly') : t('import.done')}</State>;
  const part = of.bytes === 0 ? 1 : Math.min(1, of.at_byte / of.bytes);
  return (
    <span class="o-progress">
      <progress max={1} value={part} aria-label={t('import.progress')} />
      <span class="k-num">{percent(part)}</span>
    </span>
  );
}

export function ImportsTable({ load, biller, empty }: { load: Load<Page<Import>>; biller?: string; empty: string }) {
  const [open, setOpen] = useState<Import>();
  const [older, setOlder] = useState<Import[]>([]);
  const [next, setNext] = useState<string | null>();
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    setOlder([]);
    setNext(undefined);
  }, [biller]);
  const whose: Column<Import>[] = biller
    ? []
    : [
        {
          key: 'biller',
          label: t('biller'),
          cell: ({ import: { biller: id }, biller_name: name }) => (
            <a class="k-link" href={href(`/billers/${id}`, { tab: 'imports' })}>
              {name ? billerName(name) : id}
            </a>
          ),
        },
      ];
  return (
    <>
      <Loaded load={load}>
        {(page) => {
          const first = new Set(page.items.map((one) => one.import.id));
          const rows = [...page.items, ...older.filter((one) => !first.has(one.import.id))];
          const cursor = next === undefined ? page.next : next;
          return (
            <>
              <Table
                caption={t('nav.imports')}
                rows={rows}
                rowKey={(one) => one.import.id}
                empty={<Empty icon="upload" title={t('imports.none')} note={empty} />}
                columns={[
                  { key: 'name', label: t('file'), cell: (one) => <span class="o-file">{one.import.name || one.import.sha256.slice(0, 12)}</span> },
                  ...whose,
                  { key: 'at', label: t('time'), cell: (one) => <When at={one.import.created_at} /> },
                  { key: 'state', label: t('state'), cell: (one) => <Progress of={one} /> },
                  { key: 'records', label: t('import.records'), align: 'end', cell: (one) => number(one.import.records) },
                  { key: 'added', label: t('import.added'), align: 'end', cell: (one) => number(one.import.added) },
                  { key: 'unchanged', label: t('import.unchanged'), align: 'end', cell: (one) => number(one.import.unchanged) },
                  {
                    key: 'refused',
                    label: t('import.refused'),
                    align: 'end',
                    cell: (one) =>
                      one.import.refused === 0 ? (
                        number(0)
                      ) : (
                        <Button small kind="quiet" icon="warn" onClick={() => setOpen(one)}>
                          {t('import.errors', { n: number(one.import.refused) })}
                        </Button>
                      ),
                  },
                ]}
              />
              {cursor && (
                <Pager
                  label={c('more')}
                  busy={busy}
                  onMore={() => {
                    setBusy(true);
                    imports({ biller, cursor }, new AbortController().signal).then(
                      (more) => {
                        setOlder((held) => [...held, ...more.items]);
                        setNext(more.next ?? null);
                        setBusy(false);
                      },
                      () => setBusy(false),
                    );
                  }}
                />
              )}
            </>
          );
        }}
      </Loaded>
      <Sheet open={open !== undefined} onClose={() => setOpen(undefined)} closeLabel={c('close')} title={t('import.errors.of', { name: open?.import.name ?? '' })}>
        {open && <RowErrors of={open.import} />}
      </Sheet>
    </>
  );
}

function RowErrors({ of }: { of: Import['import'] }) {
  const found = usePages((cursor, signal) => importErrors(of.id, cursor, signal), [of.id]);
  return (
    <>
      <p class="o-note">{t('import.errors.note')}</p>
      <Loaded load={found}>
        {(rows) => (
          <Table
            caption={t('import.errors.of', { name: of.name })}
            rows={rows}
            rowKey={(row) => `${row.line} ${row.field} ${row.code}`}
            empty={<Empty title={t('import.errors.none')} />}
            columns={[
              { key: 'line', label: t('import.line'), align: 'end', cell: (row) => number(row.line) },
              { key: 'field', label: t('import.field'), cell: (row) => (row.field ? <code class="o-code">{row.field}</code> : t('import.whole')) },
              { key: 'why', label: t('why'), cell: (row) => word(`row.${row.code}`) },
            ]}
          />
        )}
      </Loaded>
      {found.data && <Refused failure={found.failure} />}
      {found.more && <Pager label={c('more')} busy={found.busy} onMore={found.more} />}
    </>
  );
}
