// A city's coupon from its campaign to its refund: set up at the console, taken by itself at the phone, used once, ended.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { NARROW, WIDE, accessible, fits, openBrowser, person, signIn, signInByKey, startCity, texts } from './harness.mjs';

const t = texts('resident');
const o = texts('console');
let city;
let browser;
let operator;
let ming;
before(async () => {
  city = await startCity();
  browser = await openBrowser();
  operator = await person(browser, city, WIDE);
  ming = await person(browser, city);
  await signInByKey(operator.page, '/console/', o('signin.key'), o('signin.do'), city.operator);
  await operator.page.getByRole('heading', { name: o('nav.overview') }).waitFor();
  await signIn(ming.page, city, '13800000001');
});
after(async () => {
  await browser?.close();
  await city?.close();
});

const balance = () => ming.page.evaluate(() => fetch('/v1/wallet').then((answer) => answer.json())).then((wallet) => wallet.available.minor);
const order = (order_no, minor) =>
  city.api('POST', '/v1/trades', { key: city.shops[0].key, body: { order_no, amount: { minor, currency: 'CNY' } } }).then((made) => made.qr);
/** The code on the shop's poster, read from its picture by the app. */
const posterCode = async () => {
  const { page, context } = await person(browser, city, { viewport: { width: 800, height: 1200 }, isMobile: false });
  const svg = await fetch(`${city.url}/v1/merchants/me/poster.svg?paper=a6`, { headers: { authorization: `Bearer ${city.shops[0].key}` } }).then((answer) => answer.text());
  await page.setContent(svg);
  const picture = join(city.dir, 'poster.png');
  await page.locator('svg').first().screenshot({ path: picture });
  await context.close();
  await ming.page.goto('/#/scan');
  await ming.page.locator('input[type=file]').setInputFiles(picture);
  await ming.page.getByRole('button', { name: t('next'), exact: true }).click();
  await ming.page.waitForURL(/code=/);
  return new URLSearchParams(new URL(ming.page.url()).hash.split('?')[1]).get('code');
};
const open = async (page, code) => {
  await page.goto('/#/');
  await page.goto(`/#/pay?code=${encodeURIComponent(code)}`);
  await page.getByText(city.shops[0].name).first().waitFor();
};

test('an operator sets up campaigns with a reason; what cannot be is said at once', async () => {
  const { page } = operator;
  await page.goto('/console/#/coupons');
  await page.getByText(o('coupons.none')).waitFor();
  await accessible(page, 'no campaigns');
  for (const [name, minimum, discount] of [
    ['满30减5', '30', '5'],
    ['满20减3', '20', '3'],
  ]) {
    await page.getByRole('button', { name: o('coupons.add') }).first().click();
    const dialog = page.getByRole('dialog');
    const fill = (key, text) => dialog.getByLabel(o(key), { exact: true }).fill(text);
    await fill('campaign.name', name);
    await fill('campaign.minimum', minimum);
    await fill('campaign.discount', minimum);
    await dialog.getByText(o('campaign.discount.wrong')).waitFor();
    await fill('campaign.discount', discount);
    await fill('campaign.budget', '100');
    await dialog.getByText(o('campaign.budget.n', { n: Math.floor(100 / discount) })).waitFor();
    await accessible(page, 'a new campaign');
    await dialog.getByRole('button', { name: o('coupons.add') }).click();
    await dialog.getByText(o('reason.missing')).waitFor();
    await dialog.getByLabel(o('reason'), { exact: true }).fill('春节促消费');
    await dialog.getByRole('button', { name: o('coupons.add') }).click();
    await dialog.waitFor({ state: 'hidden' });
    await page.getByRole('cell', { name, exact: true }).waitFor();
  }
  await accessible(page, 'campaigns');
  await fits(page, 'campaigns');
});

