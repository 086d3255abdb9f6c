// What answers and refusals carry on the wire: limit headers, request ids, cost, and why a request was refused.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';
import zlib from 'node:zlib';
import { startProvider } from '../mock/provider.mjs';
import { mockConfig, startWeir } from '../support/weir.mjs';

let provider;
let weir;

before(async () => {
  provider = await startProvider();
  weir = await startWeir(mockConfig(provider, {
    default_tier: 'free',
    tiers: { free: { weight: 1 }, small: { weight: 1 } },
    upstreams: [{ path: '/api/**', kind: 'http', url: provider.url }],
    limits: [
      { name: 'requests', per: 'key', meter: 'requests', allow: { free: ['100/1m', '1000/1h'], small: ['3/1h'] } },
      { name: 'tokens', per: 'key', meter: 'tokens', allow: { free: '50k/1m', small: '2000/1h' } },
      { name: 'spend', per: 'key', meter: 'usd', allow: '10/day', fail: 'closed' },
      { name: 'in-flight', per: 'key', meter: 'concurrency', allow: 4 },
    ],
  }));
});
after(async () => {
  await weir?.stop();
  await provider?.close();
});

const messages = [{ role: 'user', content: 'one two three' }];

async function call(path, key, body, headers = {}) {
  const response = await fetch(`${weir.url}${path}`, {
    method: 'POST', body: JSON.stringify(body),
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: text.startsWith('{') ? JSON.parse(text) : undefined };
}
const chat = (key, body, headers) => call('/v1/chat/completions', key, { model: 'mock-out=4', messages, ...body }, headers);
const ask = (key, body, headers) => call('/v1/messages', key, { model: 'mockc-out=4', max_tokens: 50, messages, ...body }, headers);

// Items of a structured-field list of strings with parameters: name -> {parameter: value}.
function items(value) {
  const result = new Map();
  for (const item of value.split(/,\s*(?=")/)) {
    const [name, ...parameters] = item.split(';');
    result.set(JSON.parse(name), Object.fromEntries(parameters.map((p) => p.trim().split('='))));
  }
  return result;
}

test('an answer carries id, tokens, cost and the two tightest limits', async () => {
  const key = await weir.createKey('answers');
  const answer = await chat(key);
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get('x-weir-request-id'), /^\S{8,}$/);
  assert.equal(answer.headers.get('x-weir-tokens'), '7');
  assert.equal(answer.headers.get('x-weir-cost-usd'), '0.000011');
  const policy = items(answer.headers.get('ratelimit-policy'));
  const state = items(answer.headers.get('ratelimit'));
  assert.equal(policy.size, 2);
  assert.deepEqual([...policy.keys()].sort(), [...state.keys()].sort());
  for (const [name, { q }] of policy) {
    assert.ok(Number(q) > 0, name);
    assert.ok(Number(state.get(name).r) <= Number(q), name);
    assert.match(state.get(name).r, /^[0-9]+$/);
  }
  assert.equal(answer.headers.get('x-mock'), 'yes', "the provider's own headers pass");
  assert.equal(answer.headers.get('x-ratelimit-limit-requests'), '100');
  assert.equal(answer.headers.get('x-ratelimit-limit-tokens'), '50000');
  assert.ok(Number(answer.headers.get('x-ratelimit-remaining-requests')) < 100);
  assert.match(answer.headers.get('x-ratelimit-reset-requests'), /^[0-9.hms]+$/);
  const second = await chat(key);
  assert.notEqual(second.headers.get('x-weir-request-id'), answer.headers.get('x-weir-request-id'));
  assert.ok(Number(second.headers.get('x-ratelimit-remaining-requests')) < Number(answer.headers.get('x-ratelimit-remaining-requests')));
});

test('windows of one limit are items of their own, calendar and dollars as the contract says', async () => {
  const key = await weir.createKey('items');
  let seen = new Map();
  // Large requests make tokens and dollars the tightest; small ones the requests.
  for (const max_tokens of [1, 40_000]) {
    const answer = await chat(key, { max_tokens, model: 'mock-out=1' });
    assert.equal(answer.status, 200, answer.text);
    seen = new Map([...seen, ...items(answer.headers.get('ratelimit-policy'))]);
  }
  const names = new Set([...seen.keys()]);
  for (const name of names) assert.match(name, /^(requests-1m|requests-1h|tokens|spend|in-flight)$/);
  if (seen.has('requests-1m')) assert.deepEqual([seen.get('requests-1m').q, seen.get('requests-1m').w], ['100', '60']);
  if (seen.has('in-flight')) assert.equal(seen.get('in-flight').w, undefined);
  if (seen.has('spend')) {
    assert.deepEqual([seen.get('spend').q, seen.get('spend').w, seen.get('spend')['weir-unit']], ['10000000', '86400', '"usd-micros"']);
  }
});

test('a stream has no totals in its headers, but an id and limits', async () => {
  const key = await weir.createKey('stream-headers');
  const answer = await chat(key, { stream: true });
  assert.equal(answer.headers.get('x-weir-tokens'), null);
  assert.ok(answer.headers.get('x-weir-request-id'));
  assert.ok(answer.headers.get('ratelimit'));
  assert.match(answer.headers.get('content-type'), /^text\/event-stream/);
});

// Uses up the three requests of a small key.
async function exhausted(name) {
  const key = await weir.createKey(name, { tier: 'small', tenant: 'acme' });
  for (let i = 0; i < 3; i += 1) {
    const answer = await chat(key, { model: 'mock-out=1', max_tokens: 1 });
    assert.equal(answer.status, 200, answer.text);
  }
  return key;
}

function checkMachinePart(part) {
  for (const name of ['limit', 'layer', 'per', 'meter', 'allowed', 'window', 'used', 'reserved', 'requested', 'retry_after', 'reset_at', 'also']) {
    assert.ok(name in part, `machine part has ${name}`);
  }
  assert.ok(part.used + part.reserved + part.requested > part.allowed);
  assert.ok(Array.isArray(part.also));
}

test('429 in the OpenAI shape', async () => {
  const key = await exhausted('refused-openai');
  const before = provider.requests.length;
  const answer = await chat(key);
  assert.equal(answer.status, 429);
  assert.equal(provider.requests.length, before);
  assert.equal(answer.headers.get('content-type').split(';')[0], 'application/json');
  const { error } = answer.json;
  assert.deepEqual([error.type, error.code, error.param], ['insufficient_quota', 'insufficient_quota', null]);
  checkMachinePart(error.weir);
  assert.deepEqual([error.weir.limit, error.weir.layer, error.weir.meter, error.weir.allowed, error.weir.window, error.weir.used,
    error.weir.requested], ['requests', 'rate', 'requests', 3, '1h', 3, 1]);
  assert.deepEqual(error.weir.per, { key: 'refused-openai' });
  const wait = Number(answer.headers.get('retry-after'));
  assert.ok(Number.isInteger(wait) && wait >= error.weir.retry_after && wait <= error.weir.retry_after + 1);
  assert.ok(Number(answer.headers.get('retry-after-ms')) >= error.weir.retry_after * 1000 - 1);
  assert.equal(answer.headers.get('x-should-retry'), 'false');
  assert.ok(answer.headers.get('ratelimit'));
  assert.ok(answer.headers.get('x-weir-request-id'));
  assert.ok(!answer.text.includes(key));
});

test('429 in the Anthropic shape', async () => {
  const answer = await ask(await exhausted('refused-anthropic'));
  assert.equal(answer.status, 429);
  assert.deepEqual([answer.json.type, answer.json.error.type], ['error', 'rate_limit_error']);
  checkMachinePart(answer.json.error.weir);
  assert.ok(answer.headers.get('anthropic-ratelimit-requests-remaining') === '0');
  assert.ok(answer.headers.get('retry-after'));
});

test('429 as a problem: on HTTP routes, and on LLM routes that ask for it', async () => {
  const key = await exhausted('refused-problem');
  for (const answer of [await call('/api/things', key, {}), await chat(key, {}, { accept: 'application/problem+json' })]) {
    assert.equal(answer.status, 429, answer.text);
    assert.equal(answer.headers.get('content-type').split(';')[0], 'application/problem+json');
    assert.equal(answer.json.type, 'https://iana.org/assignments/http-problem-types#quota-exceeded');
    assert.equal(answer.json.status, 429);
    assert.ok(answer.json.title && answer.json.detail);
    assert.ok(answer.json['violated-policies'].includes('requests'));
    checkMachinePart(answer.json.weir);
  }
});

test('a refusal leaves no trace in any counter', async () => {
  const key = await exhausted('inert');
  const before = await weir.me(key);
  for (let i = 0; i < 5; i += 1) assert.equal((await chat(key)).status, 429);
  const now = await weir.me(key);
  assert.deepEqual(now.limits.map((l) => [l.name, l.used, l.reserved]), before.limits.map((l) => [l.name, l.used, l.reserved]));
});

test('413 for a request that can never fit, in each shape', async () => {
  const key = await weir.createKey('never', { tier: 'small' });
  const long = [{ role: 'user', content: 'word '.repeat(4000) }];     // 20,000 bytes: more than 2,000 tokens however counted
  const openai = await chat(key, { messages: long });
  assert.equal(openai.status, 413, openai.text);
  assert.deepEqual([openai.json.error.type, openai.json.error.code], ['invalid_request_error', 'request_too_large']);
  assert.equal(openai.json.error.weir.limit, 'tokens');
  assert.equal(openai.json.error.weir.retry_after, null);
  assert.equal(openai.headers.get('x-should-retry'), 'false');
  assert.equal(openai.headers.get('retry-after'), null);
  const anthropic = await ask(key, { messages: long });
  assert.equal(anthropic.status, 413);
  assert.equal(anthropic.json.error.type, 'request_too_large');
  const problem = await chat(key, { messages: long }, { accept: 'application/problem+json' });
  assert.equal(problem.status, 413);
  assert.equal(problem.json.status, 413);
  const me = await weir.me(key);
  assert.equal(me.limits.find((limit) => limit.name === 'requests').used, 0, 'nothing is charged');
});

test('a cap beyond the amount holds the amount', async () => {
  const key = await weir.createKey('cap', { tier: 'small' });
  const answer = await chat(key, { max_tokens: 1_000_000, model: 'mock-out=2' });
  assert.equal(answer.status, 200, answer.text);
});

test('concurrency: the fifth is refused with a wait of 1, and admitted once one has ended', async () => {
  const key = await weir.createKey('parallel');
  const controllers = Array.from({ length: 4 }, () => new AbortController());
  const held = controllers.map((controller) => fetch(`${weir.url}/v1/chat/completions`, {
    method: 'POST', signal: controller.signal, headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'mock-stallmid', stream: true, max_tokens: 10, messages }),
  }));
  const responses = await Promise.all(held);
  assert.deepEqual(responses.map((response) => response.status), [200, 200, 200, 200]);
  const refused = await chat(key, { max_tokens: 5 });
  assert.equal(refused.status, 429);
  const part = refused.json.error.weir;
  assert.deepEqual([part.limit, part.window, part.used + part.reserved, part.retry_after], ['in-flight', null, 4, 1]);
  controllers[0].abort();
  await weir.usage((rows) => rows.some((row) => row.key === 'parallel'), 'the aborted request is settled');
  assert.equal((await chat(key, { max_tokens: 5 })).status, 200);
  for (const controller of controllers) controller.abort();
});

