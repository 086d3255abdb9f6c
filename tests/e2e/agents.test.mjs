// Agents through the real binary: runs and what counts them, breakers, deny lists, calls in flight.
// The official clients: tests/clients/agents.test.mjs; budgets of whole runs and kill switches: agents_held.test.mjs.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startProvider } from '../mock/provider.mjs';
import { callsOf, chat, refusalOf, runAgent, toolList } from '../support/agent.mjs';
import { mockConfig, startWeir } from '../support/weir.mjs';

let provider, weir;
before(async () => {
  provider = await startProvider();
  weir = await startWeir(mockConfig(provider, {
    upstreams: [{ path: '/api/**', kind: 'http', url: provider.url }],
    tiers: { free: { tools: { deny: ['delete_*'] } } },
    limits: [
      { name: 'runs', per: 'caller', meter: 'runs', allow: ['20/1m', '200/1h'] },
      { name: 'tokens', per: 'caller', meter: 'tokens', allow: '10M/1h' },
      { name: 'search', per: 'run', meter: 'concurrency', allow: 3, match: { tool: 'search' } },
    ],
  }));
});
after(async () => {
  await weir?.stop();
  await provider?.close();
});

const user = (content) => [{ role: 'user', content }];
const names = (answer) => callsOf(answer).map((call) => call.function.name);
const seenBy = (part) => provider.requests.filter((request) => request.body.includes(part)).length;
const results = (calls, contents) => calls.slice(0, contents.length).map((call, i) => ({ role: 'tool', tool_call_id: call.id, content: contents[i] }));

test('the limit `runs` counts prompts, whatever a prompt causes', async () => {
  const key = await weir.createKey('prompts');
  let asked = 0;
  provider.script = (seen) => (seen.body.includes('long prompt') && (asked += 1) <= 30 ? [{ name: 'lookup', arguments: { page: asked } }] : []);
  const long = await runAgent(weir, key, { prompt: 'long prompt', tools: ['lookup'], execute: (call) => `page ${call.arguments.page}` });
  assert.equal(long.last.status, 200);
  assert.equal(long.executed.length, 30);
  const used = async () => (await weir.me(key)).limits.find((limit) => limit.name === 'runs' && limit.window === '1m').used;
  assert.equal(await used(), 1);
  for (let i = 1; i < 20; i += 1) assert.equal((await chat(weir, key, { messages: user(`prompt ${i}`) })).status, 200, `prompt ${i}`);
  const refused = await chat(weir, key, { messages: user('one prompt more') });
  assert.equal(refused.status, 429);
  assert.deepEqual([refusalOf(refused).limit, refusalOf(refused).layer, refusalOf(refused).meter], ['runs', 'rate', 'runs']);
  assert.equal(seenBy('one prompt more'), 0);
  const named = await chat(weir, key, { messages: [...long.messages, { role: 'user', content: 'and then?' }] },
    { 'x-weir-lineage': long.last.headers.get('x-weir-lineage') });
  assert.equal(named.status, 200, 'a run that began may go on');
  assert.equal(await used(), 20);
});

test('a failing POST repeated 500 times reaches its upstream at most five times', async () => {
  const key = await weir.createKey('script');
  provider.script = undefined;
  const http = () => fetch(`${weir.url}/api/jobs`, { method: 'POST', body: 'job 17', headers: { authorization: `Bearer ${key}`, 'x-mock': '500' } });
  const model = () => chat(weir, key, { model: 'mock-500', messages: user('job 18') });
  for (const [what, send, part] of [['HTTP', http, 'job 17'], ['model', model, 'job 18']]) {
    const statuses = new Map();
    let last;
    for (let i = 0; i < 500; i += 1) {
      last = await send();
      if (what === 'HTTP') await last.arrayBuffer();
      statuses.set(last.status, (statuses.get(last.status) ?? 0) + 1);
    }
    assert.ok(seenBy(part) >= 1 && seenBy(part) <= 5, `${what}: ${seenBy(part)} came through`);
    assert.equal(statuses.get(500), seenBy(part));
    assert.equal(statuses.get(429), 500 - seenBy(part), JSON.stringify([...statuses]));
    assert.equal(last.headers.get('x-should-retry'), 'false');
  }
  const other = await fetch(`${weir.url}/api/jobs`, { method: 'POST', body: 'job 19', headers: { authorization: `Bearer ${key}` } });
  assert.equal(other.status, 200, 'another body goes on');
});

