// weir replay of agents: events and transcripts, what is said of them, and that every tool call of the recorded
// transcripts is seen.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { useFolder } from '../support/folder.mjs';
import { kRoot, lines, runWeir } from '../support/weir.mjs';

const kData = path.join(kRoot, '../shared/data');
const { folder, file } = useFolder('replay-agents');
const policy = (more = {}) => file('policy.yaml', JSON.stringify({ limits: [], ...more }));
const jsonl = (objects) => `${objects.map((object) => JSON.stringify(object)).join('\n')}\n`;

// A run that makes the given calls, one per turn: [tool, args, {…}].
function events(trace, calls, first = {}) {
  let step = 0;
  return calls.flatMap(([tool, args, more = {}], i) => [
    { trace, step: step++, kind: 'llm_call', in_tok: 10, out_tok: 5, tool_calls: 1, ...(i === 0 ? first : {}) },
    { trace, step: step++, kind: 'tool_call', tool, args_hash: args, ...more },
    { trace, step: step++, kind: 'tool_result', tool, error: 0, result_hash: `${trace}${i}` },
  ]);
}

async function replay(args, yaml) {
  const decisions = path.join(folder, 'decisions.jsonl');
  const result = await runWeir(['replay', ...args, '--policy', yaml ?? await policy(), '--decisions', decisions, '--json']);
  assert.equal(result.code, 0, result.stderr);
  return { sums: JSON.parse(result.stdout), told: lines(await readFile(decisions, 'utf8')) };
}

test('events: one line per tool call in order, loops are warned of and broken, sums', async () => {
  const loop = Array.from({ length: 5 }, () => ['look', 'same']);
  const trace = await file('loop.jsonl', jsonl([...events('a', loop), ...events('b', [['pay', '1']])]));
  const { sums, told } = await replay([trace]);
  assert.deepEqual(told.map((line) => [line.trace, line.step, line.tool, line.decision, line.guard]), [
    ['a', 1, 'look', 'allow', null], ['a', 4, 'look', 'allow', null], ['a', 7, 'look', 'warn', 'repeats'],
    ['a', 10, 'look', 'warn', 'repeats'], ['a', 13, 'look', 'break', 'repeats'], ['b', 1, 'pay', 'allow', null],
  ]);
  assert.deepEqual(Object.keys(told[0]), ['trace', 'step', 'tool', 'decision', 'guard', 'why']);
  assert.equal(told[0].why, null);
  assert.equal(typeof told[4].why, 'string');
  assert.deepEqual(sums, { traces: 2, events: 18, allow: 3, warn: 2, break: 1, refuse: 0, anomaly: 0 });
});

test('--train declares runs ordinary: what they never did is an anomaly, and they get no lines', async () => {
  const who = { agent: 'bot', task: 'bills' };
  const ordinary = Array.from({ length: 4 }, (_, i) => events(`o${i}`, [['pay', '1', { dest_new: 0 }]], who)).flat();
  const half = (name, part) => file(name, jsonl(part));
  const train = [await half('one.jsonl', ordinary.slice(0, 6)), await half('two.jsonl', ordinary.slice(6))];
  const judged = await file('judged.jsonl', jsonl([
    ...events('x', [['pay', '1', { dest_new: 0 }], ['mail', '2', { dest_new: 1 }]], who),
    ...events('y', [['mail', '2', { dest_new: 1 }]], { ...who, task: 'another' }),
  ]));
  const yaml = await policy({ profiles: { sensitive: ['pay', 'mail'], warmup: 4 } });
  const { sums, told } = await replay(['--train', train[0], '--train', train[1], judged], yaml);
  assert.deepEqual(told.map((line) => [line.trace, line.tool, line.decision, line.guard]),
    [['x', 'pay', 'allow', null], ['x', 'mail', 'anomaly', 'profile'], ['y', 'mail', 'allow', null]]);
  assert.equal(sums.traces, 2);
  assert.equal((await replay(['--train', train[0], judged], yaml)).sums.anomaly, 0, 'two runs do not make a profile of four');
});

test('a run that was refused, or had an anomaly, teaches nothing by itself', async () => {
  const who = { agent: 'bot', task: 'bills' };
  const yaml = await policy({ profiles: { sensitive: ['pay', 'mail'], warmup: 2 } });
  const runs = ['a', 'b'].flatMap((name) => events(name, [['pay', '1']], who));
  const odd = ['c', 'd', 'e'].flatMap((name) => events(name, [['mail', '1']], who));
  const { told } = await replay([await file('odd.jsonl', jsonl([...runs, ...odd]))], yaml);
  assert.deepEqual(told.map((line) => line.decision), ['allow', 'allow', 'anomaly', 'anomaly', 'anomaly']);
});

test('tool limits and deny lists refuse calls; a refused call of the model is a line without a tool', async () => {
  const trace = await file('pays.jsonl', jsonl(events('a', [['pay', '1'], ['drop', '2'], ['pay', '3']])));
  const limits = [
    { name: 'pays', per: 'tool', meter: 'tool_calls', allow: '1/1h', match: { tool: 'pay' } },
    { name: 'tokens', per: 'key', meter: 'tokens', allow: '40/1h' },
  ];
  const { told, sums } = await replay([trace], await policy({ limits, tiers: { free: { tools: { deny: ['drop'] } } } }));
  assert.deepEqual(told.map((line) => [line.step, line.tool, line.decision, line.guard]), [
    [1, 'pay', 'allow', null], [4, 'drop', 'refuse', 'tools'], [6, null, 'refuse', 'tokens'], [7, 'pay', 'refuse', 'pays'],
  ]);
  assert.equal(sums.refuse, 3);
});

