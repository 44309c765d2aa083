// What is pressed: buttons and links. A busy button stays focusable and swallows presses.
import type { ComponentChildren } from 'preact';
import { Icon, type IconName } from './icon';
import { cx } from './util';

export interface ButtonProps {
  kind?: 'primary' | 'plain' | 'quiet' | 'danger';
  block?: boolean;
  /** Less padding, for rows of a table or a bar; the target stays as high. */
  small?: boolean;
  busy?: boolean;
  disabled?: boolean;
  type?: 'button' | 'submit' | 'reset';
  onClick?: (e: MouseEvent) => void;
  href?: string;
  /** With href: the file name to save under, or true. */
  download?: string | boolean;
  icon?: IconName;
  /** The accessible name of a button that shows only an icon. */
  label?: string;
  /** A toggle: said as pressed or not. */
  pressed?: boolean;
  /** The id of the form it submits, when it stands outside of it. */
  form?: string;
  children?: ComponentChildren;
}

export function Button(p: ButtonProps) {
  const bare = p.children === undefined || p.children === null || p.children === '';
  const names = cx(
    'k-btn',
    `k-btn-${p.kind ?? 'plain'}`,
    p.block && 'k-block',
    p.small && 'k-small',
    bare && 'k-bare',
  );
  const inside = (
    <>
      {p.busy ? <span class="k-spin" aria-hidden="true" /> : p.icon && <Icon name={p.icon} />}
      {!bare && <span>{p.children}</span>}
    </>
  );
  if (p.href !== undefined && !p.disabled && !p.busy) {
    return (
      <a
        class={names}
        href={p.href}
        download={p.download === true ? '' : p.download || undefined}
        onClick={p.onClick}
        aria-label={p.label}
      >
        {inside}
      </a>
    );
  }
  return (
    <button
      class={names}
      type={p.type ?? 'button'}
      form={p.form}
      disabled={p.disabled}
      aria-disabled={p.busy ? 'true' : undefined}
      aria-busy={p.busy ? 'true' : undefined}
      aria-pressed={p.pressed}
      aria-label={p.label}
      onClick={(e) => (p.busy ? e.preventDefault() : p.onClick?.(e))}
    >
      {inside}
    </button>
  );
}

export interface LinkProps {
  href: string;
  icon?: IconName;
  /** Opens elsewhere; the label says so to those who cannot see the sign. */
  externalLabel?: string;
  onClick?: (e: MouseEvent) => void;
  children: ComponentChildren;
}

export function Link({ href, icon, externalLabel, onClick, children }: LinkProps) {
  const out = externalLabel !== undefined;
  return (
    <a
      class="k-link"
      href={href}
      onClick={onClick}
      target={out ? '_blank' : undefined}
      rel={out ? 'noopener noreferrer' : undefined}
    >
      {icon && <Icon name={icon} />}
      {children}
      {out && <Icon name="external" label={externalLabel} />}
    </a>
  );
}
