/** The frame of the console: signing in, the way between screens, and what is waiting. */
import type { ComponentType } from 'preact';
import { useCallback, useEffect, useReducer, useState } from 'preact/hooks';
import { c, failureText, loadCommon } from '../common/text';
import { Banner, Button, Empty, Icon, type IconName, type NavItem, Page, Shell, SideNav, Skeleton, Toasts, toast } from '../kit';
import { type Failure, onSignedOut, setCsrf } from '../lib/call';
import { asFailure, useOnline } from '../lib/load';
import { prefs, usePrefs } from '../lib/prefs';
import { match, useRoute } from '../lib/router';
import { type Session, current, signOut } from '../lib/session';
import { type Role, approvals } from './api';
import { usePoll } from './poll';
import { SignIn } from './sign-in';
import { loadTexts, t } from './text';
import { WAITING_CHANGED, type Who, WhoContext, reaches } from './who';

export interface ScreenProps {
  params: Record<string, string>;
  query: URLSearchParams;
}
type Screen = ComponentType<ScreenProps>;
interface Place {
  path: string;
  nav: string;
  title: () => string;
  needs: Role;
  load: () => Promise<{ default: Screen }>;
}

const PLACES: Place[] = [
  { path: '/', nav: '/', title: () => t('nav.overview'), needs: 'viewer', load: () => import('./overview') },
  { path: '/billers', nav: '/billers', title: () => t('nav.billers'), needs: 'viewer', load: () => import('./billers') },
  { path: '/billers/new', nav: '/billers', title: () => t('new.title'), needs: 'admin', load: () => import('./biller-new') },
  { path: '/billers/:id', nav: '/billers', title: () => t('nav.billers'), needs: 'viewer', load: () => import('./biller') },
  { path: '/coverage', nav: '/coverage', title: () => t('nav.coverage'), needs: 'viewer', load: () => import('./coverage') },
  { path: '/imports', nav: '/imports', title: () => t('nav.imports'), needs: 'viewer', load: () => import('./imports') },
  { path: '/settlements', nav: '/settlements', title: () => t('nav.settlements'), needs: 'viewer', load: () => import('./settlements') },
  { path: '/payouts', nav: '/payouts', title: () => t('nav.payouts'), needs: 'viewer', load: () => import('./payouts') },
  { path: '/collectors', nav: '/collectors', title: () => t('nav.collectors'), needs: 'viewer', load: () => import('./collectors') },
  { path: '/providers', nav: '/providers', title: () => t('nav.providers'), needs: 'viewer', load: () => import('./providers') },
  { path: '/residents', nav: '/residents', title: () => t('nav.residents'), needs: 'viewer', load: () => import('./residents') },
  { path: '/shops', nav: '/shops', title: () => t('nav.shops'), needs: 'viewer', load: () => import('./shops') },
  { path: '/money', nav: '/money', title: () => t('nav.money'), needs: 'staff', load: () => import('./money') },
  { path: '/coupons', nav: '/coupons', title: () => t('nav.coupons'), needs: 'viewer', load: () => import('./coupons') },
  { path: '/approvals', nav: '/approvals', title: () => t('nav.approvals'), needs: 'staff', load: () => import('./approvals') },
  { path: '/audit', nav: '/audit', title: () => t('nav.audit'), needs: 'admin', load: () => import('./audit') },
  { path: '/keys', nav: '/keys', title: () => t('nav.keys'), needs: 'admin', load: () => import('./keys') },
  { path: '/settings', nav: '/settings', title: () => t('nav.settings'), needs: 'viewer', load: () => import('./settings') },
];

const NAV: { path: string; icon: IconName }[] = [
  { path: '/', icon: 'city' },
  { path: '/billers', icon: 'bill' },
  { path: '/coverage', icon: 'globe' },
  { path: '/imports', icon: 'upload' },
  { path: '/settlements', icon: 'settlement' },
  { path: '/payouts', icon: 'pay' },
  { path: '/collectors', icon: 'collect' },
  { path: '/providers', icon: 'webhook' },
  { path: '/residents', icon: 'people' },
  { path: '/shops', icon: 'shop' },
  { path: '/money', icon: 'transfer' },
  { path: '/coupons', icon: 'coupon' },
  { path: '/approvals', icon: 'eye' },
  { path: '/audit', icon: 'history' },
  { path: '/keys', icon: 'key' },
  { path: '/settings', icon: 'settings' },
];

const loaded = new Map<string, Screen>();

/** A screen that is fetched when somebody goes there. */
function Lazy({ place, ...props }: ScreenProps & { place: Place }) {
  const [, draw] = useReducer((n: number) => n + 1, 0);
  const [failure, setFailure] = useState<Failure>();
  useEffect(() => {
    let here = true;
    setFailure(undefined);
    if (loaded.has(place.path)) return;
    place.load().then(
      (module) => {
        loaded.set(place.path, module.default);
        if (here) draw(0);
      },
      (error: unknown) => here && setFailure(asFailure(error)),
    );
    return () => {
      here = false;
    };
  }, [place.path]);
  const Ready = loaded.get(place.path);
  if (Ready) return <Ready {...props} />;
  return (
    <Page key="wait" title={place.title()} wide>
      {failure ? (
        <div role="alert">
          <Empty
            icon="offline"
            title={c('failed.title')}
            note={c('chunk.note')}
            action={
              <Button icon="refresh" onClick={() => location.reload()}>
                {c('retry')}
              </Button>
            }
          />
        </div>
      ) : (
        <Skeleton shape="list" label={c('loading')} />
      )}
    </Page>
  );
}

