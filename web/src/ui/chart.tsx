// A chart over time by uPlot, and the same numbers as a table for those who cannot or do not want to read a picture.
//
//   <Chart label="Requests" times={seconds} series={[{ name: 'pro', values, color: 0 }]} format={short} stacked />
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { theme } from '../app/theme';
import { useStore } from '../app/store';
import { IconButton } from './button';
import { clock, day, short } from './format';

export interface ChartSeries { name: string; values: (number | null)[]; color?: number | 'danger' | 'muted'; dash?: boolean }

const kColors = 8;
const kMaxTableRows = 60;
const kWhole = Array.from({ length: 15 }, (_, i) => [1, 2, 5].map((step) => step * 10 ** i)).flat();

function cssColor(color: ChartSeries['color'], at: number): string {
  const name = typeof color === 'string' ? `--chart-${color}` : `--chart-${((color ?? at) % kColors) + 1}`;
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// Opaque, so that what is stacked in front does not take the colour of what is behind.
const fade = (color: string, percent: number): string => {
  const surface = getComputedStyle(document.documentElement).getPropertyValue('--surface').trim();
  return `color-mix(in srgb, ${color} ${percent}%, ${surface})`;
};

// Adds up series from the first to the last, so that each is drawn on top of those before.
function stack(series: ChartSeries[]): (number | null)[][] {
  const sum: number[] = [];
  return series.map(({ values }) => values.map((value, i) => (sum[i] = (sum[i] ?? 0) + (value ?? 0))));
}

export function Chart({ label, times, series, format = short, stacked = false, height = 180, step = 'second', bars = false, max, empty = 1, whole = false, mark = format }: {
  label: string; times: number[]; series: ChartSeries[]; format?: (value: number) => string; mark?: (value: number, step: number) => string; stacked?: boolean; height?: number;
  step?: 'second' | 'hour' | 'day'; bars?: boolean; max?: number;
  whole?: boolean; // of things that are counted: no half marks on the axis
  empty?: number; // the top of the axis while everything is zero
}) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [table, setTable] = useState(false);
  const [at, setAt] = useState<number | null>(null);
  const dark = useStore(theme.dark);
  const names = series.map((s) => s.name).join('\n');
  const data = useMemo(() => {
    const values = stacked ? stack(series).reverse() : series.map((s) => s.values);
    return [times, ...values] as uPlot.AlignedData;
  }, [times, series, stacked]);
  const latest = useRef(data);
  latest.current = data;
  const formatted = useRef(mark);
  formatted.current = mark;

  useEffect(() => {
    if (table || !box.current) return;
    const element = box.current;
    const css = getComputedStyle(document.documentElement);
    const ink = css.getPropertyValue('--text-3').trim();
    const line = css.getPropertyValue('--grid').trim();
    const shown = stacked ? series.map((s, i) => [s, i] as const).reverse() : series.map((s, i) => [s, i] as const);
    const axis = { stroke: ink, font: `11px ${css.getPropertyValue('--font')}`, ticks: { show: false }, grid: { stroke: line, width: 1 } };
    const options: uPlot.Options = {
      width: Math.max(element.clientWidth, 100),
      height,
      legend: { show: false },
      padding: [8, 20, 0, 0],   // half of the last time's label is beside the plot
      cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
      // Bars stand on their time: the first and the last need half a step beside them.
      scales: { x: { time: true, ...(bars && times.length > 1 ? { range: (u: uPlot, low: number, high: number): [number, number] => {
        const half = ((u.data[0][1] ?? 0) - (u.data[0][0] ?? 0)) / 2;
        return [low - half, high + half];
      } } : {}) }, y: { range: (_, __, top) => [0, Math.max(max ?? 0, top > 0 ? top * 1.08 : empty)] } },
      axes: [
        { ...axis, grid: { show: false }, size: 24, space: 56,
          values: (_, splits) => splits.map((s) => (step === 'day' ? day(s * 1000) : clock(s * 1000).slice(0, step === 'hour' || s % 60 === 0 ? 5 : 8))) },
        { ...axis, size: (_, labels) => Math.max(44, 12 + 6.6 * Math.max(0, ...(labels ?? []).map((text) => text.length))), space: 34, ...(whole ? { incrs: kWhole } : {}), values: (_, splits, __, ___, step) => splits.map((v) => formatted.current(v, step)) },
      ],
      series: [
        {},
        ...shown.map(([s, i]) => {
          const color = cssColor(s.color, i);
          return {
            label: s.name, stroke: color, width: 1.5, dash: s.dash ? [5, 4] : undefined, points: { show: false },
            fill: s.dash ? undefined : fade(color, stacked ? 45 : 12),
            ...(bars ? { paths: uPlot.paths.bars!({ size: [0.72, 40], radius: 0.12 }), fill: fade(color, 85), width: 0 } : {}),
          };
        }),
      ],
      hooks: { setCursor: [(u) => setAt(u.cursor.idx ?? null)] },
    };
    const made = new uPlot(options, latest.current, element);
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: Math.max(element.clientWidth, 100), height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [names, dark, table, stacked, height, step, bars, whole]);

  useEffect(() => { plot.current?.setData(data); }, [data]);

  const last = at ?? times.length - 1;
  const timeText = (t: number): string => (step === 'day' ? day(t * 1000) : step === 'hour' ? `${day(t * 1000)} ${clock(t * 1000).slice(0, 5)}` : clock(t * 1000));
  return (
    <figure class="chart" aria-label={label}>
      <figcaption>
        <ul class="legend">
          {series.map((s, i) => (
            <li key={s.name}><span class={`swatch c-${typeof s.color === 'string' ? s.color : ((s.color ?? i) % kColors) + 1}`} />
              <span class="legend-name">{s.name}</span> <b>{s.values[last] === null || s.values[last] === undefined ? '–' : format(s.values[last]!)}</b></li>
          ))}
        </ul>
        <span class="chart-at">{at !== null && times[at] !== undefined ? timeText(times[at]!) : ''}</span>
        <IconButton icon={table ? 'chart' : 'table'} label={table ? `Show ${label} as a chart` : `Show ${label} as a table`} onClick={() => setTable(!table)} />
      </figcaption>
      {table
        ? (
          <div class="table-wrap chart-table" tabIndex={0} role="region" aria-label={`${label}, as a table`}>
            <table class="table">
              <thead><tr><th scope="col">Time</th>{series.map((s) => <th key={s.name} scope="col" class="number">{s.name}</th>)}</tr></thead>
              <tbody>
                {times.map((t, i) => [t, i] as const).slice(-kMaxTableRows).reverse().map(([t, i]) => (
                  <tr key={t}><td>{timeText(t)}</td>{series.map((s) => <td key={s.name} class="number">{s.values[i] === null || s.values[i] === undefined ? '–' : format(s.values[i]!)}</td>)}</tr>
                ))}
              </tbody>
            </table>
          </div>
        )
        : <div ref={box} class="chart-box" role="img" aria-label={`${label}: chart. The button before it shows the numbers as a table.`} />}
    </figure>
  );
}
