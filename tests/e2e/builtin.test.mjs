// The built-in policy with the `sim` provider: nothing configured but addresses; and what operators look at.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { kRoot, startWeir } from '../support/weir.mjs';

let weir;

before(async () => {
  weir = await startWeir({ providers: { sim: { simulate: { output_tokens: '5..9', first_byte: '1ms', tokens_per_second: 5000 } } } });
});
after(() => weir?.stop());

const messages = [{ role: 'user', content: 'Hello there' }];
const post = (path, key, body) => fetch(`${weir.url}${path}`, { method: 'POST', body: JSON.stringify(body),
  headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' } });

test('twenty runs a minute, then a refusal that says why', async () => {
  const key = await weir.createKey('sixty-seconds');
  const statuses = [];
  let last;
  for (let i = 0; i < 21; i += 1) {
    last = await post('/v1/chat/completions', key, { model: 'gpt-4o', messages, max_tokens: 50 });
    statuses.push(last.status);
  }
  assert.deepEqual(statuses, [...Array(20).fill(200), 429]);
  const { error } = await last.json();
  assert.deepEqual([error.weir.limit, error.weir.allowed, error.weir.window, error.weir.used], ['runs', 20, '1m', 20]);
  assert.match(error.message, /runs/);
});

test('sim speaks both dialects, streams, and reports usage', async () => {
  const key = await weir.createKey('sim');
  const openai = await (await post('/v1/chat/completions', key, { model: 'anything', messages })).json();
  assert.ok(openai.usage.completion_tokens >= 5 && openai.usage.completion_tokens <= 9);
  const anthropic = await (await post('/v1/messages', key, { model: 'anything', messages, max_tokens: 100 })).json();
  assert.ok(anthropic.usage.output_tokens >= 5 && anthropic.usage.output_tokens <= 9);
  const stream = await (await post('/v1/chat/completions', key, { model: 'anything', messages, stream: true })).text();
  assert.match(stream, /data: \[DONE\]\n\n$/);
  const events = await (await post('/v1/messages', key, { model: 'anything', messages, max_tokens: 100, stream: true })).text();
  assert.match(events, /event: message_stop/);
  const embedding = await (await post('/v1/embeddings', key, { model: 'anything', input: 'hello' })).json();
  assert.ok(embedding.data[0].embedding.length > 0);
  const mine = (rows) => rows.filter((row) => row.key === 'sim');
  const rows = mine(await weir.usage((all) => mine(all).length >= 5));
  assert.ok(rows.every((row) => row.settled === 'usage' && row.provider === 'sim'), JSON.stringify(rows));
});

test('health and readiness on both listeners, without a key', async () => {
  for (const base of [weir.url, weir.admin]) {
    for (const path of ['/healthz', '/readyz']) assert.equal((await fetch(`${base}${path}`)).status, 200, base + path);
  }
});

test('/metrics: with the token, Prometheus text that counts', async () => {
  assert.equal((await fetch(`${weir.admin}/metrics`)).status, 401);
  const response = await fetch(`${weir.admin}/metrics`, { headers: { authorization: `Bearer ${weir.adminToken}` } });
  assert.equal(response.status, 200);
  const text = await response.text();
  const sample = /^[a-z_]+(\{([a-z_]+="([^"\\\n]|\\.)*",?)*\})? -?([0-9.e+-]+|\+Inf|NaN)$/;
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    assert.match(line, sample);
    assert.match(line, /^(weir|gen_ai|mcp)_/);
  }
  const documented = await readFile(path.join(kRoot, 'docs/metrics.md'), 'utf8');
  const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map((found) => found[1]);
  assert.deepEqual(names.filter((name) => !documented.includes(`\`${name}\``)), [], 'docs/metrics.md names them all');
  for (const name of ['degraded_total', 'retries_total', 'fallbacks_total', 'top_ups_total', 'streams_cut_total', 'provider_breakers_open']) {
    assert.ok(names.includes(`weir_${name}`), name);
  }
  const key = await weir.createKey('metrics');
  const before = await weir.metric(/^weir_requests_total/);
  await (await post('/v1/chat/completions', key, { model: 'm', messages })).text();
  assert.ok(await weir.metric(/^weir_requests_total/) > before);
});

test('GET /v1/models lists names, needs a key, charges nothing', async () => {
  assert.equal((await fetch(`${weir.url}/v1/models`)).status, 401);
  const key = await weir.createKey('models');
  const response = await fetch(`${weir.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } });
  const { object, data } = await response.json();
  assert.equal(object, 'list');
  assert.ok(data.some((model) => model.id === 'gpt-4o'));
  assert.ok((await weir.me(key)).limits.every((limit) => limit.used === 0));
});

test('an asserted user of an ordinary key is a label, not a fresh budget', async () => {
  const key = await weir.createKey('inventor');
  const statuses = [];
  for (let i = 0; i < 21; i += 1) {
    const response = await fetch(`${weir.url}/v1/chat/completions`, { method: 'POST',
      body: JSON.stringify({ model: 'm', messages, max_tokens: 10 }),
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'x-weir-user': `user-${i}` } });
    statuses.push(response.status);
  }
  assert.equal(statuses.filter((status) => status === 200).length, 20);
});

test('a service key gives each of its users a budget of their own', async () => {
  const key = await weir.createKey('backend', { kind: 'service', tenant: 'shop' });
  const statuses = [];
  for (let i = 0; i < 25; i += 1) {
    const response = await fetch(`${weir.url}/v1/chat/completions`, { method: 'POST',
      body: JSON.stringify({ model: 'm', messages, max_tokens: 10 }),
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'x-weir-user': `user-${i % 5}` } });
    statuses.push(response.status);
  }
  assert.ok(statuses.every((status) => status === 200), statuses.join());
});
