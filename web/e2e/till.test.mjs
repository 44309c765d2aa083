// A till and a phone against a real city, in two browsers: the pay code is drawn on one page and read from its picture by the other,
// the order's code the other way round; arrivals said aloud; refunds; a network that loses the answer of a charge.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { NARROW, accessible, fits, openBrowser, person, setPin, signIn, signInByKey, startCity, texts, typePin, until, WIDE } from './harness.mjs';

const t = texts('till');
const r = texts('resident');
let city;
let browsers;
let shop;
let phone;
before(async () => {
  city = await startCity({ env: { YIMA_WEBHOOK_PRIVATE: 'true' } });
  browsers = [await openBrowser(), await openBrowser()];
  shop = await person(browsers[0], city, WIDE);
  phone = await person(browsers[1], city);
  await signIn(phone.page, city, '13800000001');
  await setPin(phone.page);
});
after(async () => {
  for (const browser of browsers ?? []) await browser.close();
  await city?.close();
});

const phase = (name) => shop.page.locator(`.till-charge[data-phase="${name}"]`);
const spoken = () => shop.page.locator('[data-count]');
const typed = async (amount) => {
  await shop.page.goto('/till/#/');
  const next = shop.page.getByRole('button', { name: t('charge.next') });
  if ((await next.count()) > 0) await next.click();
  await shop.page.getByLabel(t('pad.amount')).fill(amount);
};

let last = '';
/** A code on the phone that no till has seen: each can be used once. */
const freshCode = async () => {
  await phone.page.goto('/#/');
  await phone.page.getByRole('heading', { name: r('home.balance') }).waitFor();
  await phone.page.goto('/#/code');
  const digits = phone.page.locator('.code-digits');
  await digits.waitFor();
  const read = async () => (await digits.innerText()).replace(/\D/g, '');
  last = await until('a fresh code', async () => ((await read()) === last ? undefined : read()));
  return last;
};

test('a device is paired with the key of the shop; what is no key is refused', async () => {
  const { page } = shop;
  await page.goto('/till/');
  await page.getByLabel(t('pair.key'), { exact: true }).waitFor();
  await accessible(page, 'pairing');
  for (const [given, answer] of [
    ['', 'pair.empty'],
    ['hello', 'pair.malformed'],
    [`ymk_${'a'.repeat(43)}`, 'pair.unknown'],
  ]) {
    await page.getByLabel(t('pair.key'), { exact: true }).fill(given);
    await page.getByRole('button', { name: t('pair.do') }).click();
    await page.getByText(t(answer)).waitFor();
  }
  await signInByKey(page, '/till/', t('pair.key'), t('pair.do'), city.shops[0].key);
  await page.getByRole('heading', { name: t('arrivals.title') }).waitFor();
  await page.getByText(t('connection.live')).first().waitFor();
  await accessible(page, 'till');
  await fits(page, 'till');
});

test('is paid by the pay code of the other browser, read from its picture', async () => {
  const { page } = shop;
  await typed('12.5');
  await page.getByRole('button', { name: t('pad.charge'), exact: true }).click();
  await page.getByRole('button', { name: t('charge.camera') }).click();
  await freshCode();
  const picture = join(city.dir, 'code.png');
  await phone.page.locator('.k-code, .code-live').first().screenshot({ path: picture });
  await page.locator('.till-file input').setInputFiles(picture);
  await phase('paid').waitFor({ timeout: 20_000 });
  await page.getByText('¥12.50').first().waitFor();
  await accessible(page, 'paid at the till');
  await until('the arrival is said', async () => Number(await spoken().getAttribute('data-count')) >= 1);
  const ms = Number(await spoken().getAttribute('data-ms'));
  assert.ok(Number.isFinite(ms), 'the time from booking to speaking is known');
  console.log(`said ${Math.round(ms)} ms after it was booked, by ${await spoken().getAttribute('data-how')}`);
  // The phone that was charged hears of it too.
  await phone.page.getByRole('heading', { name: r('result.paid') }).waitFor();
});