/** "/" goes to the search of the screen, where it has one and nobody is typing. */
function useSlash(): void {
  useEffect(() => {
    const pressed = (e: KeyboardEvent) => {
      if (e.key !== '/' || e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented) return;
      if (e.target instanceof Element && e.target.closest('input, textarea, select, [contenteditable], dialog')) return;
      const field = document.querySelector<HTMLElement>('[role="search"] :is(input, textarea)');
      if (!field) return;
      e.preventDefault();
      field.focus();
    };
    addEventListener('keydown', pressed);
    return () => removeEventListener('keydown', pressed);
  }, []);
}

function Signed({ who, onOut }: { who: Who; onOut: () => void }) {
  const route = useRoute();
  const online = useOnline();
  useSlash();
  const may = reaches(who.role, 'staff');
  const waiting = usePoll(
    async (signal) => (may ? (await approvals('waiting', undefined, signal)).items.length : 0),
    () => (may ? 30_000 : undefined),
    [who.id],
  );
  useEffect(() => {
    addEventListener(WAITING_CHANGED, waiting.reload);
    return () => removeEventListener(WAITING_CHANGED, waiting.reload);
  }, [waiting.reload]);
  const place = PLACES.find((p) => match(p.path, route.path) !== undefined);
  const items: NavItem[] = NAV.flatMap(({ path, icon }) => {
    const to = PLACES.find((p) => p.path === path);
    if (!to || !reaches(who.role, to.needs)) return [];
    const count = path === '/approvals' ? waiting.data : undefined;
    return [{ href: `#${path}`, label: to.title(), icon, badge: count ? count : undefined }];
  });
  const allowed = place !== undefined && reaches(who.role, place.needs);
  return (
    <WhoContext.Provider value={who}>
      <Shell
        nav={
          <SideNav
            label={t('nav.label')}
            items={items}
            current={place && `#${place.nav}`}
            head={
              <span class="o-brand">
                <Icon name="qr" />
                {t('app')}
              </span>
            }
            foot={
              <div class="o-me">
                <span class="o-me-who">
                  <strong>{who.name}</strong>
                  <span>{t(`role.${who.role}`)}</span>
                </span>
                <Button kind="quiet" small icon="logout" label={c('sign.out')} onClick={onOut} />
              </div>
            }
          />
        }
      >
        {!online && (
          <Banner tone="warn" icon="offline" role="status">
            {c('offline.bar')}
          </Banner>
        )}
        {allowed ? (
          <Lazy key={route.path} place={place} params={match(place.path, route.path) ?? {}} query={route.query} />
        ) : (
          <Page key={route.path} title={place ? place.title() : t('nowhere')} wide>
            <Empty
              icon={place ? 'lock' : 'search'}
              title={place ? t('forbidden') : t('nowhere')}
              note={place ? t('forbidden.note', { role: t(`role.${place.needs}`) }) : t('nowhere.note')}
              action={<Button href="#/">{t('nav.overview')}</Button>}
            />
          </Page>
        )}
      </Shell>
    </WhoContext.Provider>
  );
}

export function App() {
  const { lang } = usePrefs();
  const [, draw] = useReducer((n: number) => n + 1, 0);
  const [session, setSession] = useState<Session | undefined>();
  const [known, setKnown] = useState(false);
  const [failure, setFailure] = useState<Failure>();
  const [ended, setEnded] = useState(false);

  useEffect(() => {
    void Promise.all([loadCommon(lang), loadTexts(lang)]).then(
      () => lang === prefs().lang && draw(0),
      () => draw(0), // the texts that are there stay
    );
  }, [lang]);

  const ask = useCallback(() => {
    setFailure(undefined);
    current('operator').then(
      (found) => {
        setSession(found);
        setKnown(true);
      },
      (error: unknown) => setFailure(asFailure(error)),
    );
  }, []);
  useEffect(() => {
    ask();
    onSignedOut(() => {
      setCsrf(undefined);
      setSession((held) => {
        if (held) setEnded(true);
        return undefined;
      });
    });
  }, []);

  const out = () => {
    signOut('operator').then(
      () => {
        setEnded(false);
        setSession(undefined);
      },
      (error: unknown) => toast(failureText(asFailure(error)), 'bad'),
    );
  };

  return (
    <>
      {session ? (
        <Signed who={{ id: session.who.id, name: session.who.name, role: (session.who.role ?? 'viewer') as Role }} onOut={out} />
      ) : known ? (
        <SignIn
          ended={ended}
          onSession={(fresh) => {
            setEnded(false);
            setSession(fresh);
          }}
        />
      ) : (
        <Page key="start" title={t('app')}>
          {failure ? (
            <div role="alert">
              <Empty
                icon="error"
                title={c('failed.title')}
                note={failureText(failure)}
                action={
                  <Button icon="refresh" onClick={ask}>
                    {c('retry')}
                  </Button>
                }
              />
            </div>
          ) : (
            <Skeleton label={c('loading')} />
          )}
        </Page>
      )}
      <Toasts />
    </>
  );
}
