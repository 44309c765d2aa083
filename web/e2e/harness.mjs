// What the browser tests stand on: a demo city in a directory of its own, served by the real binary, and Chromium.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import axe from 'axe-core';
import { chromium } from 'playwright-core';

const BINARY = process.env.YIMA_BINARY ?? '../target/debug/yima';

const freePort = () =>
  new Promise((resolve, reject) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
    server.on('error', reject);
  });

const until = async (what, look, ms = 20_000) => {
  for (const end = Date.now() + ms; Date.now() < end; ) {
    const found = await look();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`timed out: ${what}`);
};

/** A demo city: three residents with money, two shops, an operator, eight billers with bills. */
export async function startCity({ env = {} } = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'yima-web-'));
  const port = await freePort();
  const messages = join(dir, 'messages.jsonl');
  const data = join(dir, 'data');
  let child;
  let log = '';
  const url = `http://localhost:${port}`;
  const start = async (more = {}) => {
    const flags = ['demo', '--data', data, '--addr', `127.0.0.1:${port}`, '--sender', `file:${messages}`, '--log', 'warn'];
    child = spawn(BINARY, flags, { env: { ...process.env, ...env, ...more }, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (log += text));
    const answers = () => fetch(`${url}/healthz`).then((r) => r.ok, () => child.exitCode !== null);
    await until('the city answers', answers, 60_000);
    assert.equal(child.exitCode, null, log);
  };
  const stop = (signal = 'SIGTERM') =>
    new Promise((resolve) => {
      child.once('exit', resolve);
      child.kill(signal);
    });
  await start();
  const born = JSON.parse(readFileSync(join(data, 'demo.json'), 'utf8'));
  const sent = (phone) =>
    (existsSync(messages) ? readFileSync(messages, 'utf8').trim().split('\n') : [])
      .filter(Boolean)
      .map((line) => JSON.parse(line))
      .filter((message) => message.phone.endsWith(phone));
  return {
    url,
    dir,
    data,
    operator: born.operator,
    /** Of an operator whom the first did not make: who may approve what that one asks for. */
    secondOperator: born.second_operator,
    shops: born.shops.map(([name, id, key]) => ({ name, id, key })),
    residents: [
      { phone: '13800000001', name: '王小明' },
      { phone: '13800000002', name: '李小红' },
      { phone: '13800000003', name: '张伟' },
    ],
    /** The newest one-time code of a phone, once there are `count` of them. */
    code: (phone, count = 1) => until(`a code for ${phone}`, () => sent(phone).length >= count && sent(phone).at(-1).code),
    codesSent: (phone) => sent(phone).length,
    /** The API as a program uses it. */
    async api(method, path, { key, body, headers = {} } = {}) {
      const answer = await fetch(url + path, {
        method,
        headers: {
          ...(key ? { authorization: `Bearer ${key}` } : {}),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        body: body === undefined ? undefined : JSON.stringify(body),
      });
      const text = await answer.text();
      const json = text === '' ? undefined : JSON.parse(text);
      assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
      return json;
    },
    /** Kills the server as a power cut would, and starts it again on the same files. */
    async crash() {
      await stop('SIGKILL');
      await start();
    },
    kill: () => stop('SIGKILL'),
    /** Starts it again on the same files; `more` settings than those it was made with. */
    start,
    async close() {
      if (child.exitCode === null) await stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Chromium, as Debian ships it. */
export function openBrowser(args = []) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--use-fake-ui-for-media-stream',
      '--use-fake-device-for-media-stream',
      ...args,
    ],
  });
}

export const PHONE = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 };
/** The narrowest screen, large text, dark: what 200 % zoom leaves of a small laptop is no narrower. */
export const NARROW = { viewport: { width: 320, height: 640 }, prefs: { lang: 'en', theme: 'dark', contrast: 'auto', elder: true } };
export const WIDE = { viewport: { width: 1280, height: 800 } };

