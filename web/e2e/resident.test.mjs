// A resident's phone against a real city: signing in, PIN, passkey, bills, receipts, transfers, codes without a network, a network that
// goes away in the middle of a payment.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { NARROW, accessible, fits, inHighContrast, openBrowser, person, setPin, signIn, startCity, texts, typePin, until } from './harness.mjs';

const t = texts('resident');
let city;
let browser;
let xiaoming;
before(async () => {
  city = await startCity();
  browser = await openBrowser();
  xiaoming = await person(browser, city);
});
after(async () => {
  await browser?.close();
  await city?.close();
});

const paidTo = t('open.paid', { name: '', amount: '' }).trim();
/** What phones do to pages, and cameras and stores that a test looks into. */
const phone = () => {
  globalThis.bases = [];
  globalThis.streams = [];
  const open = indexedDB.open.bind(indexedDB);
  indexedDB.open = (...args) => {
    const asked = open(...args);
    asked.addEventListener('success', () => globalThis.bases.push(asked.result));
    return asked;
  };
  const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = (wanted) =>
    ask(wanted).then((stream) => {
      globalThis.streams.push(stream);
      return stream;
    });
};
/** Locks the phone, or unlocks it: the page is told as a browser tells it. */
const sight = (page, state) =>
  page.evaluate((to) => {
    Object.defineProperty(document, 'visibilityState', { value: to, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }, state);
/** How much each store of the browser holds. */
const stored = (page) =>
  page.evaluate(
    () =>
      new Promise((resolve) => {
        const asked = indexedDB.open('yima');
        asked.onsuccess = () => {
          const names = [...asked.result.objectStoreNames];
          const transaction = asked.result.transaction(names);
          const counts = names.map((name) => [name, transaction.objectStore(name).count()]);
          transaction.oncomplete = () => {
            asked.result.close();
            resolve(Object.fromEntries(counts.map(([name, count]) => [name, count.result])));
          };
        };
      }),
  );
/** Goes as far as the button that sends `amount` to the second resident. */
const readyToSend = async (page, amount) => {
  await page.goto('/#/');
  await page.goto('/#/transfer');
  await page.getByLabel(t('transfer.phone')).fill('13800000002');
  await page.getByRole('button', { name: t('next') }).click();
  await page.getByLabel(t('transfer.amount')).fill(amount);
  return page.getByRole('button', { name: new RegExp(`${amount}\\.00`) });
};
const balanceOf = (page) => page.evaluate(() => fetch('/v1/wallet').then((answer) => answer.json())).then((wallet) => wallet.available.minor);

test('signs in with a one-time code, and a wrong one is refused', async () => {
  const { page } = xiaoming;
  await page.goto('/');
  await accessible(page, 'sign-in');
  await fits(page, 'sign-in');
  await page.getByLabel(t('signin.phone')).fill('12');
  await page.getByRole('button', { name: t('signin.send') }).click();
  await page.getByText(t('error.phone_malformed')).waitFor();
  await page.getByLabel(t('signin.phone')).fill('13800000001');
  await page.getByRole('button', { name: t('signin.send') }).click();
  const code = await city.code('13800000001');
  const wrong = String((Number(code) + 1) % 1_000_000).padStart(6, '0');
  await page.getByLabel(t('signin.code')).pressSequentially(wrong);
  await page.getByRole('button', { name: t('signin.enter') }).click();
  await page.getByText(t('error.code_wrong')).waitFor();
  await page.getByLabel(t('signin.code')).fill(code);
  const enter = page.getByRole('button', { name: t('signin.enter') });
  if (await enter.isEnabled().catch(() => false)) await enter.click().catch(() => undefined);
  await page.getByRole('heading', { name: t('home.balance') }).waitFor();
  await page.getByText('¥5,000.00').first().waitFor();
  await accessible(page, 'home');
  await fits(page, 'home');
});

test('keeps no secret where a script could read it', async () => {
  const { page, context } = xiaoming;
  const cookies = await context.cookies(city.url);
  const session = cookies.find((cookie) => cookie.name === '__Host-yima-resident');
  assert.ok(session.httpOnly && session.secure && session.sameSite === 'Strict', JSON.stringify(session));
  const seen = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }) + document.cookie);
  assert.ok(!seen.includes(session.value) && !/yrs_|csrf/i.test(seen), seen);
  const refused = await page.evaluate(() =>
    fetch('/v1/transfers', { method: 'POST', headers: { 'content-type': 'application/json', 'idempotency-key': 'x' }, body: '{}' }).then((r) =>
      r.json(),
    ),
  );
  assert.equal(refused.code, 'csrf');
});

