/** Which screen is shown. Home comes with the shell; every other screen is fetched when it is first opened. */
import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { c } from '../common/text';
import { Button, Empty, Skeleton, Toasts } from '../kit';
import { useOnline } from '../lib/load';
import { usePrefs } from '../lib/prefs';
import { type Route, match, useRoute } from '../lib/router';
import { Home } from './home';
import { SubScreen } from './screen';
import { useSession } from './state';
import { t } from './text';

export interface ScreenProps {
  params: Record<string, string>;
  query: URLSearchParams;
}
type Screen = ComponentType<ScreenProps>;
type Fetch = () => Promise<{ default: Screen }>;

const SCREENS: Record<string, Fetch> = {
  '/scan': () => import('./screens/scan'),
  '/pay': () => import('./screens/pay'),
  '/code': () => import('./screens/code'),
  '/collect': () => import('./screens/collect'),
  '/transfer': () => import('./screens/transfer'),
  '/bills': () => import('./screens/bills'),
  '/bills/:biller': () => import('./screens/biller'),
  '/bills/:biller/:account': () => import('./screens/account'),
  '/history': () => import('./screens/history'),
  '/history/:id': () => import('./screens/receipt'),
  '/me': () => import('./screens/me'),
  '/me/pin': () => import('./screens/pin'),
  '/me/passkeys': () => import('./screens/passkeys'),
  '/me/devices': () => import('./screens/devices'),
  '/me/reminders': () => import('./screens/reminders'),
  '/autopay': () => import('./screens/autopay'),
  '/autopay/new': () => import('./screens/autopay-new'),
  '/autopay/:id': () => import('./screens/mandate'),
  '/inbox': () => import('./screens/inbox'),
  '/family': () => import('./screens/family'),
  '/family/:id': () => import('./screens/member'),
};
/** For everybody, signed in or not. */
const status: Fetch = () => import('./screens/status');
const signIn: Fetch = () => import('./screens/signin');

const loaded = new Map<Fetch, Screen>();

/** A screen that may have to be fetched first; if that fails, it can be tried again. */
function Fetched({ fetch, ...props }: ScreenProps & { fetch: Fetch }) {
  const [, draw] = useState(0);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    if (loaded.has(fetch)) return;
    let gone = false;
    setFailed(false);
    fetch().then(
      (module) => {
        loaded.set(fetch, module.default);
        if (!gone) draw((n) => n + 1);
      },
      () => gone || setFailed(true),
    );
    return () => void (gone = true);
  }, [fetch]);
  const Ready = loaded.get(fetch);
  if (Ready) return <Ready {...props} />;
  return (
    <SubScreen title={c(failed ? 'failed.title' : 'loading')} back="#/">
      {failed ? (
        <div role="alert">
          <Empty icon="offline" title={c('failed.title')} note={c('chunk.note')} action={<Button onClick={() => location.reload()}>{c('retry')}</Button>} />
        </div>
      ) : (
        <Skeleton shape="list" label={c('loading')} />
      )}
    </SubScreen>
  );
}

function Shown({ route }: { route: Route }) {
  if (route.path === '/') return <Home />;
  for (const [pattern, fetch] of Object.entries(SCREENS)) {
    const params = match(pattern, route.path);
    if (params) return <Fetched key={route.path} fetch={fetch} params={params} query={route.query} />;
  }
  return (
    <SubScreen title={t('lost.title')} back="#/">
      <Empty icon="search" title={t('lost.title')} action={<Button href="#/">{t('tab.home')}</Button>} />
    </SubScreen>
  );
}

export function App() {
  const { lang } = usePrefs();
  const route = useRoute();
  const session = useSession();
  const online = useOnline();
  return (
    <div class="resident" key={lang}>
      {!online && (
        <div class="offline-bar" role="status">
          {c('offline.bar')}
        </div>
      )}
      {session.at === 'starting' ? (
        <main class="starting">
          <Skeleton shape="card" label={c('loading')} />
          <Skeleton shape="tiles" />
        </main>
      ) : route.path === '/status' ? (
        <Fetched key="status" fetch={status} params={{}} query={route.query} />
      ) : session.at === 'out' ? (
        <Fetched key="sign-in" fetch={signIn} params={{}} query={route.query} />
      ) : (
        <Shown route={route} />
      )}
      <Toasts />
    </div>
  );
}
