// weir replay: load rows and the ledger of a real server, decisions, sums, and what is said of traces that are wrong.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { startProvider } from '../mock/provider.mjs';
import { useFolder } from '../support/folder.mjs';
import { eventually, kRoot, lines, mockConfig, runWeir, startWeir } from '../support/weir.mjs';

const kHeader = 'timestamp_s,tenant,session,turn,model,input_tokens,output_tokens\n';
const { folder, file } = useFolder('replay');
const policy = (limits, more = {}) => file('policy.yaml', JSON.stringify({ limits, ...more }));
const tokens = (allow) => policy([{ name: 'tokens', per: 'tenant', meter: 'tokens', allow }]);

test('ladders degrade rows: the answer ends at the cap, the price is that of the model that would be called', async () => {
  const rows = Array.from({ length: 4 }, (_, i) => `${i * 100},acme,s,${i},m,10,400`).join('\n');
  const trace = await file('ladder.csv', `${kHeader}${rows}\n`);
  const models = { m: { provider: 'sim', price: { input: 0, output: 1000 } }, cheap: { provider: 'sim', price: { input: 0, output: 100 } } };
  const yaml = await policy([{ name: 'spend', per: 'tenant', meter: 'usd', allow: '1/day',
    degrade: [{ at: '50%', model: { m: 'cheap' }, max_tokens: 50 }] }], { models });
  const outputs = [];
  for (const name of ['a.jsonl', 'b.jsonl']) {
    const decisions = path.join(folder, name);
    const result = await runWeir(['replay', trace, '--policy', yaml, '--max-tokens', '0', '--decisions', decisions, '--json']);
    assert.equal(result.code, 0, result.stderr);
    outputs.push(await readFile(decisions, 'utf8'));
  }
  assert.equal(outputs[0], outputs[1], 'the same every time');
  assert.deepEqual(lines(outputs[0]).map((line) => [line.decision, line.reserved, line.settled]),
    [['allow', 410, 410], ['degrade', 60, 60], ['degrade', 60, 60], ['degrade', 60, 60]]);
});

test('load rows: one line per row, sums, exit 0', async () => {
  const trace = await file('load.csv', `${kHeader}0.000,acme,s1,1,gpt-4o,900,100\n0.500,acme,s1,2,gpt-4o,900,100\n0.500,,,,gpt-4o,900,100\n70,acme,s1,3,gpt-4o,900,100\n`);
  const decisions = path.join(folder, 'decisions.jsonl');
  const result = await runWeir(['replay', trace, '--policy', await tokens('2000/1m'), '--decisions', decisions, '--json']);
  assert.equal(result.code, 0, result.stderr);
  assert.deepEqual(JSON.parse(result.stdout),
    { rows: 4, allowed: 3, refused: 1, tokens_asked: 4 * 1924, tokens_used: 3000, open_reservations: 0,
      note: 'Nothing records how long answers took: 0.5 s and 0.02 s per output token are assumed, on which limits of concurrency depend.' });
  const told = lines(await readFile(decisions, 'utf8'));
  assert.deepEqual(told.map((line) => [line.row, line.t, line.tenant, line.decision, line.limit, line.settled]), [
    [1, 0, 'acme', 'allow', null, 1000],
    [2, 0.5, 'acme', 'refuse', 'tokens', null],
    [3, 0.5, '', 'allow', null, 1000],
    [4, 70, 'acme', 'allow', null, 1000],
  ]);
  assert.deepEqual(Object.keys(told[0]), ['row', 't', 'tenant', 'decision', 'limit', 'reserved', 'settled', 'retry_after']);
  assert.ok(told[1].retry_after > 59 && told[1].retry_after <= 61, `${told[1].retry_after}`);
  assert.equal(told[0].retry_after, null);
});

test('the wait in a line is true: the row is allowed then, and refused just before', async () => {
  const rows = (at) => `${kHeader}0,acme,,,m,900,100\n10,acme,,,m,1500,100\n${at},acme,,,m,1500,100\n`;
  const told = async (at) => {
    const decisions = path.join(folder, 'wait.jsonl');
    const result = await runWeir(['replay', await file('wait.csv', rows(at)), '--policy', await tokens('2000/1m'), '--decisions', decisions]);
    assert.equal(result.code, 0, result.stderr);
    return lines(await readFile(decisions, 'utf8'));
  };
  const { decision, retry_after: wait } = (await told(20))[1];
  assert.equal(decision, 'refuse');
  assert.equal((await told((10 + wait).toFixed(3)))[2].decision, 'allow');
  assert.equal((await told((10 + wait - 0.001).toFixed(3)))[2].decision, 'refuse');
});