test('GET /weir/v1/me shows limits and charges nothing', async () => {
  const key = await weir.createKey('me', { tenant: 'acme', user: 'ada', tier: 'small' });
  const me = await weir.me(key);
  assert.deepEqual([me.key, me.tenant, me.user, me.tier], ['me', 'acme', 'ada', 'small']);
  const limit = me.limits.find((item) => item.name === 'requests');
  assert.deepEqual([limit.layer, limit.meter, limit.window, limit.allowed, limit.used, limit.reserved, limit.remaining],
    ['rate', 'requests', '1h', 3, 0, 0, 3]);
  assert.deepEqual(await weir.me(key), me, 'asking twice changes nothing');
});

test('a provider that compresses although it was not asked to: bytes pass unchanged, usage is read', async () => {
  const usage = { prompt_tokens: 7, completion_tokens: 5, total_tokens: 12 };
  const choice = { index: 0, finish_reason: 'stop' };
  const json = JSON.stringify({ id: 'c', model: 'mock-z', choices: [{ ...choice, message: { role: 'assistant', content: 'Hi.' } }], usage });
  const events = [{ choices: [{ ...choice, delta: { content: 'Hi.' } }] }, { choices: [], usage }]
    .map((event) => `data: ${JSON.stringify({ id: 'c', model: 'mock-z', ...event })}\n\n`);
  let asked;
  const server = http.createServer(async (request, response) => {
    let body = '';
    for await (const part of request) body += part;
    asked = request.headers['accept-encoding'];
    if (!JSON.parse(body).stream) {
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end(zlib.gzipSync(json));
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' });
    const gzip = zlib.createGzip();
    gzip.pipe(response);
    for (const event of [...events, 'data: [DONE]\n\n']) {
      gzip.write(event);
      await new Promise((done) => { gzip.flush(done); });
    }
    gzip.end();
  });
  await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
  const gateway = await startWeir(mockConfig({ url: `http://127.0.0.1:${server.address().port}` }));
  try {
    const key = await gateway.createKey('zipped');
    const post = (stream) => fetch(`${gateway.url}/v1/chat/completions`, { method: 'POST',
      headers: { authorization: `Bearer ${key}` }, body: JSON.stringify({ model: 'mock-z', messages, stream, max_tokens: 50 }) });
    const whole = await post(false);
    assert.equal(whole.headers.get('content-encoding'), 'gzip');
    assert.equal(whole.headers.get('x-weir-tokens'), '12');
    assert.equal(await whole.text(), json);
    assert.equal(asked, 'identity');
    assert.equal(await (await post(true)).text(), `${events.join('')}data: [DONE]\n\n`);
    const rows = await gateway.usage((all) => all.length === 2);
    assert.deepEqual(rows.map((row) => [row.settled, row.input_tokens, row.output_tokens]), [['usage', 7, 5], ['usage', 7, 5]]);
  } finally {
    await gateway.stop();
    await new Promise((done) => { server.close(done); server.closeAllConnections(); });
  }
});
