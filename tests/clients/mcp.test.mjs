// The official MCP package, unmodified, as client and as server, with weir between them; and by hand what it does not
// speak: batches, the revision 2026-07-28, bad input.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { LoggingMessageNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { startMcpServer, startModernServer } from '../mock/mcp_server.mjs';
import { eventually, startWeir } from '../support/weir.mjs';

let weir, modern;
const servers = {};
const kinds = [
  ['sessions-events', { stateless: false, json: false }], ['sessions-json', { stateless: false, json: true }],
  ['stateless-events', { stateless: true, json: false }], ['stateless-json', { stateless: true, json: true }],
];

before(async () => {
  for (const [name, options] of kinds) servers[name] = await startMcpServer(options);
  modern = await startModernServer();
  const upstreams = Object.entries({ ...servers, modern }).map(([name, server]) => ({ path: `/mcp/${name}`, kind: 'mcp', url: server.url, server: name }));
  upstreams.push({ path: '/mcp/nowhere', kind: 'mcp', url: 'http://127.0.0.1:1/mcp', server: 'nowhere' });
  weir = await startWeir({
    upstreams,
    tiers: { free: {}, careful: { tools: { deny: ['send_*'] } } },
    limits: [
      { name: 'requests', per: 'caller', meter: 'requests', allow: '1000/1h' },
      { name: 'mail', per: ['caller', 'server'], meter: 'tool_calls', allow: '2/1h', match: { tool: ['send_email'] } },
    ],
  });
});
after(async () => {
  await weir?.stop();
  await Promise.all([...Object.values(servers), modern].map((server) => server?.close()));
});

async function clientFor(name, kind, options = {}) {
  const key = await weir.createKey(name, options);
  const transport = new StreamableHTTPClientTransport(new URL(`${weir.url}/mcp/${kind}`), { requestInit: { headers: { authorization: `Bearer ${key}` } } });
  const client = new Client({ name: 'test', version: '1.0.0' });
  await client.connect(transport);
  return { key, client, transport };
}
const names = async (client) => (await client.listTools()).tools.map((tool) => tool.name);
const wordsOf = (result) => result.content.map((item) => item.text).join('\n');
const requests = async (key) => (await weir.limit(key)).used;

for (const [kind] of kinds) {
  test(`${kind}: initialize, list, call, errors of tools; a cap stops one tool and no other`, async () => {
    const { client } = await clientFor(`whole-${kind}`, kind);
    assert.deepEqual(await names(client), ['echo', 'send_email', 'flaky', 'slow', 'announce']);
    assert.equal(wordsOf(await client.callTool({ name: 'echo', arguments: { text: 'héllo' } })), 'héllo');
    const flaky = await client.callTool({ name: 'flaky', arguments: {} });
    assert.equal(flaky.isError, true);
    assert.equal(wordsOf(flaky), 'out of order');
    for (const to of ['a', 'b']) assert.equal(wordsOf(await client.callTool({ name: 'send_email', arguments: { to } })), `sent to ${to}`);
    const refused = await client.callTool({ name: 'send_email', arguments: { to: 'c' } });
    assert.equal(refused.isError, true);
    assert.match(wordsOf(refused), /^Rate limit: send_email 2\/1h used\. Retry after \d+ s\. Do not retry now; continue without it\.$/);
    assert.equal(refused.structuredContent.weir.limit, 'mail');
    assert.equal(refused.structuredContent.weir.layer, 'tool');
    assert.deepEqual(await names(client), ['echo', 'flaky', 'slow', 'announce']);
    assert.equal(wordsOf(await client.callTool({ name: 'echo', arguments: { text: 'on' } })), 'on');
    assert.equal(servers[kind].seen.filter(({ body }) => body?.params?.name === 'send_email' && body.params.arguments.to === 'c').length, 0);
    await client.close();
  });
}

test('progress comes while the tool still works', async () => {
  const { client } = await clientFor('progress', 'sessions-events');
  const progress = [];
  const result = await client.callTool({ name: 'slow', arguments: {} }, undefined, {
    onprogress: (step) => { progress.push(step.progress); servers['sessions-events'].release(); },
  });
  assert.deepEqual(progress, [1]);
  assert.equal(wordsOf(result), 'done at last');
  await client.close();
});