test('sets the first PIN, refuses a run', async () => {
  const { page } = xiaoming;
  await page.goto('/#/me/pin?next=/');
  for (const step of ['new', 'again']) {
    await page.getByText(t(`pin.step.${step}`)).first().waitFor();
    await typePin(page, '123456');
  }
  await page.getByText(t('error.pin_unacceptable')).waitFor();
  await setPin(page);
});

test('pays a bill, sees its receipt and remembers the account', async () => {
  const { page } = xiaoming;
  const before = await balanceOf(page);
  await page.goto('/#/bills');
  await page.getByText('杭州供电').first().click();
  await page.getByLabel(t('account.number')).fill('333952252');
  await page.getByText(t('account.left', { n: 1 })).waitFor();
  await page.getByLabel(t('account.number')).fill('3339522520');
  await accessible(page, 'biller');
  await page.getByRole('button', { name: t('account.find') }).click();
  await page.getByRole('heading', { name: t('bill.open') }).waitFor();
  await accessible(page, 'bills of an account');
  await fits(page, 'bills of an account');
  await page.getByLabel(t('account.label')).fill('爸妈家');
  await page.getByRole('button', { name: t('account.save'), exact: true }).click();
  await page.getByText(t('account.saved')).first().waitFor();
  const pay = page.getByRole('button', { name: t('bill.pay', { amount: '' }).trim() });
  const amount = Number((await pay.innerText()).replace(/[^\d]/g, ''));
  assert.ok(amount >= 66216, `the bill and its late fee: ${amount}`);
  await pay.click();
  await page.getByRole('heading', { name: t('whole.title') }).waitFor();
  await pay.click();
  await page.getByRole('heading', { name: t('result.paid') }).waitFor();
  await accessible(page, 'bill paid');
  assert.equal(await balanceOf(page), before - amount);
  await page.goto('/#/');
  await page.getByText(`¥${((before - amount) / 100).toLocaleString('en', { minimumFractionDigits: 2 })}`).first().waitFor();
  await page.goto('/#/history');
  await page.getByText(t('kind.bill_payment')).filter({ visible: true }).first().waitFor();
  await accessible(page, 'history');
  await page.goto('/#/history?show=bills');
  await page.getByText('杭州供电').filter({ visible: true }).first().click();
  await page.getByRole('heading', { name: t('receipt.title') }).waitFor();
  await accessible(page, 'receipt');
  const saving = page.waitForEvent('download');
  await page.getByRole('button', { name: t('receipt.pdf') }).click();
  assert.match((await saving).suggestedFilename(), /\.pdf$/);
  await page.goto('/#/bills');
  await page.getByText('爸妈家').first().waitFor();
});

test('sends money to a phone number after its masked name was shown, with the PIN above the limit', async () => {
  const { page } = xiaoming;
  const before = await balanceOf(page);
  await page.goto('/#/');
  await page.goto('/#/transfer');
  await page.getByLabel(t('transfer.phone')).fill('13800000002');
  await page.getByRole('button', { name: t('next') }).click();
  await page.getByText('**红').first().waitFor();
  await page.getByLabel(t('transfer.amount')).fill('1280.50');
  await page.getByRole('button', { name: /1,280\.50/ }).click();
  await page.getByText(t('pin.title')).first().waitFor();
  await typePin(page, '111222');
  await page.getByText(t('error.pin_wrong')).waitFor();
  await accessible(page, 'PIN pad');
  await typePin(page);
  await page.getByRole('heading', { name: t('transfer.paid') }).waitFor();
  assert.equal(await balanceOf(page), before - 128050);
});

