// Which run a request belongs to when it is hard to tell: runs in parallel whose ids are the same, a model and an MCP
// server behind one Weir, and a run that a crash interrupted. And caps in front of providers that answer oddly.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { startMcpServer } from '../mock/mcp_server.mjs';
import { startProvider } from '../mock/provider.mjs';
import { callsOf, chat, refusalOf, runAgent, toolList } from '../support/agent.mjs';
import { mockConfig, startWeir } from '../support/weir.mjs';

const require = createRequire(new URL('../clients/package.json', import.meta.url));
const { Client } = require('@modelcontextprotocol/sdk/client/index.js');
const { StreamableHTTPClientTransport } = require('@modelcontextprotocol/sdk/client/streamableHttp.js');

let provider, server, weir;
before(async () => {
  provider = await startProvider();
  server = await startMcpServer({ stateless: true, json: true });
  weir = await startWeir(mockConfig(provider, {
    upstreams: [{ path: '/mcp/crm', kind: 'mcp', url: server.url, server: 'crm' }],
    limits: [
      { name: 'runs', per: 'key', meter: 'runs', allow: '100/1h' },
      { name: 'mail', per: ['caller', 'tool'], meter: 'tool_calls', allow: '5/1h', on_exceed: 'strip_tool', match: { tool: 'send_email' } },
    ],
    runs: { max_tool_calls: 6 },
  }));
});
after(async () => {
  await weir?.stop();
  await Promise.all([provider?.close(), server?.close()]);
});

const user = (content) => [{ role: 'user', content }];
const runOf = (rows, answer) => rows.find((row) => row.request_id === answer.headers.get('x-weir-request-id')).run;
const used = async (key, name) => (await weir.limit(key, name)).used;

test('runs in parallel whose calls are numbered from zero stay apart', async () => {
  const key = await weir.createKey('parallel');
  provider.script = (seen) => (seen.json.messages.length < 5 ? [{ id: `call_${seen.json.messages.length}`, name: 'lookup', arguments: { of: seen.json.messages[0].content } }] : []);
  const runs = await Promise.all(Array.from({ length: 8 }, (_, n) =>
    runAgent(weir, key, { prompt: `prompt ${n}`, tools: ['lookup'], execute: (call) => `${call.arguments.of}: result` })));
  const rows = await weir.rowsOf('parallel', 24);
  for (const run of runs) {
    assert.equal(run.answers.length, 3);
    assert.equal(new Set(run.answers.map((answer) => runOf(rows, answer))).size, 1);
  }
  assert.equal(new Set(rows.map((row) => row.run)).size, 8);
  assert.equal(await used(key, 'runs'), 8);
  assert.equal(rows.reduce((sum, row) => sum + row.tool_calls, 0), 16);
});

test('a model and an MCP server behind one Weir: one run, and the call counts once, where it is executed', async () => {
  const key = await weir.createKey('both');
  const transport = new StreamableHTTPClientTransport(new URL(`${weir.url}/mcp/crm`), { requestInit: { headers: { authorization: `Bearer ${key}` } } });
  const client = new Client({ name: 'test', version: '1.0.0' });
  await client.connect(transport);
  const tools = (await client.listTools()).tools.map((tool) => tool.name);
  assert.ok(tools.includes('echo'));
  let turn = 0;
  provider.script = () => ((turn += 1) <= 2 ? [{ name: 'echo', arguments: { text: `hello ${turn}` } }] : []);
  const messages = user('say hello');
  for (let i = 1; i <= 3; i += 1) {
    const answer = await chat(weir, key, { messages, tools: toolList(tools) });
    assert.equal(answer.status, 200, answer.text);
    messages.push(answer.body.choices[0].message);
    for (const call of callsOf(answer)) {
      const result = await client.callTool({ name: call.function.name, arguments: JSON.parse(call.function.arguments) });
      assert.equal(result.content[0].text, `hello ${i}`);
      messages.push({ role: 'tool', tool_call_id: call.id, content: result.content[0].text });
    }
  }
  await client.close();
  const all = await weir.usage((rows) => rows.filter((row) => row.key === 'both' && row.tool_calls > 0).length >= 2);
  const rows = all.filter((row) => row.key === 'both' && row.run);
  assert.equal(new Set(rows.map((row) => row.run)).size, 1, JSON.stringify(rows));
  assert.equal(rows.reduce((sum, row) => sum + row.tool_calls, 0), 2);
  assert.ok(rows.filter((row) => row.tool_calls > 0).every((row) => row.route.startsWith('/mcp')), 'counted where they were executed');
  assert.equal(await used(key, 'runs'), 1);
});

test('a run that kill -9 interrupted keeps what it has used', async () => {
  const key = await weir.createKey('crashed');
  let n = 0;
  provider.script = () => [{ name: 'lookup', arguments: { n: n += 1 } }];
  const step = (i) => chat(weir, key, { messages: user(`step ${i}`) }, { 'x-weir-run': 'long job' });
  for (let i = 0; i < 4; i += 1) assert.equal(callsOf(await step(i)).length, 1);
  await weir.rowsOf('crashed', 4);
  await weir.kill();
  await weir.start();
  for (let i = 4; i < 6; i += 1) assert.equal(callsOf(await step(i)).length, 1, `step ${i}`);
  assert.equal(callsOf(await step(6)).length, 0, 'six calls were made, before and after');
  const refused = await step(7);
  assert.equal(refused.status, 429, refused.text);
  assert.deepEqual([refusalOf(refused).limit, refusalOf(refused).meter, refusalOf(refused).allowed], ['runs', 'tool_calls', 6]);
  assert.equal(await used(key, 'runs'), 1, 'the same run');
});

const kOdd = ['gzip', 'split', 'crlf', 'nolength', 'comments+nospace', 'multiline', 'trailers', 'hints', 'nostream', 'nousage'];
for (const odd of kOdd) {
  test(`calls over a cap are cut whatever the answer is like: ${odd}`, async () => {
    for (const stream of [false, true]) {
      if (stream && odd === 'gzip') continue;   // asked for identity; a stream that is coded all the same passes and is counted
      const name = `odd-${odd.replace('+', '-')}-${stream}`;
      const key = await weir.createKey(name);
      provider.script = () => Array.from({ length: 6 }, (_, i) => ({ name: 'send_email', arguments: `[${i}]` }));
      const answer = await chat(weir, key, { messages: user(`write ${odd} ${stream}`), tools: toolList(['send_email']), stream }, { 'x-mock': odd });
      assert.equal(answer.status, 200, answer.text);
      const calls = answer.text.split('send_email').length - 1;
      assert.equal(calls, 5, `${stream}: ${answer.text}`);
      assert.match(answer.text, /tool_calls/);
      const [row] = await weir.rowsOf(name, 1);
      assert.equal(row.tool_calls, 5);
    }
  });
}

test('a compressed stream that nobody asked for passes, and its calls count all the same', async () => {
  const key = await weir.createKey('coded');
  provider.script = () => Array.from({ length: 4 }, (_, i) => ({ name: 'lookup', arguments: { to: `number-${i}` } }));
  const answer = await chat(weir, key, { messages: user('coded'), tools: toolList(['lookup']), stream: true }, { 'x-mock': 'gzip' });
  assert.equal(answer.text.split('"lookup"').length - 1, 4);
  const [row] = await weir.rowsOf('coded', 1);
  assert.equal(row.tool_calls, 4);
});
