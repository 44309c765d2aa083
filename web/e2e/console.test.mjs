// The operator's console against a real city: look-ups with a reason, four eyes over money, a biller's file and its day, the books'
// check, and the trail of all that.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { NARROW, accessible, fits, inHighContrast, openBrowser, person, signInByKey, startCity, texts, until, WIDE } from './harness.mjs';

const t = texts('console');
let city;
let browser;
let first;
let second;
let resident;
before(async () => {
  city = await startCity();
  browser = await openBrowser();
  first = await person(browser, city, WIDE);
  second = await person(browser, city, WIDE);
  await signInByKey(first.page, '/console/', t('signin.key'), t('signin.do'), city.operator);
  await signInByKey(second.page, '/console/', t('signin.key'), t('signin.do'), city.secondOperator);
  await second.page.getByRole('heading', { name: t('nav.overview') }).waitFor();
});
after(async () => {
  await browser?.close();
  await city?.close();
});

const section = (page, path, heading) => page.goto(`/console/#${path}`).then(() => page.getByRole('heading', { name: heading, level: 1 }).waitFor());

test('what is no key is refused', async () => {
  const other = await person(browser, city, WIDE);
  await signInByKey(other.page, '/console/', t('signin.key'), t('signin.do'), `yok_${'a'.repeat(43)}`);
  await other.page.getByText(t('signin.unknown')).waitFor();
  await accessible(other.page, 'sign-in of the console');
  await other.context.close();
});

test('the overview shows what happens, and the books are checked on request', async () => {
  const { page } = first;
  await page.getByRole('heading', { name: t('nav.overview') }).waitFor();
  await page.getByText(t('health.ledger'), { exact: true }).first().waitFor();
  await accessible(page, 'overview');
  await fits(page, 'overview');
  await page.getByRole('button', { name: t('check.now') }).click();
  const reason = page.getByRole('dialog').getByLabel(t('reason'));
  if (await reason.waitFor({ timeout: 2_000 }).then(() => true, () => false)) {
    await reason.fill('例行核对账本');
    await page.getByRole('dialog').getByRole('button', { name: t('check.now') }).click();
  }
  await page.getByText(t('check.passed'), { exact: true }).first().waitFor({ timeout: 30_000 });
});

test('a resident is looked up with a reason, masked, and the look is in the trail', async () => {
  const { page } = first;
  await section(page, '/residents', t('nav.residents'));
  await accessible(page, 'residents');
  await page.getByLabel(t('residents.q')).fill('13800000001');
  await page.getByRole('button', { name: t('look.do') }).click();
  await page.getByText(t('reason.missing')).waitFor();
  await page.getByLabel(t('reason'), { exact: false }).first().fill('来电核实余额');
  await page.getByRole('button', { name: t('look.do') }).click();
  await page.getByText(/138\*{4}0001/).first().waitFor();
  assert.ok(!(await page.locator('main').innerText()).includes('13800000001'.slice(3, 9)), 'the number is masked');
  assert.ok(!(await page.locator('main').innerText()).includes('王小明'), 'the name is masked');
  resident = /res_[0-9a-z]{26}/.exec(await page.locator('main').innerText())?.[0];
  assert.ok(resident, 'the id is shown');
  await section(page, '/audit', t('nav.audit'));
  await page.getByText('来电核实余额').first().waitFor();
  await accessible(page, 'audit trail');
});

