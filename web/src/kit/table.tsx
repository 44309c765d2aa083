// Rows of data. On a narrow screen each row becomes a card; the roles are written out, because display: block takes them.
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { Button } from './button';
import { cx } from './util';

export interface Column<R> {
  key: string;
  label: string;
  /** "end" for figures. */
  align?: 'start' | 'end';
  cell: (row: R) => ComponentChildren;
  sortable?: boolean;
  /** The label is not shown in the head (a column of buttons), only said. */
  hideLabel?: boolean;
}

export interface TableProps<R> {
  caption: string;
  columns: Column<R>[];
  rows: R[];
  rowKey: (row: R) => string | number;
  /** In place of the rows when there are none. */
  empty?: ComponentChildren;
  /** The whole row is pressed; its first cell becomes the button. */
  onRow?: (row: R) => void;
  sort?: { key: string; dir: 'asc' | 'desc'; onSort: (key: string) => void };
  showCaption?: boolean;
}

export function Table<R>({ caption, columns, rows, rowKey, empty, onRow, sort, showCaption }: TableProps<R>) {
  const id = useId();
  const box = useRef<HTMLDivElement>(null);
  const [scrolls, setScrolls] = useState(false);
  useEffect(() => {
    const el = box.current;
    if (!el) return;
    const seen = new ResizeObserver(() => setScrolls(el.scrollWidth > el.clientWidth + 1));
    seen.observe(el);
    if (el.firstElementChild) seen.observe(el.firstElementChild);
    return () => seen.disconnect();
  }, [rows.length === 0]);
  if (rows.length === 0 && empty) return <div class="k-table">{empty}</div>;
  return (
    <div class="k-table">
      <div
        class="k-table-in"
        ref={box}
        role={scrolls ? 'region' : undefined}
        aria-labelledby={scrolls ? id : undefined}
        tabIndex={scrolls ? 0 : undefined}
      >
        <table role="table" aria-labelledby={id}>
          <caption id={id} class={showCaption ? undefined : 'k-vh'}>
            {caption}
          </caption>
          <thead role="rowgroup">
            <tr role="row">
              {columns.map((c) => {
                const on = sort?.key === c.key;
                return (
                  <th
                    key={c.key}
                    role="columnheader"
                    scope="col"
                    class={cx(c.align === 'end' && 'k-end', c.sortable && sort && 'k-sortable')}
                    aria-sort={on ? (sort.dir === 'asc' ? 'ascending' : 'descending') : undefined}
                  >
                    {c.sortable && sort ? (
                      <button type="button" onClick={() => sort.onSort(c.key)}>
                        {c.label}
                        <span class="k-sort" aria-hidden="true">
                          {on ? (sort.dir === 'asc' ? '↑' : '↓') : '↕'}
                        </span>
                      </button>
                    ) : (
                      <span class={c.hideLabel ? 'k-vh' : undefined}>{c.label}</span>
                    )}
                  </th>
                );
              })}
            </tr>
          </thead>
          <tbody role="rowgroup">
            {rows.map((r) => (
              <tr
                key={rowKey(r)}
                role="row"
                class={onRow && 'k-row-hit'}
                onClick={
                  onRow &&
                  ((e) => {
                    const on = (e.target as Element).closest('a,button,input,label,select');
                    if ((!on || on.classList.contains('k-row-btn')) && !String(getSelection() ?? ''))
                      onRow(r);
                  })
                }
              >
                {columns.map((c, i) => (
                  <td
                    key={c.key}
                    role="cell"
                    data-label={c.hideLabel ? undefined : c.label}
                    class={cx(c.align === 'end' && 'k-end k-num')}
                  >
                    {onRow && i === 0 ? (
                      <button type="button" class="k-row-btn">
                        {c.cell(r)}
                      </button>
                    ) : (
                      <span>{c.cell(r)}</span>
                    )}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

/** Fetches the next part of a list that pages by cursor. Leave it out when there is no more. */
export function Pager({ onMore, label, busy }: { onMore: () => void; label: string; busy?: boolean }) {
  return (
    <div class="k-pager">
      <Button kind="plain" onClick={onMore} busy={busy}>
        {label}
      </Button>
    </div>
  );
}

export interface DescriptionItem {
  label: string;
  value: ComponentChildren;
}

export function Descriptions({ items }: { items: DescriptionItem[] }) {
  return (
    <dl class="k-desc">
      {items.map((it) => (
        <div key={it.label}>
          <dt>{it.label}</dt>
          <dd>{it.value}</dd>
        </div>
      ))}
    </dl>
  );
}
