/**
 * Schematic maps of regions, coloured by how much of each is covered, and tiles where there are no outlines. Whoever cannot see or
 * point reads and reaches the same by the table that stands beside them.
 */
import './map.css';
import type { ComponentChildren, RefObject } from 'preact';

export interface Region {
  /** GB/T 2260. */
  code: string;
  name: string;
  /** What is said of it, besides its name. */
  text: string;
  /** 0 to 5: how dark it is. */
  shade: number;
  /** Whether pressing it leads further. */
  leads: boolean;
}
/** Outlines in a box of their own. */
export interface Outlines {
  width: number;
  height: number;
  paths: Record<string, string>;
  /** Lines that belong to no region. */
  boundary?: string;
}

export const SHADES = [0, 1, 2, 3, 4, 5] as const;
/** The fifth of the way that a share in basis points lies in; 0 for nothing. */
export const shadeOf = (bps: number): number => (bps <= 0 ? 0 : Math.min(5, Math.ceil(bps / 2_000)));

/** The outlines of a region's parts: of the country's provinces, or of a province's prefectures; nothing of what is smaller. */
export async function outlinesOf(code: string): Promise<Outlines | undefined> {
  if (code === '') {
    const { WIDTH, HEIGHT, PROVINCES, BOUNDARY } = await import('./china');
    return { width: WIDTH, height: HEIGHT, paths: PROVINCES, boundary: BOUNDARY };
  }
  if (!/^[1-8]\d0000$/.test(code)) return undefined;
  const found = (await import(`./prefectures/${code.slice(0, 2)}.ts`)) as { WIDTH: number; HEIGHT: number; OUTLINES: Record<string, string> };
  return { width: found.WIDTH, height: found.HEIGHT, paths: found.OUTLINES };
}

interface MapProps {
  /** What the colours say. */
  label: string;
  regions: Region[];
  onChoose: (code: string) => void;
  svg: RefObject<SVGSVGElement | null>;
}

const look = ({ shade, leads }: Region): string => `shade-${shade}${leads ? ' leads' : ''}`;

export function RegionMap({ of, label, regions, onChoose, svg }: MapProps & { of: Outlines }) {
  const by = new Map(regions.map((one) => [one.code, one]));
  const room = Math.max(of.width, of.height) / 100;
  return (
    <svg ref={svg} class="map" viewBox={`${-room} ${-room} ${of.width + 2 * room} ${of.height + 2 * room}`} role="img" aria-label={label}>
      {Object.entries(of.paths).map(([code, path]) => {
        const one = by.get(code);
        return (
          <path key={code} d={path} class={one ? look(one) : 'shade-0'} onClick={one?.leads ? () => onChoose(code) : undefined}>
            {one && <title>{`${one.name} ${one.text}`}</title>}
          </path>
        );
      })}
      {of.boundary && <path class="boundary" d={of.boundary} />}
    </svg>
  );
}

const TILE = { width: 150, height: 66, gap: 8, across: 3, letters: 7 };

/** Tiles for what has no outline here: the counties of a prefecture. */
export function RegionTiles({ label, regions, onChoose, svg }: MapProps) {
  const { width, height, gap, across, letters } = TILE;
  const rows = Math.max(1, Math.ceil(regions.length / across));
  return (
    <svg ref={svg} class="map tiles" viewBox={`0 0 ${across * (width + gap) - gap} ${rows * (height + gap) - gap}`} role="img" aria-label={label}>
      {regions.map((one, i) => {
        const [x, y] = [(i % across) * (width + gap), Math.floor(i / across) * (height + gap)];
        const name = Array.from(one.name);
        const short = name.length > letters ? `${name.slice(0, letters - 1).join('')}…` : one.name;
        return (
          <g key={one.code} class={look(one)} onClick={one.leads ? () => onChoose(one.code) : undefined}>
            <title>{`${one.name} ${one.text}`}</title>
            <rect x={x} y={y} width={width} height={height} rx={8} />
            <text x={x + width / 2} y={y + 28}>
              {short}
            </text>
            <text x={x + width / 2} y={y + 52} class="small">
              {one.text}
            </text>
          </g>
        );
      })}
    </svg>
  );
}

/** What the colours stand for. */
export function Legend({ label, note, text }: { label: string; note: ComponentChildren; text: (shade: number) => string }) {
  return (
    <figcaption class="map-legend">
      <span class="map-note">{note}</span>
      <ul aria-label={label}>
        {SHADES.map((shade) => (
          <li key={shade}>
            <span class={`swatch shade-${shade}`} />
            {text(shade)}
          </li>
        ))}
      </ul>
    </figcaption>
  );
}