test('a deposit above the limit takes two, and is booked once', async () => {
  const { page } = first;
  await section(page, '/money', t('nav.money'));
  await accessible(page, 'money');
  await page.getByLabel(t('money.resident'), { exact: true }).fill(resident);
  await page.getByLabel(t('money.amount'), { exact: true }).fill('60000');
  await page.getByLabel(t('money.reference'), { exact: true }).fill('BANK-E2E-1');
  await page.getByRole('button', { name: t('money.check') }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel(t('reason')).fill('大额充值已核实');
  await accessible(page, 'asking before money is booked');
  await dialog.getByRole('button', { name: t('money.do') }).click();
  await page.getByText(t('money.waits.note')).waitFor();
  await section(page, '/approvals', t('nav.approvals'));
  await page.getByText(t('approval.own')).waitFor();
  assert.ok(await page.getByRole('button', { name: t('approval.approve') }).isDisabled(), 'never by the one who asked');
  await accessible(page, 'approvals');

  const other = second.page;
  await section(other, '/approvals', t('nav.approvals'));
  await other.getByRole('button', { name: t('approval.approve') }).click();
  const asks = other.getByRole('dialog');
  await asks.getByLabel(t('reason')).fill('已与银行核对');
  await asks.getByRole('button', { name: t('approval.approve') }).click();
  await asks.getByText(t('typed.differs')).waitFor();
  await asks.getByLabel(t('approval.typed')).fill('60000.00');
  await asks.getByRole('button', { name: t('approval.approve') }).click();
  await other.getByText(t('approvals.none')).waitFor();
  const found = await city.api('GET', `/v1/operator/residents/${resident}?reason=${encodeURIComponent('自动测试核对')}`, { key: city.operator });
  assert.match(JSON.stringify(found), /6500000/, 'five thousand at birth and sixty thousand more');
});

test('a bill file is imported, with the rows that were refused', async () => {
  const { page } = first;
  await section(page, '/billers', t('nav.billers'));
  await accessible(page, 'billers');
  await page.getByText('杭州供电').first().click();
  await page.getByText(t('import.new')).first().waitFor();
  await accessible(page, 'a biller');
  const sample = readFileSync(new URL('../../packs/330100/samples/hz-power-202602.txt', import.meta.url), 'utf8').split('\n');
  const [header, one] = sample;
  const good = one.replace(/\|[^|]*\|/, '|HD20260399001|').replace(/\|2026-\d\d-\d\d$/, '|2026-04-25');
  const bad = one.replace(/^\d+/, '3399999999').replace(/\|[^|]*\|/, '|HD20260399002|');
  const amount = Number(good.split('|')[4]);
  const total = sample.filter((line) => line.trim() !== '').at(-1).split('|')[0];
  const file = [header, good, bad, `${total}|2|${(amount * 2).toFixed(2)}`, ''].join('\n');
  await page.locator('input[type=file]').first().setInputFiles({ name: 'hz-power-202603.txt', mimeType: 'text/plain', buffer: Buffer.from(file) });
  const dialog = page.getByRole('dialog');
  if (await dialog.waitFor({ timeout: 3_000 }).then(() => true, () => false)) {
    await dialog.getByLabel(t('reason')).fill('代单位提交账单');
    await dialog.locator('button[type=submit]').click();
  }
  await page.getByText('hz-power-202603.txt').first().waitFor();
  await page.getByText(t('import.partly')).first().waitFor({ timeout: 20_000 });
  await page.getByRole('button', { name: t('import.errors', { n: 1 }) }).first().click();
  await page.getByText(t('row.account_check_digit')).or(page.getByText(t('row.account_shape'))).first().waitFor();
  await accessible(page, 'refused rows');
});

test("a biller's day is matched, a break is shown with its remedy, and the decision is kept", async () => {
  const { page } = first;
  const yesterday = new Date(Date.now() + 8 * 3_600_000 - 86_400_000).toISOString().slice(0, 10);
  const billers = await city.api('GET', '/v1/billers');
  const power = billers.items?.find((b) => b.pack === 'hz-power') ?? billers.find((b) => b.pack === 'hz-power');
  await page.goto(`/console/#/billers/${power.id}?tab=settlements&day=${yesterday}`);
  await page.getByText(t('settle.none.note')).waitFor();
  const reference = 'pay_01h2xcejqtf2nbrexx3vqjhp41';
  const statement = `reference,amount,date\n${reference},132.50,${yesterday}\nTOTAL,1,132.50\n`;
  await page.locator('input[type=file]').first().setInputFiles({ name: 'bank.csv', mimeType: 'text/csv', buffer: Buffer.from(statement) });
  const why = page.getByRole('dialog');
  await why.getByRole('button', { name: t('settle.bank.file'), exact: true }).click();
  await why.getByText(t('reason.missing')).waitFor();
  await why.getByLabel(t('reason')).fill('银行今早来单');
  await why.getByRole('button', { name: t('settle.bank.file'), exact: true }).click();
  await page.getByText(t('settle.bank.taken', { n: 1 })).waitFor();
  await page.getByRole('button', { name: t('settle.run'), exact: true }).click();
  await why.getByLabel(t('reason')).fill('每日对账');
  await why.getByRole('button', { name: t('settle.run'), exact: true }).click();
  await page.getByText(t('break.missing_here')).first().waitFor({ timeout: 20_000 });
  await page.getByText(t('remedy.bank_proves_or_returns')).first().waitFor();
  await accessible(page, 'breaks');
  await page.getByRole('button', { name: t('break.accept') }).first().click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel(t('reason')).fill('已请银行退回');
  await dialog.getByRole('button', { name: t('break.accept.do'), exact: true }).click();
  await page.getByText(t('break.accepted'), { exact: true }).first().waitFor();
  await page.reload();
  await page.getByText('已请银行退回').first().waitFor();
});

test('a pack is tried before it is added: every check is shown, a bad one is refused', async () => {
  const { page } = first;
  await section(page, '/billers/new', t('new.title'));
  await accessible(page, 'a new biller');
  const pack = readFileSync(new URL('../../packs/330100/hz-gas.toml', import.meta.url), 'utf8');
  await page.getByLabel(t('new.pack.text')).fill('id = 1');
  await page.getByRole('button', { name: t('new.check') }).click();
  await page.getByText(t('failed'), { exact: true }).or(page.getByText(t('new.failed', { n: 1 }))).first().waitFor();
  await page.getByLabel(t('new.pack.text')).fill(pack.replaceAll('hz-gas', 'hz-gas-two'));
  await page.getByRole('button', { name: t('new.check') }).click();
  await page.getByText(t('new.passed'), { exact: true }).waitFor();
  await page.getByRole('button', { name: t('new.add'), exact: true }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel(t('reason')).fill('新单位今天上线');
  await dialog.locator('button[type=submit]').click();
  await until('the biller is there', async () => JSON.stringify(await city.api('GET', '/v1/billers')).includes('hz-gas-two'));
});

test('every page in English and on a phone', async () => {
  const en = texts('console', 'en');
  const narrow = await person(browser, city, { lang: 'en-GB', ...NARROW });
  await signInByKey(narrow.page, '/console/', en('signin.key'), en('signin.do'), city.operator);
  await narrow.page.getByRole('heading', { name: en('nav.overview') }).waitFor();
  for (const path of ['/', '/billers', '/billers/new', '/coverage', '/imports', '/settlements', '/residents', '/shops', '/money', '/approvals', '/audit', '/keys', '/payouts', '/collectors', '/providers', '/settings']) {
    await narrow.page.goto(`/console/#${path}`);
    await narrow.page.locator('h1').first().waitFor({ state: 'attached' });
    await narrow.page.waitForTimeout(300);
    await accessible(narrow.page, path);
    await fits(narrow.page, path);
    await inHighContrast(narrow.page, path);
  }
  assert.deepEqual(narrow.complaints, []);
  await narrow.context.close();
});

test('the pages complained about nothing', () => assert.deepEqual([...first.complaints, ...second.complaints], []));
