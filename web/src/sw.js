// The resident's app without a network: the shell and its screens from this device, the API never. `npm run build` fills in the
// version and the list of files.
const VERSION = 'VERSION';
const FILES = ['FILES'];
const NAME = `yima-${VERSION}`;

self.addEventListener('install', (event) => {
  const keep = async () => {
    const cache = await caches.open(NAME);
    await cache.addAll(FILES.map((url) => new Request(url, { cache: 'reload' })));
    // While servers are being replaced the page may be of another version than the files: better no new version than a mixed one.
    const page = await (await cache.match('/')).text();
    if (!FILES.filter((url) => url.startsWith('/assets/')).some((url) => page.includes(url))) throw new Error('mixed versions');
    await self.skipWaiting();
  };
  event.waitUntil(keep());
});

self.addEventListener('activate', (event) => {
  const clean = async () => {
    // The version before stays: pages that are open may still want a screen of it.
    const older = (await caches.keys()).filter((name) => name.startsWith('yima-') && name !== NAME);
    for (const name of older.slice(0, -1)) await caches.delete(name);
    await self.clients.claim();
  };
  event.waitUntil(clean());
});

self.addEventListener('fetch', (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== 'GET' || url.origin !== self.location.origin) return;
  if (event.request.mode === 'navigate' && url.pathname === '/') event.respondWith(page(event.request));
  else if (url.pathname.startsWith('/assets/') || FILES.includes(url.pathname)) event.respondWith(asset(event.request));
});

/** The page from the network, so that a new version is there at once; from this device when the network is slow or away. */
async function page(request) {
  const cache = await caches.open(NAME);
  const kept = await cache.match('/');
  if (!kept) return fetch(request);
  const late = new Promise((resolve) => setTimeout(resolve, 1500, kept.clone()));
  const fresh = fetch(request).then((answer) => (answer.ok ? answer : kept.clone()));
  return Promise.race([fresh.catch(() => kept.clone()), late]);
}

/** Hashed files never change, so what is here is right. */
async function asset(request) {
  const kept = await caches.match(request);
  if (kept) return kept;
  const answer = await fetch(request);
  if (answer.ok) {
    const copy = answer.clone();
    // A device without room still shows what it fetched.
    await caches.open(NAME).then((cache) => cache.put(request, copy)).catch(() => undefined);
  }
  return answer;
}
