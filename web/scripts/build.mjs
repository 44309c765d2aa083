// Builds dist from what lies here, unless it was built from exactly that: the client's types from openapi.json, the check of texts
// and types, Vite, and what comes after it.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const STAMP = 'node_modules/.yima-built';
const skip = new Set(['node_modules', 'dist', 'screens', 'e2e']);
const files = (dir) =>
  readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (skip.has(path)) return [];
    return entry.isDirectory() ? files(path) : [path];
  });

const stamp = () => {
  const hash = createHash('sha256');
  for (const path of ['../openapi.json', ...files('.').sort()]) hash.update(path).update('\0').update(readFileSync(path)).update('\0');
  return hash.digest('hex');
};
if (existsSync('dist/sw.js') && existsSync(STAMP) && readFileSync(STAMP, 'utf8') === stamp()) {
  console.log('web/dist is up to date');
  process.exit(0);
}
rmSync(STAMP, { force: true });
for (const words of [
  ['run', '--silent', 'api'],
  ['run', '--silent', 'check'],
  ['exec', '--', 'vite', 'build', '--logLevel', 'warn'],
  ['exec', '--', 'node', 'scripts/finish.mjs'],
]) {
  const { status } = spawnSync('npm', words, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
// The types were made on the way.
writeFileSync(STAMP, stamp());
