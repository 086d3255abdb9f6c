// Runs through the admin API, from agents' real traffic: a tree of sub-agents with its tokens and dollars, a loop with
// its evidence.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startProvider } from '../mock/provider.mjs';
import { chat, runAgent } from '../support/agent.mjs';
import { ask, eventually, mockConfig, startWeir } from '../support/weir.mjs';

let provider, weir;
before(async () => {
  provider = await startProvider();
  weir = await startWeir(mockConfig(provider));
});
after(async () => {
  await weir?.stop();
  await provider?.close();
});

async function get(path) {
  const answer = await ask(`${weir.admin}/admin/v1${path}`, { headers: { authorization: `Bearer ${weir.adminToken}` } });
  return { status: answer.status, body: JSON.parse(answer.text) };
}
async function runs(query, count) {
  let found;
  await eventually(async () => { found = (await get(`/runs?${query}`)).body.runs; return found.length === count; }, `${count} runs of ${query}`);
  return found;
}

test('a run with two sub-agents is a tree with the tokens and dollars of each', async () => {
  const key = await weir.createKey('crew', { tenant: 'acme' });
  let spawned = 0;
  provider.script = (seen) => (seen.body.includes('plan the trip') && (spawned += 1) <= 2 ? [{ name: 'spawn', arguments: { part: spawned } }] : []);
  const children = [];
  const root = await runAgent(weir, key, { prompt: 'plan the trip', tools: ['spawn'], headers: { 'x-weir-agent': 'planner' },
    execute: async (call, answer) => {
      const child = await chat(weir, key, { messages: [{ role: 'user', content: `part ${call.arguments.part}` }] },
        { 'x-weir-agent': `helper-${call.arguments.part}`, 'x-weir-lineage': answer.headers.get('x-weir-lineage') });
      assert.equal(child.status, 200, child.text);
      children.push(child);
      return 'done';
    } });
  assert.equal(root.answers.length, 3);
  const rows = (await weir.usage((all) => all.filter((row) => row.key === 'crew').length === 5)).filter((row) => row.key === 'crew');
  const [run] = await runs('key=crew', 1);
  assert.deepEqual([run.run, run.tenant, run.agent, run.live, run.requests, run.llm_calls, run.tool_calls, run.depth, run.flags],
    [rows[0].run, 'acme', 'planner', true, 5, 5, 2, 1, []]);
  assert.equal(run.tokens, rows.reduce((sum, row) => sum + row.input_tokens + row.output_tokens, 0));
  assert.equal(run.usd_micros, rows.reduce((sum, row) => sum + row.usd_micros, 0));
  assert.ok(run.usd_micros > 0);

  const { status, body: tree } = await get(`/runs/${run.run}?key=crew`);
  assert.equal(status, 200);
  const callOf = (answer) => tree.calls.find((call) => call.request_id === answer.headers.get('x-weir-request-id'));
  for (const [i, child] of children.entries()) {
    assert.equal(callOf(child).agent, `helper-${i + 1}`);
    assert.equal(callOf(child).depth, 1);
    assert.equal(callOf(child).parent, callOf(root.answers[i]).node);
    const row = rows.find((each) => each.request_id === callOf(child).request_id);
    assert.equal(callOf(child).tokens, row.input_tokens + row.output_tokens);
    assert.equal(callOf(child).usd_micros, row.usd_micros);
  }
  assert.deepEqual(root.answers.map((answer) => [callOf(answer).parent, callOf(answer).depth, callOf(answer).tools]),
    [[null, 0, 'spawn'], [null, 0, 'spawn'], [null, 0, '']]);
  assert.equal(new Set(tree.calls.map((call) => call.node)).size, 5);
});

test('a loop is flagged and shows its evidence', async () => {
  const key = await weir.createKey('looper');
  provider.script = () => [{ name: 'search', arguments: { q: 'the same' } }];
  await runAgent(weir, key, { prompt: 'find it', tools: ['search'], execute: () => 'nothing new', most: 12 });
  const [run] = await runs('key=looper&flagged=true', 1);
  assert.ok(run.flags.includes('repeats'), JSON.stringify(run));
  const broken = await eventually(async () => {      // the audit is booked in the background
    const { body: tree } = await get(`/runs/${run.run}`);
    return tree.evidence.find((row) => row.event === 'broken' && row.limit === 'repeats');
  }, 'the break is in the audit');
  assert.match(broken.evidence, /search/);
  assert.ok(broken.sentence.length > 20);
  assert.deepEqual(await runs('key=crew&flagged=true', 0), []);
  assert.equal((await get('/runs/none')).status, 404);
});
