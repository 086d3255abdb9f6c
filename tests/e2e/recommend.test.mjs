// weir recommend: from the ledger of a real server, and what it says of input from which nothing can be recommended.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { useFolder } from '../support/folder.mjs';
import { eventually, lines, runWeir, startWeir } from '../support/weir.mjs';

const kHeader = 'timestamp_s,tenant,session,turn,model,input_tokens,output_tokens\n';
const { folder, file } = useFolder('recommend');
// Callers who ask twice a day for nine days, and one who asks 60 times in a minute.
function office() {
  const rows = [];
  for (let day = 0; day < 9; day++) {
    for (const hour of [0, 1]) {
      for (let caller = 0; caller < 24; caller++) rows.push([day * 86_400 + hour * 3_600 + caller, `calm-${caller}`]);
    }
  }
  for (let i = 0; i < 60; i++) rows.push([8 * 86_400 + 7_200 + i, 'heavy']);
  return kHeader + rows.map(([at, who]) => `${at},${who},,,gpt-4o,900,100\n`).join('');
}

test('the ledger of a real server: use, choices, limits that check accepts, and the limits in force beside them', async () => {
  const weir = await startWeir({
    models: { 'sim-*': { provider: 'sim', price: { input: 1, output: 2 } } },
    providers: { sim: { simulate: { output_tokens: '20..40', first_byte: '1ms', tokens_per_second: 100000 } } },
    tiers: { free: {}, gold: {} },
    limits: [{ name: 'requests', per: 'caller', meter: 'requests', allow: '5000/1m' }],
  });
  try {
    const keys = [await weir.createKey('ann', { tier: 'free' }), await weir.createKey('bot', { tier: 'gold', kind: 'service' })];
    for (let i = 0; i < 6; i++) {
      for (const key of keys) {
        const answer = await fetch(`${weir.url}/v1/chat/completions`, { method: 'POST',
          headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
          body: JSON.stringify({ model: 'sim-1', messages: [{ role: 'user', content: 'hello there' }] }) });
        assert.equal(answer.status, 200, await answer.text());
      }
    }
    await eventually(async () => (await weir.rows('usage')).length === 12, 'the ledger has all rows');

    const found = await weir.rows('recommend', '--against', 'current');
    const seen = found.find((row) => row.finding === 'seen');
    assert.deepEqual([seen.requests, seen.consumers, seen.enough, seen.excluded], [12, 2, false, 0]);
    assert.match(seen.notes.join('\n'), /less than a week/);
    assert.match(seen.notes.join('\n'), /gold service: only 1 consumer, too few/);
    assert.deepEqual(found.filter((row) => row.finding === 'shape').map((row) => [row.tier, row.kind, row.requests]),
      [['free', 'agent', 6], ['gold', 'service', 6]]);
    const day = found.find((row) => row.finding === 'use' && row.tier === 'gold' && row.meter === 'requests' && row.window === 'day');
    assert.ok(day.p95 >= 3 && day.p95 <= 6, `${day.p95} of 6 when a test meets midnight`);
    const choices = found.filter((row) => row.finding === 'choice' && row.tier === 'free');
    assert.deepEqual(choices.map((row) => [row.multiple, row.refused]), [[4, 0], [5, 0], [6, 0], [8, 0], [10, 0]]);
    const current = found.find((row) => row.finding === 'current' && row.tier === 'free');
    assert.deepEqual([current.limit, current.verdict, current.allowed], ['requests', 'tighten', '5k']);
    assert.match(current.why, /^5,000 is [\d,]+ times the p95/);

    const patch = await weir.command('recommend', '--yaml');
    assert.equal(patch.code, 0, patch.stderr);
    const config = JSON.parse(await readFile(weir.file, 'utf8'));
    delete config.limits;
    const rest = Object.entries(config).map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`).join('');
    const checked = await runWeir(['check', await file('patched.yaml', `${rest}${patch.stdout}`)]);
    assert.equal(checked.code, 0, `${checked.stderr}${checked.stdout}\n${patch.stdout}`);
    assert.doesNotMatch(checked.stderr + checked.stdout, /warning|error/, patch.stdout);

    const table = await weir.command('recommend', '--since', '1h', '--against', 'current');
    assert.equal(table.code, 0, table.stderr);
    assert.match(table.stdout, /12 requests of 2 consumers/);
    assert.ok(table.stdout.split('\n').every((line) => [...line].length <= 100), table.stdout);
    assert.equal(table.stderr, '', 'no progress where no terminal is');
  } finally {
    await weir.stop();
  }
});

test('a trace: who would have been refused at which multiple, and limits that replay refuses the same by', async () => {
  const trace = await file('office.csv', office());
  const result = await runWeir(['recommend', trace, '--json']);
  assert.equal(result.code, 0, result.stderr);
  const choices = lines(result.stdout).filter((row) => row.finding === 'choice');
  assert.deepEqual(choices.map((row) => [row.multiple, row.refused, row.refused_consumers]),
    [[4, 56, 1], [5, 55, 1], [6, 54, 1], [8, 52, 1], [10, 50, 1]]);
  assert.deepEqual(choices[0].who, [{ name: 'heavy', refused: 56 }]);

  const patch = await runWeir(['recommend', trace, '--yaml']);
  const yaml = await file('proposed.yaml', patch.stdout);
  const replayed = await runWeir(['replay', trace, '--policy', yaml, '--mode', 'reserve', '--max-tokens', '0', '--json']);
  assert.equal(replayed.code, 0, replayed.stderr);
  assert.equal(JSON.parse(replayed.stdout).refused, 50, patch.stdout);
});

test('input from which nothing can be recommended: one line says why, and the exit code which sort it is', async () => {
  const data = path.join(folder, 'empty');
  assert.equal((await runWeir(['keys', 'create', '--name', 'ann', '--data', data])).code, 0);
  const order = await file('order.csv', `${kHeader}5,a,,,m,1,1\n4,a,,,m,1,1\n`);
  const agents = await file('agents.jsonl', '{"trace":"r","step":0,"kind":"llm_call","in_tok":1,"out_tok":1,"tool_calls":0}\n');
  const head = await file('head.csv', kHeader);
  const one = await file('one.csv', `${kHeader}0,a,,,m,1,1\n`);
  const cases = [
    [['--data', data], 1, /there are no requests to recommend from; let traffic pass/],
    [['--data', data, '--since', '7d'], 1, /no requests to recommend from since 7d/],
    [[head], 1, /no requests to recommend from/],
    [['--data', path.join(folder, 'nowhere')], 2, /nowhere/],
    [['--data', data, '--since', '2999-01-01T00:00:00Z'], 2, /is in the future/],
    [['--data', data, '--since', 'yesterday'], 2, /neither a time like .* nor an age/],
    [['--data', data, '--since', '99999999999999d'], 2, /neither a time like .* nor an age/],
    [[one, '--since', '7d'], 2, /--since is for the ledger/],
    [[order], 2, /order\.csv:3: timestamp_s is smaller than in the row before/],
    [[agents], 2, /agents\.jsonl:1: is an agent trace/],
    [[path.join(folder, 'missing.csv')], 2, /missing\.csv:1: cannot be read/],
    [[one, '--against', 'draft.yaml'], 2, /--against draft\.yaml is unknown/],
    [[one, '-c', path.join(folder, 'missing.yaml')], 2, /cannot read .*missing\.yaml/],
    [[one, '--json', '--yaml'], 2, /--json.*--yaml|--yaml.*--json/],
  ];
  for (const [args, code, words] of cases) {
    const result = await runWeir(['recommend', ...args]);
    assert.equal(result.code, code, `${args.join(' ')}: ${result.stderr}`);
    assert.match(result.stderr, words);
    assert.equal(result.stderr.trim().split('\n').length, 1, result.stderr);
    assert.equal(result.stdout, '');
  }
  const single = await runWeir(['recommend', one]);
  assert.equal(single.code, 0, single.stderr);
  assert.match(single.stdout, /1 request of 1 consumer/);
  assert.match(single.stdout, /Shape unknown/);
});