// A run as a transcript: each element of `turns` is a list of [tool, args].
function transcript(trace, turns) {
  let id = 0;
  const messages = [{ role: 'system', content: 'You help.' }, { role: 'user', content: 'Write to bob@corp.com' }];
  for (const turn of turns) {
    const calls = turn.map(([name, args]) => ({ id: `c${id++}`, type: 'function', function: { name, arguments: JSON.stringify(args) } }));
    messages.push({ role: 'assistant', content: null, tool_calls: calls });
    for (const call of calls) messages.push({ role: 'tool', tool_call_id: call.id, name: call.function.name, content: `r${call.id}`, is_error: false });
  }
  messages.push({ role: 'assistant', content: 'Done.' });
  return { trace, label: 'benign', model: 'm', messages };
}

test('transcripts: every call of every turn, equal arguments whatever their order', async () => {
  const trace = await file('runs.jsonl', jsonl([
    transcript('a', [[['look', { a: 1, b: 2 }], ['pay', {}]], [['look', { b: 2, a: 1 }]], [['look', { a: 1, b: 2 }]]]),
    transcript('b', []),
  ]));
  const { sums, told } = await replay([trace]);
  assert.deepEqual(told.map((line) => [line.trace, line.step, line.tool, line.decision]), [
    ['a', 1, 'look', 'allow'], ['a', 2, 'pay', 'allow'], ['a', 6, 'look', 'allow'], ['a', 9, 'look', 'warn'],
  ]);
  assert.deepEqual([sums.traces, sums.events], [2, 13]);
});

test('what is wrong with an agent trace is said in one line with file and line, exit 2', async () => {
  const cases = [
    ['{"trace":"x","step":0,"kind":"llm_call"}\n{"trace":"x"', /^weir: \S*bad\.jsonl:2: is not a JSON object\n$/],
    ['{"trace":"x","step":0,"kind":"thought"}\n', /^weir: \S*bad\.jsonl:1: `kind` is `thought`; expected llm_call/],
    ['{"trace":"x","step":0,"kind":"tool_call"}\n', /^weir: \S*bad\.jsonl:1: has no `tool`\n$/],
    ['{"trace":"x","messages":[{"content":"?"}]}\n', /^weir: \S*bad\.jsonl:1: message 1 has no `role`\n$/],
    [jsonl([...events('a', [['f', '1']]), ...events('b', [['f', '1']]), ...events('a', [['f', '1']])]),
      /^weir: \S*bad\.jsonl:7: trace `a` comes back after it had ended; put the events of a trace together\n$/],
  ];
  for (const [text, expected] of cases) {
    const result = await runWeir(['replay', await file('bad.jsonl', text), '--json', '--policy', await policy()]);
    assert.equal(result.code, 2, text);
    assert.match(result.stderr, expected);
    assert.equal(result.stdout, '');
  }
});

test('agents and load rows are replayed by themselves, and load rows teach nothing', async () => {
  const rows = await file('rows.csv', 'timestamp_s,tenant,session,turn,model,input_tokens,output_tokens\n1,t,,,m,1,1\n');
  const agents = await file('agents.jsonl', jsonl(events('a', [['f', '1']])));
  for (const [args, expected] of [
    [[rows, agents], /agents\.jsonl:1: is an agent trace, those before it are load rows/],
    [[agents, rows], /rows\.csv:1: has load rows, the traces before it agents/],
    [[agents, '--train', rows], /rows\.csv:1: is no agent trace; --train teaches/],
  ]) {
    const result = await runWeir(['replay', ...args]);
    assert.equal(result.code, 2, args.join(' '));
    assert.match(result.stderr, expected);
  }
});

for (const source of ['agentdojo', 'taubench']) {
  test(`recorded ${source}: every tool call of every transcript is seen`, async (t) => {
    const transcripts = path.join(kData, `transcripts_${source}.jsonl`);
    const text = await readFile(transcripts, 'utf8').catch(() => undefined);
    const table = await readFile(path.join(kData, `traj_${source}_runs.csv`), 'utf8').catch(() => undefined);
    if (text === undefined || table === undefined) return t.skip('the recorded runs are not beside this repository');
    const { told, sums } = await replay([transcripts]);
    const seen = new Map();
    for (const line of told) if (line.tool !== null) seen.set(line.trace, (seen.get(line.trace) ?? 0) + 1);
    const [head, ...rows] = table.trim().split('\n').map((row) => row.split(','));
    const column = Object.fromEntries(head.map((name, i) => [name, i]));
    // tau-bench's transcripts have the name of the recording, its trajectories one of their own.
    const expected = new Map();
    for (const row of rows) {
      for (const name of ['trace', 'source_ref']) {
        if (column[name] !== undefined) expected.set(row[column[name]], Number(row[column.n_tool_calls]));
      }
    }
    const traces = lines(text).map((run) => run.trace);
    assert.equal(sums.traces, traces.length);
    const wrong = traces.filter((trace) => (seen.get(trace) ?? 0) !== expected.get(trace))
      .map((trace) => `${trace}: ${seen.get(trace) ?? 0} seen, ${expected.get(trace)} recorded`);
    assert.deepEqual(wrong, []);
  });
}
