// The ledger adds up: what `weir usage` says is what the provider really produced, each admitted request exactly once.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startProvider } from '../mock/provider.mjs';
import { mockConfig, startWeir } from '../support/weir.mjs';

let provider;
let weir;

before(async () => {
  provider = await startProvider();
  weir = await startWeir(mockConfig(provider, {
    limits: [
      { name: 'requests', per: 'key', meter: 'requests', allow: { free: '1000/1h', few: '5/1h' } },
      { name: 'tokens', per: 'key', meter: 'tokens', allow: '10M/1h' },
      { name: 'spend', per: 'key', meter: 'usd', allow: '100/day' },
    ],
    tiers: { free: { weight: 1 }, few: { weight: 1 } },
    upstreams: [{ path: '/api/**', kind: 'http', url: provider.url }],
  }));
});
after(async () => {
  await weir?.stop();
  await provider?.close();
});

const messages = [{ role: 'user', content: 'one two three' }];

async function call(path, key, body, headers = {}) {
  const response = await fetch(`${weir.url}${path}`, { method: 'POST', body: JSON.stringify(body),
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers } });
  const text = await response.text();
  return { status: response.status, text, id: response.headers.get('x-weir-request-id') };
}

test('two hundred mixed calls in parallel: sums are exact', async () => {
  const keys = await Promise.all(['sum-a', 'sum-b', 'sum-c'].map((name) => weir.createKey(name, { tenant: 'sums' })));
  const before = { ...provider.produced };
  const calls = Array.from({ length: 200 }, (_, i) => async () => {
    const key = keys[i % 3];
    const out = i % 17;
    if (i % 4 === 0) return call('/v1/chat/completions', key, { model: `mock-out=${out}`, messages });
    if (i % 4 === 1) return call('/v1/chat/completions', key, { model: `mock-out=${out}+split`, messages, stream: true });
    if (i % 4 === 2) return call('/v1/messages', key, { model: `mockc-out=${out}`, messages, max_tokens: 20 });
    return call('/v1/messages', key, { model: `mockc-out=${out}`, messages, max_tokens: 20, stream: true });
  });
  const answers = [];
  const worker = async () => { for (let next = calls.pop(); next; next = calls.pop()) answers.push(await next()); };
  await Promise.all(Array.from({ length: 16 }, worker));
  assert.ok(answers.every((answer) => answer.status === 200), answers.find((answer) => answer.status !== 200)?.text);

  const mine = (rows) => rows.filter((row) => row.tenant === 'sums');
  const rows = mine(await weir.usage((all) => mine(all).length >= 200, '200 rows'));
  assert.equal(rows.length, 200);
  assert.equal(new Set(rows.map((row) => row.request_id)).size, 200, 'each request once');
  assert.deepEqual(new Set(rows.map((row) => row.request_id)), new Set(answers.map((answer) => answer.id)));
  const sum = (name) => rows.reduce((total, row) => total + row[name], 0);
  assert.equal(sum('input_tokens'), provider.produced.input - before.input);
  assert.equal(sum('output_tokens'), provider.produced.output - before.output);
  const price = (row) => (row.provider === 'claude' ? 3 * row.input_tokens + 15 * row.output_tokens : row.input_tokens + 2 * row.output_tokens);
  for (const row of rows) {
    assert.equal(row.usd_micros, price(row));
    assert.deepEqual([row.settled, row.status, row.attempts, row.kind, row.tier], ['usage', 200, 1, 'agent', 'free']);
    assert.ok(row.reserved_tokens >= row.input_tokens, 'the reservation was an upper bound of the input');
  }
  const [total] = await weir.rows('usage', '--by', 'tenant').then((all) => all.filter((row) => row.tenant === 'sums'));
  assert.equal(total.output_tokens, sum('output_tokens'));
  assert.equal(total.usd_micros, sum('usd_micros'));

  // The counters agree with the ledger.
  for (const [index, key] of keys.entries()) {
    const name = ['sum-a', 'sum-b', 'sum-c'][index];
    const { limits } = await weir.me(key);
    const own = rows.filter((row) => row.key === name);
    const tokens = limits.find((limit) => limit.name === 'tokens');
    assert.equal(tokens.used, own.reduce((n, row) => n + row.input_tokens + row.output_tokens, 0));
    assert.equal(tokens.reserved, 0);
    assert.equal(limits.find((limit) => limit.name === 'requests').used, own.length);
  }
});