test('a network that goes away in the middle of a payment: asked for again, paid once', async () => {
  const { page, context } = xiaoming;
  const before = await balanceOf(page);
  await page.goto('/#/');
  await page.goto('/#/transfer');
  await page.getByLabel(t('transfer.phone')).fill('13800000002');
  await page.getByRole('button', { name: t('next') }).click();
  await page.getByLabel(t('transfer.amount')).fill('20');
  // The request reaches the server, the answer is lost, and then nothing gets through for a while.
  let asked = 0;
  const keys = new Set();
  await context.route('**/v1/transfers', async (route) => {
    asked += 1;
    keys.add(route.request().headers()['idempotency-key']);
    if (asked === 1) await route.fetch();
    if (asked <= 2) return route.abort('connectionreset');
    return route.continue();
  });
  await page.getByRole('button', { name: /20\.00/ }).click();
  await page.getByText(t('asking.title')).first().waitFor();
  await accessible(page, 'asking again');
  await page.getByRole('heading', { name: t('transfer.paid') }).waitFor({ timeout: 30_000 });
  await context.unroute('**/v1/transfers');
  assert.ok(asked >= 3, `asked ${asked} times`);
  assert.equal(keys.size, 1, 'with one key');
  assert.equal(await balanceOf(page), before - 2000, 'and paid once');
});

test('a server that is killed in the middle of a payment: the payment is found again after a reload', async () => {
  const { page, context } = xiaoming;
  const before = await balanceOf(page);
  await page.goto('/#/');
  await page.goto('/#/transfer');
  await page.getByLabel(t('transfer.phone')).fill('13800000002');
  await page.getByRole('button', { name: t('next') }).click();
  await page.getByLabel(t('transfer.amount')).fill('30');
  await context.route('**/v1/transfers', async (route) => {
    await route.fetch(); // it is booked
    await city.kill(); // and nobody hears of it
    await route.abort('connectionreset');
  });
  await page.getByRole('button', { name: /30\.00/ }).click();
  await page.getByText(t('asking.title')).first().waitFor({ timeout: 30_000 });
  await context.unroute('**/v1/transfers');
  await city.start();
  await page.reload();
  await page.goto('/#/');
  const open = page.getByRole('button', { name: t('open.ask') });
  await until('the payment is asked for', async () => (await open.count()) > 0 || (await balanceOf(page)) === before - 3000, 30_000);
  if ((await open.count()) > 0) await open.first().click();
  await until('it is known to be paid once', async () => (await balanceOf(page)) === before - 3000, 30_000);
});

test('the pay code works without a network and hides when nobody looks', async () => {
  const { page, context } = xiaoming;
  await page.goto('/#/code');
  const digits = page.locator('.code-digits');
  await digits.waitFor();
  await accessible(page, 'pay code');
  await fits(page, 'pay code');
  await context.setOffline(true);
  await page.reload();
  await page.goto('/#/code');
  await digits.waitFor({ timeout: 20_000 });
  const code = (await digits.innerText()).replace(/\D/g, '');
  assert.match(code, /^81\d{16}$/);
  await page.getByText(t('code.offline')).waitFor();
  await context.setOffline(false);
  // A till takes the code that was made without a network.
  const paid = await city.api('POST', '/v1/charges', {
    key: city.shops[0].key,
    body: { order_no: `off-${Date.now()}`, amount: { minor: 880, currency: 'CNY' }, payment_code: code },
  });
  assert.equal(paid.state ?? paid.status, 'paid', JSON.stringify(paid));
  const key = await page.evaluate(
    () =>
      new Promise((resolve) => {
        const open = indexedDB.open('yima');
        open.onsuccess = () => {
          const all = open.result.transaction('keys').objectStore('keys').getAll();
          all.onsuccess = () =>
            resolve(
              all.result.flatMap((one) => Object.values(one).filter((v) => v instanceof CryptoKey).map((v) => v.extractable)),
            );
        };
      }),
  );
  assert.deepEqual(key, [false], 'the key cannot be taken out of the browser');
});

