// The parts that decide, without a browser: codes, money, texts, which answers are final.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createServer } from 'vite';

let vite;
let load;
before(async () => {
  globalThis.navigator ??= { language: 'zh-CN', onLine: true };
  Object.defineProperty(globalThis, 'navigator', { value: { language: 'zh-CN', onLine: true }, configurable: true });
  vite = await createServer({ appType: 'custom', server: { middlewareMode: true, hmr: false, ws: false }, logLevel: 'error' });
  load = (path) => vite.ssrLoadModule(path);
});
after(() => vite.close());

test('payment codes are those of the specification', async () => {
  const { importSecret, paymentCode } = await load('/src/lib/paycode.ts');
  const key = await importSecret(Uint8Array.from({ length: 32 }, (_, i) => i));
  assert.equal(key.extractable, false);
  for (const [unix, code] of [
    [0, '811248882472363886'],
    [1795420800, '815031886291493098'],
    [1795421099, '815031886205836057'],
  ])
    assert.equal(await paymentCode(key, unix), code, `at ${unix}`);
});

test('amounts are exact in both directions', async () => {
  const { decimal, money, parseAmount } = await load('/src/lib/format.ts');
  for (const [text, minor] of [
    ['12.5', 1250],
    ['0.01', 1],
    ['007', 700],
    ['1,234.50', 123450],
    ['12.', 1200],
    ['999999999999.99', 99999999999999],
    ['12.345', undefined],
    ['', undefined],
    ['.5', undefined],
    ['-1', undefined],
    ['1e3', undefined],
    ['一', undefined],
  ])
    assert.equal(parseAmount(text), minor, text);
  assert.equal(parseAmount('500', 'JPY'), 500);
  assert.equal(parseAmount('5.5', 'JPY'), undefined);
  for (const [minor, text] of [
    [0, '0.00'],
    [5, '0.05'],
    [-1250, '-12.50'],
    [9007199254740991, '90071992547409.91'],
  ])
    assert.equal(decimal(minor), text);
  assert.equal(money({ minor: 123456789, currency: 'CNY' }), '¥1,234,567.89');
  assert.equal(money({ minor: 9007199254740991, currency: 'CNY' }), '¥90,071,992,547,409.91');
});

test("days and times are the city's, whatever zone the machine is in", async () => {
  const { cityClock, dateTime, day, instantOf, setCity, time, today } = await load('/src/lib/format.ts');
  const { shortDay } = await load('/src/resident/dates.ts');
  const zone = process.env.TZ;
  try {
    for (const machine of ['America/Los_Angeles', 'Pacific/Kiritimati', 'UTC']) {
      process.env.TZ = machine;
      setCity({ currency: 'CNY', utc_offset_s: 8 * 3600 });
      const at = '2026-02-28T17:30:00.123456789Z';
      assert.equal(today(new Date(at)), '2026-03-01', machine);
      assert.equal(cityClock(Date.parse(at)), '2026-03-01T01:30:00', machine);
      assert.equal(instantOf('2026-03-01T01:30').toISOString(), '2026-02-28T17:30:00.000Z', machine);
      assert.equal(day(at), day('2026-03-01'), machine);
      assert.equal(shortDay(at), '3月1日', machine);
      assert.equal(time(at), '01:30', machine);
      assert.equal(dateTime(at), '2026年3月1日 01:30', machine);
    }
  } finally {
    if (zone === undefined) delete process.env.TZ;
    else process.env.TZ = zone;
  }
});

test('texts take values and plurals', async () => {
  const { fill } = await load('/src/lib/text.ts');
  assert.equal(fill('{n} {n|bill|bills}', { n: 1 }), '1 bill');
  assert.equal(fill('{n} {n|bill|bills}', { n: 2 }), '2 bills');
  assert.equal(fill('{who} pays', {}), '{who} pays');
});

test('only an answer about the payment itself is final', async () => {
  const { decisive } = await load('/src/lib/unsettled.ts');
  const { Failure } = await load('/src/lib/call.ts');
  for (const [kind, code, status, final] of [
    ['refused', 'insufficient_balance', 409, true],
    ['refused', 'trade_already_paid', 409, true],
    ['refused', 'ledger_no_space', 507, false],
    ['refused', 'pin_wrong', 403, false],
    ['refused', 'pin_required', 403, false],
    ['refused', 'csrf', 403, false],
    ['refused', 'unauthenticated', 401, false],
    ['refused', 'rate_limited', 429, false],
    ['lost', 'timeout', 503, false],
    ['offline', 'offline', 0, false],
  ])
    assert.equal(decisive(new Failure(kind, code, '', status)), final, code);
});

test('a barcode is what the standard says', async () => {
  const { code128c } = await load('/src/lib/codes.tsx');
  const widths = code128c('811248882472363886');
  assert.equal(widths.reduce((a, b) => a + b), 11 * 11 + 13, 'start, nine pairs, check and stop');
  assert.deepEqual(widths.slice(0, 6), [2, 1, 1, 2, 3, 2], 'start C');
  assert.deepEqual(widths.slice(-7), [2, 3, 3, 1, 1, 1, 2], 'stop');
  assert.throws(() => code128c('123'), RangeError);
  assert.throws(() => code128c('12a4'), RangeError);
});

test('routes carry what they are given', async () => {
  globalThis.location ??= { hash: '' };
  const { href, match, parseRoute } = await load('/src/lib/router.ts');
  assert.deepEqual(match('/bills/:biller/:account', '/bills/blr_1/12%2F3'), { biller: 'blr_1', account: '12/3' });
  assert.equal(match('/bills/:biller', '/bills'), undefined);
  assert.equal(href('/pay', { code: 'a&b', none: undefined }), '#/pay?code=a%26b');
  assert.equal(parseRoute('#/pay?code=a%26b').query.get('code'), 'a&b');
  assert.equal(parseRoute('').path, '/');
});