test('a scanner that types charges too; above the limit the payer confirms with the PIN', async () => {
  const { page } = shop;
  await typed('1280');
  await page.getByRole('button', { name: t('pad.charge'), exact: true }).click();
  await phase('scan').waitFor();
  const code = await freshCode();
  await page.keyboard.type(code, { delay: 4 });
  await page.keyboard.press('Enter');
  await phase('waiting').waitFor({ timeout: 20_000 });
  await phone.page.getByText(r('pin.title')).first().waitFor({ timeout: 20_000 });
  await accessible(phone.page, 'confirming a charge');
  await typePin(phone.page);
  await phone.page.getByRole('heading', { name: r('result.paid') }).waitFor();
  await phase('paid').waitFor({ timeout: 20_000 });
});

test("the phone reads the order's code from the till's picture and pays it", async () => {
  const { page } = shop;
  await typed('38');
  await page.getByRole('button', { name: t('pad.code') }).click();
  await phase('code').waitFor();
  await accessible(page, 'order code');
  const picture = join(city.dir, 'order.png');
  await page.locator('.till-charge .qr').screenshot({ path: picture });
  await phone.page.goto('/#/scan');
  await phone.page.locator('input[type=file]').setInputFiles(picture);
  await phone.page.getByText('西湖早餐店').first().waitFor({ timeout: 20_000 });
  await accessible(phone.page, 'what was found');
  await phone.page.getByRole('button', { name: r('next'), exact: true }).click();
  await phone.page.getByRole('button', { name: r('pay.now', { amount: '¥38.00' }) }).click();
  await phone.page.getByRole('heading', { name: r('result.paid') }).waitFor();
  await phase('paid').waitFor({ timeout: 20_000 });
});

test('a foreign and a damaged code are refused with the reason', async () => {
  const { page } = phone;
  for (const [text, answer] of [
    ['https://example.com/pay', undefined],
    ['00020101021126', undefined],
  ]) {
    await page.goto('/#/');
    await page.goto('/#/scan');
    await page.getByLabel(r('scan.text')).fill(text);
    await page.getByRole('button', { name: r('scan.read'), exact: true }).click();
    await page.getByText(answer ?? r('scan.refused')).first().waitFor();
  }
});

test('the answer of a charge is lost: asked for with the same order number, charged once', async () => {
  const { page, context } = shop;
  const before = await city.api('GET', '/v1/merchants/me/balance', { key: city.shops[0].key });
  const numbers = new Set();
  const refused = (status) => ({ status, contentType: 'application/problem+json', body: JSON.stringify({ code: status === 429 ? 'rate_limited' : 'forbidden', detail: 'not you' }) });
  let asked = 0;
  let told = 0;
  // Nothing is heard by the way, and what is answered after the loss says nothing of the charge.
  await context.route('**/v1/merchants/me/events', (route) => route.abort('connectionreset'));
  await page.reload();
  await typed('6.66');
  await page.getByRole('button', { name: t('pad.charge'), exact: true }).click();
  await context.route('**/v1/charges', async (route) => {
    numbers.add(JSON.parse(route.request().postData()).order_no);
    asked += 1;
    if (asked === 2) return route.fulfill(refused(429));
    if (asked === 3) return route.fulfill(refused(403));
    await route.fetch();
    return route.abort('connectionreset');
  });
  await context.route('**/v1/orders/*', (route) => {
    told += 1;
    return told === 1 ? route.fulfill(refused(403)) : route.continue();
  });
  const code = await freshCode();
  await page.keyboard.type(code, { delay: 4 });
  await page.keyboard.press('Enter');
  await phase('paid').or(phase('refused')).waitFor({ timeout: 30_000 });
  assert.equal(await phase('paid').count(), 1, 'no refusal of a question is told as "not paid"');
  for (const path of ['**/v1/charges', '**/v1/orders/*', '**/v1/merchants/me/events']) await context.unroute(path);
  assert.equal(numbers.size, 1);
  await page.reload();
  await page.getByText(t('connection.live')).first().waitFor();
  const after = await city.api('GET', '/v1/merchants/me/balance', { key: city.shops[0].key });
  const gained = JSON.stringify([before, after]);
  const minor = (answer) => Number(/"minor":(-?\d+)/.exec(JSON.stringify(answer))[1]);
  assert.ok(minor(after) > minor(before) && minor(after) - minor(before) <= 666, gained);
});

