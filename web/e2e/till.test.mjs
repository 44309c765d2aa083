// A till and a phone against a real city, in two browsers: the pay code is drawn on one page and read from its picture by the other,
// the order's code the other way round; arrivals said aloud; refunds; a network that loses the answer of a charge.
import assert from 'node:assert/strict';
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
  city = await startCity();
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
  await typed('6.66');
  await page.getByRole('button', { name: t('pad.charge'), exact: true }).click();
  await phase('scan').waitFor();
  const numbers = new Set();
  let lost = 0;
  await context.route('**/v1/charges', async (route) => {
    numbers.add(JSON.parse(route.request().postData()).order_no);
    lost += 1;
    if (lost > 1) return route.continue();
    await route.fetch();
    return route.abort('connectionreset');
  });
  const code = await freshCode();
  await page.keyboard.type(code, { delay: 4 });
  await page.keyboard.press('Enter');
  await phase('paid').waitFor({ timeout: 30_000 });
  await context.unroute('**/v1/charges');
  assert.equal(numbers.size, 1);
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
/** Charges whose answer this browser still waits for. */
const noted = (page) => page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith('yima.till.charge.')));

test('two tabs of one shop: each answers for its own charge, and what both leave in doubt is asked for and shown', async () => {
  const { page, context } = shop;
  await typed('1');
  await cut(page);
  await page.getByLabel(t('pad.amount')).fill('1.11');
  await page.getByRole('button', { name: t('pad.charge'), exact: true }).click();
  await phase('scan').waitFor();
  await page.keyboard.type(await freshCode(), { delay: 4 });
  await page.keyboard.press('Enter');
  await phase('asking').getByText(t('asking.title')).waitFor();
  const first = await phase('asking').getAttribute('data-order');

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
  assert.match(String(await noted(page)), new RegExp(`${second}$`));

  // Another two, both left behind: one load asks for both, the last where it was, the other beside it.
  await page.getByRole('button', { name: t('charge.next') }).click();
  await cut(page);
  await page.getByLabel(t('pad.amount')).fill('3.33');
  await page.getByRole('button', { name: t('pad.code') }).click();
  await phase('asking').getByText(t('asking.title')).waitFor();
  const third = await phase('asking').getAttribute('data-order');
  await other.close();
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

test('the pages complained about nothing', () => assert.deepEqual([...shop.complaints, ...phone.complaints], []));
