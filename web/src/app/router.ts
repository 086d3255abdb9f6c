// Hash routes: #/consumers/alice?tab=history. The part after ? is the screen's own, so that views can be bookmarked.
import { createStore } from './store';

export interface Route { screen: string; rest: string[]; query: URLSearchParams }

function parse(hash: string): Route {
  const text = hash.replace(/^#\/?/, '');
  const at = text.indexOf('?');
  const path = at < 0 ? text : text.slice(0, at);
  const parts = path.split('/').filter(Boolean).map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  return { screen: parts[0] ?? '', rest: parts.slice(1), query: new URLSearchParams(at < 0 ? '' : text.slice(at + 1)) };
}

export const route = createStore<Route>(parse(location.hash));

export function startRouter(): void {
  addEventListener('hashchange', () => route.set(parse(location.hash)));
}

type Values = Record<string, string | number | null | undefined>;

// link('consumers', 'alice') -> "#/consumers/alice"; values become the query.
export function link(screen: string, ...parts: (string | Values)[]): string {
  const query = new URLSearchParams();
  let path = `#/${screen}`;
  for (const part of parts) {
    if (typeof part === 'string') {
      path += `/${encodeURIComponent(part)}`;
    } else {
      for (const [name, value] of Object.entries(part)) {
        if (value !== null && value !== undefined && value !== '') query.set(name, String(value));
      }
    }
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

export function go(hash: string): void {
  location.hash = hash;
  route.set(parse(hash));
}

// Changes the screen's own part of the address without a new entry in the history.
export function setQuery(values: Values): void {
  const now = route.get();
  const query = new URLSearchParams(now.query);
  for (const [name, value] of Object.entries(values)) {
    if (value === null || value === undefined || value === '') query.delete(name);
    else query.set(name, String(value));
  }
  const hash = link(now.screen, ...now.rest, Object.fromEntries(query));
  history.replaceState(null, '', hash);
  route.set(parse(hash));
}