/** From now on no answer about money comes through to `page`; what is sent is done all the same. */
async function cut(page) {
  await page.route('**/v1/**', async (route) => {
    const asked = route.request();
    const money = /\/v1\/(charges|trades|orders\/[^/]+(\/\w+)?)$/.test(new URL(asked.url()).pathname) && !(asked.method() === 'GET' && asked.url().endsWith('trades'));
    if (asked.url().endsWith('/events')) return route.abort('connectionreset');
    if (!money) return route.continue();
    await route.fetch();
    return route.abort('connectionreset');
  });
  await page.goto('/till/#/');
  await page.reload();
  await page.getByLabel(t('pad.amount')).waitFor();
}
const cityDay = () => new Date(Date.now() + 8 * 3_600_000).toISOString().slice(0, 10).replaceAll('-', '');
/** Charges whose answer this browser still waits for. */
const noted = (page) => page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith('yima.till.charge.')));

test('two tabs of one shop: each answers for its own charge, and what both leave in doubt is asked for and shown', async () => {
  const { page, context } = shop;
  await typed('1');
  await cut(page);
  await page.getByLabel(t('pad.amount')).fill('1.11');
  const days = new Set([cityDay()]);
  await page.getByRole('button', { name: t('pad.charge'), exact: true }).click();
  await phase('scan').waitFor();
  await page.keyboard.type(await freshCode(), { delay: 4 });
  await page.keyboard.press('Enter');
  await phase('asking').getByText(t('asking.title')).waitFor();
  const first = await phase('asking').getAttribute('data-order');
  assert.ok(days.add(cityDay()).has(first.slice(0, 8)), `${first}: numbered by the city's day`);

  const other = await context.newPage();
  await cut(other); // it offers a new charge: the first tab's is not its business
  await other.getByLabel(t('pad.amount')).fill('2.22');
  await other.getByRole('button', { name: t('pad.code') }).click();
  const theirs = other.locator('.till-charge[data-phase="asking"]');
  await theirs.getByText(t('asking.title')).waitFor();
  const second = await theirs.getAttribute('data-order');
  assert.notEqual(first, second);
  assert.equal((await noted(page)).length, 2, 'both are written down');

  // The first tab is loaded again where the network works: it answers for its own charge, and leaves the other's alone.
  await page.unroute('**/v1/**');
  await page.reload();
  await phase('paid').waitFor();
  assert.equal(await phase('paid').getAttribute('data-order'), first);
  assert.equal(await theirs.getAttribute('data-order'), second);
  const still = await noted(page);
  assert.equal(still.length, 1, String(still));
  assert.ok(still[0].endsWith(second), still[0]);

  // Another two, both left behind: one load asks for both, the last where it was, the other beside it.
  await page.getByRole('button', { name: t('charge.next') }).click();
  await cut(page);
  await page.getByLabel(t('pad.amount')).fill('3.33');
  await page.getByRole('button', { name: t('pad.code') }).click();
  await phase('asking').getByText(t('asking.title')).waitFor();
  const third = await phase('asking').getAttribute('data-order');
  await other.close();
  // One of them as the version before wrote it down: one note for the shop, whatever its number.
  await page.evaluate(
    ([number, shopId]) => {
      const key = Object.keys(localStorage).find((one) => one.endsWith(number));
      localStorage.setItem(`yima.till.charge.${shopId}`, localStorage.getItem(key));
      localStorage.removeItem(key);
    },
    [second, city.shops[0].id],
  );
  await page.unroute('**/v1/**');
  await page.reload();
  await phase('scan').waitFor();
  assert.equal(await phase('scan').getAttribute('data-order'), third);
  const left = page.getByRole('status').filter({ hasText: second });
  await left.getByText(t('doubt.open', { amount: '¥2.22' })).waitFor();
  await accessible(page, 'charges in doubt');
  await page.getByRole('button', { name: t('charge.change') }).click();
  await phase('ended').waitFor();
  await page.getByRole('button', { name: t('charge.next') }).click();
  await left.getByRole('button', { name: t('doubt.go.on') }).click();
  await phase('scan').waitFor();
  assert.equal(await phase('scan').getAttribute('data-order'), second);
  await page.getByRole('button', { name: t('charge.change') }).click();
  await phase('ended').waitFor();
  assert.deepEqual(await noted(page), []);
});

