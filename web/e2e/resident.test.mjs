// A resident's phone against a real city: signing in, PIN, passkey, bills, receipts, transfers, codes without a network, a network that
// goes away in the middle of a payment.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { NARROW, accessible, fits, openBrowser, person, setPin, signIn, startCity, texts, typePin, until } from './harness.mjs';

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
  await page.getByRole('button', { name: t('sign.out') }).click();
  await page.getByRole('dialog').getByRole('button', { name: t('sign.out') }).click();
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
    const han = await anna.page.locator('main').innerText();
    const known = han.replace(/杭州\S*|上海\S*|张伟|简体中文|语言/g, '');
    assert.ok(!/\p{Script=Han}/u.test(known), `${path}: ${known.match(/.{0,10}\p{Script=Han}+.{0,10}/u)?.[0]}`);
  }
  assert.deepEqual(anna.complaints, []);
  await anna.context.close();
});

test('the page complained about nothing', () => assert.deepEqual(xiaoming.complaints, []));
