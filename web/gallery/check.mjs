// Opens the gallery (`npx vite --port 5199` beside it) in every theme: no axe violation, nothing wider than the screen,
// no target under 24 px (44 for buttons). With a directory as argument it also leaves pictures there.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const at = process.env.GALLERY ?? 'http://localhost:5199/gallery/';
const shots = process.argv[2];
const themes = {
  light: { theme: 'light' },
  dark: { theme: 'dark' },
  'light-high': { theme: 'light', contrast: 'high' },
  'dark-high': { theme: 'dark', contrast: 'high' },
  elder: { theme: 'light', elder: '1' },
};
const parts = ['all', 'pin', 'amount', 'sheet', 'dialog', 'console'];
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
let wrong = 0;
const say = (...what) => {
  wrong++;
  console.log(...what);
};

for (const width of [320, 360, 768, 1440]) {
  for (const [name, set] of Object.entries(themes)) {
    for (const part of parts) {
      const context = await browser.newContext({
        viewport: { width, height: 800 },
        reducedMotion: 'reduce',
        bypassCSP: true,
      });
      const page = await context.newPage();
      page.on('pageerror', (e) => say(name, width, part, String(e)));
      page.on('console', (m) => m.type() === 'error' && say(name, width, part, m.text()));
      await page.goto(`${at}?${new URLSearchParams({ ...set, part })}`);
      await page.waitForSelector('h1');
      await page.waitForTimeout(150);
      const seen = await page.evaluate(() => {
        const out = [];
        const wide = document.documentElement.scrollWidth - innerWidth;
        if (wide > 0) {
          const who = [...document.querySelectorAll('body *')].filter(
            (e) =>
              e.getBoundingClientRect().right > innerWidth + 1 &&
              !e.closest('.k-side ul, .k-table-in, .k-vh'),
          );
          out.push(
            `page is ${wide} px too wide: ${who.slice(0, 4).map((e) => `${e.tagName}.${e.className}`)}`,
          );
        }
        const least = 43.9;
        for (const e of document.querySelectorAll(
          'button, a, select, .k-tick, .k-seg label, .k-input input',
        )) {
          if (e.matches('.k-link, .k-row-btn') || !e.checkVisibility()) continue;
          const r = e.getBoundingClientRect();
          if (r.width > 2 && (r.height < least || r.width < least))
            out.push(
              `target ${Math.round(r.width)}×${Math.round(r.height)}: ${e.className || e.textContent}`,
            );
        }
        return [...new Set(out)];
      });
      for (const s of seen) say(name, width, part, s);
      if (width === 360 || width === 1440) {
        // What happens to lie under a sticky bar is not too small a target.
        await page.addStyleTag({ content: '.k-bar, .k-foot { position: static !important; }' });
        await page.evaluate(axe);
        const result = await page.evaluate(() =>
          globalThis.axe.run(document, {
            runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
          }),
        );
        for (const v of result.violations)
          say(
            name,
            width,
            part,
            v.id,
            v.nodes
              .slice(0, 3)
              .map((n) => `${n.target} ${n.any[0]?.message ?? ''}`)
              .join(' | '),
          );
      }
      if (shots)
        await page.screenshot({
          path: `${shots}/${part}-${width}-${name}.png`,
          fullPage: part === 'all' || part === 'console',
        });
      await context.close();
    }
  }
}
await browser.close();
console.log(wrong ? `${wrong} found` : 'nothing found');
process.exit(wrong ? 1 : 0);
