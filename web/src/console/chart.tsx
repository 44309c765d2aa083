/** Time series by uPlot, in the colours of the theme. Fetched when a screen first shows one. */
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { time } from '../lib/format';
import { usePrefs } from '../lib/prefs';

export interface ChartSeries {
  label: string;
  /** A custom property of the style sheet, `--o-1`. */
  colour: string;
  values: (number | null)[];
}
/** Distances between the lines of an axis: 1, 2 and 5 of every power of ten. */
const STEPS = Array.from({ length: 18 }, (_, i) => [1, 2, 5].map((n) => n * 10 ** (i - 4))).flat();

export interface ChartProps {
  /** Unix seconds. */
  times: number[];
  series: ChartSeries[];
  /** A value on the axis, in words. */
  format: (value: number) => string;
  /** Whether values are counted: no lines between whole numbers then. */
  whole?: boolean;
  /** Values are never above this, where there is a most: 1 for shares. */
  most?: number;
  /** Which point the pointer is at. */
  onPoint: (index: number | undefined) => void;
}

const HEIGHT_REM = 15;

/** What a custom property comes to here: `light-dark()` is only worked out where a colour is used. */
function colours(box: HTMLElement, names: string[]): string[] {
  const probe = document.createElement('span');
  box.append(probe);
  const found = names.map((name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  });
  probe.remove();
  return found;
}

export default function Chart(p: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const now = useRef(p);
  now.current = p;
  const choices = usePrefs();
  const names = p.series.map((s) => s.colour + s.label).join();

  useEffect(() => {
    const at = box.current;
    if (!at) return;
    const draw = () => {
      plot.current?.destroy();
      const { series } = now.current;
      const [text = '', line = '', ...strokes] = colours(at, ['--text-2', '--line', ...series.map((s) => s.colour)]);
      const style = getComputedStyle(at);
      const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
      const font = `${Math.round(rem * 0.75)}px ${style.fontFamily}`;
      const axis = { stroke: text, font, grid: { stroke: line, width: 1 }, ticks: { show: false } };
      plot.current = new uPlot(
        {
          width: at.clientWidth,
          height: rem * HEIGHT_REM,
          padding: [rem * 0.75, rem * 0.75, 0, 0],
          legend: { show: false },
          cursor: { y: false, points: { size: rem * 0.5 }, drag: { x: false, y: false } },
          scales: {
            y: {
              range: (_, __, max) => [0, now.current.most ?? Math.max(max * 1.1, 1)],
            },
          },
          axes: [
            { ...axis, grid: { show: false }, size: rem * 1.75, space: rem * 5, values: (_, splits) => splits.map((s) => time(s * 1000)) },
            {
              ...axis,
              space: rem * 2.5,
              incrs: () => (now.current.whole ? STEPS.filter((step) => step >= 1) : STEPS),
              values: (_, splits) => splits.map((s) => now.current.format(s)),
              size: (u, values) => {
                u.ctx.save();
                u.ctx.font = font;
                const widest = Math.max(0, ...(values ?? []).map((v) => u.ctx.measureText(v).width));
                u.ctx.restore();
                return Math.ceil(widest + rem);
              },
            },
          ],
          series: [
            {},
            ...series.map((s, i) => ({ label: s.label, stroke: strokes[i] ?? text, width: 2, points: { show: false }, spanGaps: false })),
          ],
          hooks: { setCursor: [(u) => now.current.onPoint(u.cursor.idx ?? undefined)] },
        },
        [now.current.times, ...series.map((s) => s.values)],
        at,
      );
    };
    draw();
    const dark = matchMedia('(prefers-color-scheme: dark)');
    dark.addEventListener('change', draw);
    const sized = new ResizeObserver(() => {
      const width = at.clientWidth;
      if (plot.current && width > 0 && width !== plot.current.width) plot.current.setSize({ width, height: plot.current.height });
    });
    sized.observe(at);
    return () => {
      dark.removeEventListener('change', draw);
      sized.disconnect();
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [names, choices.theme, choices.contrast, choices.elder, choices.lang, p.most]);

  useEffect(() => {
    plot.current?.setData([p.times, ...p.series.map((s) => s.values)]);
  }, [p.times, p.series]);

  return <div class="o-plot" ref={box} aria-hidden="true" />;
}
