/** The till: who stands at it, what is listened to all day, and which screen is shown. */
import { useEffect, useState } from 'preact/hooks';
import { c } from '../common/text';
import { Banner, Shell, Skeleton, Toasts } from '../kit';
import { onSignedOut, type Failure } from '../lib/call';
import { asFailure, useOnline } from '../lib/load';
import { usePrefs } from '../lib/prefs';
import { match, useRoute } from '../lib/router';
import { putDown, takeUp } from './charge';
import { Side, type Tab } from './frame';
import { listen } from './live';
import { can, me, resume } from './me';
import { Failed, lazy, useWide } from './view';
import { sound, startVoice } from './voice';
import { stayAwake } from './wake';

interface Screen {
  path: string;
  tab: Tab;
  draw: (found: Record<string, string>, query: URLSearchParams) => preact.ComponentChild;
  admin?: boolean;
}

const SignIn = lazy(() => import('./screens/sign-in'));
const Till = lazy(() => import('./screens/till'));
const Orders = lazy(() => import('./screens/orders'));
const Order = lazy(() => import('./screens/order'));
const Takings = lazy(() => import('./screens/takings'));
const Statements = lazy(() => import('./screens/statements'));
const Poster = lazy(() => import('./screens/poster'));
const More = lazy(() => import('./screens/more'));
const Settings = lazy(() => import('./screens/settings'));
const Tills = lazy(() => import('./screens/tills'));
const Keys = lazy(() => import('./screens/keys'));
const Webhooks = lazy(() => import('./screens/webhooks'));
const Webhook = lazy(() => import('./screens/webhook'));
const Delivery = lazy(() => import('./screens/delivery'));

const SCREENS: Screen[] = [
  { path: '/', tab: '/', draw: () => <Till /> },
  { path: '/orders', tab: '/orders', draw: (_, query) => <Orders query={query} /> },
  { path: '/orders/:id', tab: '/orders', draw: ({ id }) => <Order id={id ?? ''} /> },
  { path: '/takings', tab: '/takings', draw: () => <Takings /> },
  { path: '/statements', tab: '/more', draw: () => <Statements /> },
  { path: '/poster', tab: '/more', draw: () => <Poster /> },
  { path: '/more', tab: '/more', draw: () => <More /> },
  { path: '/settings', tab: '/more', draw: () => <Settings /> },
  { path: '/tills', tab: '/more', admin: true, draw: () => <Tills /> },
  { path: '/keys', tab: '/more', admin: true, draw: () => <Keys /> },
  { path: '/webhooks', tab: '/more', admin: true, draw: () => <Webhooks /> },
  { path: '/webhooks/:id', tab: '/more', admin: true, draw: ({ id }) => <Webhook id={id ?? ''} /> },
  { path: '/webhooks/:id/:event', tab: '/more', admin: true, draw: ({ id, event }) => <Delivery id={id ?? ''} event={event ?? ''} /> },
];

/** How the last arrival was announced, where a program can read it. */
function Voice() {
  const { last, count, muted, locked, voice } = sound.use();
  return (
    <div
      hidden
      id="voice"
      data-count={count}
      data-muted={String(muted)}
      data-locked={String(locked)}
      data-voice={String(voice)}
      data-event={last?.event}
      data-how={last?.how}
      data-ms={last?.ms}
    />
  );
}

function Inside() {
  const { path, query } = useRoute();
  const wide = useWide();
  const online = useOnline();
  const shop = me.use()?.shop.id;
  useEffect(() => {
    if (shop === undefined) return;
    takeUp();
    const ends = [listen(shop), startVoice(), stayAwake(), putDown];
    return () => {
      for (const end of ends) end();
    };
  }, [shop]);
  let screen = SCREENS[0] as Screen;
  let found: Record<string, string> = {};
  for (const one of SCREENS) {
    const values = match(one.path, path);
    if (values && (!one.admin || can('admin'))) [screen, found] = [one, values];
  }
  const shown = (
    <div class="till-screen" key={path}>
      {screen.draw(found, query)}
    </div>
  );
  return (
    <>
      {!online && (
        <Banner tone="warn" role="status" icon="offline">
          {c('offline.bar')}
        </Banner>
      )}
      {wide ? <Shell nav={<Side tab={screen.tab} />}>{shown}</Shell> : shown}
      <Voice />
    </>
  );
}

export function App() {
  usePrefs();
  const who = me.use();
  const [failure, setFailure] = useState<Failure>();
  const begin = () => {
    setFailure(undefined);
    resume().catch((error: unknown) => setFailure(asFailure(error)));
  };
  useEffect(() => {
    onSignedOut(() => me.set(null));
    begin();
  }, []);
  useEffect(() => {
    if (!failure) return;
    addEventListener('online', begin);
    return () => removeEventListener('online', begin);
  }, [failure]);
  return (
    <>
      {who ? (
        <Inside />
      ) : who === null ? (
        <SignIn />
      ) : (
        <main class="till-loading">{failure ? <Failed failure={failure} retry={begin} /> : <Skeleton shape="card" label={c('loading')} />}</main>
      )}
      <Toasts />
    </>
  );
}
