// The live stream (GET /events), read by fetch because EventSource cannot send the token. One connection serves the whole
// page; it is opened with the first listener, closed with the last, and comes back by itself. Its state is never hidden.
import { errorOf, pathWith, session } from './client';
import type { Alert, Changed, DecisionEvent, Sampled, Tick } from './types';
import { createStore } from '../app/store';

export interface LiveEvents {
  decision: DecisionEvent;
  tick: Tick;
  sampled: Sampled;
  changed: Changed;
  alert: Alert;
}
export type LiveState = 'off' | 'connecting' | 'live' | 'waiting';

export const liveState = createStore<LiveState>('off');

// What people watch for; admissions and settlements are in the ticks.
const kOnly = 'refused,broken,warned,degraded,stripped';
const kMost = 500; // a second: nobody reads more, and a page should not draw more
const kSilenceMs = 40_000; // a comment line comes every 15 s
const kMaxPauseMs = 15_000;

type Listener = (data: never) => void;
const listeners = new Map<keyof LiveEvents, Set<Listener>>();
let running: AbortController | undefined;

export function onLive<K extends keyof LiveEvents>(event: K, listener: (data: LiveEvents[K]) => void): () => void {
  const set = listeners.get(event) ?? new Set<Listener>();
  listeners.set(event, set);
  set.add(listener as Listener);
  if (!running) void run((running = new AbortController()));
  return () => {
    set.delete(listener as Listener);
    if (![...listeners.values()].some((all) => all.size > 0)) stopLive();
  };
}

export function stopLive(): void {
  running?.abort();
  running = undefined;
  liveState.set('off');
}

function emit(event: string, text: string): void {
  const set = listeners.get(event as keyof LiveEvents);
  if (!set || set.size === 0) return;
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    return;
  }
  for (const listener of [...set]) listener(data as never);
}

// Takes pieces of the stream; calls `emit` for each whole event.
export function eventParser(take: (event: string, data: string) => void): (piece: string) => void {
  let rest = '';
  let event = 'message';
  let data: string[] = [];
  return (piece) => {
    rest += piece;
    const lines = rest.split(/\r\n|\n/);
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) take(event, data.join('\n'));
        event = 'message';
        data = [];
      } else if (line.startsWith('event:')) {
        event = line.slice(6).trim();
      } else if (line.startsWith('data:')) {
        data.push(line.slice(line.startsWith('data: ') ? 6 : 5));
      }
    }
  };
}

async function read(signal: AbortSignal): Promise<void> {
  const silence = new AbortController();
  const stop = (): void => silence.abort();
  signal.addEventListener('abort', stop);
  let timer = setTimeout(stop, kSilenceMs);
  try {
    const response = await fetch(pathWith('/events', { only: kOnly, most: kMost }), {
      headers: { authorization: `Bearer ${session.token ?? ''}`, accept: 'text/event-stream' },
      signal: silence.signal,
      cache: 'no-store',
      credentials: 'omit',
    });
    if (!response.ok || !response.body) throw await errorOf(response);
    liveState.set('live');
    const parse = eventParser(emit);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(stop, kSilenceMs);
      parse(value);
    }
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

async function run(control: AbortController): Promise<void> {
  let pause = 500;
  while (!control.signal.aborted) {
    liveState.set('connecting');
    const begin = Date.now();
    try {
      await read(control.signal);
    } catch (error) {
      if ((error as { status?: number }).status === 401) {
        session.end();
        return;
      }
    }
    if (control.signal.aborted) return;
    liveState.set('waiting');
    pause = Date.now() - begin > 10_000 ? 500 : Math.min(pause * 2, kMaxPauseMs);
    const wait = pause * (0.5 + Math.random() / 2);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, wait);
      control.signal.addEventListener('abort', () => { clearTimeout(timer); resolve(); }, { once: true });
    });
  }
}
