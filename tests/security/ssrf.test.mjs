// Upstreams come from the configuration alone: nothing that a client or a provider says makes Weir open a connection
// anywhere else. `evil` listens and must never be connected to.
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { startProvider } from '../mock/provider.mjs';
import { connect } from '../support/raw.mjs';
import { kNoCallerBreakers, mockConfig, startWeir } from '../support/weir.mjs';
import { startBackend } from './backend.mjs';

let backend;
let provider;
let evil;
let weir;
let key;
let other;

before(async () => {
  backend = await startBackend();
  provider = await startProvider();
  evil = { connections: 0, server: net.createServer((socket) => { evil.connections += 1; socket.destroy(); }) };
  await new Promise((resolve) => { evil.server.listen(0, '127.0.0.1', resolve); });
  evil.host = `127.0.0.1:${evil.server.address().port}`;
  weir = await startWeir(mockConfig(provider, {
    providers: {
      ...mockConfig(provider).providers,
      odd: { dialect: 'openai', url: `${backend.url}/inner`, key: 'upstream-odd-credential' },
      oddc: { dialect: 'anthropic', url: `${backend.url}/inner`, key: 'upstream-odd-credential' },
      oddg: { dialect: 'gemini', url: `${backend.url}/inner`, key: 'upstream-odd-credential' },
      oddo: { dialect: 'ollama', url: `${backend.url}/inner` },
    },
    models: { 'odd-*': { provider: 'odd' }, 'oddc-*': { provider: 'oddc' }, 'oddg-*': { provider: 'oddg' }, 'oddo-*': { provider: 'oddo' },
      ...mockConfig(provider).models },
    upstreams: [
      { path: '/api/**', kind: 'http', url: `${backend.url}/inner` },
      { path: '/mcp/crm', kind: 'mcp', url: `${backend.url}/inner/mcp`, server: 'crm' },
      { path: '/mcp/open/**', kind: 'mcp', url: `${backend.url}/inner/mcp`, server: 'open' },
    ],
    retry: { attempts: 1 },
    breaker: kNoCallerBreakers,
  }));
  key = await weir.createKey('ann');
  other = await weir.createKey('bob');
});
after(async () => {
  await weir?.stop();
  await backend?.close();
  await provider?.close();
  await new Promise((resolve) => { evil?.server.close(resolve); });
});

// The request that reached the back end, or undefined; and the answer.
async function ask(line, fields = '', body = '') {
  const first = backend.requests.length;
  const client = await connect(weir.port);
  const host = /^host:/im.test(fields) ? '' : 'Host: weir\r\n';
  client.send(`${line} HTTP/1.1\r\n${host}Authorization: Bearer ${key}\r\n${body ? `Content-Length: ${Buffer.byteLength(body)}\r\n` : ''}${fields}\r\n${body}`);
  const response = await client.response({ headOnly: line.startsWith('HEAD') });
  client.destroy();
  assert.ok(backend.requests.length <= first + 1);
  return { response, seen: backend.requests[first] };
}

test('hosts named by a client change nothing', async () => {
  const fields = [`Host: ${evil.host}\r\n`, `X-Forwarded-Host: ${evil.host}\r\n`, `Forwarded: host=${evil.host};proto=http\r\n`, `X-Host: ${evil.host}\r\n`,
    `X-Original-Host: ${evil.host}\r\n`, `X-Forwarded-Server: ${evil.host}\r\n`, `X-Original-URL: http://${evil.host}/\r\n`, `X-Rewrite-URL: /admin\r\n`,
    `X-Forwarded-Prefix: //${evil.host}\r\n`, `Destination: http://${evil.host}/\r\n`, `Referer: http://${evil.host}/\r\n`, `Via: ${evil.host}\r\n`];
  for (const field of fields) {
    const { response, seen } = await ask('GET /api/x', field);
    assert.equal(response.status, 200, field);
    assert.equal(seen.path, '/inner/api/x', field);
    assert.equal(seen.header('host'), `127.0.0.1:${backend.port}`, field);
    assert.equal(seen.header('x-original-url') ?? seen.header('x-rewrite-url'), undefined, 'a path that was not judged');
  }
  const absolute = await ask(`GET http://${evil.host}/api/x`, `Host: ${evil.host}\r\n`);
  assert.equal(absolute.seen.path, '/inner/api/x', 'of an absolute target only the path counts');
  assert.equal(absolute.seen.header('host'), `127.0.0.1:${backend.port}`);
  assert.equal(evil.connections, 0);
});

