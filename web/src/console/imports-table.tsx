/** Bill files on their way in, with how far they are and the rows that were refused. */
import { useEffect, useState } from 'preact/hooks';
import { c } from '../common/text';
import { Button, Empty, Pager, Sheet, Table, type Column } from '../kit';
import { type Load, usePages } from '../lib/load';
import { number, percent } from '../lib/format';
import { href } from '../lib/router';
import { type Biller, type Import, type Page, importErrors, imports } from './api';
import { Loaded, Refused, State, When, billerName } from './parts';
import { usePoll } from './poll';
import { t, word } from './text';

const EVERY_MS = 2_000;

/** The newest imports, asked for again while one is under way, and older ones by page. */
export function useImports(biller: string | undefined): Load<Page<Import>> {
  return usePoll<Page<Import>>(
    (signal) => imports({ biller }, signal),
    (page) => (page?.items.some((one) => !one.finished_at) ? EVERY_MS : undefined),
    [biller],
  );
}

function Progress({ of }: { of: Import }) {
  if (of.finished_at) return <State tone={of.refused > 0 ? 'warn' : 'ok'}>{of.refused > 0 ? t('import.partly') : t('import.done')}</State>;
  const part = of.bytes === 0 ? 1 : Math.min(1, of.at_byte / of.bytes);
  return (
    <span class="o-progress">
      <progress max={1} value={part} aria-label={t('import.progress')} />
      <span class="k-num">{percent(part)}</span>
    </span>
  );
}

export function ImportsTable({ load, biller, billers, empty }: { load: Load<Page<Import>>; biller?: string; billers?: Biller[]; empty: string }) {
  const [open, setOpen] = useState<Import>();
  const [older, setOlder] = useState<Import[]>([]);
  const [next, setNext] = useState<string | null>();
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    setOlder([]);
    setNext(undefined);
  }, [biller]);
  const name = (id: string | undefined): string => {
    const found = billers?.find((one) => one.id === id);
    return found ? billerName(found.name) : (id ?? t('none'));
  };
  const whose: Column<Import>[] = billers
    ? [
        {
          key: 'biller',
          label: t('biller'),
          cell: (one) => (
            <a class="k-link" href={href(`/billers/${one.biller ?? ''}`, { tab: 'imports' })}>
              {name(one.biller)}
            </a>
          ),
        },
      ]
    : [];
  return (
    <>
      <Loaded load={load}>
        {(page) => {
          const first = new Set(page.items.map((one) => one.id));
          const rows = [...page.items, ...older.filter((one) => !first.has(one.id))];
          const cursor = next === undefined ? page.next : next;
          return (
            <>
              <Table
                caption={t('nav.imports')}
                rows={rows}
                rowKey={(one) => one.id}
                empty={<Empty icon="upload" title={t('imports.none')} note={empty} />}
                columns={[
                  { key: 'name', label: t('file'), cell: (one) => <span class="o-file">{one.name || one.sha256.slice(0, 12)}</span> },
                  ...whose,
                  { key: 'at', label: t('time'), cell: (one) => <When at={one.created_at} /> },
                  { key: 'state', label: t('state'), cell: (one) => <Progress of={one} /> },
                  { key: 'records', label: t('import.records'), align: 'end', cell: (one) => number(one.records) },
                  { key: 'added', label: t('import.added'), align: 'end', cell: (one) => number(one.added) },
                  { key: 'unchanged', label: t('import.unchanged'), align: 'end', cell: (one) => number(one.unchanged) },
                  {
                    key: 'refused',
                    label: t('import.refused'),
                    align: 'end',
                    cell: (one) =>
                      one.refused === 0 ? (
                        number(0)
                      ) : (
                        <Button small kind="quiet" icon="warn" onClick={() => setOpen(one)}>
                          {t('import.errors', { n: number(one.refused) })}
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
      <Sheet open={open !== undefined} onClose={() => setOpen(undefined)} closeLabel={c('close')} title={t('import.errors.of', { name: open?.name ?? '' })}>
        {open && <RowErrors of={open} />}
      </Sheet>
    </>
  );
}

function RowErrors({ of }: { of: Import }) {
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
