// What a resident does about bills beyond paying one: parts, a late fee line by line, money paid ahead, all of an account at once, and
// auto-pay, against a real city.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { NARROW, accessible, fits, inHighContrast, openBrowser, person, setPin, signIn, startCity, texts, typePin, until } from './harness.mjs';

const t = texts('resident');
const ACCOUNT = '3312944790';
const DAY_MS = 86_400_000;
const day = (after) => new Date(Date.now() + 8 * 3_600_000 + after * DAY_MS).toISOString().slice(0, 10);
let city;
let browser;
let page;

const sent = async (path, type, body) => {
  const answer = await fetch(city.url + path, { method: 'POST', headers: { authorization: `Bearer ${city.operator}`, 'content-type': type }, body });
  assert.ok(answer.ok, `${path}: ${answer.status} ${await answer.clone().text()}`);
  return answer.json();
};
let biller;
const bring = (name, rows) => {
  const sum = rows.reduce((n, [, , amount]) => n + Math.round(Number(amount) * 100), 0);
  const lines = rows.map(([no, period, amount, due]) => `${ACCOUNT}|${no}|王小明|${period}|${amount}|${due}`);
  const file = ['户号|账单号|户名|账期|金额|缴费截止日', ...lines, `TOTAL|${rows.length}|${(sum / 100).toFixed(2)}`, ''].join('\n');
  return sent(`/v1/operator/billers/${biller.id}/imports?name=${name}`, 'application/octet-stream', file);
};
const press = (name, within = page) => within.getByRole('button', { name, exact: true }).click();
const balance = () => page.evaluate(() => fetch('/v1/wallet').then((answer) => answer.json())).then((wallet) => wallet.available.minor);
const open = async (path, heading) => {
  await page.goto('/#/');
  await page.goto(`/#${path}`);
  await page.getByRole('heading', { name: heading }).first().waitFor();
};
const toAccount = () => open(`/bills/hz-parts/${ACCOUNT}`, t('advance.title'));

before(async () => {
  city = await startCity();
  browser = await openBrowser();
  ({ page } = await person(browser, city));
  page.setDefaultTimeout(15_000);
  const pack = readFileSync(new URL('../../packs/330100/hz-power.toml', import.meta.url), 'utf8')
    .replace('"hz-power"', '"hz-parts"')
    .replace('"杭州供电"', '"西湖供电"')
    .replace('amount_rule = "exact"', 'amount_rule = "up_to"\nparts = true\npart_min_minor = 1000\norder = "oldest_first"\nadvance = true');
  biller = await sent('/v1/billers', 'application/toml', pack);
  await bring('parts-1.txt', [
    ['P1', '202608', '300.00', day(-30)],
    ['P2', '202609', '120.00', day(10)],
    ['P3', '202610', '80.00', day(20)],
  ]);
  await signIn(page, city, '13800000001');
  await setPin(page);
});
after(async () => {
  await browser?.close();
  await city?.close();
});

test('a late fee is told line by line, and a bill is paid in parts, the oldest first', async () => {
  await open(`/bills/hz-parts/${ACCOUNT}`, t('bill.open'));
  await accessible(page, 'an account');
  await page.getByRole('button', { name: t('bill.details') }).first().click();
  const details = page.getByRole('dialog', { name: t('bill.details') });
  await details.getByText(t('fee.how')).first().click();
  await details.getByText(t('fee.daily', { base: '¥300.00', rate: '0.1%', n: 30 })).waitFor();
  assert.equal(await details.getByText('¥9.00', { exact: true }).count(), 3, 'the fee, its line, and their sum');
  await accessible(page, 'a late fee');
  await fits(page, 'a late fee');
  await press(t('close'), details);
  const pay = page.getByRole('button', { name: t('bill.pay', { amount: '' }).trim() });
  await page.getByRole('checkbox').nth(0).click();
  await page.getByText(t('bill.oldest.first')).waitFor();
  assert.ok(await pay.isDisabled(), 'the oldest is left out');
  for (const n of [0, 1, 2]) await page.getByRole('checkbox').nth(n).click();
  await page.getByLabel(t('bill.amount')).fill('9.99');
  await page.getByText(t('bill.amount.wrong')).waitFor();
  assert.ok(await pay.isDisabled(), 'less than the least part');
  await page.getByLabel(t('bill.amount')).fill('100');
  const had = await balance();
  await pay.click();
  await page.getByRole('heading', { name: t('result.paid') }).waitFor();
  assert.equal(await balance(), had - 10_000);
  await open(`/bills/hz-parts/${ACCOUNT}`, t('bill.open'));
  await page.getByText(t('part.paid', { amount: '¥100.00' })).waitFor();
});

