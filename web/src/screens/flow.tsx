// Flow: what passes now, what it costs and what is refused, second by second.
import { useMemo, useRef, useState } from 'preact/hooks';
import { api } from '../api/calls';
import { useInterval, useLive, useLoad } from '../api/hooks';
import type { Live } from '../api/types';
import { link, setQuery } from '../app/router';
import type { ScreenProps } from '../app/screens';
import { Button } from '../ui/button';
import { Chart, type ChartSeries } from '../ui/chart';
import { clock, count, percent, short, usd, usdMark } from '../ui/format';
import { Badge, PageHead, Panel, Stat, Stats, toneOfEvent } from '../ui/layout';
import { Empty, Notice, Pending } from '../ui/states';
import { Table } from '../ui/table';
import { Choice } from '../ui/tabs';
import { addEvent, addSecond, before, emptyView, perSecond, shape, type By, type FlowView, type ShownEvent } from './flow_data';
import '../styles/flow.css';

const kMaxEvents = 60;
const kBefore = 20;

interface Shown { view: FlowView; events: ShownEvent[]; sampled: { shown: number; of: number } | null }

// Ticks and events are collected as they come and shown four times a second at most, whatever their number.
function useFlow(paused: boolean, seconds: number) {
  const now = useRef<Shown>({ view: emptyView(), events: [], sampled: null });
  const held = useRef(0);
  const dirty = useRef(false);
  const sampledAt = useRef(0);
  const [shown, setShown] = useState<Shown>(now.current);
  const load = useLoad(async (signal) => {
    const live = await api.live(seconds, signal);
    now.current = { ...now.current, view: shape(live) };
    dirty.current = true;
    return live;
  }, [seconds]);
  // What was refused before the page was opened comes from the records, so that a list that is empty means something.
  const old = useLoad(async (signal) => {
    const { rows } = await api.audit({ since: '15m', event: 'decisions', page_size: kBefore }, signal);
    now.current = { ...now.current, events: before(now.current.events, rows).slice(0, kMaxEvents) };
    dirty.current = true;
    return rows;
  }, []);
  const lastTick = useRef(0);
  useLive('tick', (tick) => {
    // After a pause of the stream the seconds in between are asked for.
    if (lastTick.current && Date.now() - lastTick.current > 5000) load.reload();
    lastTick.current = Date.now();
    now.current = { ...now.current, view: addSecond(now.current.view, tick, seconds) };
    if (now.current.sampled && Date.now() - sampledAt.current > 4000) now.current = { ...now.current, sampled: null };
    dirty.current = true;
  });
  useLive('decision', (event) => {
    now.current = { ...now.current, events: addEvent(now.current.events, event, kMaxEvents) };
    held.current += 1;
    dirty.current = true;
  });
  useLive('sampled', (sampled) => {
    sampledAt.current = Date.now();
    now.current = { ...now.current, sampled };
    dirty.current = true;
  });
  const [waiting, setWaiting] = useState(0);
  useInterval(() => {
    if (!dirty.current) return;
    dirty.current = false;
    if (paused) return setWaiting(held.current);
    held.current = 0;
    setWaiting(0);
    setShown(now.current);
  }, 250);
  return { load, old, shown, waiting };
}

