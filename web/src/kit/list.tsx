// Groups of content: sections, lists of cells, cards.
import { type ComponentChildren, isValidElement, toChildArray } from 'preact';
import { useId } from 'preact/hooks';
import { Icon, type IconName } from './icon';
import { cx, type Tone, tone } from './util';

export function Section({
  title,
  action,
  children,
}: {
  title?: string;
  action?: ComponentChildren;
  children: ComponentChildren;
}) {
  const id = useId();
  return (
    <section class="k-section" aria-labelledby={title ? id : undefined}>
      {(title || action) && (
        <div class="k-section-head">
          {title && <h2 id={id}>{title}</h2>}
          {action}
        </div>
      )}
      {children}
    </section>
  );
}

/** Wraps each child in a list item; a child that draws nothing should be left out by the caller. */
export function List({ label, children }: { label?: string; children: ComponentChildren }) {
  return (
    <ul class="k-list" role="list" aria-label={label}>
      {toChildArray(children).map((child, i) => (
        <li key={isValidElement(child) && child.key != null ? child.key : i}>{child}</li>
      ))}
    </ul>
  );
}

export interface CellProps {
  title: ComponentChildren;
  note?: ComponentChildren;
  value?: ComponentChildren;
  icon?: IconName;
  href?: string;
  onClick?: () => void;
  /** Stands outside the pressed part, so it may be a control of its own. */
  trailing?: ComponentChildren;
  tone?: Tone;
  disabled?: boolean;
}

export function Cell({ title, note, value, icon, href, onClick, trailing, tone: t, disabled }: CellProps) {
  const inside = (
    <>
      {icon && (
        <span class="k-cell-icon">
          <Icon name={icon} />
        </span>
      )}
      <span class="k-cell-body">
        <span class="k-cell-text">
          <span class="k-cell-title">{title}</span>
          {note && <span class="k-cell-note">{note}</span>}
        </span>
        {value !== undefined && <span class="k-cell-value">{value}</span>}
      </span>
      {(href !== undefined || onClick) && trailing === undefined && <Icon name="chevron-right" />}
    </>
  );
  return (
    <div class={cx('k-cell', tone(t))}>
      {href !== undefined ? (
        <a class="k-cell-hit" href={href} onClick={onClick}>
          {inside}
        </a>
      ) : onClick ? (
        <button class="k-cell-hit" type="button" onClick={onClick} disabled={disabled}>
          {inside}
        </button>
      ) : (
        <div class="k-cell-hit">{inside}</div>
      )}
      {trailing !== undefined && <span class="k-cell-trailing">{trailing}</span>}
    </div>
  );
}

export function Card({
  title,
  tone: t,
  children,
}: {
  title?: string;
  tone?: Tone;
  children: ComponentChildren;
}) {
  return (
    <div class={cx('k-card', tone(t))}>
      {title && <h2 class="k-card-title">{title}</h2>}
      {children}
    </div>
  );
}
