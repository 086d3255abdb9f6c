// Providers that answer badly, in every dialect, whole and streamed: what was seen is charged, never nothing, and nothing
// stays reserved; bytes may be split and cut anywhere.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startProvider } from '../mock/provider.mjs';
import { agentOf, call, kWays } from '../support/calls.mjs';
import { kNoCallerBreakers, mockConfig, startWeir } from '../support/weir.mjs';

const kWords = 6;        // of every answer
const kInput = 3;        // words of every request
const kCap = 40;

let provider;
let weir;
const agent = agentOf(32);

before(async () => {
  provider = await startProvider();
  const config = mockConfig(provider, {
    limits: [
      { name: 'requests', per: 'key', meter: 'requests', allow: '1M/1h' },
      { name: 'tokens', per: 'key', meter: 'tokens', allow: '100M/1h' },
      { name: 'spend', per: 'key', meter: 'usd', allow: '1000/day' },
      { name: 'in-flight', per: 'key', meter: 'concurrency', allow: 1000 },
    ],
    retry: { attempts: 1 },
    // Fifty bad answers in a minute are the subject here; equal requests that go well stay watched.
    breaker: { failed_prompts: kNoCallerBreakers.failed_prompts },
  });
  // Silence ends soon at providers of their own, so that a slow machine does not look like one.
  const models = {};
  for (const [pattern, rule] of Object.entries(config.models)) {
    config.providers[`quick-${rule.provider}`] = { ...config.providers[rule.provider], timeouts: { idle: '300ms', first_byte: '300ms' } };
    models[`${pattern}quick`] = { ...rule, provider: `quick-${rule.provider}` };
  }
  config.models = { ...models, ...config.models };
  weir = await startWeir(config);
});
after(async () => {
  agent.destroy();
  await weir?.stop();
  await provider?.close();
});

// The rows of a key once there are `count`; nothing is reserved then, and the counter holds what they add up to.
async function closed(name, key, count) {
  const rows = (await weir.usage((all) => all.filter((row) => row.key === name).length >= count, `${count} rows of ${name}`))
    .filter((row) => row.key === name);
  assert.equal(rows.length, count, 'one row for each request');
  const limits = Object.fromEntries((await weir.me(key)).limits.map((limit) => [limit.name, limit]));
  assert.deepEqual([limits.tokens.reserved, limits.spend.reserved, limits['in-flight'].used], [0, 0, 0], 'nothing is held');
  assert.equal(limits.tokens.used, rows.reduce((sum, row) => sum + row.input_tokens + row.output_tokens, 0));
  return rows;
}

const kGood = 'usage';
const kSeen = 'counted';
// What each behaviour must be settled as; `streamed` and `whole` where that differs, undefined: it makes no sense there.
const kBehaviours = [
  { mock: 'ok', settled: kGood },
  { mock: 'crlf', settled: kGood },
  { mock: 'split', settled: kGood },
  { mock: 'nolength', settled: kGood },
  { mock: 'nospace', streamed: kGood },
  { mock: 'multiline', streamed: kGood },
  { mock: 'multiline+nospace+crlf+split', streamed: kGood },
  { mock: 'dupusage', settled: kGood },
  { mock: 'think=5', settled: kGood, hidden: 5 },
  { mock: 'comments', streamed: kGood },
  { mock: 'hints', settled: kGood },
  { mock: 'trailers', settled: kGood },
  { mock: 'nostream', streamed: kGood, except: /generate/ },
  { mock: 'gzip', settled: kGood },
  { mock: 'ctype', streamed: kSeen, whole: kGood },
  { mock: 'empty', settled: kSeen },
  { mock: 'html', settled: kSeen },
  { mock: 'error200', settled: kSeen },
  { mock: 'deep', settled: kSeen },
  { mock: 'badutf8', whole: kSeen, streamed: undefined },
  { mock: 'nousage', settled: kSeen },
  { mock: 'noout', settled: kSeen },
  { mock: 'wrongusage', settled: kSeen },
  { mock: 'negusage', settled: kSeen },
  { mock: 'hugeusage', settled: kSeen },
  { mock: 'textusage', settled: kSeen },
  { mock: 'cut', settled: kSeen },
  { mock: 'cutat=0', settled: kSeen },
  { mock: 'stall', settled: kSeen, streamedOnly: true },
  { mock: 'stallmid', streamed: kSeen },
  { mock: 'early', streamed: kSeen },
  { mock: 'errormid', streamed: kSeen },
];