test('a code that nobody looks at is hidden, and a charge is told of all the same when the phone is unlocked', async () => {
  const { page } = xiaoming;
  await page.goto('/#/');
  await page.goto('/#/code');
  const digits = page.locator('.code-digits');
  const show = page.getByRole('button', { name: t('code.show') });
  const before = await digits.innerText();
  await page.evaluate(() => {
    const now = Date.now;
    Date.now = () => now() + 61_000;
    globalThis.backInTime = () => (Date.now = now);
  });
  await page.getByText(t('code.hidden.idle')).waitFor();
  assert.equal(await digits.count(), 0);
  await accessible(page, 'pay code, hidden');
  await page.evaluate(() => globalThis.backInTime());
  await show.click();
  const code = (await until('a code of now', async () => (await digits.innerText()) !== before && digits.innerText())).replace(/\D/g, '');
  await sight(page, 'hidden');
  await page.getByText(t('code.hidden.page')).waitFor();
  assert.equal(await digits.count(), 0);
  await sight(page, 'visible');
  assert.equal(await digits.count(), 0, 'it stays hidden until somebody wants to see it');
  const charged = await city.api('POST', '/v1/charges', {
    key: city.shops[0].key,
    body: { order_no: `locked-${Date.now()}`, amount: { minor: 110000, currency: 'CNY' }, payment_code: code },
  });
  assert.equal(charged.status, 'waiting');
  await page.getByText(t('pin.title')).first().waitFor();
  await typePin(page);
  await page.getByRole('heading', { name: t('result.paid') }).waitFor();
});

test('an answer about the question is none about the payment; a store that the phone closed is opened again', async () => {
  const { page, context } = xiaoming;
  await context.addInitScript(phone);
  await page.reload();
  const before = await balanceOf(page);
  const refused = (status) => ({ status, contentType: 'application/problem+json', body: JSON.stringify({ code: status === 429 ? 'rate_limited' : 'forbidden', detail: 'not you' }) });
  const portal = { status: 200, contentType: 'text/html', body: '<html><body>Welcome to our network</body></html>' };
  for (const [amount, second, told] of [
    ['11', refused(403), false],
    ['12', refused(429), false],
    ['13', portal, true],
  ]) {
    const send = await readyToSend(page, amount);
    await page.evaluate((silently) => {
      for (const base of globalThis.bases.splice(0)) {
        base.close();
        if (!silently) base.onclose?.(new Event('close'));
      }
    }, amount === '11');
    let asked = 0;
    const keys = new Set();
    await context.route('**/v1/transfers', async (route) => {
      // One before this that could not be struck out while the store was closed may be asked for once more.
      if (route.request().postDataJSON().amount.minor !== Number(amount) * 100) return route.continue();
      keys.add(route.request().headers()['idempotency-key']);
      asked += 1;
      if (asked === 1) {
        await route.fetch();
        return route.abort('connectionreset');
      }
      return asked === 2 ? route.fulfill(second) : route.continue();
    });
    await send.click();
    if (told) await page.getByRole('heading', { name: t('transfer.paid') }).waitFor();
    else {
      await page.getByRole('heading', { name: t('unknown.title') }).waitFor();
      assert.equal(await page.getByText(t('result.nothing')).count(), 0, 'nobody says that nothing was paid');
      await page.goto('/#/');
      await page.getByText(t('open.paid', { name: '**红', amount: `¥${amount}.00` })).waitFor();
    }
    await context.unroute('**/v1/transfers');
    assert.ok(asked >= 3, `asked ${asked} times`);
    assert.equal(keys.size, 1, 'with one key');
  }
  assert.equal(await balanceOf(page), before - 3600, 'each was paid once');
});