/** A browser of one person: nothing is shared with others. What the page complains about fails the test. */
export async function person(browser, city, { lang = 'zh-CN', prefs, ...options } = {}) {
  const context = await browser.newContext({ ...PHONE, locale: lang, baseURL: city.url, reducedMotion: 'reduce', ...options });
  if (prefs) await context.addInitScript((text) => localStorage.setItem('yima.prefs', text), JSON.stringify(prefs));
  const page = await context.newPage();
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(`error: ${error.stack ?? error}`));
  page.on('console', (message) => {
    const text = message.text();
    // A refusal by the server and a network that is away are not faults of the page.
    if (message.type() === 'error' && !/Failed to load resource|net::ERR_/.test(text)) complaints.push(`console: ${text}`);
  });
  return { context, page, complaints };
}

/** No violation of WCAG 2.2 A and AA on the page as it is. */
export async function accessible(page, where) {
  await page.evaluate(axe.source);
  // What happens to lie half under a bar that stays in place can be scrolled out from under it.
  const bars = (position) => page.evaluate((to) => document.querySelectorAll('.k-bar, .k-foot').forEach((bar) => (bar.style.position = to)), position);
  await bars('static');
  const { violations } = await page.evaluate(() =>
    globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }),
  );
  await bars('');
  const told = violations.map((v) => `${v.id}: ${v.help}\n${v.nodes.map((n) => `    ${n.target} ${n.failureSummary}`).join('\n')}`);
  assert.equal(told.length, 0, `${where}:\n${told.join('\n')}`);
}

/** The same in high contrast. */
export async function inHighContrast(page, where) {
  const contrast = (value) => page.evaluate((to) => (to === null ? delete document.documentElement.dataset.contrast : (document.documentElement.dataset.contrast = to)), value);
  await contrast('high');
  await accessible(page, `${where} in high contrast`);
  await contrast(null);
}

/** Nothing sticks out sideways. */
export async function fits(page, where) {
  const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(wide <= room, `${where}: ${wide} px wide in ${room} px`);
}

export { until };

/** The texts of an app in a language, by key: tests name what they press as the catalogue does. */
export function texts(app, lang = 'zh') {
  const read = (path) => {
    const dir = new URL(`../src/${path}/`, import.meta.url);
    const catalogues = readdirSync(dir).filter((name) => name.endsWith(`.${lang}.ts`));
    const source = catalogues.map((name) => readFileSync(new URL(name, dir), 'utf8')).join('\n');
    const pairs = [...source.matchAll(/'([^'\n]+)':\s*(?:'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)")/g)];
    return pairs.map(([, key, single, double]) => [key, (single ?? double).replace(/\\(.)/g, '$1')]);
  };
  const all = new Map([...read('common'), ...read(app)]);
  return (key, values = {}) => {
    assert.ok(all.has(key), `no text ${key}`);
    return all
      .get(key)
      .replace(/\{(\w+)(?:\|([^|}]*)\|([^}]*))?\}/g, (_, name, one, many) =>
        one === undefined ? String(values[name]) : Number(values[name]) === 1 ? one : many,
      );
  };
}

/** Signs a resident in on `page`, by phone and the code that was sent. */
export async function signIn(page, city, phone, t = texts('resident')) {
  const sent = city.codesSent(phone);
  await page.goto('/');
  await page.getByLabel(t('signin.phone')).fill(phone);
  await page.getByRole('button', { name: t('signin.send') }).click();
  await page.getByLabel(t('signin.code')).waitFor();
  const code = await city.code(phone, sent + 1);
  await page.getByLabel(t('signin.code')).pressSequentially(code);
  await page.getByRole('button', { name: t('signin.enter') }).click();
  await page.getByRole('heading', { name: t('home.balance') }).waitFor();
}

/** Signs a shop or an operator in with its key. */
export async function signInByKey(page, path, label, button, key) {
  await page.goto(path);
  await page.getByLabel(label, { exact: true }).fill(key);
  await page.getByRole('button', { name: button, exact: true }).click();
}

export const PIN = '258036';

/** Types a PIN where the page asks for one. */
export async function typePin(page, pin = PIN) {
  await page.waitForFunction(() => document.activeElement?.closest('.k-pin'));
  await page.keyboard.type(pin);
}

/** Sets the first PIN through the page. */
export async function setPin(page, t = texts('resident')) {
  await page.goto('/#/me/pin?next=/');
  for (const step of ['new', 'again']) {
    await page.getByText(t(`pin.step.${step}`)).first().waitFor();
    await typePin(page);
  }
  await page.getByText(t('pin.done')).waitFor();
}