test('targets that look like another host are refused, or are a path of the configured one', async () => {
  for (const target of [`//${evil.host}/api/x`, `/\\${evil.host}/api`, `http://weir@${evil.host}/api/x`, `http://${evil.host}/api/x`, `https:${evil.host}`, `${evil.host}`,
    `///${evil.host}/`, `/api\\@${evil.host}`, `http:///${evil.host}/api/x`, `http://weir:80:${evil.host}/api/x`]) {
    const { response, seen } = await ask(`GET ${target}`);
    assert.ok(response.status >= 400 && response.status < 500, `${target}: ${response.status}`);
    assert.equal(seen, undefined, target);
  }
  for (const path of [`/api/@${evil.host}/`, `/api/http://${evil.host}/x`, `/api//${evil.host}/x`, `/api/%40${evil.host}`, `/api/x?url=http://${evil.host}/`, '/api/%00', '/api/%0d%0aHost:%20x']) {
    const { seen } = await ask(`GET ${path}`);
    assert.equal(seen?.path, `/inner${path}`, `${path} stays below the configured prefix, byte for byte`);
    assert.equal(seen.header('host'), `127.0.0.1:${backend.port}`);
  }
  assert.equal(evil.connections, 0);
});

test('no path leads out of the configured prefix', async () => {
  const dots = ['..', '%2e%2e', '.%2e', '%2E.', '..;', '..;v=1', '%2e%2e;x', '..%3b', '.', '%2e', '.;'];
  const paths = dots.flatMap((dot) => [`/api/${dot}/admin`, `/api/x/${dot}`, `/api/${dot}`, `/mcp/open/${dot}/x`])
    .concat(['/api/..%2fadmin', '/api/..%5cadmin', '/api%2f..%2fadmin', '/api/x%2F..%2F..%2Fadmin', '/../api/x', '/api/..//admin']);
  for (const path of paths) {
    const { response, seen } = await ask(`GET ${path}`);
    assert.equal(response.status, 400, `${path}: ${response.status} ${response.body}`);
    assert.equal(seen, undefined, path);
  }
  for (const path of ['/API/x', '/apix', '/api%2fx', '/%61pi/x', '/.api/x', ';/api/x']) {
    const { response, seen } = await ask(`GET ${path}`);
    assert.ok([400, 404].includes(response.status), `${path}: ${response.status}`);
    assert.equal(seen, undefined, path);
  }
});

test('a model name is a name, not a part of a URL', async () => {
  const gemini = (name) => ask(`POST /v1beta/models/${name}:generateContent`, '', JSON.stringify({ contents: [{ role: 'user', parts: [{ text: 'x' }] }] }));
  for (const [name, path] of [['oddg-a%2Fb', 'oddg-a%2Fb'], ['oddg-a%3Fkey=x', 'oddg-a%3Fkey%3Dx'], ['oddg-a%23b', 'oddg-a%23b'], ['oddg-a%40b', 'oddg-a%40b'], ['oddg-..%5c..', 'oddg-..%5C..']]) {
    const { seen, response } = await gemini(name);
    if (seen === undefined) {
      assert.ok(response.status >= 400 && response.status < 500, `${name}: ${response.status}`);
      continue;
    }
    assert.equal(decodeURIComponent(seen.path), decodeURIComponent(`/inner/v1beta/models/${path}:generateContent`), name);
    assert.match(seen.path, /^\/inner\/v1beta\/models\/[^/?#]+:generateContent$/, name);
  }
  for (const name of ['oddg-x%2f..%2f..%2fadmin', '..%2foddg-x', 'oddg-%0d%0aHost:x']) {
    const { seen, response } = await gemini(name);
    assert.ok(response.status >= 400 && response.status < 500, `${name}: ${response.status}`);
    assert.equal(seen, undefined, name);
  }
  for (const model of [`http://${evil.host}/v1`, `//${evil.host}`, '../../admin', `odd-@${evil.host}`, 'odd-../../x']) {
    const { seen, response } = await ask('POST /v1/chat/completions', '', JSON.stringify({ model, messages: [{ role: 'user', content: 'x' }],
      base_url: `http://${evil.host}`, api_base: `http://${evil.host}`, url: `http://${evil.host}` }));
    assert.ok(seen === undefined ? response.status === 404 : seen.path === '/inner/v1/chat/completions', `${model}: ${response.status} ${seen?.path}`);
  }
  assert.equal(evil.connections, 0);
});

test('links inside a prompt are not fetched, in any dialect', async () => {
  const url = `http://${evil.host}/x.png`;
  const posts = [
    ['/v1/chat/completions', { model: 'mock-ok', messages: [{ role: 'user', content: [{ type: 'text', text: 'x' }, { type: 'image_url', image_url: { url } }] }] }],
    ['/v1/responses', { model: 'mock-ok', input: [{ role: 'user', content: [{ type: 'input_image', image_url: url }, { type: 'input_file', file_url: url }] }] }],
    ['/v1/responses', { model: 'mock-ok', input: 'x', tools: [{ type: 'mcp', server_label: 'x', server_url: url }] }],
    ['/v1/messages', { model: 'mockc-ok', max_tokens: 9, messages: [{ role: 'user', content: [{ type: 'image', source: { type: 'url', url } }, { type: 'document', source: { type: 'url', url } }] }] }],
    ['/v1beta/models/mockg-ok:generateContent', { contents: [{ role: 'user', parts: [{ fileData: { fileUri: url, mimeType: 'image/png' } }] }] }],
    ['/api/chat', { model: 'mocko-ok', stream: false, messages: [{ role: 'user', content: url, images: [] }] }],
  ];
  for (const [path, body] of posts) {
    const { response } = await ask(`POST ${path}`, 'Content-Type: application/json\r\n', JSON.stringify(body));
    assert.ok(response.status < 500, `${path}: ${response.status} ${response.body}`);
  }
  await fetch(`${weir.url}/weir/v1/count`, { method: 'POST', headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({ model: 'mock-ok', messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }] }] }) });
  assert.equal(evil.connections, 0);
});