test('modes, caps and service times change what is held', async () => {
  const trace = await file('modes.csv', `${kHeader}${Array.from({ length: 40 }, (_, i) => `${i * 100},t,,,m,10,50\n`).join('')}`);
  const asked = async (...args) => {
    const result = await runWeir(['replay', trace, '--policy', await tokens('1M/1m'), '--json', ...args]);
    assert.equal(result.code, 0, result.stderr);
    return JSON.parse(result.stdout).tokens_asked;
  };
  assert.equal(await asked('--mode', 'reserve'), 40 * 1034);
  assert.equal(await asked('--mode', 'reserve', '--max-tokens', '100'), 40 * 110);
  assert.equal(await asked('--mode', 'reserve', '--max-tokens', '1'), 40 * 60);
  const estimate = await asked('--mode', 'estimate');
  assert.ok(estimate >= 20 * 1034 + 20 * 60 && estimate <= 20 * 1034 + 20 * 63, `${estimate}`);
  assert.equal(await asked(), estimate, 'the default is what the policy says');
  assert.equal(await asked('--mode', 'estimate', '--service-time', '5000'), 40 * 1034, 'nothing completes, nothing is learned');
});

test('a table for people', async () => {
  const trace = await file('table.csv', `${kHeader}0,acme,,,m,900,100\n1,acme,,,m,1900,100\n2,beta,,,m,5000,100\n`);
  const result = await runWeir(['replay', trace, '--policy', await tokens('2000/1m')]);
  assert.equal(result.code, 0, result.stderr);
  assert.match(result.stdout, /^rows +3$/m);
  assert.match(result.stdout, /^refused +2 +66\.7%$/m);
  assert.match(result.stdout, /^open reservations +0 /m);
  assert.match(result.stdout, /^tokens +2 +100\.0%$/m);
  assert.match(result.stdout, /^acme +1 +50\.0%\nbeta +1 +50\.0%$/m);
});

test('traces follow one another; without a policy the built-in one decides', async () => {
  const trace = await file('twice.csv', `${kHeader}0,acme,,,m,9,1\n30,acme,,,m,9,1\n`);
  const decisions = path.join(folder, 'twice.jsonl');
  const result = await runWeir(['replay', trace, trace, '--decisions', decisions, '--json']);
  assert.equal(result.code, 0, result.stderr);
  assert.equal(JSON.parse(result.stdout).rows, 4);
  assert.deepEqual(lines(await readFile(decisions, 'utf8')).map((line) => [line.row, line.t]), [[1, 0], [2, 30], [3, 30], [4, 60]]);
});

test('the ledger of a server replays', async () => {
  const provider = await startProvider();
  const weir = await startWeir(mockConfig(provider));
  try {
    for (const tenant of ['acme', 'beta']) {
      const key = await weir.createKey(`key-${tenant}`, { tenant });
      for (let i = 0; i < 2; i += 1) {
        const answer = await fetch(`${weir.url}/v1/chat/completions`, {
          method: 'POST', headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
          body: JSON.stringify({ model: 'mock-out=4', messages: [{ role: 'user', content: 'one two three' }] }),
        });
        assert.equal(answer.status, 200);
        await answer.text();
      }
    }
    const rows = await weir.usage((all) => all.length === 4);
    const trace = await file('ledger.jsonl', rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    const decisions = path.join(folder, 'ledger-decisions.jsonl');
    const limits = await policy([{ name: 'one', per: 'key', meter: 'requests', allow: '1/1h' }]);
    const result = await runWeir(['replay', trace, '--policy', limits, '--decisions', decisions, '--json']);
    assert.equal(result.code, 0, result.stderr);
    assert.deepEqual(lines(await readFile(decisions, 'utf8')).map((line) => [line.tenant, line.decision]),
      [['acme', 'allow'], ['acme', 'refuse'], ['beta', 'allow'], ['beta', 'refuse']]);
    assert.equal(JSON.parse(result.stdout).tokens_used, 14);
  } finally {
    await weir.stop();
    await provider.close();
  }
});

test('a key with amounts in its metadata is judged by them: in what-if, replay and recommend as at the gateway', async () => {
  const limits = (allow) => [{ name: 'requests', per: 'caller', meter: 'requests', allow: '10/1m' }, { name: 'own', per: 'key', meter: 'requests', allow }];
  const weir = await startWeir({ models: { 'sim-*': { provider: 'sim', price: { input: 1, output: 2 } } },
    providers: { sim: { simulate: { output_tokens: 3, first_byte: '1ms', tokens_per_second: 100000 } } }, limits: limits('{metadata.rpm}/1m') });
  try {
    const key = await weir.createKey('roomy', { metadata: { rpm: '60', limits: { requests: '500/1m' } } });
    for (let i = 0; i < 40; i += 1) {
      const answer = await fetch(`${weir.url}/v1/chat/completions`, {
        method: 'POST', headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'sim-1', messages: [{ role: 'user', content: `number ${i}` }] }) });
      assert.equal(answer.status, 200, await answer.text());
    }
    const rows = await weir.usage((all) => all.length === 40);
    const used = /The metadata of 1 key was used, as it is now/;

    const what = async (method, name = '', body = undefined) => (await fetch(`${weir.admin}/admin/v1/policy/what-if${name}`, { method, body,
      headers: { authorization: `Bearer ${weir.adminToken}`, 'content-type': 'application/json' } })).json();
    const { id } = await what('POST', '', '{}');
    const { result } = await eventually(async () => { const job = await what('GET', `/${id}`); return job.state !== 'running' && job; }, 'the what-if');
    assert.deepEqual([result.current.refused, result.draft.refused], [0, 0], JSON.stringify(result));
    assert.match(result.note, used);
    assert.match(result.note, /0\.5 s and 0\.02 s per output token are assumed/);

    const trace = await file('own.jsonl', rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    const replayed = (...args) => runWeir(['replay', trace, '--json', ...args], { cwd: folder });
    const own = await replayed('-c', weir.file);
    assert.equal(own.code, 0, own.stderr);
    assert.equal(JSON.parse(own.stdout).refused, 0, own.stdout);
    assert.match(JSON.parse(own.stdout).note, used);
    const table = await runWeir(['replay', trace, '-c', weir.file]);
    assert.match(table.stdout, used);
    const elsewhere = JSON.parse((await replayed('--policy', await policy(limits('60/1m')))).stdout);
    assert.equal(elsewhere.refused, 30, 'no store, no metadata');
    assert.match(elsewhere.note, /The metadata of keys was not used, for it could not be read: /);

    for (const args of [[], [trace]]) {
      const found = await weir.rows('recommend', ...args, '--against', 'current');
      assert.match(found.find((row) => row.finding === 'seen').notes.join('\n'), used);
      assert.deepEqual(found.filter((row) => row.finding === 'current').map((row) => [row.limit, row.verdict]),
        [['requests', 'not judged'], ['own', 'not judged']]);
    }
  } finally {
    await weir.stop();
  }
});

