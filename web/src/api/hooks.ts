// Loading in components.
//
//   const keys = useLoad((signal) => api.keys({ search }, signal), [search]);
//   if (!keys.data) return <Pending of={keys} />;
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { onLive, type LiveEvents } from './events';
import { ApiError } from './client';

export interface Load<T> {
  data: T | undefined; // the last answer; stays while the next is on its way
  error: ApiError | undefined;
  loading: boolean;
  reload: () => void;
}

export function useLoad<T>(load: (signal: AbortSignal) => Promise<T>, deps: unknown[]): Load<T> {
  const [state, setState] = useState<{ data?: T; error?: ApiError; loading: boolean }>({ loading: true });
  const [round, setRound] = useState(0);
  const loader = useRef(load);
  loader.current = load;
  useEffect(() => {
    const control = new AbortController();
    setState((old) => ({ data: old.data, error: undefined, loading: true }));
    loader.current(control.signal).then(
      (data) => { if (!control.signal.aborted) setState({ data, loading: false }); },
      (error: unknown) => {
        if (control.signal.aborted) return;
        const known = error instanceof ApiError ? error : new ApiError(String(error), 0);
        setState((old) => ({ data: old.data, error: known, loading: false }));
      },
    );
    return () => control.abort();
  }, [...deps, round]);
  const reload = useCallback(() => setRound((n) => n + 1), []);
  return { data: state.data, error: state.error, loading: state.loading, reload };
}

// Calls `listener` with each live event of a kind while the component is shown.
export function useLive<K extends keyof LiveEvents>(event: K, listener: (data: LiveEvents[K]) => void): void {
  const latest = useRef(listener);
  latest.current = listener;
  useEffect(() => onLive(event, (data) => latest.current(data)), [event]);
}

// Reads again when somebody changed keys, policy or breakers.
export function useReloadOn(what: LiveEvents['changed']['what'][], reload: () => void): void {
  useLive('changed', (event) => { if (what.includes(event.what)) reload(); });
}

// Calls `tick` every so many milliseconds while the page is visible.
export function useInterval(tick: () => void, ms: number): void {
  const latest = useRef(tick);
  latest.current = tick;
  useEffect(() => {
    const timer = setInterval(() => { if (!document.hidden) latest.current(); }, ms);
    return () => clearInterval(timer);
  }, [ms]);
}

// The time now, once a second, for countdowns.
export function useNow(ms = 1000): number {
  const [now, setNow] = useState(Date.now());
  useInterval(() => setNow(Date.now()), ms);
  return now;
}

// `value` once it has not changed for `ms`.
export function useSettled<T>(value: T, ms = 250): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return settled;
}
