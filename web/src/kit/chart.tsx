// Small figures that need no chart library, and the frame of those that do. Every chart is also said in words.
import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';
import { cx, type Tone, tone } from './util';

export interface ChartFrameProps {
  title: string;
  note?: ComponentChildren;
  /** What the chart shows, in a sentence. */
  summary: string;
  /** Only for screen readers, where the figures stand beside the chart anyway. */
  hideSummary?: boolean;
  children: ComponentChildren;
}

export function ChartFrame({ title, note, summary, hideSummary, children }: ChartFrameProps) {
  const id = useId();
  return (
    <figure class="k-chart" aria-labelledby={id}>
      <figcaption>
        <span class="k-chart-title" id={id}>
          {title}
        </span>
        {note && <span class="k-chart-note">{note}</span>}
      </figcaption>
      <div class="k-chart-in">{children}</div>
      <p class={hideSummary ? 'k-vh' : 'k-chart-note'}>{summary}</p>
    </figure>
  );
}

export interface BarItem {
  label: string;
  value: number;
  /** The value as written; shown on the bar that is largest or marked, said for all. */
  text: string;
  mark?: boolean;
}

/** Columns for a run of time; rows for things with long names. */
export function Bars({ items, rows, label }: { items: BarItem[]; rows?: boolean; label?: string }) {
  const top = Math.max(0, ...items.map((i) => i.value));
  const marked = items.some((i) => i.mark);
  return (
    <ul class={rows ? 'k-bars-rows' : 'k-bars'} role="list" aria-label={label}>
      {items.map((it) => {
        const part = top > 0 ? Math.max(0, it.value / top) * 100 : 0;
        const on = it.mark ?? (!marked && it.value === top && top > 0);
        return (
          <li key={it.label} class={on ? 'k-on' : undefined} title={`${it.label} ${it.text}`}>
            <span class="k-bars-label">{it.label}</span>
            <svg aria-hidden="true">
              {rows ? (
                <rect width={`${part}%`} height="100%" rx="3" />
              ) : (
                <rect y={`${100 - part}%`} width="100%" height={`${part}%`} rx="3" />
              )}
            </svg>
            <span class={rows || on ? 'k-bars-text' : 'k-vh'}>{it.text}</span>
          </li>
        );
      })}
    </ul>
  );
}

export function Sparkline({ values, label, tone: t }: { values: number[]; label: string; tone?: Tone }) {
  const low = Math.min(...values);
  const span = Math.max(...values) - low || 1;
  const at = values.map(
    (v, i) =>
      `${((i / Math.max(1, values.length - 1)) * 100).toFixed(1)},${(27 - ((v - low) / span) * 24).toFixed(1)}`,
  );
  return (
    <svg
      class={cx('k-spark', tone(t))}
      viewBox="0 0 100 30"
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      {at.length > 1 && <polyline points={at.join(' ')} />}
    </svg>
  );
}

export interface StatProps {
  label: string;
  value: ComponentChildren;
  note?: ComponentChildren;
  tone?: Tone;
  children?: ComponentChildren;
}

/** A figure and what it counts. A long one is set smaller, to stay on its line. */
export function Stat({ label, value, note, tone: t, children }: StatProps) {
  const long = typeof value === 'string' ? value.length : 0;
  return (
    <div class={cx('k-stat', tone(t))}>
      <div class="k-stat-label">{label}</div>
      <div
        class={cx('k-stat-value k-num', long > 6 && 'k-long')}
        style={long > 6 ? { '--n': long } : undefined}
      >
        {value}
      </div>
      {note && <div class="k-stat-note">{note}</div>}
      {children}
    </div>
  );
}

/** Cards or figures side by side, as many as fit. */
export function Columns({ min = 'm', children }: { min?: 's' | 'm' | 'l'; children: ComponentChildren }) {
  return <div class={`k-cols k-cols-${min}`}>{children}</div>;
}

/** Controls in a row that wraps: buttons, filters. */
export function Row({ end, children }: { end?: boolean; children: ComponentChildren }) {
  return <div class={cx('k-row', end && 'k-row-end')}>{children}</div>;
}

/** Things below each other in the kit's rhythm: fields of a form. */
export function Stack({ children }: { children: ComponentChildren }) {
  return <div class="k-stack">{children}</div>;
}