test('a cancelling that is refused says why, and leaves a way out', async () => {
  const { page, context } = shop;
  await typed('5.55');
  await page.getByRole('button', { name: t('pad.code') }).click();
  await phase('code').waitFor();
  const order = await phase('code').getAttribute('data-order');
  const refuse = (status, code) => (route) => route.fulfill({ status, contentType: 'application/problem+json', body: JSON.stringify({ code, detail: 'not now' }) });
  const refusing = async (status, code, told) => {
    await context.route('**/v1/orders/*/*', refuse(status, code));
    await page.getByRole('button', { name: t('charge.cancel') }).or(page.getByRole('button', { name: t('charge.change') })).click();
    await phase('asking').getByRole('alert').getByText(told).waitFor();
  };
  await refusing(507, 'ledger_no_space', t('charge.lost.full'));
  await accessible(page, 'a cancelling that is refused');
  await page.getByRole('button', { name: t('charge.keep') }).click();
  await phase('scan').waitFor();
  await context.unroute('**/v1/orders/*/*');
  await refusing(403, 'csrf', t('error.csrf'));
  await page.getByRole('button', { name: t('charge.reload') }).click();
  await phase('scan').waitFor();
  await context.unroute('**/v1/orders/*/*');
  assert.equal(await phase('scan').getAttribute('data-order'), order);
  await page.getByRole('button', { name: t('charge.change') }).click();
  await phase('ended').waitFor();
  await page.getByRole('button', { name: t('charge.next') }).click();
  await page.getByText(t('connection.live')).first().waitFor();
  assert.deepEqual(await noted(page), []);
});

test('a charge that this device cannot keep is not sent', async () => {
  const { page } = shop;
  await page.evaluate(() => {
    Storage.prototype.setItem = () => {
      throw new DOMException('full', 'QuotaExceededError');
    };
  });
  const asked = [];
  const heard = (request) => request.method() === 'POST' && asked.push(request.url());
  page.on('request', heard);
  await typed('4.44');
  await page.getByRole('button', { name: t('pad.code') }).click();
  await phase('refused').getByText(t('refused.not_kept')).waitFor();
  await accessible(page, 'a charge that is not kept');
  await page.getByRole('button', { name: t('charge.give.up') }).click();
  await page.getByLabel(t('pad.amount')).waitFor();
  page.off('request', heard);
  assert.deepEqual(asked, []);
  await page.reload();
  await page.getByText(t('connection.live')).first().waitFor();
});

test('a till that was away hears of what came meanwhile', async () => {
  const { page, context } = shop;
  const before = Number(await spoken().getAttribute('data-count'));
  await context.setOffline(true);
  await page.getByText(t('connection.broken')).or(page.getByText(t('connection.connecting'))).first().waitFor({ timeout: 30_000 });
  await city.api('POST', '/v1/charges', {
    key: city.shops[0].key,
    body: { order_no: 'meanwhile', amount: { minor: 990, currency: 'CNY' }, payment_code: await freshCode() },
  });
  await context.setOffline(false);
  await until('it is heard of', async () => Number(await spoken().getAttribute('data-count')) > before, 30_000);
  await page.goto('/till/#/');
  await page.getByText('¥9.90').first().waitFor();
});

