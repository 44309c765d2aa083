// Texts stand in the catalogues only: no Han characters and no literal JSX text anywhere else, and no key that nothing uses.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

const files = (dir) =>
  readdirSync(dir, { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? files(join(dir, e.name)) : [join(dir, e.name)]));
const sources = files('src').filter((path) => /\.tsx?$/.test(path) && !path.startsWith(join('src', 'api')));
const isCatalogue = (path) => /\.(zh|en)\.ts$/.test(path);
const complaints = [];

for (const path of sources.filter((p) => !isCatalogue(p))) {
  const text = readFileSync(path, 'utf8');
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.ESNext, true, path.endsWith('x') ? ts.ScriptKind.TSX : ts.ScriptKind.TS);
  const complain = (node, why) => {
    const { line } = file.getLineAndCharacterOfPosition(node.getStart());
    complaints.push(`${path}:${line + 1}: ${why}: ${node.getText().trim().slice(0, 60)}`);
  };
  const spoken = new Set(['title', 'label', 'alt', 'placeholder', 'note', 'aria-label', 'hint']);
  const visit = (node) => {
    if (ts.isJsxText(node) && /\p{L}{2,}/u.test(node.text)) complain(node, 'text outside the catalogue');
    if ((ts.isStringLiteralLike(node) || ts.isTemplateHead(node)) && /\p{Script=Han}/u.test(node.text))
      complain(node, 'Chinese outside the catalogue');
    if (
      ts.isJsxAttribute(node) &&
      spoken.has(node.name.getText()) &&
      node.initializer &&
      ts.isStringLiteral(node.initializer) &&
      /\p{L}{2,}/u.test(node.initializer.text)
    )
      complain(node, 'text outside the catalogue');
    ts.forEachChild(node, visit);
  };
  visit(file);
}

// A key is used when some source has it as a string, or begins a template with a part of it up to a dot.
for (const path of sources.filter((p) => p.endsWith('.zh.ts'))) {
  const own = readFileSync(path, 'utf8');
  const keys = [...own.matchAll(/^\s+'([^']+)':/gm)].map((m) => m[1]);
  const dir = join(path, '..');
  const readers = sources.filter((p) => !isCatalogue(p) && (dir.endsWith('common') || p.startsWith(dir)));
  const text = readers.map((p) => readFileSync(p, 'utf8')).join('\n');
  const prefixes = [...text.matchAll(/`([\w.-]+\.)\$\{/g)].map((m) => m[1]);
  for (const key of keys)
    if (!text.includes(`'${key}'`) && !prefixes.some((prefix) => key.startsWith(prefix))) complaints.push(`${path}: nothing uses '${key}'`);
}

for (const complaint of complaints) console.error(complaint);
if (complaints.length > 0) process.exit(1);
console.log(`texts: ${sources.length} files, all texts in the catalogues`);
