/** A choropleth of the provinces; a schematic map. Whoever cannot see it reads the same from the table that stands beside it. */
import './map.css';
import { catalogue } from '../lib/text';
import { BOUNDARY, HEIGHT, PROVINCES, WIDTH } from './china';
import type zh from './text.zh';

const texts = catalogue<keyof typeof zh>({ zh: () => import('./text.zh'), en: () => import('./text.en') });
export const loadMapTexts = texts.load;
/** A province's name by its code; the code itself where there is no such province. */
export const provinceName = (code: string): string => (texts.has(code) ? texts.t(code) : code);

/** How dark a province is: 0 for nothing, then 1 to 5 by the square root of its share of the largest. */
export function shade(value: number, most: number): number {
  return value <= 0 || most <= 0 ? 0 : Math.min(5, Math.max(1, Math.ceil(Math.sqrt(value / most) * 5)));
}

export function ChinaMap({
  values,
  label,
  chosen,
  onChoose,
}: {
  values: Map<string, number>;
  /** What the colours say. */
  label: string;
  chosen?: string | undefined;
  onChoose?: ((code: string) => void) | undefined;
}) {
  const most = Math.max(0, ...values.values());
  return (
    <figure class="china">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={label}>
        {Object.entries(PROVINCES).map(([code, path]) => (
          <path
            key={code}
            d={path}
            class={`shade-${shade(values.get(code) ?? 0, most)}${chosen === code ? ' chosen' : ''}`}
            onClick={onChoose && (() => onChoose(code))}
          >
            <title>{`${provinceName(code)} ${values.get(code) ?? 0}`}</title>
          </path>
        ))}
        <path class="boundary" d={BOUNDARY} />
      </svg>
      <figcaption>{texts.t('schematic')}</figcaption>
    </figure>
  );
}
