// The books add up: mixed load in every dialect with bad providers and clients that leave, kill -9 in the middle, and a
// restart. What the providers produced whole is in the ledger, each admitted request has one row, nothing stays reserved.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startProvider } from '../mock/provider.mjs';
import { agentOf, call, kWays } from '../support/calls.mjs';
import { eventually, kNoCallerBreakers, mockConfig, startWeir } from '../support/weir.mjs';

const kScripts = ['out=5', 'out=20', 'out=9+split', 'out=7+think=11', 'out=6+nousage', 'out=6+negusage', 'out=8+wrongusage', 'out=30+cut',
  'out=30+early', 'out=30+errormid', 'out=5+503x1', 'out=400+slow=1', 'out=12+dupusage', 'out=5+gzip', '500', '429=0.01', 'out=15+usage=3',
  'stallmid+out=40', 'stall'];
const kWorkers = 24;
const kBeforeKill = 1200;
const kAfterKill = 600;

// The same sequence in every run.
function randomOf(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

// Calls until stopped. `book.answers`: those that came whole; `book.statuses`: how many of each.
function load(weir, key, random, book) {
  const agent = agentOf(2 * kWorkers);
  let going = true;
  let calls = 0;
  const one = async () => {
    const way = kWays[random(kWays.length)];
    const script = `${kScripts[random(kScripts.length)]}+n${random(40)}`;
    const leave = random(6) === 0 ? 1 + random(2000) : undefined;
    calls += 1;
    const mark = `${book.name}-${calls}`;
    try {
      const answer = await call(weir, key, way, { script, cap: 500, agent, leave, headers: { 'x-mark': mark } });
      book.statuses.set(answer.status, (book.statuses.get(answer.status) ?? 0) + 1);
      book.finished += 1;
      if (answer.headers['x-weir-request-id']) book.ids.set(answer.headers['x-weir-request-id'], { mark, answer, leave });
    } catch {
      book.failed += 1;
      await new Promise((resolve) => { setTimeout(resolve, 5); });
    }
  };
  const workers = Array.from({ length: kWorkers }, async () => { while (going) await one(); });
  return { stop: async () => { going = false; await Promise.all(workers); agent.destroy(); } };
}

test('kill -9 in the middle of mixed load in every dialect: the books add up', async (t) => {
  const provider = await startProvider();
  const config = mockConfig(provider, {
    workers: 2,
    retry: { attempts: 2, within: '1s' },
    breaker: { mode: 'shadow' },   // one caller whose requests fail in every way, on purpose
    reservation: { trust_cap: 32, top_up: 8 },
    breaker: kNoCallerBreakers,
    limits: [
      { name: 'requests', per: 'key', meter: 'requests', allow: '1M/1h' },
      { name: 'tokens', per: 'key', meter: 'tokens', allow: '100M/1h' },
      { name: 'spend', per: 'key', meter: 'usd', allow: '1000/day' },
      { name: 'in-flight', per: 'key', meter: 'concurrency', allow: 1000 },
    ],
  });
  for (const name of Object.keys(config.providers)) config.providers[name].timeouts = { idle: '200ms', first_byte: '200ms', total: '2s' };
  const weir = await startWeir(config);
  try {
    const key = await weir.createKey('books');
    const random = randomOf(20260101);
    const books = [];
    for (const [name, most] of [['before', kBeforeKill], ['after', kAfterKill]]) {
      const book = { name, finished: 0, failed: 0, statuses: new Map(), ids: new Map() };
      books.push(book);
      const running = load(weir, key, random, book);
      await eventually(() => book.finished >= most, `${most} answers`, 60_000);
      if (name === 'before') {
        await weir.kill();
        await running.stop();
        await weir.start();
      } else {
        await running.stop();
      }
    }
    const limits = await eventually(async () => {
      const now = Object.fromEntries((await weir.me(key)).limits.map((limit) => [limit.name, limit]));
      return now.tokens.reserved === 0 && now.spend.reserved === 0 && now['in-flight'].used === 0 && now;
    }, 'nothing reserved');
    const rows = await weir.usage((all) => all.length >= limits.requests.used, 'a row for each admitted request');
    await check(t, { provider, rows, limits, books });
  } finally {
    await weir.stop();
    await provider.close();
  }
});

async function check(t, { provider, rows, limits, books }) {
  assert.equal(rows.length, limits.requests.used, 'as many rows as the counter of requests');
  const byId = new Map(rows.map((row) => [row.request_id, row]));
  assert.equal(byId.size, rows.length, 'no request twice');
  const charged = (row) => (row.settled === 'expired' ? row.reserved_tokens : row.input_tokens + row.output_tokens);
  const sum = rows.reduce((total, row) => total + charged(row), 0);
  assert.equal(sum, limits.tokens.used, 'ledger and counter agree to the token');
  const usd = rows.reduce((total, row) => total + row.usd_micros, 0);
  assert.equal(usd, Math.round(limits.spend.used * 1e6), 'and to the micro-dollar');

  const told = provider.requests.filter((request) => request.produced && !/usage|gzip/.test(request.model));
  const producedFor = new Map();
  for (const { produced, headers } of told) {
    const mark = headers['x-mark'];
    producedFor.set(mark, (producedFor.get(mark) ?? 0) + produced.input + produced.output);
  }
  // Every answer that a client had belongs to one row, or was refused before it was admitted.
  for (const book of books) {
    for (const [id, { answer, mark, leave }] of book.ids) {
      const row = byId.get(id);
      if (!row) {
        assert.ok([429, 503].includes(answer.status), `${answer.status} without a row: ${mark}`);
        continue;
      }
      byId.delete(id);
      if (answer.status === 200 && !answer.broken && leave === undefined) {
        assert.ok(row.input_tokens + row.output_tokens > 0, `free: ${JSON.stringify(row)}`);
        assert.notEqual(row.settled, 'expired', `delivered whole: ${JSON.stringify(row)}`);
        assert.ok(charged(row) >= (producedFor.get(mark) ?? 0), `${producedFor.get(mark)} produced: ${JSON.stringify(row)}`);
      }
    }
  }
  // What a provider says it produced whole, and said in its own words, is charged: never less than it reported.
  const produced = told.reduce((total, request) => total + request.produced.input + request.produced.output, 0);
  assert.ok(produced > 5000, `${produced} tokens produced`);
  assert.ok(sum >= produced, `${sum} charged, ${produced} produced`);
  const expired = rows.filter((row) => row.settled === 'expired').length;
  assert.ok(expired > 0 && expired <= kWorkers, `${expired} were in flight when it was killed`);
  const of = (settled) => rows.filter((row) => row.settled === settled).length;
  t.diagnostic(`${rows.length} rows: ${of('usage')} usage, ${of('counted')} counted, ${of('none')} none, ${expired} expired; `
    + `${sum} tokens charged, ${produced} produced; statuses ${JSON.stringify(books.map((book) => [...book.statuses]))}`);
}
