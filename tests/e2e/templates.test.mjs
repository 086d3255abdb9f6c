// weir init: each template is explained for every tier, replayed over the traffic of its trade, and served.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { appendFile, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { startMcpServer } from '../mock/mcp_server.mjs';
import { chat } from '../support/agent.mjs';
import { useFolder } from '../support/folder.mjs';
import { agentEvents, kTrades, ordinaryRows, runawayRows } from '../support/trades.mjs';
import { Weir, kRoot, lines, runWeir } from '../support/weir.mjs';

const kNames = Object.keys(kTrades);
const kOrdinary = 0.99;   // of ordinary rows and tool calls are admitted, with or without a runaway beside them
const { folder } = useFolder('templates');

// `weir init` in an empty folder: {file, text}.
async function init(name) {
  const cwd = await mkdtemp(path.join(folder, `${name}-`));
  const result = await runWeir(['init', ...(name === 'starter' ? [] : ['--template', name])], { cwd });
  assert.equal(result.code, 0, result.stderr);
  const file = path.join(cwd, 'weir.yaml');
  return { cwd, file, text: await readFile(file, 'utf8') };
}

const tiersOf = (text) => [...(/^tiers:(.*(\n .*|\n$|\n *#.*)*)/m.exec(text)?.[1] ?? '').matchAll(/(?:^|[{,\n]) *([a-z]+): +\{/g)].map((m) => m[1]);

// What a policy does to a trace: {sums, decisions}.
async function replay(policy, name, rows) {
  const trace = path.join(folder, `${name}.trace`), decisions = path.join(folder, `${name}.decisions`);
  await writeFile(trace, typeof rows === 'string' ? rows : `${rows.map((row) => JSON.stringify(row)).join('\n')}\n`);
  const result = await runWeir(['replay', trace, '--policy', policy, '--decisions', decisions, '--json'], { cwd: folder });
  assert.equal(result.code, 0, result.stderr);
  return { sums: JSON.parse(result.stdout), decisions: lines(await readFile(decisions, 'utf8')) };
}

test('init --list names every template in a line, for people and for programs', async () => {
  const json = lines((await runWeir(['init', '--list', '--json'])).stdout);
  assert.deepEqual(json.map((row) => row.name), kNames);
  const table = (await runWeir(['init', '--list'])).stdout.trim().split('\n').slice(1);
  json.forEach((row, i) => {
    assert.ok(table[i].startsWith(row.name) && table[i].endsWith(row.summary), table[i]);
    assert.ok(row.summary.length > 40, row.summary);
  });
  const documented = await readFile(path.join(kRoot, 'docs/templates.md'), 'utf8');
  for (const name of kNames) assert.ok(documented.includes(`\n| \`${name}\` |`), `docs/templates.md lacks ${name}`);
});

test('init never overwrites: exit 1 and what to do; --force replaces, -o names another, -o - shows', async () => {
  const { cwd, file, text } = await init('salon');
  await writeFile(file, 'limits: []\n');
  const again = await runWeir(['init', '--template', 'batch'], { cwd });
  assert.equal(again.code, 1);
  assert.match(again.stderr, /^weir: \.\/weir\.yaml is there already .*--force.*-o FILE.*\n$/);
  assert.equal(await readFile(file, 'utf8'), 'limits: []\n');
  assert.equal((await runWeir(['init', '--template', 'salon', '--force'], { cwd })).code, 0);
  assert.equal(await readFile(file, 'utf8'), text);
  assert.equal((await runWeir(['init', '--template', 'salon', '-o', '-'], { cwd })).stdout, text);
  assert.equal((await runWeir(['init', '--template', 'salon', '-o', 'b.yaml'], { cwd })).code, 0);
  assert.equal(await readFile(path.join(cwd, 'b.yaml'), 'utf8'), text);
  const misspelt = await runWeir(['init', '--template', 'salons'], { cwd });
  assert.deepEqual([misspelt.code, /did you mean salon\?/.test(misspelt.stderr)], [1, true]);
});

test('without a template: a file that decides as the built-in policy does', async () => {
  const { file, cwd } = await init('starter');
  const same = async (args, env) => {
    const [own, built] = await Promise.all([['-c', file], []].map((more) => runWeir(['explain', ...args, ...more], { cwd, env })));
    assert.equal(own.code, 0, own.stderr);
    assert.equal(own.stdout, built.stdout, args.join(' '));
  };
  for (const env of [{}, { OPENAI_API_KEY: 'a-credential' }]) {
    await same([], env);
    await same(['--model', 'gpt-4o', '--tool', 'send_email_now', '--json'], env);
    await same(['--model', 'claude-opus-5-5', '--tool', 'lookup'], env);
  }
  const rows = [...ordinaryRows('chat-widget').slice(0, 800), ...runawayRows('chat-widget')].sort((a, b) => (a.time < b.time ? -1 : 1));
  const empty = path.join(folder, 'empty.yaml');
  await writeFile(empty, '');
  const [own, built] = [await replay(file, 'own', rows), await replay(empty, 'built', rows)];
  assert.deepEqual(own, built);
  assert.ok(own.sums.refused > 0, 'the trace reaches the limits');
});

for (const name of kNames) {
  test(`${name}: checked, explained for a key of each tier, replayed over its trade`, async () => {
    const { cwd, file, text } = await init(name);
    const checked = await runWeir(['check', file]);
    assert.deepEqual([checked.code, checked.stderr], [0, ''], checked.stdout);
    assert.match(checked.stdout, /: ok, \d+ limits/);
    assert.ok(tiersOf(text).length >= 2, `tiers: ${tiersOf(text)}`);
    const { people, more = [] } = kTrades[name];
    assert.deepEqual([...new Set([...people, ...more].map(([tier]) => tier))].sort(), tiersOf(text).sort(), 'each tier has people in the traces');

    const told = new Set();
    await Promise.all(tiersOf(text).map(async (tier) => {
      const made = await runWeir(['keys', 'create', '--name', `a-${tier}`, '--tenant', 'acme', '--tier', tier, '-c', file], { cwd });
      assert.equal(made.code, 0, made.stderr);
      const explained = await runWeir(['explain', '--key', `a-${tier}`, '--model', 'gpt-4o', '-c', file], { cwd });
      assert.deepEqual([explained.code, explained.stderr], [0, ''], tier);
      assert.match(explained.stdout, /\$.* used/, 'dollars are bounded');
      told.add(explained.stdout);
    }));
    assert.equal(told.size, tiersOf(text).length, 'tiers differ');

    const rows = [...ordinaryRows(name).map((row) => ({ ...row, wild: false })), ...runawayRows(name).map((row) => ({ ...row, wild: true }))]
      .sort((a, b) => (a.time < b.time ? -1 : Number(a.time > b.time)));
    const { decisions } = await replay(file, name, rows);
    const share = (wild) => {
      const of = decisions.filter((_, i) => rows[i].wild === wild);
      return of.filter((line) => line.decision !== 'refuse').length / of.length;
    };
    assert.ok(share(false) >= kOrdinary, `${(100 * share(false)).toFixed(2)}% of ordinary rows are admitted`);
    assert.ok(share(true) <= 0.3, `${(100 * share(true)).toFixed(2)}% of the runaway is admitted`);
    const refused = decisions.filter((line, i) => rows[i].wild && line.decision === 'refuse');
    assert.ok(refused.every((line) => line.limit && line.retry_after > 0), 'each names its limit and a wait');

    const judged = (await replay(file, `${name}-agents`, agentEvents(name))).decisions;
    const calls = (trace) => judged.filter((line) => trace.test(line.trace) && line.tool);
    const ordinary = calls(/^run-/);
    assert.ok(ordinary.filter((line) => line.decision === 'allow').length / ordinary.length >= kOrdinary, 'ordinary runs go on');
    assert.ok(calls(/^loop$/).some((line) => line.decision === 'break' && line.guard === 'repeats'), 'the loop is cut');
    const flood = calls(/^flood$/);
    assert.ok(flood.filter((line) => line.decision === 'allow').length <= flood.length / 2, 'the flood is stopped');
    assert.deepEqual(calls(/^denied$/).map((line) => [line.decision, line.guard]), kTrades[name].denied ? [['refuse', 'tools']] : []);
  });
}

// An hour of recorded conversations among a thousand people, recorded agents that did what they should.
const kRecorded = {
  'azure conversations': ['chat-widget', 'conversational', 'internal-gateway', 'healthcare', 'salon', 'hospitality', 'real-estate', 'home-services'],
  'traj_taubench_events.jsonl': ['conversational', 'hospitality', 'internal-gateway'],
  'traj_agentdojo_events.jsonl': ['autonomous', 'internal-gateway', 'api-for-agents', 'hospitality'],
  'load_servegen_mlarge_diverse1h.csv': ['batch'],
};
// 2.1% of the ordinary AgentDojo calls repeat themselves five times or more, and are rightly cut.
const kShare = { 'azure conversations': 0.999, 'traj_taubench_events.jsonl': 0.97, 'traj_agentdojo_events.jsonl': 0.97,
  'load_servegen_mlarge_diverse1h.csv': 0.99 };

async function recorded(source) {
  const data = (name) => readFile(path.join(kRoot, '../shared/data', name), 'utf8');
  if (source === 'azure conversations') {
    const [header, ...rows] = (await data('load_azure2023_conv.csv')).trim().split('\n');
    return `${[header, ...rows.map((row, i) => row.replace(/^([^,]*),[^,]*,(.*),azure-conv,/, `$1,person-${(i * 7919) % 1000},$2,gpt-4o,`))].join('\n')}\n`;
  }
  if (source.endsWith('.csv')) return (await data(source)).replaceAll('m-large', 'gpt-4o-mini');
  // Each run has a caller of its own; runs that were cut as runaways are not ordinary.
  const cut = source.includes('agentdojo')
    ? new Set((await data('traj_agentdojo_runs.csv')).split('\n').map((row) => row.split(',')).filter((row) => row[9] === '1').map(([trace]) => trace))
    : new Set();
  return lines(await data(source)).filter((event) => event.label === 'benign' && !cut.has(event.trace))
    .map((event) => ({ ...event, key: event.trace, model: 'gpt-4o' }));
}

for (const [source, names] of Object.entries(kRecorded)) {
  test(`recorded traffic passes: ${source}`, async (t) => {
    const rows = await recorded(source).catch(() => undefined);
    if (rows === undefined) return t.skip('the recorded traces are not beside this repository');
    for (const name of names) {
      const { file } = await init(name);
      const { decisions } = await replay(file, `recorded-${name}`, rows);
      const passed = decisions.filter((line) => ['allow', 'degrade', 'warn'].includes(line.decision)).length / decisions.length;
      assert.ok(passed >= kShare[source], `${name}: ${(100 * passed).toFixed(2)}%`);
    }
  });
}

// A customer's own API, for the template that stands before one.
function startApi() {
  const server = http.createServer((request, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'x-compute-units': '7' }).end(`{"path":"${request.url}"}`);
  });
  return new Promise((resolve) => { server.listen(0, '127.0.0.1', () => resolve(server)); });
}

async function serve(name, api, mcp) {
  const { cwd, file } = await init(name);
  await appendFile(file, 'listen: 127.0.0.1:0\nadmin: { listen: 127.0.0.1:0, token: "test-admin-token" }\n');
  const weir = new Weir(cwd, '', { API_URL: `http://127.0.0.1:${api.address().port}`, MCP_CRM_URL: mcp.url });
  const key = await weir.createKey('first', { tenant: 'acme' });
  await weir.start();
  try {
    const answer = await chat(weir, key, { model: 'gpt-4o', messages: [{ role: 'user', content: 'Hello' }], max_tokens: 20 });
    assert.equal(answer.status, 200, `${name}: ${answer.text}`);
    assert.ok(answer.headers.get('ratelimit') && Number(answer.headers.get('x-weir-cost-usd')) > 0, name);
    if (name === 'api-for-agents') {
      const called = await fetch(`${weir.url}/api/orders`, { headers: { authorization: `Bearer ${key}` } });
      assert.deepEqual([called.status, await called.json()], [200, { path: '/api/orders' }]);
      assert.equal((await weir.limit(key, 'compute')).used, 7);
    }
    if (name === 'mcp-guard') {
      const call = (method, params) => fetch(`${weir.url}/mcp/crm`, { method: 'POST', body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', accept: 'application/json, text/event-stream' } })
        .then((response) => response.text());
      const listed = await call('tools/list', {});
      assert.ok(listed.includes('"echo"') && !listed.includes('send_email'), 'a reader is not shown what it may not use');
      assert.match(await call('tools/call', { name: 'echo', arguments: { text: 'quiet water' } }), /quiet water/);
      assert.match(await call('tools/call', { name: 'send_email', arguments: { to: 'a@example.com' } }), /"isError":true/);
    }
  } finally {
    await weir.stop();
  }
}

test('each template is served as it was written, and answers a real call', async () => {
  const api = await startApi(), mcp = await startMcpServer({ stateless: true, json: true });
  try {
    const waiting = ['starter', ...kNames];
    const work = async () => { for (let name = waiting.shift(); name; name = waiting.shift()) await serve(name, api, mcp); };
    await Promise.all([work(), work(), work()]);
  } finally {
    api.close();
    await mcp.close();
  }
});