test('usage that is missing is counted, usage that is wrong is believed as sent', async () => {
  const key = await weir.createKey('odd');
  await call('/v1/chat/completions', key, { model: 'mock-nousage+out=30', messages });
  await call('/v1/chat/completions', key, { model: 'mock-nousage+out=31', messages, stream: true });
  await call('/v1/chat/completions', key, { model: 'mock-usage=77+out=5', messages });
  await call('/v1/messages', key, { model: 'mockc-usage=78+out=5', messages, max_tokens: 100, stream: true });
  const mine = (rows) => rows.filter((row) => row.key === 'odd');
  const rows = mine(await weir.usage((all) => mine(all).length >= 4, 'four rows'));
  const of = (model) => rows.find((row) => row.model === model);
  for (const [model, least] of [['mock-nousage+out=30', 30], ['mock-nousage+out=31', 31]]) {
    assert.equal(of(model).settled, 'counted');
    assert.ok(of(model).output_tokens >= least, `${model}: ${of(model).output_tokens} is below what was produced`);
    assert.ok(of(model).input_tokens >= 3);
  }
  assert.deepEqual([of('mock-usage=77+out=5').output_tokens, of('mock-usage=77+out=5').settled], [77, 'usage']);
  assert.deepEqual([of('mockc-usage=78+out=5').output_tokens, of('mockc-usage=78+out=5').settled], [78, 'usage']);
});

test('correlation fields and the end user of a service key are on the row', async () => {
  const service = await weir.createKey('service', { kind: 'service', tenant: 'shop' });
  const headers = { 'x-weir-user': 'customer-7', 'x-weir-conversation': 'c-1', 'x-weir-run': 'r-1' };
  await call('/v1/chat/completions', service, { model: 'mock-out=1', messages }, headers);
  const rows = await weir.usage((all) => all.some((row) => row.key === 'service'));
  const row = rows.find((r) => r.key === 'service');
  assert.deepEqual([row.tenant, row.user, row.conversation, row.kind], ['shop', 'customer-7', 'c-1', 'service']);
});

test('refusals: one audit row each at low rate, none of them in the usage ledger', async () => {
  const key = await weir.createKey('few', { tier: 'few' });
  const statuses = [];
  for (let i = 0; i < 9; i += 1) statuses.push((await call('/v1/chat/completions', key, { model: 'mock-out=1', messages })).status);
  assert.deepEqual(statuses, [200, 200, 200, 200, 200, 429, 429, 429, 429]);
  const mine = (rows) => rows.filter((row) => row.key === 'few');
  const audit = mine(await weir.audit((all) => mine(all).reduce((n, row) => n + row.count, 0) >= 4, 'four refusals'));
  assert.equal(audit.reduce((n, row) => n + row.count, 0), 4);
  for (const row of audit) {
    assert.deepEqual([row.event, row.layer, row.limit, Number(row.used), Number(row.allowed), Number(row.requested)],
      ['refused', 'rate', 'requests', 5, 5, 1]);
    assert.ok(row.retry_after > 0);
    assert.ok(row.config_version);
    assert.ok(row.time);
  }
  const usage = mine(await weir.usage((all) => mine(all).length >= 5));
  assert.equal(usage.length, 5);
});

test('a storm of refusals is summed: every one counted, few rows', async () => {
  const key = await weir.createKey('storm', { tier: 'few' });
  const total = 400;
  let refused = 0;
  const one = async () => { if ((await call('/v1/chat/completions', key, { model: 'mock-out=1', messages })).status === 429) refused += 1; };
  for (let i = 0; i < total; i += 20) await Promise.all(Array.from({ length: 20 }, one));
  assert.equal(refused, total - 5);
  const mine = (rows) => rows.filter((row) => row.key === 'storm');
  const count = (rows) => mine(rows).reduce((n, row) => n + row.count, 0);
  const rows = await weir.audit((all) => count(all) >= refused, 'all refusals are in the audit');
  assert.equal(count(rows), refused);
});

test('kind: http calls are on the ledger too', async () => {
  const key = await weir.createKey('http-rows');
  await call('/api/things', key, { a: 1 });
  const rows = await weir.usage((all) => all.some((row) => row.key === 'http-rows'));
  const row = rows.find((r) => r.key === 'http-rows');
  assert.deepEqual([row.status, row.input_tokens, row.output_tokens, row.usd_micros], [200, 0, 0, 0]);
  assert.match(row.route, /\/api\//);
});