export default function Flow({ route }: ScreenProps) {
  const [paused, setPaused] = useState(false);
  const by = (route.query.get('by') ?? 'tier') as By;
  const minutes = Number(route.query.get('minutes') ?? 5);
  const { load, old, shown, waiting } = useFlow(paused, minutes * 60);
  const { view } = shown;
  const charts = useMemo(() => series(view, by, minutes * 60), [view, by, minutes]);
  const rate = useMemo(() => perSecond(view, 10), [view]);
  const usual = useMemo(() => perSecond(view, view.times.length), [view]);
  const head = (
    <PageHead title="Flow" lead="What passes right now, what it costs, and what is refused."
      actions={<>
        <Choice label="Show the last" value={String(minutes)} onChange={(value) => setQuery({ minutes: value })}
          options={[{ value: '1', label: '1 min' }, { value: '5', label: '5 min' }, { value: '15', label: '15 min' }]} />
        <Choice label="By" value={by} onChange={(value) => setQuery({ by: value })}
          options={[{ value: 'tier', label: 'By tier' }, { value: 'model', label: 'By model' }]} />
        <Button icon={paused ? 'play' : 'pause'} pressed={paused} onClick={() => setPaused(!paused)}>{paused ? 'Resume' : 'Pause'}</Button>
      </>} />
  );
  if (!load.data) return <>{head}<Pending of={load} lines={8} /></>;
  // Refused calls of tools and streams that are cut are refusals too, and no further requests.
  const share = rate.requests > 0 ? Math.min(1, rate.refused / rate.requests) : null;
  const mean = `${minutes}-minute mean`;
  return (
    <>
      {head}
      {paused && <Notice tone="warn">Paused: this is how it was at {clock(view.times[view.times.length - 1]! * 1000)}.{waiting > 0 && ` ${count(waiting)} more ${waiting === 1 ? 'event' : 'events'} since.`}</Notice>}
      <Stats>
        <Stat label="Asked" value={short(rate.requests)} unit="/s" note={`mean ${short(usual.requests)}`} title={`requests of the last ten seconds, admitted or not; ${mean}`} />
        <Stat label="Tokens" value={short(rate.tokens)} unit="/s" note={`mean ${short(usual.tokens)}`} title={`settled in the last ten seconds; ${mean}`} />
        <Stat label="Spend" value={usd(rate.usd_micros * 3600)} unit="/h" note={`mean ${usd(usual.usd_micros * 3600)}`} title={`at the rate of the last ten seconds; ${mean}`} />
        <Stat label="Refused" value={short(rate.refused)} unit="/s" tone={(share ?? 0) > 0.1 ? 'danger' : undefined} note={share === null ? 'nothing came' : `${percent(share, share < 0.1 ? 1 : 0)} of those asked`} />
        <Stat label="In flight" value={count(view.inFlight)} />
      </Stats>
      <div class="grid-2">
        <Panel title="Requests" note="asked per second, refused ones too"><Chart label="Requests per second" times={charts.times} series={charts.requests} format={short} whole stacked /></Panel>
        <Panel title="Refusals" note={view.layers.entry ? 'per second, by layer; entry: no valid key, or not understood' : 'per second, by layer'}><Chart label="Refusals per second" times={charts.times} series={charts.refused} format={short} whole stacked /></Panel>
        <Panel title="Tokens" note="per second, settled"><Chart label="Tokens per second" times={charts.times} series={charts.tokens} format={short} whole stacked /></Panel>
        <Panel title="Spend" note="per second, settled"><Chart label="Dollars per second" times={charts.times} series={charts.usd} format={usd} mark={usdMark} empty={10_000} stacked /></Panel>
      </div>
      <div class="split">
        <Panel title="Refusals as they happen" note={shown.sampled && !paused ? <Badge tone="warn">Sampled: {count(shown.sampled.shown)} of {count(shown.sampled.of)} in the last second</Badge> : undefined}
          actions={<a href={link('refusals')}>All refusals</a>} flush>
          {old.data || old.error || shown.events.length > 0 ? <Events events={shown.events} /> : <Pending of={old} />}
        </Panel>
        <Panel title="Busiest consumers" note="last minute" flush><Busiest live={load.data} reload={load.reload} paused={paused} /></Panel>
      </div>
    </>
  );
}

function series(view: FlowView, by: By, seconds: number) {
  const from = Math.max(0, view.times.length - seconds);
  const groups = by === 'tier' ? view.tiers : view.models;
  const names = Object.keys(groups).sort();
  const of = (kind: 'requests' | 'tokens' | 'usd_micros'): ChartSeries[] =>
    names.length === 0 ? [{ name: 'all', color: 0, values: view.all[kind].slice(from) }] : names.map((name, i) => ({ name, color: i, values: groups[name]![kind].slice(from) }));
  const layers = Object.keys(view.layers).sort();
  return {
    times: view.times.slice(from),
    requests: of('requests'), tokens: of('tokens'), usd: of('usd_micros'),
    refused: layers.length > 0
      ? layers.map((name, i): ChartSeries => ({ name, color: i === 0 ? 'danger' : i, values: view.layers[name]!.slice(from) }))
      : [{ name: 'refused', color: 'danger' as const, values: view.all.refused.slice(from) }],
  };
}

function Events({ events }: { events: ShownEvent[] }) {
  if (events.length === 0) return <Empty icon="check" title="Nothing was refused in the last 15 minutes">New refusals appear here by themselves.</Empty>;
  return (
    <ol class="events" tabIndex={0} aria-label="Refusals as they happen">
      {events.map((event) => (
        <li key={`${event.request_id}${event.time}${event.what}`}>
          <time class="muted" dateTime={event.time}>{clock(event.time)}</time>
          <div class="event-text">
            <p>{event.sentence ?? `${event.key || 'A caller without a key'}: ${event.what} by ${event.limit}`}</p>
            <p class="event-meta">
              <Badge tone={toneOfEvent(event.what)}>{event.what}</Badge>
              {event.key && <a href={link('consumers', event.key)}>{event.key}</a>}
              {event.limit && <a href={link('refusals', { limit: event.limit })}>{event.limit}</a>}
              {event.model && <span>{event.model}</span>}
            </p>
          </div>
        </li>
      ))}
    </ol>
  );
}

function Busiest({ live, reload, paused }: { live: Live; reload: () => void; paused: boolean }) {
  useInterval(() => { if (!paused) reload(); }, 10_000);
  if (live.top_keys.length === 0) return <Empty icon="consumers" title="Nobody sent anything in the last minute" />;
  return (
    <Table label="Busiest consumers" rows={live.top_keys} rowKey={(row) => row.key} href={(row) => link('consumers', row.key)}
      columns={[
        { head: 'Key', cell: (row) => row.key, grow: true },
        { head: 'Asked', cell: (row) => count(row.requests), number: true },
        { head: 'Tokens', cell: (row) => short(row.tokens), number: true, narrow: false },
        { head: 'Spend', cell: (row) => usd(row.usd_micros), number: true },
        { head: 'Refused', cell: (row) => (row.refused ? <span class="tone-danger">{count(row.refused)}</span> : '0'), number: true },
      ]} />
  );
}
