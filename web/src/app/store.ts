// A value that components watch.
//
//   const theme = createStore('light');     theme.set('dark');     const now = useStore(theme);
import { useEffect, useState } from 'preact/hooks';

export interface Store<T> {
  get(): T;
  set(value: T): void;
  watch(listener: (value: T) => void): () => void;
}

export function createStore<T>(initial: T): Store<T> {
  let current = initial;
  const listeners = new Set<(value: T) => void>();
  return {
    get: () => current,
    set(value) {
      if (Object.is(value, current)) return;
      current = value;
      for (const listener of [...listeners]) listener(value);
    },
    watch(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

export function useStore<T>(store: Store<T>): T {
  const [value, setValue] = useState<{ now: T }>({ now: store.get() });
  useEffect(() => {
    setValue({ now: store.get() });
    return store.watch((now) => setValue({ now }));
  }, [store]);
  return value.now;
}
