import { chromium } from 'playwright-core';
import { readFileSync } from 'node:fs';
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
async function shot(name, w, q, part='all', h=1500, forced) {
  const page = await (await browser.newContext({ viewport: { width: w, height: 800 }, reducedMotion: 'reduce', forcedColors: forced ? 'active' : 'none' })).newPage();
  await page.goto(`http://localhost:5199/gallery/?part=${part}&${q}`); await page.waitForSelector('h1'); await page.waitForTimeout(200);
  await page.addStyleTag({content:'.k-foot,.k-bar{position:static!important}'});
  const total = await page.evaluate(() => document.documentElement.scrollHeight);
  const buf = await page.screenshot({ fullPage: true });
  const n = Math.ceil(total / h);
  const p2 = await (await browser.newContext({ viewport: { width: n * (w + 12), height: Math.min(h,total) } })).newPage();
  await p2.setContent(`<body style="margin:0;background:#f0f;display:flex;gap:12px">${Array.from({length:n},(_, i)=>`<div style="flex:none;width:${w}px;height:${h}px;background:url(data:image/png;base64,${buf.toString('base64')}) 0 ${-i*h}px no-repeat"></div>`).join('')}`);
  await p2.waitForTimeout(200);
  await p2.screenshot({ path: `/tmp/kit/look-${name}.png` }); console.log(name, total);
  await page.context().close(); await p2.context().close();
}
for (const a of JSON.parse(process.argv[2])) await shot(...a);
await browser.close();
