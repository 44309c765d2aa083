// Draws every screen into a directory: at the widths of a phone, a tablet and a desk, light and dark, in Chinese; and once more in
// English on the narrowest phone with large text. `cargo xtask screens DIR`; a second word draws only what has it in its name.
import { readFileSync, mkdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { openBrowser, person, setPin, signIn, signInByKey, startCity, texts, typePin, until } from './harness.mjs';

const [dir = 'screens', only = ''] = process.argv.slice(2);
const SIZES = [
  [360, 760],
  [768, 900],
  [1440, 900],
];
const LOOKS = [
  { lang: 'zh', locale: 'zh-CN', pictures: SIZES.flatMap(([width, height]) => ['light', 'dark'].map((theme) => ({ width, height, theme, mark: `${width}-${theme}` }))) },
  {
    lang: 'en',
    locale: 'en-GB',
    prefs: { lang: 'en', theme: 'auto', contrast: 'auto', elder: true },
    pictures: [{ width: 320, height: 640, theme: 'light', mark: '320-elder' }],
  },
];
const cny = (minor) => ({ minor, currency: 'CNY' });
const [ACCOUNT, SECOND] = ['3339522520', '3395385820'];
const LARGEST = 9_999_999_999;
const LONG = {
  shop: '老字号知味观（西湖区灵隐街道天竺路总店）点心小吃早茶夜宵外卖自提',
  biller: { zh: '杭州市余杭区仓前街道未来科技城天然气管网有限责任公司', en: 'Yuhang Cangqian Future Sci-Tech City Natural Gas Company Ltd' },
  subject: '小笼包、片儿川、葱包桧、东坡肉、龙井虾仁、桂花糖藕、定胜糕、猫耳朵各一份，打包带走',
};
let drawn = 0;
const failed = [];

mkdirSync(dir, { recursive: true });
const shopServer = createServer((request, answer) => {
  request.resume();
  answer.statusCode = request.url === '/broken' ? 500 : 200;
  answer.end();
}).listen(0, '127.0.0.1');
const browser = await openBrowser();
try {
  for (const look of LOOKS) await tour(look);
  console.log(`${drawn} pictures in ${dir}`);
  for (const one of failed) console.error(one);
  process.exitCode = failed.length > 0 ? 1 : 0;
} finally {
  await browser.close();
  shopServer.close();
}

/**
 * Draws `screens` of one app. A screen is a path, or a path and what to do there first; that may answer with what is to be undone.
 * What is under way is not begun again for each picture.
 */
async function draw(look, app, page, screens) {
  const root = app === 'resident' ? '/' : `/${app}/`;
  for (const [name, path, act] of screens) {
    if (!`${app}-${name}`.includes(only)) continue;
    await page.setViewportSize({ width: look.pictures[0].width, height: look.pictures[0].height });
    await page.goto('about:blank');
    await page.goto(`${root}#${path}`);
    let undo;
    try {
      await page.locator('h1').first().waitFor({ state: 'attached' });
      await page.waitForTimeout(500);
      undo = await act?.(page);
    } catch (error) {
      failed.push(`${app}-${name} (${look.lang}): ${error.message}`);
    }
    for (const picture of look.pictures) await take(page, picture, join(dir, `${app}-${name}-${picture.mark}.png`));
    await undo?.().catch((error) => failed.push(`after ${app}-${name} (${look.lang}): ${error.message}`));
  }
}

async function take(page, { width, height, theme }, path) {
  await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
  await page.setViewportSize({ width, height });
  await page.waitForTimeout(200);
  // A screen as tall as what is on it: what stays at its foot is drawn at the foot. What lies over it has the height of the screen.
  const tall = await page.evaluate(() => (document.querySelector('dialog[open]') ? 0 : document.documentElement.scrollHeight));
  if (tall > height) {
    await page.setViewportSize({ width, height: tall });
    await page.waitForTimeout(100);
  }
  await page.screenshot({ path });
  drawn += 1;
}

async function tour(look) {
  const city = await startCity({ env: { YIMA_WEBHOOK_PRIVATE: 'true', YIMA_FOUR_EYES_LIMIT: String(LARGEST * 2) } });
  try {
    await tourOf(look, city);
  } finally {
    await city.close();
  }
}

async function tourOf(look, city) {
  const [r, t, o] = ['resident', 'till', 'console'].map((app) => texts(app, look.lang));
  const someone = async () => {
    const one = await person(browser, city, { lang: look.locale, prefs: look.prefs, isMobile: false, deviceScaleFactor: 1 });
    one.page.setDefaultTimeout(10_000);
    return one;
  };
  const press = (page, name, within = page) => within.getByRole('button', { name, exact: true }).click();
  const heading = (page, name) => page.getByRole('heading', { name }).first().waitFor();
  const asked = (page, reason = '来电核实，工单 20260302') => page.getByLabel(o('reason')).first().fill(reason);

  // The city as the pictures need it.
  const power = (await city.api('GET', '/v1/billers')).items.find((b) => b.pack === 'hz-power');
  const endpoint = `http://127.0.0.1:${shopServer.address().port}`;
  const [shopKey] = city.shops.map((shop) => shop.key);
  for (const path of ['/yima', '/broken']) await city.api('POST', '/v1/merchants/me/webhooks', { key: shopKey, body: { url: endpoint + path } });
  const hooks = (await city.api('GET', '/v1/merchants/me/webhooks', { key: shopKey })).items;
  const operator = { key: city.operator };
  const large = await city.api('POST', '/v1/merchants', { ...operator, body: { reference: 'long', name: LONG.shop, mcc: '5812', city: '杭州', region: '330106' } });
  const largeKey = (await city.api('POST', `/v1/merchants/${large.id}/keys`, { ...operator, body: { name: '收银台', role: 'admin' } })).secret;
  const seen = await city.api('GET', `/v1/operator/residents?q=13800000002&reason=${encodeURIComponent('画面所需的大额余额')}`, operator);
  await city.api('POST', '/v1/deposits', { ...operator, body: { resident: seen.items[0].id, amount: cny(LARGEST), reference: 'BANK-LONG-1' } });
  const gas = (path) => readFileSync(new URL(`../../packs/330100/${path}`, import.meta.url), 'utf8');
  const pack = gas('hz-gas.toml').replace('"hz-gas"', '"hz-gas-long"').replace('"杭州燃气"', `"${LONG.biller.zh}"`).replace('"Hangzhou Gas"', `"${LONG.biller.en}"`);
  const sent = (path, type, body) =>
    fetch(city.url + path, { method: 'POST', headers: { authorization: `Bearer ${city.operator}`, 'content-type': type }, body }).then(async (answer) => {
      if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
      return answer.json();
    });
  const longBiller = await sent('/v1/billers', 'application/toml', pack);
  const gasAccount = 'G884581356';
  const row = `${gasAccount},欧阳买买提·阿卜杜热合曼,GB20260299001,2026-02,99999999.99,2026/12/28`;
  await sent(`/v1/operator/billers/${longBiller.id}/imports?name=hz-gas-long.csv`, 'application/octet-stream', `SUM,1,99999999.99\n${row}\n`);
  const order = (order_no, minor, subject, key = shopKey) => city.api('POST', '/v1/trades', { key, body: { order_no, amount: cny(minor), subject, expires_in_s: 3600 } });
  const longOrder = await order('LONG-20260302-0123456789ABCDEFGHJKMNPQRSTVWXYZ-000000000001', LARGEST, LONG.subject, largeKey);

  // Nobody signed in.
  const fresh = (await someone()).page;
  await draw(look, 'resident', fresh, [
    ['sign-in', '/'],
    [
      'sign-in-code',
      '/',
      async (page) => {
        await page.getByLabel(r('signin.phone')).fill('13800000003');
        await press(page, r('signin.send'));
        await page.getByLabel(r('signin.code')).waitFor();
      },
    ],
  ]);
  await draw(look, 'till', fresh, [['pair', '/']]);
  await draw(look, 'console', fresh, [['sign-in', '/']]);

  // A resident who has paid and been refused.
  const resident = (await someone()).page;
  const context = resident.context();
  await signIn(resident, city, '13800000001', r);
  await setPin(resident, r);
  const payAt = (code) => `/pay?code=${encodeURIComponent(code)}`;
  const pay = (page) => page.locator('.k-foot .k-btn-primary').click();
  const pinAsked = (page) => page.getByText(r('pin.title')).first().waitFor();
  const payWithPin = async (page) => {
    await pay(page);
    await pinAsked(page);
    await typePin(page);
  };
  const orders = {};
  for (const [name, minor] of Object.entries({ small: 1_250, middle: 3_800, large: 128_000, open: 990, lost: 1_680 })) orders[name] = await order(`A-${name}`, minor, '豆浆 油条');
  for (const name of ['small', 'middle', 'large']) {
    await resident.goto('/#/');
    await resident.goto(`/#${payAt(orders[name].qr)}`);
    await (name === 'large' ? payWithPin : pay)(resident);
    await heading(resident, r('result.paid'));
  }
  await resident.goto(`/#/bills/${power.id}/${ACCOUNT}`);
  await resident.locator('.total .k-btn-primary').click();
  await heading(resident, r('result.paid'));
  const history = (kind) => resident.evaluate((path) => fetch(path).then((answer) => answer.json()), kind).then((page) => page.items);
  const [{ payment: receipt }] = await history('/v1/bill-payments');
  const movement = (await history('/v1/wallet/history')).find((one) => one.kind === 'trade_payment');
  let last = '';
  /** A pay code that no till has seen. */
  const payCode = async () => {
    await resident.goto('about:blank');
    await resident.goto('/#/code');
    const digits = resident.locator('.code-digits');
    await digits.waitFor();
    const read = async () => (await digits.innerText()).replace(/\D/g, '');
    last = await until('a fresh code', async () => ((await read()) === last ? undefined : read()), 60_000);
    return last;
  };
  /** The shop's own code, read from its poster by the app. */
  const poster = await (async () => {
    const { page } = await someone();
    await page.setViewportSize({ width: 800, height: 1200 });
    const svg = await fetch(`${city.url}/v1/merchants/me/poster.svg?paper=a6`, { headers: { authorization: `Bearer ${shopKey}` } }).then((answer) => answer.text());
    await page.setContent(svg);
    const picture = join(city.dir, 'poster.png');
    await page.locator('svg').first().screenshot({ path: picture });
    await page.context().close();
    await resident.goto('/#/scan');
    await resident.locator('input[type=file]').setInputFiles(picture);
    await press(resident, r('next'));
    await resident.waitForURL(/code=/);
    return new URLSearchParams(new URL(resident.url()).hash.split('?')[1]).get('code');
  })();
  /** The answer to a payment never comes. */
  const lose = async (path) => {
    await context.route(path, (route) => route.abort('connectionreset'));
    return () => context.unroute(path);
  };
  const leaveUnknown = async (page) => {
    const undo = await lose('**/v1/payments');
    await typeInto(page, 'pay.amount', '23.8');
    await pay(page);
    await press(page, r('pay.stop'));
    await heading(page, r('unknown.title'));
    return undo;
  };
  const typeInto = (page, label, text) => page.getByLabel(r(label)).fill(text);
  const toPayee = async (page, amount) => {
    await typeInto(page, 'transfer.phone', '13800000002');
    await press(page, r('next'));
    await typeInto(page, 'transfer.amount', amount);
  };
  const away = (to) => async (page) => {
    await context.setOffline(true);
    await page.evaluate((hash) => (location.hash = hash), to);
    await page.waitForTimeout(800);
    return () => context.setOffline(false);
  };
  await draw(look, 'resident', resident, [
    ['home', '/'],
    ['scan', '/scan'],
    [
      'scan-found',
      '/scan',
      async (page) => {
        await page.getByLabel(r('scan.text')).fill(orders.open.qr);
        await press(page, r('scan.read'));
        await page.getByText(city.shops[0].name).first().waitFor();
      },
    ],
    ['scan-refused', '/pay?code=nonsense'],
    ['pay', payAt(poster)],
    ['pay-typed', payAt(poster), (page) => typeInto(page, 'pay.amount', '12.5')],
    ['pay-short', payAt(poster), (page) => typeInto(page, 'pay.amount', '999999.99')],
    ['pay-order', payAt(orders.open.qr)],
    ['pay-pin', payAt(poster), (page) => typeInto(page, 'pay.amount', '1280').then(() => pay(page)).then(() => pinAsked(page))],
    [
      'pay-pin-wrong',
      payAt(poster),
      async (page) => {
        await typeInto(page, 'pay.amount', '1280');
        await pay(page);
        await pinAsked(page);
        await typePin(page, '111222');
        await page.getByText(r('error.pin_wrong')).waitFor();
      },
    ],
    [
      'pay-done',
      payAt(poster),
      async (page) => {
        await typeInto(page, 'pay.amount', '23.8');
        await pay(page);
        await heading(page, r('result.paid'));
      },
    ],
    [
      'pay-refused',
      payAt(poster),
      async (page) => {
        await typeInto(page, 'pay.amount', '99999');
        await payWithPin(page);
        await heading(page, r('result.refused'));
      },
    ],
    [
      'pay-asking',
      payAt(orders.lost.qr),
      async (page) => {
        const undo = await lose('**/v1/payments');
        await pay(page);
        await page.getByText(r('asking.title')).first().waitFor();
        return undo;
      },
    ],
    ['pay-unknown', payAt(poster), leaveUnknown],
    [
      'home-unknown',
      payAt(poster),
      async (page) => {
        const undo = await leaveUnknown(page);
        await page.goto('/#/');
        await page.getByText(r('asking.title')).first().waitFor();
        return undo;
      },
    ],
    ['code', '/code'],
    ['code-hidden', '/code', (page) => page.evaluate(() => {
      Object.defineProperty(document, 'visibilityState', { value: 'hidden', configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    })],
    ['collect', '/collect'],
    ['collect-amount', '/collect', (page) => press(page, r('collect.set'))],
    ['transfer', '/transfer'],
    ['transfer-sum', '/transfer', (page) => toPayee(page, '1280.50')],
    ['transfer-pin', '/transfer', (page) => toPayee(page, '1280.50').then(() => pay(page)).then(() => pinAsked(page))],
    ['transfer-done', '/transfer', (page) => toPayee(page, '20').then(() => pay(page)).then(() => heading(page, r('transfer.paid')))],
    ['bills', '/bills'],
    ['biller', `/bills/${power.id}`],
    ['biller-wrong', `/bills/${power.id}`, (page) => page.getByLabel(r('account.number')).fill('33395A')],
    ['account', `/bills/${power.id}/${SECOND}`],
    ['account-paid', `/bills/${power.id}/${ACCOUNT}`],
    ['account-details', `/bills/${power.id}/${SECOND}`, (page) => page.locator('.bill-row .k-btn').first().click()],
    ['account-unknown', `/bills/${power.id}/3399999999`],
    [
      'bill-asking',
      `/bills/${power.id}/${SECOND}`,
      async (page) => {
        const undo = await lose('**/v1/bills/*/pay');
        await page.locator('.total .k-btn-primary').click();
        await page.getByText(r('asking.title')).or(page.getByText(r('pin.title'))).first().waitFor();
        return undo;
      },
    ],
    [
      'bill-done',
      `/bills/${power.id}/${SECOND}`,
      async (page) => {
        await page.locator('.total .k-btn-primary').click();
        const pin = page.getByText(r('pin.title')).first();
        await pin.or(page.getByRole('heading', { name: r('result.paid') })).first().waitFor();
        if (await pin.isVisible()) await typePin(page);
        await heading(page, r('result.paid'));
      },
    ],
    ['history', '/history'],
    ['history-bills', '/history?show=bills'],
    ['movement', `/history/${movement.id}?kind=trade_payment`],
    ['receipt', `/history/${receipt.id}?kind=bill_payment`],
    ['me', '/me'],
    ['me-out', '/me', (page) => press(page, r('sign.out'))],
    ['pin', '/me/pin'],
    ['passkeys', '/me/passkeys'],
    ['devices', '/me/devices'],
    ['nowhere', '/nowhere'],
    ['offline-home', '/', away('#/')],
    ['offline-bills', '/', away('#/bills')],
    ['offline-biller', '/', away(`#/bills/${power.id}`)],
    ['offline-code', '/', away('#/code')],
    ['offline-history', '/', away('#/history')],
    ['offline-receipt', '/', away('#/history/trd_never?kind=trade_payment')],
    ['offline-pay', payAt(poster), away(`#${payAt(poster)}`)],
    ['offline-transfer', '/', away('#/transfer')],
  ]);

  // A resident with a very large balance, at a shop and a biller with very long names.
  const rich = (await someone()).page;
  await signIn(rich, city, '13800000002', r);
  await setPin(rich, r);
  const longBills = `/bills/${longBiller.id}/${gasAccount}`;
  await rich.goto(`/#${longBills}`);
  await rich.getByLabel(r('account.label')).fill('爸妈在余杭仓前老家的燃气表二号');
  await rich.getByRole('button', { name: r('account.save'), exact: true }).click();
  await rich.getByText(r('account.saved')).first().waitFor();
  await draw(look, 'resident', rich, [
    ['long-home', '/'],
    ['long-bills', '/bills'],
    ['long-biller', `/bills/${longBiller.id}`],
    ['long-account', longBills],
    ['long-bill-pin', longBills, (page) => page.locator('.total .k-btn-primary').click().then(() => pinAsked(page))],
    ['long-pay', payAt(longOrder.qr)],
    ['long-pay-typed', payAt(poster), (page) => typeInto(page, 'pay.amount', '99999999.99')],
    ['long-pay-pin', payAt(longOrder.qr), (page) => pay(page).then(() => pinAsked(page))],
    ['long-pay-refused', payAt(longOrder.qr), (page) => payWithPin(page).then(() => heading(page, r('result.refused')))],
    ['long-history', '/history'],
  ]);

  // A shop.
  const shop = (await someone()).page;
  await signInByKey(shop, '/till/', t('pair.key'), t('pair.do'), shopKey);
  await heading(shop, t('arrivals.title'));
  const trades = (await city.api('GET', '/v1/trades', { key: shopKey })).items;
  const paid = trades.find((one) => one.status === 'paid' && one.amount.minor === 3_800);
  const refunded = trades.find((one) => one.status === 'paid' && one.amount.minor === 1_250);
  await city.api('POST', `/v1/trades/${refunded.trade}/refunds`, { key: shopKey, body: { refund_no: 'R-1', amount: cny(500) } });
  const delivered = await until('messages', async () => {
    const all = await Promise.all(hooks.map((hook) => city.api('GET', `/v1/merchants/me/webhooks/${hook.id}/deliveries`, { key: shopKey })));
    const tried = all.map((one) => one.items.find((item) => item.state === 'delivered' || item.tries > 0)?.event);
    return tried.every(Boolean) && tried;
  });
  const phase = (page, name) => page.locator(`.till-charge[data-phase="${name}"]`).waitFor({ timeout: 30_000 });
  const amount = (text) => (page) => page.getByLabel(t('pad.amount')).fill(text);
  const charging = async (page, text) => {
    await amount(text)(page);
    await press(page, t('pad.charge'));
    await phase(page, 'scan');
  };
  const scanned = async (page, code) => {
    await page.keyboard.type(code, { delay: 4 });
    await page.keyboard.press('Enter');
  };
  /** Cancels what is under way, so that the till is free again. */
  const cancel = (page) => async () => {
    await page.getByRole('button', { name: t('charge.cancel') }).or(page.getByRole('button', { name: t('charge.change') })).or(page.getByRole('button', { name: t('charge.give.up') })).first().click();
    await page.locator('.till-charge').waitFor({ state: 'detached', timeout: 3_000 }).catch(() => phase(page, 'ended').then(() => press(page, t('charge.next'))));
  };
  const at = (hook, event) => `/webhooks/${hook}${event ? `/${event}` : ''}`;
  const refund = (page) => page.getByRole('button', { name: t('refund.title'), exact: true }).click();
  await draw(look, 'till', shop, [
    ['till', '/'],
    ['typed', '/', (page) => amount('12.5')(page).then(() => () => amount('')(page))],
    ['scan', '/', (page) => charging(page, '12.5').then(() => cancel(page))],
    ['camera', '/', async (page) => {
      await charging(page, '12.5');
      await press(page, t('charge.camera'));
      await page.waitForTimeout(800);
      return async () => {
        await press(page, t('close')).catch(() => undefined);
        await cancel(page)();
      };
    }],
    ['code', '/', async (page) => {
      await amount('38')(page);
      await press(page, t('pad.code'));
      await phase(page, 'code');
      return cancel(page);
    }],
    ['waiting', '/', async (page) => {
      await charging(page, '1280');
      await scanned(page, await payCode());
      await phase(page, 'waiting');
      return cancel(page);
    }],
    ['paid', '/', async (page) => {
      await charging(page, '8.8');
      await scanned(page, await payCode());
      await phase(page, 'paid');
      return () => press(page, t('charge.next'));
    }],
    ['refused', '/', async (page) => {
      await charging(page, '8.8');
      await scanned(page, last);
      await phase(page, 'refused');
      return cancel(page);
    }],
    ['asking', '/', async (page) => {
      await page.context().route('**/v1/charges', (route) => route.abort('connectionreset'));
      await charging(page, '6.66');
      await scanned(page, '810000000000000000');
      await page.getByRole('heading', { name: t('asking.title') }).waitFor();
      return async () => {
        await cancel(page)();
        await page.context().unroute('**/v1/charges');
      };
    }],
    ['ended', '/', async (page) => {
      await amount('38')(page);
      await press(page, t('pad.code'));
      await phase(page, 'code');
      await press(page, t('charge.cancel'));
      await phase(page, 'ended');
      return () => press(page, t('charge.next'));
    }],
    ['orders', '/orders'],
    ['order', `/orders/${paid.trade}`],
    ['order-refunded', `/orders/${refunded.trade}`],
    ['refund', `/orders/${paid.trade}`, refund],
    ['refund-part', `/orders/${paid.trade}`, async (page) => {
      await refund(page);
      await page.getByRole('radio', { name: t('refund.part') }).check();
      await page.getByLabel(t('refund.amount')).fill('38.01');
    }],
    ['refund-sure', `/orders/${paid.trade}`, (page) => refund(page).then(() => press(page, t('refund.do', { amount: look.lang === 'zh' ? '¥38.00' : '¥38.00' })))],
    ['takings', '/takings'],
    ['statements', '/statements'],
    ['poster', '/poster'],
    ['more', '/more'],
    ['settings', '/settings'],
    ['tills', '/tills'],
    ['keys', '/keys'],
    ['webhooks', '/webhooks'],
    ['webhooks-add', '/webhooks', (page) => press(page, t('hooks.add'))],
    ['webhook', at(hooks[0].id)],
    ['webhook-failing', at(hooks[1].id)],
    ['webhook-replay', at(hooks[0].id), (page) => press(page, t('hooks.replay'))],
    ['delivery', at(hooks[0].id, delivered[0])],
    ['delivery-failing', at(hooks[1].id, delivered[1])],
    ['offline', '/', (page) => page.context().setOffline(true).then(() => page.waitForTimeout(500)).then(() => () => page.context().setOffline(false))],
    ['offline-orders', '/', async (page) => {
      await page.context().setOffline(true);
      await page.evaluate(() => (location.hash = '#/orders'));
      await page.waitForTimeout(800);
      return () => page.context().setOffline(false);
    }],
  ]);
  const longShop = (await someone()).page;
  await signInByKey(longShop, '/till/', t('pair.key'), t('pair.do'), largeKey);
  await heading(longShop, t('arrivals.title'));
  const longTrade = (await city.api('GET', '/v1/trades', { key: largeKey })).items[0].trade;
  await draw(look, 'till', longShop, [
    ['long-typed', '/', (page) => amount('9999999.99')(page).then(() => () => amount('')(page))],
    ['long-code', '/', async (page) => {
      await amount('9999999.99')(page);
      await press(page, t('pad.code'));
      await phase(page, 'code');
      return cancel(page);
    }],
    ['long-till', '/'],
    ['long-orders', '/orders'],
    ['long-order', `/orders/${longTrade}`],
    ['long-takings', '/takings'],
    ['long-poster', '/poster'],
  ]);

  // An operator.
  const desk = (await someone()).page;
  await signInByKey(desk, '/console/', o('signin.key'), o('signin.do'), city.operator);
  await heading(desk, o('nav.overview'));
  const yesterday = new Date(Date.now() + 8 * 3_600_000 - 86_400_000).toISOString().slice(0, 10);
  const billerAt = (tab) => `/billers/${power.id}?tab=${tab}`;
  const lookUp = (label, q) => async (page) => {
    await asked(page);
    await page.getByLabel(o(label)).fill(q);
    await press(page, o('look.do'));
    await page.locator('.o-seen').first().waitFor();
  };
  const [bad] = gas('samples/hz-gas-202602.csv').split('\n').slice(1);
  const badFile = `SUM,2,${(2 * Number(bad.split(',')[4])).toFixed(2)}\n${bad.replace(/GB\d+/, 'GB20260299002')}\n${bad.replace(/^G\d/, 'G0').replace(/GB\d+/, 'GB20260299003')}\n`;
  await sent(`/v1/operator/billers/${longBiller.id}/imports?name=hz-gas-refused.csv`, 'application/octet-stream', badFile);
  const statement = `reference,amount,date\npay_01h2xcejqtf2nbrexx3vqjhp41,132.50,${yesterday}\nTOTAL,1,132.50\n`;
  await draw(look, 'console', desk, [
    ['overview', '/'],
    ['billers', '/billers'],
    ['biller', `/billers/${power.id}`],
    ['biller-settlements', `${billerAt('settlements')}&day=${yesterday}`],
    [
      'biller-breaks',
      `${billerAt('settlements')}&day=${yesterday}`,
      async (page) => {
        await page.locator('input[type=file]').first().setInputFiles({ name: 'bank.csv', mimeType: 'text/csv', buffer: Buffer.from(statement) });
        const why = page.getByRole('dialog');
        await why.getByLabel(o('reason')).fill('银行今早来单');
        await press(page, o('settle.bank.file'), why);
        await page.getByText(o('settle.bank.taken', { n: 1 })).waitFor();
        await press(page, o('settle.run'));
        await why.getByLabel(o('reason')).fill('每日对账');
        await press(page, o('settle.run'), why);
        await page.getByText(o('break.missing_here')).first().waitFor({ timeout: 20_000 });
        await page.locator('.k-toast').first().waitFor({ state: 'detached', timeout: 10_000 }).catch(() => undefined);
      },
    ],
    ['biller-facts', billerAt('facts')],
    ['biller-keys', billerAt('keys')],
    ['long-biller', `/billers/${longBiller.id}`],
    ['long-biller-errors', `/billers/${longBiller.id}`, (page) => press(page, o('import.errors', { n: 1 }))],
    ['biller-new', '/billers/new'],
    ['biller-new-checked', '/billers/new', async (page) => {
      await page.getByLabel(o('new.pack.text')).fill(gas('hz-gas.toml').replaceAll('hz-gas', 'hz-gas-two'));
      await press(page, o('new.check'));
      await page.getByText(o('new.passed'), { exact: true }).waitFor();
    }],
    ['coverage', '/coverage'],
    ['imports', '/imports'],
    ['settlements', `/settlements?day=${yesterday}`],
    ['residents', '/residents'],
    ['resident-seen', '/residents', lookUp('residents.q', '13800000002')],
    ['resident-enrol', '/residents', (page) => press(page, o('enrol'))],
    ['shops', '/shops'],
    ['shop-seen', '/shops', lookUp('shops.q', large.id)],
    ['money', '/money'],
    ['money-sure', '/money', async (page) => {
      await page.getByLabel(o('money.resident'), { exact: true }).fill(seen.items[0].id);
      await page.getByLabel(o('money.amount'), { exact: true }).fill('99999999.99');
      await page.getByLabel(o('money.reference'), { exact: true }).fill('ICBC20260302000123');
      await press(page, o('money.check'));
      await page.getByRole('dialog').waitFor();
    }],
    ['coupons', '/coupons'],
    ['approvals', '/approvals'],
    ['audit', '/audit'],
    ['keys', '/keys'],
    ['settings', '/settings'],
    ['nowhere', '/nowhere'],
    ['offline', '/', (page) => page.context().setOffline(true).then(() => page.waitForTimeout(500)).then(() => () => page.context().setOffline(false))],
  ]);
  for (const { context: one } of [fresh, resident, rich, shop, longShop, desk].map((page) => ({ context: page.context() }))) await one.close();
}