test('money is put in ahead, and taken back', async () => {
  await open(`/bills/hz-parts/${ACCOUNT}`, t('bill.open'));
  await press(t('account.save'));
  await page.getByText(t('account.saved')).first().waitFor();
  await toAccount();
  const had = await balance();
  await press(t('advance.put'));
  const sheet = page.getByRole('dialog', { name: t('advance.put') });
  await sheet.getByLabel(t('advance.amount')).fill('50');
  await accessible(page, 'putting in ahead');
  await press(t('advance.put.now', { amount: '¥50.00' }), sheet);
  await sheet.getByText(t('advance.put.done')).waitFor();
  await press(t('done'), sheet);
  await page.getByText(t('advance.in'), { exact: true }).waitFor();
  assert.equal(await balance(), had - 5_000);
  await accessible(page, 'money held');
  await press(t('advance.back'));
  await press(t('advance.back'), page.getByRole('dialog', { name: t('advance.back.title') }));
  await page.getByText(t('advance.back.done', { amount: '¥50.00' })).first().waitFor();
  await until('it is back', async () => (await balance()) === had);
});

test('all open bills of an account are paid at once', async () => {
  await open(`/bills/hz-parts/${ACCOUNT}`, t('bill.open'));
  const had = await balance();
  await page.getByRole('button', { name: t('bill.pay', { amount: '' }).trim() }).click();
  await page.getByRole('heading', { name: t('whole.title') }).waitFor();
  const pay = page.getByRole('button', { name: t('bill.pay', { amount: '' }).trim() });
  await pay.waitFor();
  await accessible(page, 'all at once');
  const amount = Number((await pay.innerText()).replace(/[^\d]/g, ''));
  await pay.click();
  await page.getByRole('heading', { name: t('result.paid') }).waitFor();
  await accessible(page, 'all paid at once');
  assert.equal(await balance(), had - amount);
  await press(t('pay.back'));
  await page.getByText(t('bill.all.paid')).waitFor();
});

