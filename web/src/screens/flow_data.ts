// The last minutes in columns, and what a tick adds to them. Values in, values out.
import type { AuditRow, Columns, DecisionEvent, Live, Numbers, Tick } from '../api/types';

export type By = 'tier' | 'model';
export interface FlowView {
  times: number[]; // seconds since 1970
  all: Columns;
  tiers: Record<string, Columns>;
  models: Record<string, Columns>;
  layers: Record<string, number[]>;
  inFlight: number;
}

// A refusal or the like, of the stream or of the records.
export interface ShownEvent { time: string; what: string; request_id: string; key: string; limit: string; model: string; sentence: string | null }

const kinds = ['requests', 'refused', 'tokens', 'usd_micros'] as const;

export function emptyView(): FlowView {
  return { times: [], all: { requests: [], refused: [], tokens: [], usd_micros: [] }, tiers: {}, models: {}, layers: {}, inFlight: 0 };
}

const secondsOf = (instant: string): number => Math.floor(new Date(instant).getTime() / 1000);

export function shape(live: Live): FlowView {
  return {
    times: live.times.map(secondsOf),
    all: { requests: live.requests, refused: live.refused, tokens: live.tokens, usd_micros: live.usd_micros },
    tiers: live.by_tier, models: live.by_model, layers: live.by_layer, inFlight: live.in_flight,
  };
}

const push = (list: number[], value: number, from: number): number[] => [...list.slice(from), value];

function pushColumns(columns: Columns, numbers: Numbers | undefined, from: number): Columns {
  return Object.fromEntries(kinds.map((kind) => [kind, push(columns[kind], numbers?.[kind] ?? 0, from)])) as unknown as Columns;
}

function pushGroups(groups: Record<string, Columns>, numbers: Record<string, Numbers>, length: number, from: number): Record<string, Columns> {
  const out: Record<string, Columns> = {};
  for (const name of new Set([...Object.keys(groups), ...Object.keys(numbers)])) {
    const zeros = new Array<number>(length).fill(0);
    out[name] = pushColumns(groups[name] ?? { requests: zeros, refused: zeros, tokens: zeros, usd_micros: zeros }, numbers[name], from);
  }
  return out;
}

// A second that is there already (the answer of GET /live and a tick may overlap) is left as it is.
export function addSecond(view: FlowView, tick: Tick, max: number): FlowView {
  const time = secondsOf(tick.time);
  const length = view.times.length;
  if (length > 0 && time <= view.times[length - 1]!) return { ...view, inFlight: tick.in_flight };
  const from = Math.max(0, length + 1 - max);
  const layers: Record<string, number[]> = {};
  for (const name of new Set([...Object.keys(view.layers), ...Object.keys(tick.by_layer ?? {})])) {
    layers[name] = push(view.layers[name] ?? new Array<number>(length).fill(0), tick.by_layer?.[name] ?? 0, from);
  }
  return {
    times: push(view.times, time, from), all: pushColumns(view.all, tick, from), layers, inFlight: tick.in_flight,
    tiers: pushGroups(view.tiers, tick.by_tier ?? {}, length, from), models: pushGroups(view.models, tick.by_model ?? {}, length, from),
  };
}

export function addEvent(events: ShownEvent[], event: DecisionEvent, max: number): ShownEvent[] {
  return [event, ...events].slice(0, max);
}

// Rows of the records, newest first, below what the stream has shown already.
export function before(events: ShownEvent[], rows: AuditRow[]): ShownEvent[] {
  const name = (event: ShownEvent): string => `${event.request_id} ${event.what}`;
  const known = new Set(events.map(name));
  const older = rows.map((row): ShownEvent => ({ ...row, what: row.event, model: '' }));
  return [...events, ...older.filter((event) => !known.has(name(event)))];
}

// Mean of the last seconds.
export function perSecond(view: FlowView, seconds: number): Numbers {
  const mean = (list: number[]): number => {
    const part = list.slice(-seconds);
    return part.length === 0 ? 0 : part.reduce((sum, value) => sum + value, 0) / part.length;
  };
  return { requests: mean(view.all.requests), refused: mean(view.all.refused), tokens: mean(view.all.tokens), usd_micros: mean(view.all.usd_micros) };
}
