// After `vite build`: writes the service worker with the list of what it keeps, checks the size budgets, and compresses every file
// beside itself, so that the server never has to.
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const KIB = 1000; // a budget of 60 KB is 60,000 bytes
const BUDGET = { resident: 60 * KIB, screen: 30 * KIB, map: 20 * KIB };

const dist = 'dist';
const manifest = JSON.parse(readFileSync(join(dist, '.vite/manifest.json'), 'utf8'));
rmSync(join(dist, '.vite'), { recursive: true });
const gzipped = (file) => gzipSync(readFileSync(join(dist, file)), { level: 9 }).length;

/** The files that a chunk needs at once: itself, what it imports statically, and their style sheets. */
function needs(key, seen = new Set()) {
  if (seen.has(key)) return seen;
  seen.add(key);
  for (const other of manifest[key].imports ?? []) needs(other, seen);
  return seen;
}
const filesOf = (keys) => [...new Set([...keys].flatMap((key) => [manifest[key].file, ...(manifest[key].css ?? [])]))];
const size = (files) => files.filter((f) => /\.(js|css)$/.test(f)).reduce((sum, file) => sum + gzipped(file), 0);

let over = 0;
const line = (name, bytes, budget) => {
  const bad = budget !== undefined && bytes > budget;
  if (bad) over += 1;
  const limit = budget === undefined ? '' : ` of ${(budget / KIB).toFixed(0)}${bad ? '  OVER' : ''}`;
  console.log(`${(bytes / KIB).toFixed(1).padStart(7)} KB gzip${limit.padEnd(8)} ${name}`);
};

const entries = Object.keys(manifest).filter((key) => manifest[key].isEntry);
const precache = new Set();
for (const entry of entries) {
  const name = manifest[entry].name;
  const shell = needs(entry);
  // One language's catalogues come with the shell; the larger counts.
  const texts = (manifest[entry].dynamicImports ?? []).concat(...[...shell].map((k) => manifest[k].dynamicImports ?? []));
  const languages = ['zh', 'en'].map((lang) => size(filesOf(texts.filter((k) => k.endsWith(`text.${lang}.ts`)))));
  line(`${name}: shell with one language`, size(filesOf(shell)) + Math.max(...languages), name === 'resident' ? BUDGET.resident : undefined);
  const screens = new Set();
  const walk = (key) => {
    for (const next of manifest[key].dynamicImports ?? []) {
      if (screens.has(next)) continue;
      screens.add(next);
      for (const each of needs(next)) walk(each);
    }
  };
  for (const key of shell) walk(key);
  const held = new Set(filesOf(shell));
  for (const screen of [...screens].filter((k) => !/text\.(zh|en)\.ts$/.test(k)).sort()) {
    const own = filesOf(needs(screen)).filter((file) => !held.has(file));
    // The maps of the provinces are many and alike: only what is too large is told.
    if (screen.startsWith('src/map/prefectures/') && size(own) <= BUDGET.screen) continue;
    line(`${name}: ${manifest[screen].src ?? screen}`, size(own), BUDGET.screen);
  }
  if (name === 'resident') for (const key of [...shell, ...screens]) for (const file of filesOf(needs(key))) precache.add(`/${file}`);
}

// Most people here read Chinese: those texts come beside the code that will ask for them, a round trip earlier.
for (const entry of entries) {
  const asks = [...needs(entry)].flatMap((key) => manifest[key].dynamicImports ?? []).filter((key) => key.endsWith('text.zh.ts'));
  const links = filesOf(asks).map((file) => `    <link rel="modulepreload" crossorigin href="/${file}">\n`);
  const page = join(dist, entry);
  writeFileSync(page, readFileSync(page, 'utf8').replace('  </head>', `${links.join('')}  </head>`));
}

line('map of China', gzipSync(readFileSync('src/map/china.ts'), { level: 9 }).length, BUDGET.map);

const walkFiles = (dir) =>
  readdirSync(join(dist, dir), { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? walkFiles(join(dir, e.name)) : [join(dir, e.name)]));

// The worker keeps the resident's shell and screens; decoders are fetched when they are first needed, and kept then.
const worker = readFileSync('src/sw.js', 'utf8');
const list = ['/', '/manifest.webmanifest', '/icon.svg', ...[...precache].sort()];
const version = createHash('sha256');
for (const file of list) version.update(file).update(readFileSync(join(dist, file === '/' ? 'index.html' : file)));
const filled = worker.replace("'VERSION'", `'${version.digest('hex').slice(0, 16)}'`).replace("['FILES']", JSON.stringify(list));
writeFileSync(join(dist, 'sw.js'), filled);

for (const file of walkFiles('.')) {
  if (!/\.(html|js|css|svg|wasm|webmanifest|json)$/.test(file)) continue;
  const bytes = readFileSync(join(dist, file));
  if (bytes.length < 512) continue;
  writeFileSync(join(dist, `${file}.gz`), gzipSync(bytes, { level: 9 }));
  const quality = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
  writeFileSync(join(dist, `${file}.br`), brotliCompressSync(bytes, { params: quality }));
}
if (over > 0) {
  console.error(`${over} over budget`);
  process.exit(1);
}
