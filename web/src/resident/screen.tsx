/** The frame of the resident's screens: the bar, and the tabs on those that they lead to. */
import type { ComponentChildren } from 'preact';
import { c } from '../common/text';
import { Page, TabBar } from '../kit';
import { t } from './text';

export type Tab = '#/' | '#/bills' | '#/code' | '#/history' | '#/me';

export function Tabs({ current }: { current: Tab }) {
  return (
    <TabBar
      label={t('tabs')}
      current={current}
      items={[
        { href: '#/', label: t('tab.home'), icon: 'home' },
        { href: '#/bills', label: t('tab.bills'), icon: 'bill' },
        { href: '#/code', label: t('tab.code'), icon: 'qr' },
        { href: '#/history', label: t('tab.history'), icon: 'history' },
        { href: '#/me', label: t('tab.me'), icon: 'me' },
      ]}
    />
  );
}

/** A screen that a tab leads to. */
export const TabScreen = ({ title, tab, actions, children }: { title: string; tab: Tab; actions?: ComponentChildren; children: ComponentChildren }) => (
  <Page title={title} actions={actions} footer={<Tabs current={tab} />}>
    {children}
  </Page>
);

/** A screen further down; `back` is where it leads back to. */
export const SubScreen = (p: {
  title: string;
  back: string | (() => void);
  actions?: ComponentChildren;
  footer?: ComponentChildren;
  children: ComponentChildren;
}) => (
  <Page title={p.title} back={p.back} backLabel={c('back')} actions={p.actions} footer={p.footer}>
    {p.children}
  </Page>
);

/** The route of the screen, to come back to. */
export const here = (): string => location.hash.slice(1) || '/';