test('a failing POST sent 100 times at once reaches its upstream at most five times', async () => {
  const key = await weir.createKey('burst');
  const send = async () => (await fetch(`${weir.url}/api/jobs`, { method: 'POST', body: 'job 20', headers: { authorization: `Bearer ${key}`, 'x-mock': '500' } })).status;
  const statuses = await Promise.all(Array.from({ length: 100 }, send));
  assert.ok(seenBy('job 20') <= 5, `${seenBy('job 20')} came through`);
  assert.equal(statuses.filter((status) => status === 429).length, 100 - seenBy('job 20'));
});

test('five tool errors in a row: that run is refused, another goes on', async () => {
  const key = await weir.createKey('errors');
  let calls = 0;
  provider.script = () => [{ name: 'lookup', arguments: { n: calls += 1 } }];
  const broken = await runAgent(weir, key, { prompt: 'fails', tools: ['lookup'], most: 10, execute: () => JSON.stringify({ error: `down ${calls}` }) });
  assert.equal(broken.executed.length, 5);
  assert.equal(broken.last.status, 429, broken.last.text);
  assert.equal(broken.last.headers.get('x-should-retry'), 'false');
  assert.deepEqual([refusalOf(broken.last).limit, refusalOf(broken.last).used, refusalOf(broken.last).allowed], ['tool_errors', 5, 5]);
  const other = await runAgent(weir, key, { prompt: 'works', tools: ['lookup'], most: 7, execute: () => `fine ${calls}` });
  assert.deepEqual(other.answers.map((answer) => answer.status), Array(7).fill(200));
  // A success in between begins the row anew.
  const mixed = await runAgent(weir, key, { prompt: 'mixed', tools: ['lookup'], most: 10,
    execute: () => (calls % 4 === 0 ? `fine ${calls}` : JSON.stringify({ error: `down ${calls}` })) });
  assert.deepEqual(mixed.answers.map((answer) => answer.status), Array(10).fill(200));
});

test('deny lists of a tier, and of a key', async () => {
  const plain = await weir.createKey('denied');
  const narrow = await weir.createKey('narrow', { metadata: { tools: { allow: ['lookup'] } } });
  provider.script = () => ['delete_user', 'lookup', 'update'].map((name) => ({ name, arguments: { of: name } }));
  const tools = toolList(['delete_user', 'lookup', 'update']);
  for (const [key, prompt, left, gone] of [[plain, 'with the tier', ['lookup', 'update'], 'delete_user'], [narrow, 'with the key', ['lookup'], 'delete_user, update']]) {
    const answer = await chat(weir, key, { messages: user(prompt), tools });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.headers.get('x-weir-stripped'), gone);
    assert.deepEqual(names(answer), left, 'announced all the same, and cut');
    const seen = provider.requests.find((request) => request.body.includes(prompt));
    assert.deepEqual(seen.json.tools.map((tool) => tool.function.name), left);
  }
  await weir.audit((rows) => rows.some((row) => row.key === 'denied' && row.event === 'refused' && row.tool === 'delete_user' && row.limit === 'tools'));
});

test('concurrency with a tool counts calls in flight: from their announcement until their results', async () => {
  const key = await weir.createKey('searcher');
  let n = 0;
  provider.script = () => Array.from({ length: 5 }, () => ({ name: 'search', arguments: { n: n += 1 } }));
  const tools = toolList(['search']);
  const messages = user('search far and wide');
  const first = await chat(weir, key, { messages, tools });
  assert.equal(callsOf(first).length, 3);
  messages.push(first.body.choices[0].message, ...results(callsOf(first), ['found a', 'found b']));
  const second = await chat(weir, key, { messages, tools });
  assert.equal(callsOf(second).length, 2, 'two came back, one is out');
  const other = await chat(weir, key, { messages: user('search elsewhere'), tools });
  assert.equal(callsOf(other).length, 3, 'another run has its own');
});

test('mode: shadow of the breakers refuses nothing and leaves evidence', async () => {
  const shadow = await startWeir(mockConfig(provider, { breaker: { mode: 'shadow' } }));
  try {
    const key = await shadow.createKey('shadowed');
    provider.script = () => [{ name: 'lookup', arguments: { same: true } }];
    const run = await runAgent(shadow, key, { prompt: 'again and again', tools: ['lookup'], most: 8, execute: () => JSON.stringify({ error: 'down' }) });
    assert.deepEqual(run.answers.map((answer) => answer.status), Array(8).fill(200));
    assert.equal(run.executed.length, 8);
    const rows = await shadow.audit((all) => ['repeats', 'tool_errors'].every((limit) => all.some((row) => row.event === 'broken' && row.limit === limit)));
    assert.ok(rows.filter((row) => row.event === 'broken').every((row) => row.key === 'shadowed' && row.run));
  } finally {
    await shadow.stop();
  }
});