function expected(behaviour, { endpoint, stream, name }) {
  if (behaviour.streamedOnly && !stream) return undefined;
  if (behaviour.except?.test(name)) return undefined;
  if (endpoint.embeds && /noout|hugeusage|textusage|think|badutf8/.test(behaviour.mock)) return undefined;
  return behaviour.settled ?? (stream ? behaviour.streamed : behaviour.whole);
}

for (const way of kWays) {
  test(`${way.name}: every kind of bad answer is charged by what was seen`, async () => {
    const cases = kBehaviours.map((behaviour) => ({ ...behaviour, want: expected(behaviour, way) })).filter((item) => item.want);
    const keyName = `bad-${way.name.replaceAll(' ', '-')}`;
    const key = await weir.createKey(keyName);
    await Promise.all(cases.map(async (item, i) => {
      const script = `out=${kWords}+c${i}${/stall/.test(item.mock) ? '+quick' : ''}`;
      item.answer = await call(weir, key, way, { script, cap: kCap, mock: item.mock, agent });
    }));
    const rows = new Map((await closed(keyName, key, cases.length)).map((row) => [row.request_id, row]));
    for (const { mock, want, answer, hidden = 0 } of cases) {
      const at = `${way.name}, ${mock}`;
      const row = rows.get(answer.headers['x-weir-request-id']);
      assert.ok(row, `${at}: has a row`);
      assert.equal(row.settled, want, `${at}: ${JSON.stringify(row)}`);
      assert.ok(row.input_tokens + row.output_tokens > 0, `${at}: not free`);
      assert.ok(row.usd_micros > 0, `${at}: not free of money`);
      assert.ok(row.output_tokens <= kCap, `${at}: ${row.output_tokens} output tokens are beyond the cap`);
      const output = way.endpoint.embeds ? 0 : kWords;
      if (want === kGood) {
        assert.equal(answer.status, 200, at);
        assert.deepEqual([row.input_tokens, row.output_tokens], [kInput, output + hidden], at);
      } else if (!/cut|stall|early|errormid|ctype|empty|html|error200|deep|badutf8/.test(mock)) {
        // The whole text was seen: a word is at least one token.
        assert.ok(row.output_tokens >= output && row.output_tokens <= 4 * output, `${at}: ${row.output_tokens} output tokens`);
      }
    }
  });
}

// Every split: the answer in two writes. Every cut: the connection ends there.
for (const way of kWays) {
  test(`${way.name}: an answer split or cut at every byte`, async () => {
    const name = `bytes-${way.name.replaceAll(' ', '-')}`;
    const key = await weir.createKey(name);
    const probe = await call(weir, key, way, { script: 'out=2', agent });
    assert.equal(probe.status, 200);
    const size = Buffer.byteLength(probe.text);
    const points = Array.from({ length: size - 1 }, (_, i) => i + 1);
    const step = Math.max(1, Math.ceil(size / 250));
    const splits = points.filter((at) => at % step === 0);
    const answers = await inTurns(splits, (at) => call(weir, key, way, { script: 'out=2', mock: `at=${at}`, agent }));
    for (const [i, answer] of answers.entries()) assert.equal(answer.text, probe.text, `split at ${splits[i]}`);
    const good = await closed(name, key, splits.length + 1);
    assert.ok(good.every((row) => row.settled === kGood && row.input_tokens === kInput), 'usage is read whatever the split');

    const cutName = `cuts-${way.name.replaceAll(' ', '-')}`;
    const cutKey = await weir.createKey(cutName);
    const cuts = points.filter((at) => at % (3 * step) === 0);
    // Each its own model, so that no breaker opens between them.
    await inTurns(cuts, (at) => call(weir, cutKey, way, { script: `out=2+c${at}`, mock: `cutat=${at}`, agent }));
    const rows = await closed(cutName, cutKey, cuts.length);
    for (const row of rows) {
      assert.ok(row.input_tokens + row.output_tokens > 0 && row.usd_micros > 0, `free: ${JSON.stringify(row)}`);
      assert.ok(row.input_tokens >= kInput, `input: ${JSON.stringify(row)}`);
    }
  });
}

test('the process is alive and every key was settled', async () => {
  assert.equal((await fetch(`${weir.url}/healthz`)).status, 200);
  assert.equal(weir.exit, undefined);
  assert.equal(await weir.metric(/^weir_requests_in_flight /), 0);
});

// All of them, a few at a time.
async function inTurns(items, run, width = 16) {
  const results = [];
  let next = 0;
  await Promise.all(Array.from({ length: width }, async () => {
    while (next < items.length) {
      const i = next;
      next += 1;
      results[i] = await run(items[i]);
    }
  }));
  return results;
}
