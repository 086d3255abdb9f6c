// Errors that are not refusals: 401, 404, 405, 413, 502, each in the shape of the route's dialect or as a problem.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import net from 'node:net';
import { startProvider } from '../mock/provider.mjs';
import { eventually, mockConfig, startWeir } from '../support/weir.mjs';

let provider;
let weir;
let key;
let deadPort;

// A port on which nobody listens.
async function unusedPort() {
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

before(async () => {
  provider = await startProvider();
  deadPort = await unusedPort();
  const base = mockConfig(provider);
  weir = await startWeir({
    ...base,
    providers: {
      ...base.providers,
      dead: { dialect: 'openai', url: `http://127.0.0.1:${deadPort}`, key: 'k' },
      deadc: { dialect: 'anthropic', url: `http://127.0.0.1:${deadPort}`, key: 'k' },
      hasty: { dialect: 'openai', url: provider.url, key: 'k', timeouts: { first_byte: '300ms', total: '400ms', idle: '300ms' } },
    },
    models: { 'dead-openai': { provider: 'dead', price: { input: 1, output: 1 } },
      'dead-anthropic': { provider: 'deadc', price: { input: 1, output: 1 } },
      'mock-stall': { provider: 'hasty', price: { input: 1, output: 1 } }, ...base.models },
    upstreams: [{ path: '/api/**', kind: 'http', url: provider.url }, { path: '/gone', kind: 'http', url: `http://127.0.0.1:${deadPort}` }],
    bounds: { body: '64k' },
    auth_failures: { per: 'ip', allow: '200/1m' },
  });
  key = await weir.createKey('errors');
});
after(async () => {
  await weir?.stop();
  await provider?.close();
});

async function call(path, { method = 'POST', token = key, body, headers = {} } = {}) {
  const response = await fetch(`${weir.url}${path}`, {
    method, body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
    headers: { ...(token ? { authorization: `Bearer ${token}` } : {}), 'content-type': 'application/json', ...headers },
  });
  const text = await response.text();
  let json;
  try { json = JSON.parse(text); } catch { json = undefined; }
  return { status: response.status, headers: response.headers, text, json };
}

const messages = [{ role: 'user', content: 'one two three' }];
const openai = (rest = {}) => call('/v1/chat/completions', { body: { model: 'mock-out=1', messages }, ...rest });
const anthropic = (rest = {}) => call('/v1/messages', { body: { model: 'mockc-out=1', max_tokens: 5, messages }, ...rest });

function isOpenAi(answer, status, type, code) {
  assert.equal(answer.status, status, answer.text);
  assert.deepEqual(Object.keys(answer.json), ['error']);
  for (const name of ['message', 'type', 'param', 'code']) assert.ok(name in answer.json.error, name);
  if (type !== undefined) assert.equal(answer.json.error.type, type);
  if (code !== undefined) assert.equal(answer.json.error.code, code);
  assert.ok(answer.headers.get('x-weir-request-id'));
}
function isAnthropic(answer, status, type) {
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.json.type, 'error');
  assert.equal(answer.json.error.type, type);
  assert.ok(answer.json.error.message);
}
function isProblem(answer, status) {
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.headers.get('content-type').split(';')[0], 'application/problem+json');
  assert.equal(answer.json.status, status);
  assert.ok(answer.json.title);
}

test('401: no key', async () => {
  isOpenAi(await openai({ token: null }), 401);
  isAnthropic(await anthropic({ token: null }), 401, 'authentication_error');
  isProblem(await call('/api/x', { token: null }), 401);
  const me = await call('/weir/v1/me', { method: 'GET', token: null });
  assert.equal(me.status, 401);
});

test('keys are taken from each of the four headers', async () => {
  for (const headers of [{ 'x-api-key': key }, { 'api-key': key }, { 'x-goog-api-key': key }]) {
    assert.equal((await openai({ token: null, headers })).status, 200, Object.keys(headers)[0]);
  }
});