test('the stream of a session carries what the server says by itself, and DELETE ends the session', async () => {
  const { client, transport } = await clientFor('session', 'sessions-events');
  const server = servers['sessions-events'];
  const logged = [];
  client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => { logged.push(params.data); });
  const session = transport.sessionId;
  assert.ok(server.sessions.has(session));
  await eventually(() => server.seen.some(({ method, headers }) => method === 'GET' && headers['mcp-session-id'] === session), 'GET stream');
  await client.callTool({ name: 'announce', arguments: { text: 'attention' } });
  await eventually(() => logged.includes('attention'), 'the message on the stream');
  await transport.terminateSession();
  assert.ok(!server.sessions.has(session));
  await client.close();
});

test('a denied tool is hidden and refused, also in sight of its server', async () => {
  const { client } = await clientFor('careful', 'stateless-json', { tier: 'careful' });
  assert.ok(!(await names(client)).includes('send_email'));
  const refused = await client.callTool({ name: 'send_email', arguments: { to: 'x' } });
  assert.equal(refused.isError, true);
  assert.match(wordsOf(refused), /^Not allowed: you may not use send_email\./);
  await client.close();
});

// --- by hand ---------------------------------------------------------------------------------------------------------

async function send(kind, key, body, headers = {}, method = 'POST') {
  const response = await fetch(`${weir.url}/mcp/${kind}`, {
    method, body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: /^[[{]/.test(text) ? JSON.parse(text) : undefined };
}
const call = (name, id = 7, args = { to: 'x' }) => ({ jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: args } });
const headersOf = (method, name) => ({ 'mcp-protocol-version': '2026-07-28', 'mcp-method': method, ...(name && { 'mcp-name': name }) });

test('2026-07-28: no session, mirrored headers, results that say they are complete', async () => {
  const key = await weir.createKey('modern');
  const list = () => send('modern', key, { jsonrpc: '2.0', id: 1, method: 'tools/list' }, headersOf('tools/list'));
  assert.deepEqual((await list()).json.result.tools.map((tool) => tool.name), ['echo', 'send_email']);
  for (let id = 1; id <= 2; ++id) assert.equal((await send('modern', key, call('send_email', id), headersOf('tools/call', 'send_email'))).json.result.isError, undefined);
  assert.equal(modern.seen.at(-1).headers['mcp-name'], 'send_email');
  const refused = await send('modern', key, call('send_email', 'three'), headersOf('tools/call', '=?base64?c2VuZF9lbWFpbA==?='));
  assert.equal(refused.status, 200);
  assert.equal(refused.json.id, 'three');
  assert.equal(refused.json.result.resultType, 'complete');
  assert.equal(refused.json.result.isError, true);
  assert.deepEqual((await list()).json.result.tools.map((tool) => tool.name), ['echo']);
});

test('batches of 2025-03-26: every message counts, what is refused is answered in place', async () => {
  const key = await weir.createKey('batch');
  const batch = [call('send_email', 1), call('send_email', 2), call('send_email', 3), call('echo', 4, { text: 'e' })];
  const answer = await send('stateless-json', key, batch, { 'mcp-protocol-version': '2025-03-26' });
  assert.equal(answer.status, 200);
  const byId = Object.fromEntries(answer.json.map((message) => [message.id, message.result]));
  assert.deepEqual(Object.keys(byId), ['1', '2', '3', '4']);
  assert.equal(byId[3].isError, true);
  assert.match(byId[3].content[0].text, /^Rate limit: send_email 2\/1h/);
  assert.equal(byId[4].content[0].text, 'e');
  assert.equal(await requests(key), 4);
  const events = await send('stateless-events', key, [call('echo', 1, { text: 'a' }), call('echo', 2, { text: 'b' })]);
  assert.match(events.headers.get('content-type'), /event-stream/);
  assert.equal(events.text.match(/^data: \{.*"result"/gm).length, 2);
});

test('bad input is refused with what to do, and costs nothing', async () => {
  const key = await weir.createKey('bad');
  const ping = { jsonrpc: '2.0', id: 1, method: 'ping' };
  const many = Array.from({ length: 10_000 }, (_, id) => ({ ...ping, id }));
  const cases = [
    ['method differs', call('echo'), headersOf('tools/list'), -32020, 7],
    ['name differs', call('echo'), headersOf('tools/call', 'send_email'), -32020, 7],
    ['name is missing', call('echo'), headersOf('tools/call'), -32020, 7],
    ['legacy mirrors differ', call('echo'), { 'mcp-method': 'ping' }, -32020, 7],
    ['broken base64', call('echo'), headersOf('tools/call', '=?base64?*?='), -32020, 7],
    ['revisions differ', { ...ping, params: { _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' } } }, { 'mcp-protocol-version': '2025-06-18' }, -32020, 1],
    ['unknown revision', ping, { 'mcp-protocol-version': '2031-01-01' }, -32022, 1],
    ['batch in a later revision', [ping], { 'mcp-protocol-version': '2025-06-18' }, -32600, undefined],
    ['duplicate ids', [ping, ping], {}, -32600, 1],
    ['a batch of 10,000', many, {}, -32600, undefined],
    ['an empty batch', [], {}, -32600, undefined],
    ['a tool name with control characters', call('send\u0000email'), {}, -32602, 7],
    ['a tool name of 10 kB', call('n'.repeat(10_000)), {}, -32602, 7],
    ['no tool name', { jsonrpc: '2.0', id: 'x', method: 'tools/call' }, {}, -32602, 'x'],
    ['a call without id', { jsonrpc: '2.0', method: 'tools/call', params: { name: 'echo' } }, {}, -32600, undefined],
    ['id null', { ...ping, id: null }, {}, -32600, undefined],
    ['a key twice', '{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}', {}, -32600, undefined],
  ];
  for (const [what, body, headers, code, id] of cases) {
    const answer = await send('modern', key, body, headers);
    assert.equal(answer.status, 400, what);
    assert.equal(answer.json?.error?.code, code, `${what}: ${answer.text}`);
    assert.equal(answer.json.id, id, what);
    assert.ok(answer.json.error.message.length < 600, what);
  }
  for (const body of ['', '{', '"text"\xff', '['.repeat(5000)]) {
    const answer = await send('modern', key, body);
    assert.equal(answer.status, 400, body.slice(0, 10));
    assert.match(answer.headers.get('content-type'), /json/);
  }
  assert.equal((await send('modern', key, '{}', {}, 'PUT')).status, 405);
  assert.equal((await send('modern', 'weir_wrong', ping)).status, 401);
  assert.equal(await requests(key), 0);
  const large = await send('modern', key, call('echo', 1, { text: 'x'.repeat(5 << 20) }));
  assert.equal(large.json.result.content[0].text, 'called echo');
  assert.equal(modern.seen.at(-1).body.params.arguments.text.length, 5 << 20);
});

test('a server that cannot be reached is an error with the id, and the call is given back', async () => {
  const key = await weir.createKey('nowhere');
  for (let i = 0; i < 4; ++i) {
    const answer = await send('nowhere', key, call('send_email', `n${i}`));
    assert.equal(answer.status, 502);
    assert.equal(answer.json.id, `n${i}`);
    assert.equal(answer.json.error.code, -32603);
  }
});

test('the ledger knows the calls, the audit the refusals', async () => {
  const { client } = await clientFor('books', 'stateless-json');
  for (const to of ['a', 'b', 'c']) await client.callTool({ name: 'send_email', arguments: { to } });
  await client.close();
  const calls = (all) => all.filter((row) => row.key === 'books').reduce((sum, row) => sum + row.tool_calls, 0);
  assert.equal(calls(await weir.usage((all) => calls(all) >= 2, 'both calls are booked')), 2);
  const audit = await weir.audit((all) => all.some((row) => row.key === 'books'));
  const refused = audit.filter((row) => row.key === 'books');
  assert.deepEqual(refused.map((row) => [row.event, row.layer, row.limit]), [['refused', 'tool', 'mail']]);
});