test('a bill whose answer was lost and that waits for its biller is not told as paid before it is', async () => {
  const { page, context } = xiaoming;
  const water = (await city.api('GET', '/v1/billers')).items.find((one) => one.pack === 'hz-water');
  await page.goto('/#/bills/hz-water/017508293973');
  let state = 'lost';
  // The city's own billers answer at once: what one says that takes its time is put into the answer on its way.
  await context.route(/\/v1\/bills\/[^/]+(\/pay)?$/, async (route) => {
    const answer = await route.fetch();
    if (state === 'lost' && route.request().method() === 'POST') return route.abort('connectionreset');
    const body = await answer.json();
    const held = { ...body, state: route.request().method() === 'POST' ? 'pending' : 'claimed' };
    return route.fulfill({ response: answer, json: state === 'waits' ? held : body });
  });
  // One of the two: both at once are asked for otherwise.
  await page.getByRole('checkbox').nth(1).click();
  await page.getByRole('button', { name: t('bill.pay', { amount: '' }).trim() }).click();
  await page.getByRole('button', { name: t('pay.stop') }).click();
  await page.getByRole('heading', { name: t('unknown.title') }).waitFor();
  state = 'waits';
  await page.goto('/#/');
  const banner = page.getByRole('status').filter({ hasText: water.name.zh });
  await banner.filter({ hasText: t('result.pending.note') }).waitFor();
  assert.equal(await page.getByText(paidTo).count(), 0, 'it is not paid yet');
  await accessible(page, 'a bill that waits');
  await page.reload();
  await banner.first().waitFor();
  assert.equal(await page.getByText(paidTo).count(), 0, 'nor after a reload');
  state = 'settled';
  await banner.filter({ hasText: paidTo }).waitFor();
  await context.unroute(/\/v1\/bills\/[^/]+(\/pay)?$/);
});

test('the camera stops when the page is out of sight and when scanning is left', async () => {
  const { page } = xiaoming;
  const states = () => page.evaluate(() => globalThis.streams.flatMap((stream) => stream.getTracks().map((track) => track.readyState)));
  await page.goto('/#/');
  await page.goto('/#/scan');
  const on = page.locator('.camera[data-state=on]');
  await on.waitFor();
  assert.deepEqual(await states(), ['live']);
  await sight(page, 'hidden');
  assert.deepEqual(await states(), ['ended']);
  await sight(page, 'visible');
  await until('it is on again', async () => (await states()).join() === 'ended,live');
  await on.waitFor();
  await page.goto('/#/');
  await page.getByRole('heading', { name: t('home.balance') }).waitFor();
  assert.deepEqual(await states(), ['ended', 'ended']);
});

test('collects with an amount, sees a receipt, removes this phone and adds it again', async () => {
  const { page } = xiaoming;
  await page.goto('/#/collect');
  const qr = page.getByRole('img', { name: t('collect.qr') });
  await qr.waitFor();
  await page.getByRole('button', { name: t('collect.set') }).click();
  await page.getByRole('dialog').getByLabel(t('pay.amount')).fill('25.50');
  await accessible(page, 'collecting an amount');
  await page.getByRole('dialog').getByRole('button', { name: t('ok'), exact: true }).click();
  await page.locator('main').getByText('¥25.50').waitFor();
  await qr.waitFor();
  await accessible(page, 'collecting');
  await fits(page, 'collecting');
  await page.goto('/#/history?show=bills');
  await page.getByText('杭州供电').filter({ visible: true }).first().click();
  await page.getByRole('heading', { name: t('receipt.title') }).waitFor();
  await page.getByText('3339522520').first().waitFor();
  await fits(page, 'receipt');
  await page.goto('/#/me/devices');
  await page.getByText(t('devices.this')).waitFor();
  await accessible(page, 'devices');
  await fits(page, 'devices');
  await page.getByRole('button', { name: t('remove') }).click();
  await page.getByRole('dialog').getByRole('button', { name: t('remove') }).click();
  await page.getByText(t('devices.none')).waitFor();
  assert.equal((await stored(page)).keys, 0, 'the key is gone from the phone');
  await page.getByRole('link', { name: t('code.title') }).first().click();
  await page.locator('.code-digits').waitFor();
  assert.equal((await stored(page)).keys, 1);
});