test('a redirect of an upstream is passed to the client, never followed', async () => {
  const rpc = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' });
  const chat = JSON.stringify({ model: 'odd-x', messages: [{ role: 'user', content: 'x' }] });
  const claude = JSON.stringify({ model: 'oddc-x', max_tokens: 5, messages: [{ role: 'user', content: 'x' }] });
  const ways = [['GET /api/x'], ['POST /api/x', '', 'body'], ['POST /v1/chat/completions', '', chat], ['POST /v1/messages', '', claude],
    ['POST /mcp/crm', 'Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n', rpc]];
  for (const status of [301, 302, 303, 307, 308]) {
    for (const [line, fields = '', body = ''] of ways) {
      backend.script = () => `HTTP/1.1 ${status} Moved\r\nLocation: http://${evil.host}/x\r\nRefresh: 0; url=http://${evil.host}/\r\nAlt-Svc: h2="${evil.host}"\r\nContent-Length: 0\r\n\r\n`;
      const first = backend.requests.length;
      const { response, seen } = await ask(line, fields, body);
      assert.equal(response.status, status, line);
      assert.equal(response.headers.location, `http://${evil.host}/x`, `${line}: the client may judge it`);
      assert.ok(seen);
      assert.equal(backend.requests.length, first + 1, `${line}: asked once`);
    }
  }
  backend.script = undefined;
  assert.equal(evil.connections, 0);
});

// --- MCP sessions: the server behind Weir sees no keys, only session ids.
const kInitialize = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 't', version: '1' } } });
const kCall = JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'echo', arguments: {} } });
const mcp = (who, body, session, method = 'POST') => fetch(`${weir.url}/mcp/crm`, { method, body, headers: { authorization: `Bearer ${who}`,
  'content-type': 'application/json', accept: 'application/json, text/event-stream', ...(session ? { 'mcp-session-id': session } : {}) } });

test('a session of an MCP server is of use only to the key that began it', async () => {
  const answer = (body, more = '') => `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n${more}Content-Length: ${body.length}\r\n\r\n${body}`;
  backend.script = (request) => (request.body.includes('initialize')
    ? answer('{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18","capabilities":{}}}', 'Mcp-Session-Id: s-of-ann\r\n')
    : answer('{"jsonrpc":"2.0","id":2,"result":{"content":[]}}'));
  assert.equal((await mcp(key, kInitialize)).headers.get('mcp-session-id'), 's-of-ann');
  assert.equal((await mcp(key, kCall, 's-of-ann')).status, 200);
  const first = backend.requests.length;
  const before = (await weir.limit(other)).used;
  for (const [method, body] of [['POST', kCall], ['POST', kInitialize], ['GET'], ['DELETE']]) {
    const response = await mcp(other, body, 's-of-ann', method);
    assert.equal(response.status, 404, method);
    assert.match(await response.text(), /initialize/, 'says what to do');
  }
  assert.equal(backend.requests.length, first, 'the server heard nothing of it');
  assert.equal((await weir.limit(other)).used, before, 'nothing is charged');
  assert.equal((await mcp(key, kCall, 's-of-ann')).status, 200, 'its owner goes on');
  backend.script = undefined;
});

test('what an MCP server answers opens no connection', async () => {
  const stream = `event: endpoint\ndata: http://${evil.host}/messages\n\nid: 1\nretry: 1\nevent: message\ndata: {"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"resource_link","uri":"http://${evil.host}/"}]}}\n\n`;
  backend.script = () => `HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Location: http://${evil.host}/\r\nLink: <http://${evil.host}>; rel=preload\r\nContent-Length: ${stream.length}\r\n\r\n${stream}`;
  const response = await mcp(key, kCall);
  assert.equal(response.status, 200);
  assert.match(await response.text(), /event: endpoint/, 'bytes pass unchanged');
  backend.script = undefined;
  assert.equal(evil.connections, 0);
});
