// The coverage map against a real city: from the country into a province and a prefecture, by category, as a file and a picture; and the
// other pages of the console about how money and bills travel.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { accessible, fits, openBrowser, person, signInByKey, startCity, texts, WIDE } from './harness.mjs';

const t = texts('console');
let city;
let browser;
let page;
let complaints;
before(async () => {
  city = await startCity();
  browser = await openBrowser();
  ({ page, complaints } = await person(browser, city, WIDE));
  await signInByKey(page, '/console/', t('signin.key'), t('signin.do'), city.operator);
  await page.getByRole('heading', { name: t('nav.overview') }).waitFor();
});
after(async () => {
  await browser?.close();
  await city?.close();
});

const open = async (path, heading) => {
  await page.goto(`/console/#${path}`);
  await page.getByRole('heading', { name: heading, level: 1 }).waitFor();
  await page.waitForFunction(() => !document.querySelector('.k-skel'));
};
const table = (where) => page.getByRole('table', { name: t('coverage.table', { where }) });

test('the map leads from the country into a province and a prefecture', async () => {
  await open('/coverage', t('nav.coverage'));
  await page.getByText(t('coverage.schematic')).first().waitFor();
  assert.equal(await table(t('coverage.country')).getByRole('row').count(), 35, 'a head and 34 provinces');
  await accessible(page, 'the map of the country');
  await fits(page, 'the map of the country');
  await table(t('coverage.country')).getByRole('link', { name: '浙江省' }).click();
  await table('浙江省').waitFor();
  assert.equal(await table('浙江省').getByRole('row').count(), 12, 'a head and 11 prefectures');
  await accessible(page, 'the map of a province');
  await table('浙江省').getByRole('link', { name: '杭州市' }).click();
  await table('浙江省 杭州市').waitFor();
  assert.ok((await table('浙江省 杭州市').getByRole('row').count()) > 10, 'its counties');
  await accessible(page, 'the counties of a prefecture');
  await page.getByRole('navigation', { name: t('coverage.where') }).getByRole('link', { name: t('coverage.country') }).click();
  await table(t('coverage.country')).waitFor();
});

test('what is chosen is what is downloaded', async () => {
  await open('/coverage?in=330000&category=power', t('nav.coverage'));
  await table('浙江省').waitFor();
  const saved = async (button) => {
    const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: button }).click()]);
    return [file.suggestedFilename(), readFileSync(await file.path())];
  };
  const [csv, rows] = await saved(t('coverage.csv'));
  assert.equal(csv, 'coverage-330000.csv');
  const lines = rows.toString('utf8').trim().split('\n');
  assert.equal(lines.length, 12, lines[0]);
  assert.ok(lines.some((line) => line.includes('330100')));
  const [png, bytes] = await saved(t('coverage.png'));
  assert.equal(png, 'coverage-330000.png');
  assert.deepEqual([...bytes.subarray(1, 4)], [...Buffer.from('PNG')]);
});

test('pay-outs, collectors and providers, each without any yet', async () => {
  for (const path of ['/payouts', '/collectors', '/providers']) {
    await open(path, t(`nav.${path.slice(1)}`));
    await accessible(page, path);
    await fits(page, path);
  }
});

test('the pages complained about nothing', () => assert.deepEqual(complaints, []));
