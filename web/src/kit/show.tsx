// What is only shown: amounts, codes, progress, states.
import type { ComponentChildren } from 'preact';
import { Icon, type IconName } from './icon';
import { cx, type Tone, tone } from './util';

export interface AmountProps {
  /** Formatted by the caller: "¥1,280.50". A sign before the figure is drawn smaller in the large sizes. */
  text: string;
  size?: 's' | 'm' | 'l' | 'xl';
  tone?: Tone;
}

export function Amount({ text, size = 'm', tone: t }: AmountProps) {
  const m = /^([^\d]*)(.*)$/s.exec(text);
  return (
    <span class={cx('k-amount', 'k-num', `k-amount-${size}`, text.length > 12 && 'k-long', tone(t))}>
      {m?.[1] && <span class="k-sign">{m[1]}</span>}
      {m?.[2]}
    </span>
  );
}

/** A frame for what a camera reads: dark on white in every theme. */
export function CodeCard({
  children,
  title,
  note,
}: {
  children: ComponentChildren;
  title?: ComponentChildren;
  note?: ComponentChildren;
}) {
  return (
    <div class="k-code">
      {title && <div class="k-code-title">{title}</div>}
      <div class="k-code-in">{children}</div>
      {note && <div class="k-code-note">{note}</div>}
    </div>
  );
}

export interface StepItem {
  label: string;
  note?: string;
  state: 'done' | 'now' | 'todo' | 'failed';
  /** The state in words, for those who do not see the mark. */
  stateLabel?: string;
}

export function Steps({ items }: { items: StepItem[] }) {
  return (
    <ol class="k-steps" role="list">
      {items.map((it, i) => (
        <li key={i} class={`k-step-${it.state}`} aria-current={it.state === 'now' ? 'step' : undefined}>
          <span class="k-step-mark">
            {it.state === 'done' ? (
              <Icon name="check" />
            ) : it.state === 'failed' ? (
              <Icon name="close" />
            ) : null}
          </span>
          <span class="k-step-label">
            {it.label}
            {it.stateLabel && <span class="k-vh"> {it.stateLabel}</span>}
          </span>
          {it.note && <span class="k-step-note">{it.note}</span>}
        </li>
      ))}
    </ol>
  );
}

export interface EmptyProps {
  icon?: IconName;
  title: string;
  note?: ComponentChildren;
  action?: ComponentChildren;
  tone?: Tone;
}

export function Empty({ icon, title, note, action, tone: t }: EmptyProps) {
  return (
    <div class={cx('k-empty', tone(t))}>
      {icon && (
        <span class="k-empty-icon">
          <Icon name={icon} />
        </span>
      )}
      <p class="k-empty-title">{title}</p>
      {note && <p class="k-empty-note">{note}</p>}
      {action && <div class="k-empty-action">{action}</div>}
    </div>
  );
}

export interface SkeletonProps {
  lines?: number;
  shape?: 'line' | 'list' | 'card' | 'code' | 'tiles';
  /** What is awaited, for those who do not see the grey. */
  label?: string;
}

export function Skeleton({ lines, shape = 'line', label }: SkeletonProps) {
  const count = lines ?? (shape === 'list' ? 4 : shape === 'tiles' ? 8 : shape === 'line' ? 3 : 1);
  return (
    <div class={`k-skel k-skel-${shape}`} role="status">
      {label && <span class="k-vh">{label}</span>}
      {Array.from({ length: count }, (_, i) => (
        <span key={i} aria-hidden="true" />
      ))}
    </div>
  );
}

export function Badge({ tone: t, children }: { tone?: Tone; children: ComponentChildren }) {
  return <span class={cx('k-badge', tone(t))}>{children}</span>;
}

const bannerIcon: Record<Tone, IconName> = {
  neutral: 'info',
  brand: 'info',
  info: 'info',
  ok: 'check',
  warn: 'warn',
  bad: 'error',
};

export interface BannerProps {
  tone?: Tone;
  title?: string;
  /** "status" or "alert" when it appears by itself; none for what is there from the start. */
  role?: 'status' | 'alert' | 'note';
  icon?: IconName;
  action?: ComponentChildren;
  children?: ComponentChildren;
}

export function Banner({ tone: t = 'info', title, role, icon, action, children }: BannerProps) {
  return (
    <div class={cx('k-banner', tone(t))} role={role}>
      <Icon name={icon ?? bannerIcon[t]} />
      <div class="k-banner-text">
        {title && <strong>{title}</strong>}
        {children && <div>{children}</div>}
      </div>
      {action && <div class="k-banner-action">{action}</div>}
    </div>
  );
}