test("days and times are the city's, wherever the browser is", async () => {
  const away = await person(browser, city, { timezoneId: 'America/Los_Angeles' });
  await signIn(away.page, city, '13800000002');
  await away.page.goto('/#/history');
  const { items } = await away.page.evaluate(() => fetch('/v1/wallet/history?limit=1').then((answer) => answer.json()));
  const told = (timeZone) => new Intl.DateTimeFormat('zh-CN', { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', timeZone }).format(new Date(items[0].at));
  assert.notEqual(told('Asia/Shanghai'), told('America/Los_Angeles'));
  await away.page.getByText(told('Asia/Shanghai')).filter({ visible: true }).first().waitFor();
  assert.deepEqual(away.complaints, []);
  await away.context.close();
});

test('a new version comes whole or not at all, and the one before stays for pages that are open', async () => {
  const old = await (await fetch(`${city.url}/sw.js`)).text();
  const files = JSON.parse(/const FILES = (\[.*?\]);/.exec(old)[1]);
  const worker = (name) => old.replace(/const VERSION = '[^']*'/, `const VERSION = '${name}'`).replace(/const FILES = \[.*?\];/, `const FILES = ["/","/assets/${name}.js"];`);
  const page = (name) => `<!doctype html><title>${name}</title><script type="module" src="/assets/${name}.js"></script>`;
  let serve = () => undefined;
  const front = createServer(async (request, response) => {
    const made = serve(request.url);
    const answer = made === undefined ? await fetch(city.url + request.url) : undefined;
    const type = request.url.endsWith('.js') ? 'text/javascript' : 'text/html';
    response.writeHead(answer?.status ?? 200, { 'content-type': answer?.headers.get('content-type') ?? type });
    response.end(made ?? Buffer.from(await answer.arrayBuffer()));
  });
  await new Promise((resolve) => front.listen(0, resolve));
  const visitor = await person(browser, city, { baseURL: `http://localhost:${front.address().port}` });
  const held = () => visitor.page.evaluate(() => caches.keys());
  const upgrade = () =>
    visitor.page.evaluate(async () => {
      const registration = await navigator.serviceWorker.ready;
      const ended = new Promise((resolve) => {
        registration.onupdatefound = () => {
          const { installing } = registration;
          installing.onstatechange = () => ['activated', 'redundant'].includes(installing.state) && resolve(installing.state);
        };
      });
      registration.update().catch(() => undefined);
      return ended;
    });
  const withoutNetwork = async (look) => {
    await visitor.context.setOffline(true);
    await visitor.page.reload();
    await look();
    await visitor.context.setOffline(false);
  };
  try {
    await visitor.page.goto('/');
    await visitor.page.evaluate(() => navigator.serviceWorker.ready);
    const [first] = await held();
    // The worker is of the next version, the page still of this one.
    serve = (path) => (path === '/sw.js' ? worker('next') : path === '/assets/next.js' ? '' : undefined);
    assert.equal(await upgrade(), 'redundant');
    await withoutNetwork(() => visitor.page.getByLabel(t('signin.phone')).waitFor());
    const whole = (name) => (path) => (path === '/sw.js' ? worker(name) : path === '/' ? page(name) : path === `/assets/${name}.js` ? '' : undefined);
    serve = whole('next');
    assert.equal(await upgrade(), 'activated');
    assert.deepEqual((await held()).sort(), [first, 'yima-next'].sort());
    const screen = files.find((path) => /\/assets\/.*\.js$/.test(path));
    assert.ok((await visitor.page.evaluate((path) => caches.match(path).then((kept) => kept?.text()), screen)).length > 0, 'an open page finds its screens');
    await withoutNetwork(async () => assert.equal(await visitor.page.title(), 'next'));
    serve = whole('third');
    assert.equal(await upgrade(), 'activated');
    assert.deepEqual((await held()).sort(), ['yima-next', 'yima-third']);
  } finally {
    await visitor.context.close();
    front.closeAllConnections();
    front.close();
  }
});

test('a passkey is added, signs in without a code, and a removed one does not', async () => {
  const { page, context } = xiaoming;
  const wire = await context.newCDPSession(page);
  await wire.send('WebAuthn.enable');
  const { authenticatorId } = await wire.send('WebAuthn.addVirtualAuthenticator', {
    options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
  });
  await page.goto('/#/me/passkeys');
  await page.getByRole('button', { name: t('passkeys.add') }).click();
  await page.getByText(t('passkeys.pin')).waitFor();
  await accessible(page, 'the PIN before a passkey');
  await typePin(page, '111222');
  await page.getByText(t('error.pin_wrong')).waitFor();
  assert.equal((await wire.send('WebAuthn.getCredentials', { authenticatorId })).credentials.length, 0, 'nothing was made');
  await typePin(page);
  await page.getByText(t('passkeys.added')).first().waitFor();
  await accessible(page, 'passkeys');
  const { credentials } = await wire.send('WebAuthn.getCredentials', { authenticatorId });
  assert.equal(credentials.length, 1);
  const sent = city.codesSent('13800000001');
  await page.goto('/#/me');
  const kept = await stored(page);
  assert.ok(kept.keys > 0 && kept.cache > 0, JSON.stringify(kept));
  await page.getByRole('button', { name: t('sign.out') }).click();
  await page.getByRole('dialog').getByRole('button', { name: t('sign.out') }).click();
  await page.getByRole('button', { name: t('signin.passkey') }).waitFor();
  await until('the phone has forgotten all', async () => Object.values(await stored(page)).every((count) => count === 0));
  await page.getByRole('button', { name: t('signin.passkey') }).click();
  await page.getByRole('heading', { name: t('home.balance') }).waitFor();
  assert.equal(city.codesSent('13800000001'), sent, 'no code was sent');
  await page.goto('/#/me/passkeys');
  await page.getByRole('button', { name: t('remove') }).first().click();
  await page.getByRole('dialog').getByRole('button', { name: t('remove') }).click();
  await page.getByText(t('passkeys.none')).waitFor();
  await page.goto('/#/me');
  await page.getByRole('button', { name: t('sign.out') }).click();
  await page.getByRole('dialog').getByRole('button', { name: t('sign.out') }).click();
  await page.getByRole('button', { name: t('signin.passkey') }).click();
  await page.getByText(t('error.passkey_unknown')).or(page.getByText(t('error.passkey_refused'))).first().waitFor();
});

test('English from the same screens', async () => {
  const en = texts('resident', 'en');
  const anna = await person(browser, city, { lang: 'en-GB', ...NARROW });
  await signIn(anna.page, city, '13800000003', en);
  await anna.page.getByText('Pay code').first().waitFor();
  for (const path of ['/', '/scan', '/bills', '/history', '/me', '/collect', '/transfer']) {
    await anna.page.goto(`/#${path}`);
    await anna.page.locator('h1').first().waitFor({ state: 'attached' });
    await anna.page.waitForTimeout(300);
    await accessible(anna.page, `${path} in English`);
    await fits(anna.page, `${path} in English`);
    await inHighContrast(anna.page, path);
    const han = await anna.page.locator('main').innerText();
    const known = han.replace(/杭州\S*|上海\S*|张伟|简体中文|语言/g, '');
    assert.ok(!/\p{Script=Han}/u.test(known), `${path}: ${known.match(/.{0,10}\p{Script=Han}+.{0,10}/u)?.[0]}`);
  }
  assert.deepEqual(anna.complaints, []);
  await anna.context.close();
});

test('the page complained about nothing', () => assert.deepEqual(xiaoming.complaints, []));