test('404: unknown path names kind: http; unknown model', async () => {
  const path = await call('/v1/nothing', { body: {} });
  assert.equal(path.status, 404);
  assert.match(path.text, /kind: http/);
  isOpenAi(await openai({ body: { model: 'nobody-1', messages } }), 404, undefined, 'model_not_found');
  isAnthropic(await anthropic({ body: { model: 'nobody-1', max_tokens: 5, messages } }), 404, 'not_found_error');
});

test('a model of the other dialect is not called', async () => {
  const before = provider.requests.length;
  const answer = await openai({ body: { model: 'mockc-out=1', messages } });
  assert.ok(answer.status >= 400 && answer.status < 500, answer.text);
  assert.equal(provider.requests.length, before);
});

test('a wrong method is answered, not forwarded', async () => {
  const answer = await call('/v1/chat/completions', { method: 'GET' });
  assert.ok([404, 405].includes(answer.status), answer.text);
});

test('413: a body over the bound', async () => {
  const body = { model: 'mock-out=1', messages: [{ role: 'user', content: 'x'.repeat(70_000) }] };
  isOpenAi(await openai({ body }), 413, 'invalid_request_error');
  isAnthropic(await anthropic({ body: { ...body, max_tokens: 5, model: 'mockc-out=1' } }), 413, 'request_too_large');
  isProblem(await call('/api/x', { body }), 413);
  assert.equal((await weir.limit(key, 'tokens')).reserved, 0);
});

test('502: the provider cannot be reached; nothing is charged but the request', async () => {
  const name = 'unreachable';
  const token = await weir.createKey(name);
  const answer = await openai({ token, body: { model: 'dead-openai', messages } });
  isOpenAi(answer, 502);
  isAnthropic(await anthropic({ token, body: { model: 'dead-anthropic', max_tokens: 5, messages } }), 502, 'api_error');
  isProblem(await call('/gone', { token, method: 'GET' }), 502);
  const rows = await weir.usage((all) => all.filter((row) => row.key === name).length >= 3);
  for (const row of rows.filter((r) => r.key === name)) {
    assert.deepEqual([row.status, row.output_tokens, row.usd_micros, row.settled], [502, 0, 0, 'none']);
  }
  const limits = (await weir.me(token)).limits;
  assert.equal(limits.find((limit) => limit.name === 'requests').used, 3);
  assert.equal(limits.find((limit) => limit.name === 'tokens').used, 0);
});

test('504: the provider says nothing in time; charged as counted', async () => {
  const token = await weir.createKey('hasty');
  const answer = await openai({ token, body: { model: 'mock-stall', messages } });
  isOpenAi(answer, 504);
  const rows = await weir.usage((all) => all.some((row) => row.key === 'hasty'));
  assert.equal(rows.find((row) => row.key === 'hasty').settled, 'counted');
});

test('an answer cut by the provider: the client sees a broken answer, not a good one', async () => {
  const token = await weir.createKey('cut');
  const broken = async () => {
    const answer = await openai({ token, body: { model: 'mock-cut+out=40', messages, stream: true, max_tokens: 40 } });
    return answer.text.includes('[DONE]') ? 'complete' : answer.text.includes('"error"') ? 'error event' : 'cut';
  };
  const seen = await broken().catch(() => 'closed');
  assert.ok(['closed', 'error event'].includes(seen), seen);
  const rows = await weir.usage((all) => all.some((row) => row.key === 'cut'));
  const row = rows.find((r) => r.key === 'cut');
  assert.equal(row.settled, 'counted');
  assert.ok(row.output_tokens > 0);
});

test('too many wrong keys from one address: 429, and a valid key is not locked out', async () => {
  const statuses = new Set();
  await eventually(async () => {
    const answer = await openai({ token: 'weir_111111111111111111111111_111111' });
    statuses.add(answer.status);
    return answer.status === 429;
  }, 'wrong keys are limited');
  assert.deepEqual([...statuses].sort(), [401, 429]);
  assert.equal((await openai()).status, 200);
});
