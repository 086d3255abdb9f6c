// Providers that fail before an answer: tried again, called elsewhere, left alone; every attempt is in the ledger.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startProvider } from '../mock/provider.mjs';
import { call, kEndpoints } from '../support/calls.mjs';
import { deadPort } from '../support/raw.mjs';
import { eventually, kNoCallerBreakers, startWeir } from '../support/weir.mjs';

let provider;
let weir;
const chat = { endpoint: kEndpoints.find(({ name }) => name === 'chat'), stream: false };
const streamed = { ...chat, stream: true };
const messages = { endpoint: kEndpoints.find(({ name }) => name === 'messages'), stream: false };

before(async () => {
  provider = await startProvider();
  const at = (dialect, more = {}) => ({ dialect, url: provider.url, key: 'upstream-credential', ...more });
  const price = { input: 1, output: 2 };
  weir = await startWeir({
    providers: {
      main: at('openai'), claude: at('anthropic'), spare: at('openai', { key: 'upstream-spare' }),
      broken: at('openai'), quick: at('openai', { timeouts: { first_byte: '800ms', total: '800ms' } }),
      dead: at('openai', { url: `http://127.0.0.1:${await deadPort()}` }),
    },
    models: {
      'mock-dead-alone': { provider: 'dead', price },
      'mock-dead': { provider: 'dead', price: { input: 1000, output: 1000 }, fallback: ['mock-out=5+spare'] },
      'mock-503+down': { provider: 'broken', price: { input: 1000, output: 1000 }, fallback: ['mock-out=4+here', 'mock-out=5+spare'] },
      'mock-*here': { provider: 'broken', price },
      'mock-*spare': { provider: 'spare', price: { input: 3, output: 7 } },
      'mock-*quick': { provider: 'quick', price },
      'mock-500*': { provider: 'broken', price },
      'mockc-*': { provider: 'claude', price },
      'mock-*': { provider: 'main', price },
    },
    retry: { attempts: 3, within: '4s' },
    breaker: kNoCallerBreakers,   // the breaker of the provider is meant here
    limits: [
      { name: 'requests', per: 'key', meter: 'requests', allow: '10000/1h' },
      { name: 'tokens', per: 'key', meter: 'tokens', allow: '1M/1h' },
      { name: 'spend', per: 'key', meter: 'usd', allow: '100/day' },
      { name: 'in-flight', per: 'key', meter: 'concurrency', allow: 100 },
    ],
  });
});
after(async () => {
  await weir?.stop();
  await provider?.close();
});

const calls = (script, prefix = 'mock-') => provider.requests.filter((request) => request.model === `${prefix}${script}`);

// The only row of a key; the counters hold exactly what it says.
async function rowOf(name, key) {
  const row = (await weir.usage((all) => all.some((item) => item.key === name))).find((item) => item.key === name);
  const limits = Object.fromEntries((await weir.me(key)).limits.map((limit) => [limit.name, limit]));
  assert.deepEqual([limits.tokens.reserved, limits.spend.reserved, limits['in-flight'].used], [0, 0, 0]);
  assert.equal(limits.tokens.used, row.input_tokens + row.output_tokens);
  assert.equal(Math.round(limits.spend.used * 1e6), row.usd_micros);
  assert.equal(limits.requests.used, 1, 'one request, however often it was tried');
  return row;
}
const facts = (row) => [row.status, row.attempts, row.model, row.input_tokens, row.output_tokens, row.usd_micros, row.settled];

for (const way of [chat, streamed]) {
  test(`503 once: tried again, ${way.stream ? 'streamed' : 'whole'}`, async () => {
    const name = `once-${way.stream}`;
    const key = await weir.createKey(name);
    const script = `503x1+out=${way.stream ? 6 : 7}`;
    const answer = await call(weir, key, way, { script });
    assert.equal(answer.status, 200);
    assert.equal(calls(script).length, 2);
    assert.equal(calls(script)[0].body.toString(), calls(script)[1].body.toString());
    const output = way.stream ? 6 : 7;
    assert.deepEqual(facts(await rowOf(name, key)), [200, 2, `mock-${script}`, 3, output, 3 + 2 * output, 'usage']);
  });
}

test('429 with a wait within the bound: waited for', async () => {
  const key = await weir.createKey('wait');
  const script = '429=1x1+out=2';
  const began = Date.now();
  assert.equal((await call(weir, key, chat, { script })).status, 200);
  assert.ok(Date.now() - began >= 1000, `only ${Date.now() - began} ms`);
  assert.deepEqual(facts(await rowOf('wait', key)), [200, 2, `mock-${script}`, 3, 2, 7, 'usage']);
});

test('429 with a longer wait: the client is told at once, and the provider is left alone until then', async () => {
  const key = await weir.createKey('beyond');
  const script = '429=50x1+out=2';
  const answer = await call(weir, key, chat, { script });
  assert.equal(answer.status, 429);
  assert.match(answer.text, /mock says 429/, "the provider's own error");
  assert.equal(answer.headers['retry-after'], '50');
  assert.deepEqual(facts(await rowOf('beyond', key)), [429, 1, `mock-${script}`, 0, 0, 0, 'none']);
  const second = await weir.createKey('beyond-2');
  const refused = await call(weir, second, chat, { script });
  assert.equal(refused.status, 429);
  assert.ok(Number(refused.headers['retry-after']) > 40 && Number(refused.headers['retry-after']) <= 50, refused.headers['retry-after']);
  assert.equal(calls(script).length, 1, 'not asked again');
  const used = await weir.limit(second, 'tokens');
  assert.deepEqual([used.used, used.reserved], [0, 0], 'free of tokens');
});

