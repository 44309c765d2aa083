/** Drawing codes: QR (ISO/IEC 18004) by `uqr`, Code 128 (ISO/IEC 15417) in code set C, which is pairs of digits. */
import { encode } from 'uqr';

/** A QR code as one path on a white ground; `label` is what a screen reader says. */
export function Qr({ text, label, ecc = 'M' }: { text: string; label: string; ecc?: 'L' | 'M' | 'Q' | 'H' }) {
  const { data, size } = encode(text, { ecc, border: 4 });
  let path = '';
  for (const [y, row] of data.entries()) {
    for (let x = 0; x < size; x += 1) {
      if (!row[x]) continue;
      let end = x + 1;
      while (end < size && row[end]) end += 1;
      path += `M${x} ${y}h${end - x}v1h${x - end}z`;
      x = end;
    }
  }
  return (
    <svg class="qr" role="img" aria-label={label} viewBox={`0 0 ${size} ${size}`} shape-rendering="crispEdges">
      <rect width={size} height={size} fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  );
}

/** Widths of bars and spaces of the values 0 to 106, start C (105) and stop (106) among them. */
const WIDTHS =
  '212222222122222221121223121322131222122213122312132212221213221312231212112232122132122231113222123122123221223211221132221231213212223112312131311222321122321221312212322112322211212123212321232121111323131123131321112313132113132311211313231113231311112133112331132131113123113321133121313121211331231131213113213311213131311123311321331121312113312311332111314111221411431111111224111422121124121421141122141221112214112412122114122411142112142211241211221114413111241112134111111242121142121241114212124112124211411212421112421211212141214121412121111143111341131141114113114311411113411311113141114131311141411131211412211214211232';

/** The bar widths of a number with an even count of digits: start C, pairs, check character, stop. */
export function code128c(digits: string): number[] {
  if (!/^(\d\d)+$/.test(digits)) throw new RangeError('an even number of digits');
  const pairs = digits.match(/\d\d/g) ?? [];
  const values = [105, ...pairs.map(Number)];
  const check = values.reduce((sum, value, i) => sum + value * Math.max(i, 1), 0) % 103;
  const widths = [...values, check].flatMap((value) => Array.from(WIDTHS.slice(value * 6, value * 6 + 6), Number));
  return [...widths, 2, 3, 3, 1, 1, 1, 2];
}

export function Barcode({ digits, label }: { digits: string; label: string }) {
  const widths = code128c(digits);
  const total = widths.reduce((a, b) => a + b, 0) + 20;
  let x = 10;
  let path = '';
  for (const [i, width] of widths.entries()) {
    if (i % 2 === 0) path += `M${x} 0h${width}v50h${-width}z`;
    x += width;
  }
  return (
    <svg class="barcode" role="img" aria-label={label} viewBox={`0 0 ${total} 50`} preserveAspectRatio="none" shape-rendering="crispEdges">
      <rect width={total} height="50" fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  );
}
