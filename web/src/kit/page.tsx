// The frame of a screen: bar, main, footer, and the ways between screens. A new page takes the focus to its heading,
// unless something in it has asked for the focus first.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Icon, type IconName } from './icon';
import { cx } from './util';

export interface BarProps {
  title: string;
  back?: string | (() => void);
  backLabel?: string;
  actions?: ComponentChildren;
  wide?: boolean;
}

export function Bar({ title, back, backLabel, actions, wide }: BarProps) {
  return (
    <header class="k-bar">
      <div class={cx('k-bar-in', wide && 'k-wide')}>
        {typeof back === 'string' && (
          <a class="k-hit" href={back} aria-label={backLabel}>
            <Icon name="back" />
          </a>
        )}
        {typeof back === 'function' && (
          <button class="k-hit" type="button" aria-label={backLabel} onClick={back}>
            <Icon name="back" />
          </button>
        )}
        <h1 class="k-bar-title" tabIndex={-1}>
          {title}
        </h1>
        {actions && <div class="k-bar-actions">{actions}</div>}
      </div>
    </header>
  );
}

export interface PageProps extends BarProps {
  footer?: ComponentChildren;
  children?: ComponentChildren;
}

/** Give each route's Page its own key, or the focus stays where it was. */
export function Page({ footer, children, ...bar }: PageProps) {
  const root = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const at = document.activeElement;
    if (at?.closest('dialog') || (at && root.current?.querySelector('main')?.contains(at))) return;
    scrollTo(0, 0);
    root.current?.querySelector('h1')?.focus({ preventScroll: true });
  }, []);
  useEffect(() => {
    document.title = bar.title;
  }, [bar.title]);
  return (
    <div class="k-page" ref={root}>
      <Bar {...bar} />
      <main class={cx('k-main', bar.wide && 'k-wide')}>{children}</main>
      {footer && <footer class="k-foot">{footer}</footer>}
    </div>
  );
}

export interface NavItem {
  href: string;
  label: string;
  icon: IconName;
  /** A short text or count beside the item; part of its spoken name. */
  badge?: string | number;
}

function items(list: NavItem[], current: string | undefined) {
  return list.map((it) => (
    <li key={it.href}>
      <a href={it.href} aria-current={it.href === current ? 'page' : undefined}>
        <span class="k-nav-icon">
          <Icon name={it.icon} />
        </span>
        <span class="k-nav-label">{it.label}</span>
        {it.badge !== undefined && it.badge !== '' && <span class="k-count">{it.badge}</span>}
      </a>
    </li>
  ));
}

export interface NavProps {
  items: NavItem[];
  /** The href of the item shown now. */
  current?: string;
  label: string;
}

/** Bottom tabs; belongs into the footer of a Page. */
export function TabBar({ items: list, current, label }: NavProps) {
  return (
    <nav class="k-tabs" aria-label={label}>
      <ul role="list">{items(list, current)}</ul>
    </nav>
  );
}

/** The consoles' navigation: a column, or a strip that scrolls sideways on a narrow screen. */
export function SideNav({
  items: list,
  current,
  label,
  head,
  foot,
}: NavProps & { head?: ComponentChildren; foot?: ComponentChildren }) {
  const nav = useRef<HTMLUListElement>(null);
  useEffect(() => {
    nav.current?.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [current]);
  return (
    <nav class="k-side" aria-label={label}>
      {head && <div class="k-side-head">{head}</div>}
      <ul role="list" ref={nav}>
        {items(list, current)}
      </ul>
      {foot && <div class="k-side-foot">{foot}</div>}
    </nav>
  );
}

/** SideNav beside (or above) a Page. */
export function Shell({ nav, children }: { nav: ComponentChildren; children: ComponentChildren }) {
  return (
    <div class="k-shell">
      {nav}
      <div class="k-shell-page">{children}</div>
    </div>
  );
}

/** The services of the city as a grid of signs. */
export function Tiles({ items: list, label }: { items: NavItem[]; label?: string }) {
  return (
    <ul class="k-tiles" role="list" aria-label={label}>
      {items(list, undefined)}
    </ul>
  );
}
