// examples/prometheus and examples/grafana: promtool accepts rules, their tests, every query of the dashboard and the
// output of /metrics; every metric that they name is exported by a real server after real traffic.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { startMcpServer } from '../mock/mcp_server.mjs';
import { startProvider } from '../mock/provider.mjs';
import { chat, runAgent } from '../support/agent.mjs';
import { ask, eventually, kRoot, mockConfig, startWeir } from '../support/weir.mjs';

const kUnpacked = path.join(kRoot, 'build/tools/promtool');
const kPromtool = process.env.PROMTOOL ?? (existsSync(kUnpacked) ? kUnpacked : 'promtool');
const kRules = 'examples/prometheus/weir-alerts.yaml';
const kRuleTests = ['examples/prometheus/weir-alerts-test.yaml', 'examples/prometheus/weir-alerts-day-test.yaml'];
const kBoard = 'examples/grafana/weir.json';

// Names that are no metrics of ours: labels that look like them, and what Prometheus says of a target itself.
const kLabels = ['gen_ai_operation_name', 'gen_ai_provider_name', 'gen_ai_request_model', 'gen_ai_token_type', 'gen_ai_tool_name',
  'mcp_method_name'];
// Exported once something rare has happened, which ordinary traffic does not bring about: they must be documented instead.
const kRare = ['weir_fail_open_total', 'weir_alerts_sent_total', 'weir_anomalies_total', 'weir_events_dropped_total'];
// promtool takes a word of the name for the type: these are bytes of counters, a gauge.
const kNotTypes = ['weir_counter_bytes'];

const read = (name) => readFile(path.join(kRoot, name), 'utf8');

function promtool(...args) {
  return new Promise((resolve, reject) => {
    const input = args.at(-1)?.stdin;
    const child = execFile(kPromtool, input === undefined ? args : args.slice(0, -1), { cwd: kRoot, timeout: 120_000 }, (error, stdout, stderr) => {
      if (error?.code === 'ENOENT') reject(new Error('promtool is missing; ./dev test unpacks it into build/tools, or set PROMTOOL'));
      else resolve({ code: error ? error.code : 0, text: stdout + stderr });
    });
    if (input !== undefined) child.stdin.end(input);
  });
}

let weir, provider, mcp, folder, metrics, board;

// Most of what the metrics speak of, once: an answer, a stream, a tool, MCP, a refusal, a wrong key.
async function traffic() {
  const key = await weir.createKey('busy', { tenant: 'acme', tier: 'free' });
  const small = await weir.createKey('small', { tenant: 'acme', metadata: { limits: { requests: '1/1m' } } });
  const messages = [{ role: 'user', content: 'Hello' }];
  assert.equal((await chat(weir, key, { model: 'mock-out=20', messages })).status, 200);
  assert.match((await chat(weir, key, { model: 'mock-out=20', messages, stream: true, stream_options: { include_usage: true } })).text, /\[DONE\]/);
  provider.script = (seen) => (seen.json.messages.some((message) => message.role === 'tool') ? [] : [{ name: 'lookup', arguments: { a: 1 } }]);
  const run = await runAgent(weir, key, { prompt: 'look it up', tools: ['lookup'] });
  assert.equal(run.executed.length, 1);
  provider.script = undefined;
  const called = await fetch(`${weir.url}/mcp/crm`, { method: 'POST',
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'echo', arguments: { text: 'quiet' } } }),
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', accept: 'application/json, text/event-stream' } });
  assert.match(await called.text(), /quiet/);
  await chat(weir, small, { model: 'mock-out=2', messages });
  assert.equal((await chat(weir, small, { model: 'mock-out=2', messages })).status, 429);
  assert.equal((await ask(`${weir.url}/v1/models`, { headers: { authorization: 'Bearer wrong' } })).status, 401);
  await weir.usage((rows) => rows.length >= 5);
}

before(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'weir-monitoring-'));
  board = JSON.parse(await read(kBoard));
  provider = await startProvider();
  mcp = await startMcpServer({ stateless: true, json: true });
  weir = await startWeir(mockConfig(provider, { upstreams: [{ path: '/mcp/crm', kind: 'mcp', url: mcp.url }] }));
  await traffic();
  await eventually(async () => {      // how near limits are is told a second later
    metrics = (await ask(`${weir.admin}/metrics`, { headers: { authorization: `Bearer ${weir.adminToken}` } })).text;
    return metrics.includes('weir_limit_utilisation_ratio{');
  }, 'gauges of the limits');
});
after(async () => {
  await weir?.stop();
  await mcp?.close();
  await provider?.close();
  await rm(folder, { recursive: true, force: true });
});

const panels = () => board.panels.filter((panel) => panel.type !== 'row');
const queries = () => [...panels().flatMap((panel) => panel.targets.map((target) => target.expr)),
  ...board.templating.list.filter((variable) => variable.type === 'query').map((variable) => variable.query.query)];

// Metrics that a text names, as families: without what a histogram adds.
function named(text) {
  const families = new Set();
  for (const [word] of text.matchAll(/\b(weir|gen_ai|mcp)_[a-z0-9_]+/g)) {
    if (!kLabels.includes(word)) families.add(word.replace(/_(bucket|sum|count)$/, ''));
  }
  return [...families].sort();
}