test('auto-pay is set up with the PIN, tells of a bill, skips it, rests and ends', async () => {
  await bring('parts-2.txt', [['P4', '202611', '66.00', day(25)]]);
  await open(`/bills/hz-parts/${ACCOUNT}`, t('bill.open'));
  await page.getByText(t('autopay.set'), { exact: true }).click();
  await page.getByRole('heading', { name: t('autopay.new') }).waitFor();
  await accessible(page, 'a new auto-pay');
  await press(t('autopay.make'));
  await page.getByText(t('autopay.cap.missing')).waitFor();
  await page.getByLabel(t('autopay.cap.bill')).fill('200');
  await page.getByLabel(t('autopay.cap.month')).fill('100');
  await press(t('autopay.make'));
  await page.getByText(t('autopay.cap.low')).waitFor();
  await page.getByLabel(t('autopay.cap.month')).fill('500');
  await press(t('autopay.make'));
  await typePin(page, '111222');
  await page.getByText(t('error.pin_wrong')).waitFor();
  await typePin(page);
  await page.getByRole('heading', { name: t('autopay.one') }).waitFor();
  await page.getByText(t('autopay.state.active')).first().waitFor();
  const id = new URL(page.url()).hash.split('/').at(-1);
  await until('the bill is found', async () => (await page.evaluate((m) => fetch(`/v1/mandates/${m}/runs`).then((r) => r.json()), id)).items.some((run) => run.can_be_skipped), 60_000);
  await open(`/autopay/${id}`, t('run.title'));
  await accessible(page, 'one auto-pay');
  await fits(page, 'one auto-pay');
  await inHighContrast(page, 'one auto-pay');
  await press(t('run.skip'));
  await page.getByText(t('run.skipped'), { exact: false }).first().waitFor();
  await press(t('autopay.pause'));
  await page.getByText(t('autopay.state.paused')).first().waitFor();
  await press(t('autopay.resume'));
  await page.getByText(t('autopay.state.active')).first().waitFor();
  await press(t('autopay.revoke'));
  await press(t('autopay.revoke'), page.getByRole('dialog', { name: t('autopay.revoke.title') }));
  await page.getByText(t('autopay.state.revoked')).first().waitFor();
  await open('/autopay', t('autopay.title'));
  await accessible(page, 'auto-pays');
});

test('the inbox, the reminders and what works are there, in large English letters, too', async () => {
  const e = texts('resident', 'en');
  const other = await person(browser, city, { lang: 'en-GB', ...NARROW });
  await other.page.goto('/#/status');
  await other.page.getByRole('heading', { name: e('status.title') }).waitFor();
  await other.page.getByText(e('status.state.works'), { exact: true }).nth(1).waitFor();
  await accessible(other.page, 'what works');
  await fits(other.page, 'what works');
  await signIn(other.page, city, '13800000002', e);
  await setPin(other.page, e);
  for (const path of ['inbox', 'me/reminders', 'autopay', 'autopay/new', 'family']) {
    await other.page.goto(`/#/${path}`);
    await other.page.locator('.k-skel').first().waitFor({ state: 'detached' });
    await accessible(other.page, path);
    await fits(other.page, path);
  }
  await other.page.goto('/#/me/reminders');
  await other.page.getByRole('switch', { name: e('reminders.sms') }).click();
  await press(e('reminders.save'), other.page);
  await other.page.getByText(e('reminders.saved')).first().waitFor();
  assert.equal(await other.page.evaluate(() => fetch('/v1/me/reminders').then((answer) => answer.json())).then((prefs) => prefs.sms), true);
  assert.deepEqual(other.complaints, []);
});

test('somebody is asked, consents with the PIN, and their bill is seen', async () => {
  const e = texts('resident', 'en');
  await open('/family', t('family.title'));
  await press(t('family.invite'));
  const sheet = page.getByRole('dialog', { name: t('family.invite') });
  await sheet.getByLabel(t('transfer.phone')).fill('13800000002');
  await sheet.getByLabel(t('family.label')).fill('妈妈');
  await press(t('family.send'), sheet);
  await page.getByText('妈妈').first().waitFor();
  const [, other] = browser.contexts().map((context) => context.pages()[0]);
  await other.goto('/#/family');
  await other.getByText(e('family.state.invited')).first().click();
  await other.getByRole('heading', { name: e('family.consent.title') }).waitFor();
  await accessible(other, 'consenting');
  await other.getByRole('button', { name: e('family.consent'), exact: true }).click();
  await typePin(other);
  await other.getByText(e('family.state.active'), { exact: true }).first().waitFor();
  await page.getByText('妈妈').first().click();
  await page.getByRole('heading', { name: t('family.due') }).waitFor();
  await page.getByText(t('family.due.none')).waitFor();
  await accessible(page, 'a family member');
  await press(t('family.end'));
  await press(t('family.end'), page.getByRole('dialog', { name: t('family.end.title') }));
  await page.getByText(t('family.state.ended')).first().waitFor();
});