test('refunds a part, and never more than was paid', async () => {
  const { page } = shop;
  await page.goto('/till/#/orders');
  await accessible(page, 'orders');
  await page.getByText('¥38.00').first().click();
  await page.getByRole('heading', { name: t('order.title') }).waitFor();
  await page.getByRole('button', { name: t('refund.title'), exact: true }).click();
  await page.getByRole('radio', { name: t('refund.part') }).check();
  await page.getByLabel(t('refund.amount')).fill('38.01');
  await page.getByText(t('refund.too.much', { amount: '¥38.00' })).waitFor();
  await page.getByLabel(t('refund.amount')).fill('8');
  await page.getByRole('button', { name: t('refund.do', { amount: '¥8.00' }) }).click();
  await accessible(page, 'asking before a refund');
  await page.getByRole('button', { name: t('refund.confirm') }).click();
  await page.getByText(t('order.refunds')).first().waitFor();
  await page.getByText('¥30.00').first().waitFor();
  await phone.page.goto('/#/history');
  await phone.page.getByText(r('kind.trade_refund')).filter({ visible: true }).first().waitFor();
});

test('a key is shown once, pairs another device from its picture, and is ended', async () => {
  const { page } = shop;
  await page.goto('/till/#/keys');
  await page.getByRole('button', { name: t('keys.add') }).click();
  await page.getByRole('dialog').getByLabel(t('keys.name')).fill('小李的手机');
  await accessible(page, 'a new key');
  await page.getByRole('dialog').getByRole('button', { name: t('keys.add') }).click();
  const secret = await page.locator('.till-secret').innerText();
  assert.match(secret, /^ymk_/);
  await accessible(page, 'a key that is shown once');
  const picture = join(city.dir, 'key.png');
  await page.getByRole('dialog').locator('.k-code').screenshot({ path: picture });
  await page.getByRole('button', { name: t('secret.kept') }).click();
  await page.locator('.till-secret').waitFor({ state: 'detached' });
  await page.reload();
  const row = page.getByRole('listitem').filter({ hasText: '小李的手机' });
  await row.waitFor();
  assert.ok(!(await page.content()).includes(secret), 'it is not to be seen again');
  const kept = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));
  assert.ok(!kept.includes(secret), 'and not kept');

  const other = await person(browsers[1], city);
  await other.page.goto('/till/');
  await other.page.getByRole('button', { name: t('pair.scan') }).click();
  await other.page.locator('.till-file input').setInputFiles(picture);
  await other.page.getByRole('heading', { name: t('arrivals.title') }).waitFor();
  await row.getByRole('button', { name: t('keys.end') }).click();
  await page.getByRole('dialog').getByRole('button', { name: t('keys.end') }).click();
  await row.waitFor({ state: 'detached' });
  await other.page.reload();
  await other.page.getByLabel(t('pair.key'), { exact: true }).waitFor();
  await other.context.close();
});

