// Draws every screen at the widths of a phone, a tablet and a desk, light and dark, into a directory: `cargo xtask screens DIR`.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openBrowser, person, setPin, signIn, signInByKey, startCity, texts, typePin } from './harness.mjs';

const dir = process.argv[2] ?? 'screens';
const only = process.argv[3];
mkdirSync(dir, { recursive: true });
const WIDTHS = [360, 768, 1440];
const [r, t, o] = ['resident', 'till', 'console'].map((app) => texts(app));

const city = await startCity();
const browser = await openBrowser();
let drawn = 0;

/** Draws `screens` of one signed-in person. A screen is a path, or a path and what to do there first. */
async function draw(app, page, prefix, screens) {
  for (const [name, path, act] of screens) {
    if (only && !`${app}-${name}`.includes(only)) continue;
    for (const theme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
      for (const width of WIDTHS) {
        await page.setViewportSize({ width, height: width === 360 ? 760 : 900 });
        await page.goto('about:blank');
        await page.goto(`${prefix}${path}`);
        await page.locator('h1').first().waitFor({ state: 'attached' });
        await page.waitForTimeout(500);
        if (act) await act(page);
        await page.waitForTimeout(250);
        await page.screenshot({ path: join(dir, `${app}-${name}-${width}-${theme}.png`), fullPage: act === undefined });
        drawn += 1;
      }
    }
  }
}

try {
  const power = (await city.api('GET', '/v1/billers')).items.find((b) => b.pack === 'hz-power');
  const fresh = await person(browser, city, { isMobile: false, deviceScaleFactor: 1 });
  await draw('resident', fresh.page, city.url, [['sign-in', '/#/']]);
  await draw('till', fresh.page, city.url, [['pair', '/till/#/']]);
  await draw('console', fresh.page, city.url, [['sign-in', '/console/#/']]);

  const resident = await person(browser, city, { isMobile: false, deviceScaleFactor: 1 });
  await signIn(resident.page, city, '13800000001');
  await setPin(resident.page);
  for (const [i, minor] of [1250, 3800, 128000, 990].entries()) {
    const order = await city.api('POST', '/v1/trades', {
      key: city.shops[0].key,
      body: { order_no: `A-${1001 + i}`, amount: { minor, currency: 'CNY' }, subject: '早餐' },
    });
    if (i === 3) continue;
    await resident.page.goto('/#/');
    await resident.page.goto(`/#/pay?code=${encodeURIComponent(order.qr)}`);
    await resident.page.getByRole('button', { name: r('pay.now', { amount: '' }).trim() }).click();
    if (minor > 100_000) {
      await resident.page.getByText(r('pin.title')).first().waitFor();
      await typePin(resident.page);
    }
    await resident.page.getByRole('heading', { name: r('result.paid') }).waitFor();
  }
  await resident.page.screenshot({ path: join(dir, 'resident-paid.png') });
  const paid = (await city.api('GET', '/v1/trades', { key: city.shops[0].key })).items.find((one) => one.status === 'paid');
  const account = '3339522520';
  await draw('resident', resident.page, city.url, [
    ['home', '/#/'],
    ['scan', '/#/scan'],
    ['code', '/#/code'],
    ['collect', '/#/collect'],
    ['transfer', '/#/transfer'],
    ['bills', '/#/bills'],
    ['biller', `/#/bills/${power.id}`],
    ['account', `/#/bills/${power.id}/${account}`],
    ['history', '/#/history'],
    ['me', '/#/me'],
    ['pin', '/#/me/pin'],
    ['passkeys', '/#/me/passkeys'],
    ['devices', '/#/me/devices'],
    ['refused', '/#/pay?code=nonsense'],
    ['offline', '/#/bills', (page) => page.context().setOffline(true).then(() => page.waitForTimeout(300)).then(() => page.context().setOffline(false))],
  ]);

  const shop = await person(browser, city, { isMobile: false, deviceScaleFactor: 1 });
  await signInByKey(shop.page, '/till/', t('pair.key'), t('pair.do'), city.shops[0].key);
  await shop.page.getByRole('heading', { name: t('arrivals.title') }).waitFor();
  await draw('till', shop.page, city.url, [
    ['till', '/till/#/'],
    ['orders', '/till/#/orders'],
    ['order', `/till/#/orders/${paid.trade}`],
    ['takings', '/till/#/takings'],
    ['statements', '/till/#/statements'],
    ['poster', '/till/#/poster'],
    ['more', '/till/#/more'],
    ['settings', '/till/#/settings'],
    ['tills', '/till/#/tills'],
    ['keys', '/till/#/keys'],
    ['webhooks', '/till/#/webhooks'],
  ]);

  const operator = await person(browser, city, { isMobile: false, deviceScaleFactor: 1 });
  await signInByKey(operator.page, '/console/', o('signin.key'), o('signin.do'), city.operator);
  await operator.page.getByRole('heading', { name: o('nav.overview') }).waitFor();
  await draw('console', operator.page, city.url, [
    ['overview', '/console/#/'],
    ['billers', '/console/#/billers'],
    ['biller', `/console/#/billers/${power.id}`],
    ['biller-new', '/console/#/billers/new'],
    ['coverage', '/console/#/coverage'],
    ['imports', '/console/#/imports'],
    ['settlements', '/console/#/settlements'],
    ['residents', '/console/#/residents'],
    ['shops', '/console/#/shops'],
    ['money', '/console/#/money'],
    ['coupons', '/console/#/coupons'],
    ['approvals', '/console/#/approvals'],
    ['audit', '/console/#/audit'],
    ['keys', '/console/#/keys'],
    ['settings', '/console/#/settings'],
  ]);
  console.log(`${drawn} pictures in ${dir}`);
} finally {
  await browser.close();
  await city.close();
}