test('nobody listens: 502 after every attempt, free of tokens', async () => {
  const key = await weir.createKey('dead');
  const answer = await call(weir, key, chat, { script: 'dead-alone' });
  assert.equal(answer.status, 502);
  assert.ok(JSON.parse(answer.text).error.message.includes('dead'), answer.text);
  assert.deepEqual(facts(await rowOf('dead', key)), [502, 3, 'mock-dead-alone', 0, 0, 0, 'none']);
});

test('nobody listens: a fallback at another provider, at its own price', async () => {
  const key = await weir.createKey('other');
  const answer = await call(weir, key, chat, { script: 'dead' });
  assert.equal(answer.status, 200, answer.text);
  const [seen] = calls('out=5+spare');
  assert.equal(seen.json.model, 'mock-out=5+spare');
  assert.equal(seen.header('authorization'), 'Bearer upstream-spare');
  const row = await rowOf('other', key);
  assert.equal(row.provider, 'spare');
  assert.ok(row.attempts >= 2 && row.attempts <= 3, `${row.attempts} attempts`);
  assert.deepEqual([row.model, row.input_tokens, row.output_tokens, row.usd_micros, row.settled],
    ['mock-out=5+spare', 3, 5, 44, 'usage']);
});

test('503 for ever: the next model of the fallbacks', async () => {
  const key = await weir.createKey('next');
  const answer = await call(weir, key, streamed, { script: '503+down' });
  assert.equal(answer.status, 200, answer.text);
  assert.match(answer.text, /\[DONE\]/);
  const row = await rowOf('next', key);
  assert.deepEqual([row.model, row.provider, row.output_tokens, row.usd_micros, row.settled], ['mock-out=4+here', 'broken', 4, 11, 'usage']);
});

test('an attempt that never answered is charged what it held, the next one what it used', async () => {
  const key = await weir.createKey('stalled');
  const answer = await call(weir, key, chat, { script: 'stallx1+out=4+quick', cap: 40 });
  assert.equal(answer.status, 200, answer.text);
  const row = await rowOf('stalled', key);
  assert.equal(row.attempts, 2);
  assert.ok(row.output_tokens === 44, `${row.output_tokens}: the cap of 40 of the first, 4 of the second`);
  assert.ok(row.input_tokens >= 6);
  assert.equal(row.usd_micros, row.input_tokens + 2 * row.output_tokens);
});

test('an answer that breaks off is charged what was seen of it, and tried again', async () => {
  const key = await weir.createKey('broken-off');
  const answer = await call(weir, key, chat, { script: 'cutx1+out=30', cap: 40 });
  assert.equal(answer.status, 200, answer.text);
  const row = await rowOf('broken-off', key);
  assert.equal(row.attempts, 2);
  assert.ok(row.output_tokens > 30 && row.input_tokens >= 6, JSON.stringify(row));
});

test('a breaker opens after 20 failures: 503 without a call, other models go on', async () => {
  const script = '500x20+out=2';
  // Four failures each: a fifth would meet the breaker of the caller.
  const keys = [];
  for (let i = 0; i < 5; i += 1) keys.push(await weir.createKey(`breaker-${i}`));
  const [key] = keys;
  for (let i = 0; i < 20; i += 1) assert.equal((await call(weir, keys[i % 5], chat, { script })).status, 500);
  const answer = await call(weir, key, chat, { script });
  assert.equal(answer.status, 503, answer.text);
  const wait = Number(answer.headers['retry-after']);
  assert.ok(wait >= 1 && wait <= 45, `retry-after ${wait}`);
  assert.equal(JSON.parse(answer.text).error.type.length > 0, true);
  assert.equal(calls(script).length, 20, 'the provider is left alone');
  assert.equal((await call(weir, key, chat, { script: '500x0+out=1' })).status, 200, 'another model of that provider');
  const tokens = await weir.limit(key, 'tokens');
  assert.deepEqual([tokens.used, tokens.reserved], [4, 0], 'failures are free of tokens');
});

for (const [name, way, prefix] of [['openai', chat, 'mock-'], ['anthropic', messages, 'mockc-']]) {
  test(`${name}: what the provider says is left of its requests is not exceeded, until its reset`, async () => {
    const key = await weir.createKey(`left-${name}`);
    const script = 'out=2+remreq=0+reset=2';
    const began = Date.now();
    assert.equal((await call(weir, key, way, { script })).status, 200);
    const refused = await call(weir, key, way, { script });
    assert.equal(refused.status, 429, refused.text);
    assert.ok(Number(refused.headers['retry-after']) <= 3);
    assert.equal(calls(script, prefix).length, 1);
    await eventually(async () => (await call(weir, key, way, { script })).status === 200, 'sent after the reset', undefined, 100);
    assert.ok(Date.now() - began >= 1000, 'not before');
    assert.equal(calls(script, prefix).length, 2);
  });
}

test('what the provider says is left of its tokens: a large request waits, a small one goes', async () => {
  const key = await weir.createKey('left-tokens');
  const script = 'out=2+remtok=200+reset=50';
  assert.equal((await call(weir, key, chat, { script })).status, 200);
  assert.equal((await call(weir, key, chat, { script, cap: 3000 })).status, 429);
  assert.equal((await call(weir, key, chat, { script, cap: 20 })).status, 200);
  assert.equal(calls(script).length, 2);
});