test("a webhook: its secret is shown once and signs; what failed is logged and sent again; times are the city's", async () => {
  const { page } = shop;
  const got = [];
  let status = 500;
  const receiver = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (part) => (body += part));
    request.on('end', () => {
      got.push({ headers: request.headers, body });
      response.writeHead(status).end();
    });
  });
  await new Promise((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${receiver.address().port}/yima`;
  try {
    await page.goto('/till/#/webhooks');
    await page.getByRole('button', { name: t('hooks.add') }).click();
    await page.getByRole('dialog').getByLabel(t('hooks.url')).fill('ftp://shop.example/');
    await page.getByRole('dialog').getByRole('button', { name: t('hooks.add') }).click();
    await page.getByText(t('error.webhook_url_malformed')).waitFor();
    await page.getByRole('dialog').getByLabel(t('hooks.url')).fill(url);
    await page.getByRole('dialog').getByRole('button', { name: t('hooks.add') }).click();
    const secret = await page.locator('.till-secret').innerText();
    assert.match(secret, /^whsec_/);
    await page.getByRole('button', { name: t('secret.kept') }).click();
    await page.getByText(url).click();
    await page.getByText(t('hooks.log.empty')).waitFor();
    assert.ok(!(await page.content()).includes(secret), 'it is not to be seen again');
    await accessible(page, 'a webhook');
    const here = page.url();

    await city.api('POST', '/v1/trades', { key: city.shops[0].key, body: { order_no: 'HOOK-1', amount: { minor: 700, currency: 'CNY' } } });
    await city.api('POST', '/v1/orders/HOOK-1/close', { key: city.shops[0].key });
    const { headers, body } = await until('it is sent', () => got[0]);
    const signed = createHmac('sha256', Buffer.from(secret.slice('whsec_'.length), 'base64')).update(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`);
    assert.equal(headers['webhook-signature'], `v1,${signed.digest('base64')}`);
    assert.equal(JSON.parse(body).data.order_no, 'HOOK-1');
    const entry = page.getByRole('link').filter({ hasText: t('event.trade.closed') });
    await until('the log has it', async () => {
      await page.getByRole('button', { name: t('hooks.refresh') }).click();
      return entry.waitFor({ timeout: 1_000 }).then(() => true, () => false);
    });
    await entry.click();
    await page.getByRole('heading', { name: t('delivery.title') }).waitFor();
    await page.getByText('500', { exact: true }).first().waitFor();
    await page.getByText('HOOK-1').first().waitFor();
    await accessible(page, 'a delivery');
    status = 200;
    await page.getByRole('button', { name: t('delivery.resend') }).click();
    await page.getByText(t('delivery.delivered')).first().waitFor();
    await page.getByText('200', { exact: true }).first().waitFor();
    assert.ok(got.length >= 2 && got.every((one) => one.headers['webhook-id'] === headers['webhook-id'] && one.body === body), 'the same message');

    // From a browser half the world away: an hour ago is the city's, and so is what is sent again since.
    const away = await person(browsers[0], city, { ...WIDE, timezoneId: 'America/Los_Angeles' });
    await signInByKey(away.page, '/till/', t('pair.key'), t('pair.do'), city.shops[0].key);
    await away.page.getByRole('heading', { name: t('arrivals.title') }).waitFor();
    const clock = (at) => new Date(at + 8 * 3_600_000).toISOString();
    await away.page.goto('/till/#/orders');
    const paid = (await city.api('GET', '/v1/trades', { key: city.shops[0].key })).items.find((one) => one.status === 'paid');
    await away.page.goto(`/till/#/orders/${paid.trade}`);
    const told = new Intl.DateTimeFormat('zh-CN', { dateStyle: 'medium', timeStyle: 'short', timeZone: 'Asia/Shanghai' }).format(new Date(paid.paid_at));
    await away.page.getByText(told).first().waitFor();
    await away.page.goto(here);
    await away.page.getByRole('button', { name: t('hooks.replay') }).click();
    const since = await away.page.getByLabel(t('hooks.replay.since')).inputValue();
    const ago = Date.parse(`${since}Z`) - Date.parse(`${clock(Date.now()).slice(0, 16)}Z`);
    assert.ok(ago <= -3_600_000 && ago >= -3_660_000, `${since} at ${clock(Date.now())}`);
    await away.page.getByRole('button', { name: t('hooks.replay.do') }).click();
    await away.page.getByText(new RegExp(t('hooks.replayed', { n: '[1-9]\\d*' }))).waitFor();
    assert.deepEqual(away.complaints, []);
    await away.context.close();
    await page.goto(here);
    await page.getByRole('button', { name: t('hooks.delete') }).click();
    await page.getByRole('dialog').getByRole('button', { name: t('hooks.delete') }).click();
    await page.getByText(t('hooks.none')).waitFor();
  } finally {
    receiver.closeAllConnections();
    receiver.close();
  }
});

test('every page of the shop, in both languages, at the width of a phone', async () => {
  const narrow = await person(browsers[0], city, { lang: 'en-GB', ...NARROW, prefs: { ...NARROW.prefs, contrast: 'high' } });
  const en = texts('till', 'en');
  await signInByKey(narrow.page, '/till/', en('pair.key'), en('pair.do'), city.shops[0].key);
  await narrow.page.getByRole('heading', { name: en('arrivals.title') }).waitFor();
  for (const path of ['/', '/orders', '/takings', '/statements', '/poster', '/more', '/settings', '/tills', '/keys', '/webhooks']) {
    await narrow.page.goto(`/till/#${path}`);
    await narrow.page.locator('h1').first().waitFor({ state: 'attached' });
    await narrow.page.waitForTimeout(300);
    await accessible(narrow.page, path);
    await fits(narrow.page, path);
  }
  assert.deepEqual(narrow.complaints, []);
  await narrow.context.close();
});

