/** The frame of every screen: bar with the state of the connection and the sound, and the ways between screens. */
import type { ComponentChildren } from 'preact';
import { c } from '../common/text';
import { Badge, Button, type NavItem, Page, SideNav, TabBar } from '../kit';
import { live } from './live';
import { can, me } from './me';
import { t } from './text';
import { useWide } from './view';
import { setMuted, sound, tryOut } from './voice';

export type Tab = '/' | '/orders' | '/takings' | '/more';

function tabs(): NavItem[] {
  return [
    { href: '#/', label: can('staff') ? t('nav.till') : t('nav.speaker'), icon: can('staff') ? 'till' : 'sound' },
    { href: '#/orders', label: t('nav.orders'), icon: 'bill' },
    { href: '#/takings', label: t('nav.takings'), icon: 'ledger' },
    { href: '#/more', label: t('nav.more'), icon: 'more' },
  ];
}

const STATE = { off: 'warn', connecting: 'warn', live: 'ok', broken: 'bad' } as const;

/** Whether money that arrives is heard of. */
export function Connection() {
  const { state } = live.use();
  return (
    <span class="till-connection" role="status" data-connection={state}>
      <Badge tone={STATE[state]}>{t(`connection.${state}`)}</Badge>
    </span>
  );
}

function Mute() {
  const { muted } = sound.use();
  return (
    <Button
      kind="quiet"
      icon={muted ? 'mute' : 'sound'}
      pressed={muted}
      label={t('sound.mute')}
      onClick={() => {
        setMuted(!muted);
        if (muted) tryOut(me.get()?.currency ?? 'CNY');
      }}
    />
  );
}

export interface FrameProps {
  title: string;
  tab: Tab;
  /** Where the arrow leads; screens behind a tab have none. */
  back?: string;
  /** Hides the tabs while something has to be finished. */
  bare?: boolean;
  wide?: boolean;
  children: ComponentChildren;
}

export function Frame({ title, tab, back, bare, wide, children }: FrameProps) {
  const atSide = useWide();
  return (
    <Page
      title={title}
      back={back}
      backLabel={back === undefined ? undefined : c('back')}
      wide={wide}
      actions={
        <>
          <Connection />
          <Mute />
        </>
      }
      footer={atSide || bare ? undefined : <TabBar items={tabs()} current={`#${tab}`} label={t('nav.label')} />}
    >
      {children}
    </Page>
  );
}

/** The navigation of wide screens. */
export function Side({ tab }: { tab: Tab }) {
  const who = me.use();
  return (
    <SideNav
      items={tabs()}
      current={`#${tab}`}
      label={t('nav.label')}
      head={<div class="till-shop">{who?.shop.name}</div>}
    />
  );
}