test('a payment takes the best coupon, another or none can be chosen, and it is used once', async () => {
  const { page } = ming;
  const before = await balance();
  await open(page, await order('CPN-1', 3_000));
  const line = page.getByRole('list', { name: t('pay.coupon') }).getByRole('button');
  await line.getByText('满30减5').waitFor();
  await accessible(page, 'paying with a coupon');
  await fits(page, 'paying with a coupon');
  await line.click();
  const sheet = page.getByRole('dialog');
  await sheet.getByText(t('pay.coupon.without')).waitFor();
  await accessible(page, 'choosing a coupon');
  await sheet.getByText(t('pay.coupon.without')).click();
  await page.getByRole('button', { name: /30\.00/ }).waitFor();
  await line.click();
  await sheet.getByText('满20减3').click();
  await page.getByRole('button', { name: /27\.00/ }).waitFor();
  await line.click();
  await sheet.getByText('满30减5').click();
  await page.getByRole('button', { name: /25\.00/ }).click();
  await page.getByRole('heading', { name: t('result.paid') }).waitFor();
  await page.getByText('满30减5').waitFor();
  await page.getByText('¥25.00').first().waitFor();
  await accessible(page, 'paid with a coupon');
  assert.equal(await balance(), before - 2_500);
  await page.getByRole('link', { name: t('pay.receipt') }).click();
  await page.getByRole('heading', { name: t('receipt.movement') }).waitFor();
  await page.getByText(t('pay.own')).waitFor();
  await page.getByText('¥25.00').waitFor();
  await accessible(page, 'receipt of a payment with a coupon');

  await open(page, await order('CPN-2', 3_000));
  await line.getByText('满20减3').waitFor();
  await open(page, await order('CPN-3', 500));
  await page.getByText(t('pay.coupon.none')).waitFor();
  await page.getByRole('button', { name: /5\.00/ }).click();
  await page.getByRole('heading', { name: t('result.paid') }).waitFor();
  assert.equal(await balance(), before - 3_000);
});

test('while an amount is typed, nothing is paid with the coupon of the amount before', async () => {
  const { page, context } = ming;
  await open(page, await posterCode());
  const button = page.locator('.k-foot .k-btn-primary');
  await button.waitFor();
  // What could have been pressed at any time: each state of the button is written down, also one that is there for a frame.
  await page.evaluate(() => {
    globalThis.offered = [];
    const look = () => {
      const now = document.querySelector('.k-foot .k-btn-primary');
      if (now && !now.disabled) globalThis.offered.push(now.textContent);
    };
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
  });
  let answer = 'late';
  await context.route('**/v1/coupons?*', async (route) => {
    if (answer === 'never') return route.abort('connectionreset');
    await new Promise((resolve) => setTimeout(resolve, 400));
    return route.continue();
  });
  for (const [typed, how, own] of [
    ['20', 'late', '17.00'],
    ['10', 'late', '10.00'],
    ['25', 'late', '22.00'],
    ['15', 'never', '15.00'],
    ['20', 'late', '17.00'],
    ['26', 'never', '26.00'],
  ]) {
    answer = how;
    await page.evaluate(() => void (globalThis.offered.length = 0));
    await page.getByLabel(t('pay.amount')).fill(typed);
    await page.locator('.k-foot .k-btn-primary:enabled').filter({ hasText: own }).waitFor();
    if (how === 'never') await page.getByText(t('pay.coupon.lost')).waitFor();
    const offered = await page.evaluate(() => globalThis.offered);
    assert.ok(offered.length > 0 && offered.every((text) => text.includes(own)), `${typed}: ${offered}`);
  }
  await context.unroute('**/v1/coupons?*');
});

test('at 320 px with large text, in English', async () => {
  const hong = await person(browser, city, { ...NARROW, lang: 'en' });
  const en = texts('resident', 'en');
  await signIn(hong.page, city, '13800000002', en);
  await open(hong.page, await order('CPN-4', 3_000));
  const line = hong.page.getByRole('list', { name: en('pay.coupon') }).getByRole('button');
  await line.getByText('满30减5').waitFor();
  await fits(hong.page, 'coupon, narrow');
  await accessible(hong.page, 'coupon, narrow');
  await line.click();
  await hong.page.getByText(en('pay.coupon.once')).waitFor();
  await fits(hong.page, 'coupons, narrow');
  await accessible(hong.page, 'coupons, narrow');
  assert.deepEqual(hong.complaints, []);
  await hong.context.close();
});

test('a campaign is ended with a reason: its coupon is gone, what was left is back', async () => {
  const { page } = operator;
  await page.goto('/console/#/');
  await page.goto('/console/#/coupons');
  const row = page.getByRole('row').filter({ hasText: '满20减3' });
  await row.getByText('¥100.00').first().waitFor();
  await row.getByRole('button', { name: o('campaign.end.do') }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel(o('reason'), { exact: true }).fill('活动提前结束');
  await dialog.getByRole('button', { name: o('campaign.end') }).click();
  await page.getByText(o('coupons.returned', { amount: '¥100.00' })).first().waitFor();
  await row.getByText(o('campaign.ended'), { exact: true }).waitFor();
  await open(ming.page, await order('CPN-5', 3_000));
  await ming.page.getByText(t('pay.coupon.none')).waitFor();
});

test('the pages complained about nothing', () => {
  assert.deepEqual(operator.complaints, []);
  assert.deepEqual(ming.complaints, []);
});