test("yesterday's statement is saved whole, and the shop's own file is matched against it", async () => {
  const { page } = shop;
  // The city is moved to where a day has just begun, so that what was paid a while ago was paid yesterday.
  const paid = (await city.api('GET', '/v1/trades?limit=100', { key: city.shops[0].key })).items.filter((one) => one.paid_at);
  const midnight = () => Math.floor(Date.now() / 60_000) * 60_000;
  await until('a minute has begun since', () => paid.some((one) => Date.parse(one.paid_at) < midnight()), 61_000);
  const begun = midnight();
  const minutes = (begun / 60_000) % 1440;
  const ahead = minutes <= 720 ? -minutes : 1440 - minutes;
  const two = (n) => String(n).padStart(2, '0');
  await city.kill();
  await city.start({ YIMA_UTC_OFFSET: `${ahead < 0 ? '-' : '+'}${two(Math.floor(Math.abs(ahead) / 60))}:${two(Math.abs(ahead) % 60)}` });
  const day = new Date(begun + ahead * 60_000 - 1).toISOString().slice(0, 10);
  const mine = paid.filter((one) => Date.parse(one.paid_at) < begun);

  await page.goto('/till/#/statements');
  await page.reload();
  const said = new Intl.DateTimeFormat('zh-CN', { dateStyle: 'medium', timeZone: 'UTC' }).format(new Date(day));
  const saving = page.waitForEvent('download');
  await page.getByRole('button', { name: t('statements.save', { day: said }) }).click();
  const file = await saving;
  assert.equal(file.suggestedFilename(), `西湖早餐店-${day}.csv`);
  const text = readFileSync(await file.path(), 'utf8');
  const answer = await fetch(`${city.url}/v1/merchants/me/statements/${day}`, { headers: { authorization: `Bearer ${city.shops[0].key}` } });
  assert.equal(text, Buffer.from(await answer.arrayBuffer()).toString('utf8'), 'byte for byte');
  const lines = text.trim().split('\r\n');
  for (const one of mine) assert.equal(lines.filter((line) => line.includes(`,payment,${one.order_no},${one.trade},`)).length, 1, `${one.order_no}:\n${text}`);
  assert.match(lines.at(-1), new RegExp(`^total,${lines.length - 2},`));

  const own = (rows) => ({ name: 'own.csv', mimeType: 'text/csv', buffer: Buffer.from(['order_no,amount', ...rows, ''].join('\n')) });
  const yuan = (minor) => (minor / 100).toFixed(2);
  const hand = async (rows) => {
    await page.getByLabel(t('match.file')).setInputFiles(own(rows));
    await page.getByRole('button', { name: t('match.do') }).click();
  };
  const good = mine.map((one) => `${one.order_no},${yuan(one.amount.minor)}`);
  await hand([...good, 'A-1,zwölf']);
  await page.getByText(t('match.bad.line', { line: good.length + 2 })).waitFor();
  await hand(good);
  await page.getByText(t('match.all', { n: good.length })).waitFor();
  await hand([`${mine[0].order_no},${yuan(mine[0].amount.minor + 1)}`, ...good.slice(1), 'NOT-HERE,9.99']);
  await page.getByText(t('match.some', { n: good.length - 1, breaks: 2 })).waitFor();
  const cell = (name) => page.getByRole('row').filter({ hasText: name });
  await cell(t('break.amount_differs')).filter({ hasText: mine[0].order_no }).waitFor();
  await cell(t('break.missing_here')).filter({ hasText: 'NOT-HERE' }).filter({ hasText: '¥9.99' }).waitFor();
  await accessible(page, 'what differs');
  await fits(page, 'what differs');
});

test('the pages complained about nothing', () => assert.deepEqual([...shop.complaints, ...phone.complaints], []));