test('promtool accepts the alert rules, and their tests pass', async () => {
  for (const args of [['check', 'rules', kRules], ['test', 'rules', ...kRuleTests]]) {
    const result = await promtool(...args);
    assert.equal(result.code, 0, result.text);
  }
});

test('each alert has a test that sees it fire, a severity, a summary, and a section in docs/monitoring.md', async () => {
  const rules = await read(kRules), tests = (await Promise.all(kRuleTests.map(read))).join('\n'), docs = await read('docs/monitoring.md');
  const alerts = rules.split(/^ {6}- alert: /m).slice(1);
  assert.ok(alerts.length > 15);
  for (const alert of alerts) {
    const name = alert.split('\n')[0];
    assert.ok(new RegExp(`(alertname: |alertname=")${name}\\b`).test(tests), `no test sees ${name}`);
    assert.match(alert, /severity: (page|ticket)\b/, name);
    assert.match(alert, /summary: "/, name);
    assert.ok(alert.includes(`runbook: docs/monitoring.md#${name.toLowerCase()}`), name);
    const section = new RegExp(`^### ${name}\n([^#]+)`, 'm').exec(docs)?.[1] ?? '';
    assert.ok(section.trim().length > 80, `docs/monitoring.md does not say what to do about ${name}`);
    assert.equal(/severity: page/.test(alert), section.includes('**Pages.**'), `${name}: who is woken`);
  }
});

test('the dashboard is whole: ids, places, data source, a query and a unit for each panel', () => {
  assert.equal(new Set(board.panels.map((panel) => panel.id)).size, board.panels.length);
  const cells = new Set();
  for (const panel of board.panels) {
    const { x, y, w, h } = panel.gridPos;
    assert.ok(x + w <= 24, panel.title);
    for (let i = x; i < x + w; i += 1) {
      for (let j = y; j < y + h; j += 1) {
        assert.ok(!cells.has(`${i},${j}`), `${panel.title} lies over another panel`);
        cells.add(`${i},${j}`);
      }
    }
  }
  for (const panel of panels()) {
    assert.ok(panel.title && panel.fieldConfig.defaults.unit && panel.targets.length > 0, JSON.stringify(panel));
    for (const { datasource } of [panel, ...panel.targets]) assert.deepEqual(datasource, { type: 'prometheus', uid: '${datasource}' });
  }
});

test('promtool accepts every query of the dashboard', async () => {
  const rules = panels().flatMap((panel) => panel.targets.map((target) => ({ record: `panel:p${panel.id}_${target.refId}`,
    expr: target.expr.replaceAll('$__rate_interval', '5m').replaceAll('"$instance"', '".*"').replaceAll('"$model"', '".*"') })));
  assert.ok(rules.every((rule) => !rule.expr.includes('$')), 'a variable that the dashboard does not have');
  const file = path.join(folder, 'panels.yaml');
  await writeFile(file, JSON.stringify({ groups: [{ name: 'panels', rules }] }));
  const result = await promtool('check', 'rules', file);
  assert.equal(result.code, 0, result.text);
});

test('every metric that a rule or a panel names is exported by a server, or rare and documented', async () => {
  const wanted = named([...queries(), (await read(kRules)).replace(/^ *#.*$/gm, '')].join('\n'));
  const exported = new Set([...metrics.matchAll(/^# TYPE (\S+)/gm)].map((found) => found[1]));
  const missing = wanted.filter((name) => !exported.has(name) && !kRare.includes(name));
  assert.deepEqual(missing, [], `named in ${kRules} or ${kBoard}, and not in /metrics`);
  const documented = await read('docs/metrics.md');
  const silent = [...kRare].filter((name) => wanted.includes(name) && !exported.has(name) && !documented.includes(name));
  assert.deepEqual(silent, [], 'neither exported nor in docs/metrics.md');
});

test('a histogram is asked for its buckets, and labels that rules sum by exist', async () => {
  const texts = [...queries(), await read(kRules)].join('\n');
  const histograms = new Set([...metrics.matchAll(/^# TYPE (\S+) histogram/gm)].map((found) => found[1]));
  for (const name of histograms) {
    assert.doesNotMatch(texts, new RegExp(`\\b${name}[{\\[ )]`), `${name} is a histogram: ask for _bucket, _sum or _count`);
  }
  // `sum by (a, b) (… weir_x…)`: each label of an exported family stands in one of its series.
  for (const [, labels, name] of texts.matchAll(/\bby \(([a-z_, ]+)\) \((?:rate\(|increase\()?((?:weir|gen_ai|mcp)_[a-z0-9_]+)/g)) {
    const series = metrics.split('\n').filter((line) => line.startsWith(`${name}{`));
    for (const label of series.length === 0 ? [] : labels.split(', ')) {
      if (label !== 'instance') assert.ok(series.some((line) => line.includes(`${label}="`)), `${name} has no label ${label}`);
    }
  }
});

test('promtool finds nothing to object to in the output of /metrics', async () => {
  const result = await promtool('check', 'metrics', { stdin: metrics });
  const objections = result.text.split('\n').filter((line) => line && !kNotTypes.some((name) => line.startsWith(`${name} metric name should not`)));
  assert.deepEqual(objections, []);
  assert.ok([0, 3].includes(result.code), `${result.code}: what it read is no metrics`);   // 3: objections only
});
