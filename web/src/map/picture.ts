/** A picture file of a map: what is on the screen, with its heading and legend, so that it can be put into a report. */

const SCALE = 2;
const WIDTH = 960;
const EDGE = 32;
const LINE = 30;
const KEPT = ['fill', 'stroke', 'stroke-width', 'font-size', 'font-family', 'text-anchor'];

/** The drawing with the colours that the style sheets give it: a picture has no style sheets. */
function drawing(svg: SVGSVGElement, width: number, height: number): string {
  const copy = svg.cloneNode(true) as SVGSVGElement;
  copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  copy.setAttribute('width', String(width));
  copy.setAttribute('height', String(height));
  copy.removeAttribute('class');
  const copies = copy.querySelectorAll<SVGElement>('path, rect, text');
  for (const [i, live] of [...svg.querySelectorAll<SVGElement>('path, rect, text')].entries()) {
    const style = getComputedStyle(live);
    for (const name of KEPT) copies[i]?.setAttribute(name, style.getPropertyValue(name));
    if (live.tagName === 'path') copies[i]?.setAttribute('vector-effect', 'non-scaling-stroke');
    copies[i]?.removeAttribute('class');
  }
  return new XMLSerializer().serializeToString(copy);
}

/** A PNG of the map in `figure`, under `heading`. */
export async function picture(figure: HTMLElement, heading: string, note: string): Promise<Blob> {
  const svg = figure.querySelector('svg');
  if (!svg) throw new Error('no map');
  const box = svg.viewBox.baseVal;
  const height = Math.round((WIDTH * box.height) / box.width);
  const root = getComputedStyle(figure);
  const url = URL.createObjectURL(new Blob([drawing(svg, WIDTH, height)], { type: 'image/svg+xml' }));
  try {
    const image = new Image(WIDTH, height);
    image.src = url;
    await image.decode();
    const canvas = document.createElement('canvas');
    canvas.width = (WIDTH + 2 * EDGE) * SCALE;
    canvas.height = (height + 2 * EDGE + 4 * LINE) * SCALE;
    const pen = canvas.getContext('2d');
    if (!pen) throw new Error('no canvas');
    pen.scale(SCALE, SCALE);
    const ground = getComputedStyle(figure.parentElement ?? figure).backgroundColor;
    pen.fillStyle = ground === 'rgba(0, 0, 0, 0)' ? getComputedStyle(document.body).backgroundColor : ground;
    pen.fillRect(0, 0, WIDTH + 2 * EDGE, height + 2 * EDGE + 4 * LINE);
    const write = (text: string, x: number, y: number, size: number, weight = 400) => {
      pen.fillStyle = root.color;
      pen.font = `${weight} ${size}px ${root.fontFamily}`;
      pen.fillText(text, x, y);
      return pen.measureText(text).width;
    };
    write(heading, EDGE, EDGE + 24, 24, 600);
    pen.drawImage(image, EDGE, EDGE + 1.5 * LINE, WIDTH, height);
    const low = EDGE + 3 * LINE + height;
    let x = EDGE;
    for (const item of figure.querySelectorAll('li')) {
      const swatch = item.querySelector('.swatch');
      if (swatch) pen.fillStyle = getComputedStyle(swatch).backgroundColor;
      pen.fillRect(x, low - 15, 18, 18);
      x += 26;
      x += write(item.textContent ?? '', x, low, 17) + 22;
    }
    write(note, EDGE, low + LINE, 17);
    return await new Promise<Blob>((resolve, reject) => canvas.toBlob((made) => (made ? resolve(made) : reject(new Error('no picture'))), 'image/png'));
  } finally {
    URL.revokeObjectURL(url);
  }
}
