// A fake admin API with the built dashboard in front of it, for development and component tests. No dependencies.
//
//   node dev/server.mjs [--port 8089] [--keys 100000] [--dist dist]
//
// Prints one line with the link that signs in. Tokens `fake-admin` and `fake-viewer` work too.
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { calls, makeState, problem } from './calls.mjs';
import { hex, makeKeys } from './data.mjs';
import { LiveFeed } from './live.mjs';
import { steerCalls } from './steer.mjs';

const kTypes = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml' };
// As src/api/page.cc sends them.
const kHeaders = {
  'content-security-policy': "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer', 'cross-origin-opener-policy': 'same-origin',
};
const adminOnly = (method, name) => (method !== 'GET' && !name.startsWith('/policy/what-if') && !['/policy/check', '/session'].includes(name)) || name === '/welcome';

function reply(response, result) {
  if (result === undefined) return response.writeHead(204).end();
  const full = result !== null && typeof result === 'object' && ('status' in result || 'headers' in result || 'type' in result) && ('body' in result || result.status === 204) ? result : { body: result };
  const type = full.type ?? (full.problem ? 'application/problem+json' : 'application/json');
  response.writeHead(full.status ?? 200, { 'content-type': type, ...full.headers });
  response.end(full.body === undefined ? undefined : typeof full.body === 'string' ? full.body : JSON.stringify(full.body));
}

function match(pattern, name) {
  const wanted = pattern.split('/');
  const parts = name.split('/');
  if (wanted.length !== parts.length) return null;
  const names = [];
  for (let i = 0; i < wanted.length; ++i) {
    if (wanted[i] === '{}') names.push(decodeURIComponent(parts[i]));
    else if (wanted[i] !== parts[i]) return null;
  }
  return names;
}

function session(state, token, body) {
  const caller = state.tokens.get(token);
  if (!caller && !state.codes.delete(body.code)) return problem(401, 'The code was used or is too old.');
  const made = `weiradmin_${hex(48)}`;
  state.tokens.set(made, caller ?? { name: 'link', role: 'admin', expires_at: new Date(Date.now() + 12 * 3_600_000).toISOString() });
  return { token: made, ...state.tokens.get(made) };
}

async function api(state, request, response, url) {
  const name = url.pathname.slice('/admin/v1'.length);
  const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
  let body = {};
  let text = '';
  for await (const piece of request) text += piece;
  if (text) body = JSON.parse(text);
  if (request.method === 'POST' && name === '/session') return reply(response, session(state, token, body));
  const caller = state.tokens.get(token);
  if (!caller) return reply(response, problem(401, 'This call needs the admin token.'));
  if (name === '/events') return state.live.watch(response);
  // What a test wants to be answered instead: state.answers.set('/runs', { status, body }).
  const instead = state.answers.get(name);
  if (instead) return reply(response, { status: 200, ...instead });
  for (const [method, pattern, handler] of [...steerCalls, ...calls]) {
    const names = method === request.method ? match(pattern, name) : null;
    if (!names) continue;
    if (caller.role !== 'admin' && adminOnly(method, name)) return reply(response, problem(403, 'This call needs the role admin.'));
    return reply(response, handler({ state, query: url.searchParams, body, names, headers: request.headers, caller, token }));
  }
  return reply(response, problem(404, 'Not found.'));
}

export async function startFake({ port = 0, keys = 2000, dist, firstRun = false } = {}) {
  const root = dist ?? path.join(path.dirname(fileURLToPath(import.meta.url)), '../dist');
  const list = makeKeys(keys);
  const live = new LiveFeed(list);
  const state = Object.assign(makeState(list, live), { firstRun, answers: new Map() });
  state.tokens.set('fake-admin', { name: 'anna', role: 'admin', expires_at: null });
  state.tokens.set('fake-viewer', { name: 'vera', role: 'viewer', expires_at: null });
  const server = http.createServer(async (request, response) => {
    const url = new URL(request.url, 'http://localhost');
    try {
      if (url.pathname.startsWith('/admin/v1/')) return await api(state, request, response, url);
      const file = url.pathname === '/' ? '/index.html' : path.normalize(url.pathname);
      const text = await readFile(path.join(root, file));
      response.writeHead(200, { 'content-type': kTypes[path.extname(file)] ?? 'application/octet-stream', ...kHeaders }).end(text);
    } catch (error) {
      if (!response.headersSent) response.writeHead(error.code === 'ENOENT' ? 404 : 500, { 'content-type': 'text/plain' });
      response.end(error.code === 'ENOENT' ? 'not found' : String(error.stack));
    }
  });
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`, state, live,
    stop() {
      clearInterval(live.timer);
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const option = (name, fallback) => { const at = process.argv.indexOf(`--${name}`); return at < 0 ? fallback : process.argv[at + 1]; };
  const fake = await startFake({ port: Number(option('port', 8089)), keys: Number(option('keys', 100_000)), dist: option('dist'), firstRun: true });
  console.log(`fake admin API: ${fake.url}/#code=demo-code`);
}