test('what is wrong with a trace is said in one line with file and line, exit 2', async () => {
  const cases = [
    [`${kHeader}1,t,,,m,1,1\n2,t,,,m,1\n`, /^weir: \S*bad\.csv:3: has 6 fields, the header 7\n$/],
    [`${kHeader}2,t,,,m,1,1\n1,t,,,m,1,1\n`, /^weir: \S*bad\.csv:3: timestamp_s is smaller/],
    [`${kHeader}2,t,,,m,-1,1\n`, /^weir: \S*bad\.csv:2: input_tokens is negative\n$/],
    [`${kHeader}2,t,,,m,1,99999999999\n`, /^weir: \S*bad\.csv:2: output_tokens is more than 10000000\n$/],
    ['a,b\n1,2\n', /^weir: \S*bad\.csv:1: the column timestamp_s is missing/],
    ['', /^weir: \S*bad\.csv:1: is empty/],
    ['{"input_tokens":1}\n', /^weir: \S*bad\.csv:1: is none of load rows .*, agent events, transcripts\n$/],
  ];
  for (const [text, expected] of cases) {
    const result = await runWeir(['replay', await file('bad.csv', text), '--json']);
    assert.equal(result.code, 2, text);
    assert.match(result.stderr, expected);
    assert.equal(result.stdout, '');
  }
});

test('what is wrong with the command is said too, exit 2', async () => {
  const trace = await file('fine.csv', `${kHeader}1,t,,,m,1,1\n`);
  const invalid = await policy([{ name: 'tokens', pre: 'tenant', meter: 'tokens', allow: '1/1m' }]);
  const cases = [
    [['replay'], /TRACE is required/],
    [['replay', path.join(folder, 'absent.csv')], /absent\.csv:1: cannot be read/],
    [['replay', folder], /:1: is a folder/],
    [['replay', trace, '--mode', 'guess'], /choose reserve or estimate/],
    [['replay', trace, '--service-time', 'fast'], /0\.5\+0\.02\*out/],
    [['replay', trace, '--max-tokens', '-1'], /--max-tokens/],
    [['replay', trace, '--train', trace], /fine\.csv:1: is no agent trace; --train teaches what agents ordinarily do/],
    [['replay', trace, '--policy', invalid], /policy\.yaml:1:\d+: error: this limit needs `per`/],
    [['replay', trace, '--policy', path.join(folder, 'absent.yaml')], /cannot read \S*absent\.yaml/],
    [['replay', trace, '--decisions', path.join(folder, 'no', 'such', 'file')], /cannot write \S*file/],
  ];
  for (const [args, expected] of cases) {
    const result = await runWeir(args);
    assert.equal(result.code, 2, args.join(' '));
    assert.match(result.stderr, expected);
    assert.equal(result.stderr.trim().split('\n').length, 1, result.stderr);
  }
});

test('an hour of recorded traffic', async (t) => {
  const trace = path.join(kRoot, '../shared/data/load_servegen_mlarge_diverse1h.csv');
  const text = await readFile(trace, 'utf8').catch(() => undefined);
  if (text === undefined) return t.skip('the recorded traces are not beside this repository');
  const began = Date.now();
  const result = await runWeir(['replay', trace, '--policy', await tokens('200k/1m'), '--mode', 'reserve', '--json']);
  assert.equal(result.code, 0, result.stderr);
  const sums = JSON.parse(result.stdout);
  assert.equal(sums.rows, text.trim().split('\n').length - 1);
  assert.equal(sums.allowed + sums.refused, sums.rows);
  assert.equal(sums.open_reservations, 0);
  assert.ok(Date.now() - began < 20_000, 'far slower than it should be');
});
