// Calls to the admin API: the session's token, answers as values, errors as ApiError whose message is meant for people.
import type { Diagnostic, Problem } from './types';

export type Query = Record<string, string | number | boolean | null | undefined>;

const kTokenName = 'weir.token';

let onSignedOut: (() => void) | undefined;

export const session = {
  get token(): string | null {
    return sessionStorage.getItem(kTokenName);
  },
  set(token: string | null): void {
    if (token === null) sessionStorage.removeItem(kTokenName);
    else sessionStorage.setItem(kTokenName, token);
  },
  // Called once a call was answered with 401: the token is known no more.
  onEnd(listener: () => void): void {
    onSignedOut = listener;
  },
  end(): void {
    this.set(null);
    onSignedOut?.();
  },
};

export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number, // 0: no answer came
    readonly diagnostics: Diagnostic[] = [],
    readonly retryAfter: number | null = null,
  ) {
    super(message);
  }
  get stale(): boolean {
    return this.status === 412;
  }
}

const kWords: Record<number, string> = {
  400: 'The server does not take this request.',
  401: 'You are signed out: the token is wrong, was revoked or has expired.',
  403: 'Your role may look, not change. Sign in with an admin token to do this.',
  404: 'There is no such thing (any more).',
  405: 'This server does not know this call.',
  409: 'The name is taken.',
  412: 'Somebody was faster: this was changed since you opened it.',
  415: 'The server does not take this kind of content.',
  422: 'The policy would not be valid this way.',
  429: 'Too many calls at once.',
  503: 'The server is busy or cannot reach its records.',
};

export async function errorOf(response: Response): Promise<ApiError> {
  let problem: Problem = {};
  if ((response.headers.get('content-type') ?? '').includes('json')) {
    problem = (await response.json().catch(() => ({}))) as Problem;
  }
  const wait = Number(response.headers.get('retry-after') ?? NaN);
  const retry = Number.isFinite(wait) ? wait : null;
  let words = problem.detail || problem.title || kWords[response.status] || `The server answered ${response.status}.`;
  if (response.status === 401) words = kWords[401]!;
  if (retry !== null && !/again|wait/i.test(words)) words += ` Try again in ${retry} s.`;
  return new ApiError(words, response.status, problem.diagnostics ?? [], retry);
}

export function pathWith(path: string, query: Query = {}): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== '') params.set(name, String(value));
  }
  const text = params.toString();
  return `/admin/v1${path}${text ? `?${text}` : ''}`;
}

export interface SendOptions {
  method?: string;
  query?: Query;
  body?: unknown;
  ifMatch?: string;
  signal?: AbortSignal;
  token?: string | null; // instead of the session's; null: none
}

export async function send(path: string, options: SendOptions = {}): Promise<Response> {
  const { method = 'GET', query, body, ifMatch, signal, token = session.token } = options;
  const headers: Record<string, string> = {};
  if (token) headers.authorization = `Bearer ${token}`;
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (ifMatch) headers['if-match'] = ifMatch;
  let response: Response;
  try {
    response = await fetch(pathWith(path, query), {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
      cache: 'no-store',
      credentials: 'omit',
      redirect: 'error',
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError('The server does not answer. Is it running?', 0);
  }
  if (response.ok) return response;
  const error = await errorOf(response);
  if (error.status === 401 && options.token === undefined) session.end();
  throw error;
}

export async function call<T>(path: string, options: SendOptions = {}): Promise<T> {
  const response = await send(path, options);
  if (response.status === 204) return undefined as T;
  return (await response.json()) as T;
}

// An answer and its ETag, for what is going to be edited.
export interface Tagged<T> { value: T; etag: string }

export async function tagged<T>(path: string, options: SendOptions = {}): Promise<Tagged<T>> {
  const response = await send(path, options);
  return { value: (await response.json()) as T, etag: response.headers.get('etag') ?? '' };
}
