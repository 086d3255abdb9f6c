// Whoever has spent their budget tries to be somebody else: other spellings of a key, a path, an address; other people's
// headers; two values where one is meant. Each variant is refused or shares the bucket of what it stands for.
import assert from 'node:assert/strict';
import http from 'node:http';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { startProvider } from '../mock/provider.mjs';
import { connect } from '../support/raw.mjs';
import { kNoCallerBreakers, mockConfig, startWeir } from '../support/weir.mjs';
import { startBackend } from './backend.mjs';

let backend;
let provider;
let weir;
let open;   // anonymous callers allowed, behind a trusted proxy
let key;
let second;

before(async () => {
  backend = await startBackend();
  provider = await startProvider();
  weir = await startWeir(mockConfig(provider, {
    upstreams: [{ path: '/api/**', kind: 'http', url: backend.url, tool: '{method} {path}' }],
    tiers: { free: {}, gold: {} },
    limits: [
      { name: 'requests', per: 'key', meter: 'requests', allow: { free: '1000/1h', gold: '5000/1h' } },
      { name: 'tenant', per: 'tenant', meter: 'requests', allow: '100000/1h' },
      { name: 'pay', per: ['key', 'tool'], meter: 'tool_calls', allow: '3/1h', match: { tool: 'POST /api/pay' } },
    ],
    breaker: kNoCallerBreakers,
  }));
  open = await startWeir(mockConfig(provider, {
    upstreams: [{ path: '/api/**', kind: 'http', url: backend.url }],
    limits: [{ name: 'by-ip', per: 'ip', meter: 'requests', allow: '2/1h' }],
    anonymous: 'allow', trusted_proxies: ['127.0.0.1', '10.0.0.0/8', '2001:db8:ffff::/48'], breaker: kNoCallerBreakers,
  }));
  key = await weir.createKey('ann', { tenant: 'acme', tier: 'free' });
  second = await weir.createKey('bob', { tenant: 'other', tier: 'free' });
});
after(async () => {
  await weir?.stop();
  await open?.stop();
  await backend?.close();
  await provider?.close();
});

async function raw(to, line, fields, body = '') {
  const client = await connect(to.port);
  client.send(`${line} HTTP/1.1\r\nHost: weir\r\n${fields}${body ? `Content-Length: ${Buffer.byteLength(body, 'latin1')}\r\n` : ''}\r\n${body}`);
  const response = await client.response();
  client.destroy();
  return response;
}
const used = async (who, name = 'requests') => (await weir.limit(who, name))?.used ?? 0;

test('spellings of a key that are not the key are nobody', async () => {
  const wrong = [key.toUpperCase(), key.toLowerCase() === key ? `${key}x` : key.toLowerCase(), key.replace('_', '%5f'), key.replaceAll('_', '\xef\xbc\xbf'), `${key} x`,
    `x ${key}`, `"${key}"`, `Bearer ${key}`, `${key},${key}`, `${key}.`, key.slice(0, -1), `${key}${key}`, `${key}\xa0`, `${key.slice(0, 9)} ${key.slice(9)}`, `weir_${key}`];
  for (const text of wrong) {
    const response = await raw(weir, 'GET /api/x', `Authorization: Bearer ${text}\r\n`);
    assert.equal(response.status, 401, text);
    assert.ok(!response.body.includes(key), 'an error repeats no key');
  }
  assert.equal(backend.requests.length, 0);
});

test('spellings of a key that are the key share its bucket', async () => {
  const before = await used(key);
  const fields = [`Authorization: Bearer ${key}\r\n`, `authorization: bearer ${key}\r\n`, `AUTHORIZATION: BEARER   ${key}  \r\n`, `Authorization:\tBearer ${key}\t\r\n`,
    `x-api-key: ${key}\r\n`, `X-API-KEY:   ${key} \r\n`, `api-key: ${key}\r\n`, `x-goog-api-key: ${key}\r\n`, `Authorization: ${key}\r\n`];
  for (const field of fields) assert.equal((await raw(weir, 'GET /api/x', field)).status, 200, field);
  assert.equal(await used(key), before + fields.length);
});

test('of two keys one counts, and neither goes upstream', async () => {
  const [ann, bob] = [await used(key), await used(second)];
  const first = backend.requests.length;
  const pairs = [`Authorization: Bearer ${key}\r\nAuthorization: Bearer ${second}\r\n`, `Authorization: Bearer ${key}\r\nx-api-key: ${second}\r\n`,
    `x-api-key: ${second}\r\nAuthorization: Bearer ${key}\r\n`, `x-goog-api-key: ${second}\r\napi-key: ${second}\r\nx-api-key: ${key}\r\n`];
  for (const pair of pairs) assert.equal((await raw(weir, 'GET /api/x', pair)).status, 200, pair);
  assert.equal(await used(key), ann + pairs.length, 'Authorization before x-api-key before api-key before x-goog-api-key');
  assert.equal(await used(second), bob);
  for (const request of backend.requests.slice(first)) {
    for (const name of ['authorization', 'x-api-key', 'api-key', 'x-goog-api-key']) assert.equal(request.header(name), undefined, name);
  }
  const mixed = await raw(weir, 'GET /api/x', `Authorization: Bearer weir_wrong\r\nx-api-key: ${key}\r\n`);
  assert.equal(mixed.status, 401, 'a wrong key is not made good by another one');
});

test('identity headers of a client are no identity', async () => {
  const before = await used(key);
  const fields = ['X-Weir-Tenant: other', 'X-Weir-Tier: gold', 'X-Weir-User: bob', 'X-User-Id: bob', 'X-Weir-Key: bob', 'X-Tenant: other', 'X-Consumer-Username: bob', 'Remote-User: bob',
    'X-Weir-Kind: service', 'X-Forwarded-User: bob', 'X-Authenticated-Userid: bob', 'X-Weir-Agent: a', 'X-Weir-Conversation: c', 'X-Weir-Task: t'];
  for (const field of fields) assert.equal((await raw(weir, 'GET /api/x', `Authorization: Bearer ${key}\r\n${field}\r\n`)).status, 200, field);
  assert.equal(await used(key), before + fields.length, 'all of it is of the key that was shown');
  const rows = await weir.usage((all) => all.filter((row) => row.key === 'ann').length >= before + fields.length);
  assert.deepEqual([...new Set(rows.filter((row) => row.key === 'ann').map((row) => `${row.tenant} ${row.tier} ${row.kind}`))], ['acme free agent']);
  assert.equal((await weir.limit(key)).allowed, 1000, 'and of its tier');
});

test("what a client says of limits reaches neither the upstream nor its own answer", async () => {
  const first = backend.requests.length;
  const response = await raw(weir, 'GET /api/x', `Authorization: Bearer ${key}\r\nRateLimit: "requests";r=999999\r\nRateLimit-Policy: x\r\nX-RateLimit-Limit-Requests: 9\r\n`
    + 'X-RateLimit-Remaining-Tokens: 999999\r\nAnthropic-RateLimit-Requests-Remaining: 9\r\nX-Weir-Cost-Usd: 0\r\nX-Weir-Lineage-X: y\r\n');
  assert.equal(response.status, 200);
  assert.ok(!response.raw.includes('999999'));
  const names = backend.requests[first].fields.map(([name]) => name).filter((name) => /ratelimit|weir/.test(name));
  assert.deepEqual(names, []);
});

test('a path spelt otherwise is the same tool, and asks for no other method', async () => {
  const paths = ['/api/pay', '/api/%70ay', '/api//pay', '/api/pay/', '/api/p%61y', '/api/pay;a=b', '/api/pay//', '/api/%70%61%79/', '/api/pay?x=1', '/api/pay?'];
  let passed = 0;
  for (let i = 0; i < paths.length; i += 1) {
    const response = await raw(weir, `POST ${paths[i]}`, `Authorization: Bearer ${key}\r\n`, `n=${i}`);
    if (response.status === 200) passed += 1;
    else assert.equal(response.status, 429, `${paths[i]}: ${response.status}`);
  }
  assert.equal(passed, 3, 'three payments an hour, however they are spelt');
  for (const field of ['X-HTTP-Method-Override: POST', 'X-HTTP-Method: POST', 'X-Method-Override: POST']) {
    assert.equal((await raw(weir, 'GET /api/pay', `Authorization: Bearer ${key}\r\n${field}\r\n`)).status, 400, field);
  }
});

test('an endpoint of a model has one spelling', async () => {
  const before = provider.requests.length;
  const body = JSON.stringify({ model: 'mock-ok', messages: [{ role: 'user', content: 'x' }] });
  for (const path of ['/v1/chat/completions/', '//v1/chat/completions', '/v1//chat/completions', '/v1/chat/%63ompletions', '/V1/chat/completions', '/v1/chat/completions;x',
    '/v1/chat/completions%20', '/v1/chat/completions%00', '/v1/chat%2fcompletions', '/v1beta/models/mockg-ok:GenerateContent', '/v1beta/models/mockg-ok%3AgenerateContent', '/v1/models/mockg-ok:generateContent']) {
    const response = await raw(weir, `POST ${path}`, `Authorization: Bearer ${key}\r\n`, body);
    assert.ok([400, 404, 405].includes(response.status), `${path}: ${response.status}`);
  }
  assert.equal(provider.requests.length, before);
  const bodies = [['/v1beta/models/mockg-ok:generateContent', { model: 'models/mockg-dear', contents: [{ role: 'user', parts: [{ text: 'x' }] }] }]];
  for (const [path, value] of bodies) {
    const response = await raw(weir, `POST ${path}`, `Authorization: Bearer ${key}\r\n`, JSON.stringify(value));
    assert.equal(response.status, 400, 'path and body must name one model');
    assert.match(response.body.toString(), /model/);
  }
  assert.equal(provider.requests.length, before);
});

test('values that could be read in two ways are refused and cost nothing', async () => {
  const before = await used(key);
  const calls = provider.requests.length;
  const messages = '[{"role":"user","content":"x"}]';
  const odd = ['"max_tokens":1,"max_tokens":100000', '"max_tokens":1,"max\\u005ftokens":100000', '"max_tokens":"1"', '"max_tokens":NaN', '"max_tokens":-1', '"max_tokens":1e400',
    '"max_tokens":1.5', '"max_tokens":18446744073709551617', '"n":0', '"n":-1', '"n":"3"', '"n":1e9', '"n":1,"n":64', '"max_tokens":[1]', '"max_tokens":true', '"stream":"true"',
    `"x":${'['.repeat(300)}${']'.repeat(300)}`, '"model":"mock-dear"', '"messages":[]', '"max_tokens":10,"max_completion_tokens":-5',
    '"Model":"mock-dear"', '"MODEL":"mock-dear"', '"N":64', '"Max_Tokens":100000', '"me\\u017fsages":[]'];
  for (const member of odd) {
    const response = await raw(weir, 'POST /v1/chat/completions', `Authorization: Bearer ${key}\r\n`, `{"model":"mock-ok","messages":${messages},${member}}`);
    assert.ok([400, 413].includes(response.status), `${member.slice(0, 60)}: ${response.status} ${response.body}`);
  }
  assert.equal(provider.requests.length, calls);
  assert.equal(await used(key), before);
});

test('a compressed request is no way around what is read', async () => {
  const calls = provider.requests.length;
  const before = await used(key);
  const body = gzipSync(JSON.stringify({ model: 'mock-ok', messages: [{ role: 'user', content: 'x'.repeat(100_000) }] })).toString('latin1');
  const response = await raw(weir, 'POST /v1/chat/completions', `Authorization: Bearer ${key}\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n`, body);
  assert.equal(response.status, 400);
  assert.equal(provider.requests.length, calls);
  assert.equal(await used(key), before);
});

// body-parser, which the official MCP server is used with, reads any charset that begins with `utf-`. In UTF-7 a quote
// hides inside a string: Weir would judge one tool and the server would call another.
test('a body in another charset than the one that is judged is refused', async () => {
  const json = createRequire(new URL('../clients/package.json', import.meta.url))('body-parser').json();
  const called = [];
  const server = http.createServer((request, response) => json(request, response, () => {
    called.push(request.body?.params?.name ?? request.body?.model);
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ jsonrpc: '2.0', id: 1, result: { content: [] }, choices: [], usage: {} }));
  }));
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const url = `http://127.0.0.1:${server.address().port}`;
  const strict = await startWeir(mockConfig(provider, {
    providers: { odd: { dialect: 'openai', url, key: 'x' } }, models: { 'cheap*': { provider: 'odd' } },
    upstreams: [{ path: '/mcp/crm', kind: 'mcp', url: `${url}/mcp`, server: 'crm' }],
    tiers: { free: { tools: { deny: ['send_email'] } } }, breaker: kNoCallerBreakers,
  }));
  try {
    const who = await strict.createKey('utf7', { tier: 'free' });
    const call = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"harmless+ACI-,+ACI-name+ACI-:+ACI-send_email"}}';
    const chat = '{"model":"cheap+ACI-,+ACI-model+ACI-:+ACI-dear","messages":[{"role":"user","content":"x"}]}';
    const fields = (type) => `Authorization: Bearer ${who}\r\nAccept: application/json, text/event-stream\r\nContent-Type: ${type}\r\n`;
    for (const type of ['application/json; charset=utf-7', 'application/json;charset="UTF-7"', 'application/json; charset=utf-8; charset=utf-7', 'application/json; charset = utf-7',
      'application/json\r\nContent-Type: application/json; charset=utf-7', 'application/json; charset=utf-16le', 'application/json; charset=utf-7-imap', "application/json; charset*=utf-8''utf-7"]) {
      for (const [path, body] of [['/mcp/crm', call], ['/v1/chat/completions', chat]]) {
        const response = await raw(strict, `POST ${path}`, fields(type), body);
        assert.equal(response.status, 415, `${path} ${type}: ${response.status} ${response.body}`);
        assert.match(response.body.toString(), /UTF-8/, 'says what to send');
      }
    }
    assert.deepEqual(called, [], 'nothing was called');
    for (const type of ['application/json; charset=utf-8', 'application/json; charset="UTF-8"', 'application/json;charset=utf8', 'application/json']) {
      const response = await raw(strict, 'POST /mcp/crm', fields(type), '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"harmless"}}');
      assert.equal(response.status, type.endsWith('utf8') ? response.status : 200, type);
    }
    assert.deepEqual([...new Set(called.filter(Boolean))], ['harmless']);
  } finally {
    await strict.stop();
    await new Promise((resolve) => { server.close(resolve); server.closeAllConnections(); });
  }
});

// Go's JSON takes `Model` for `model`, and the last one wins.
test('a key in another case is no second value', async () => {
  const calls = provider.requests.length;
  const bodies = [['/api/chat', '{"model":"mocko-ok","Model":"mocko-dear","stream":false,"messages":[{"role":"user","content":"x"}]}'],
    ['/api/generate', '{"model":"mocko-ok","stream":false,"prompt":"x","MODEL":"mocko-dear"}'],
    ['/v1/messages', '{"model":"mockc-ok","max_tokens":5,"messages":[{"role":"user","content":"x"}],"mOdel":"mockc-dear"}'],
    ['/v1/responses', '{"model":"mock-ok","input":"x","Input":"y"}']];
  for (const [path, body] of bodies) {
    const response = await raw(weir, `POST ${path}`, `Authorization: Bearer ${key}\r\n`, body);
    assert.equal(response.status, 400, `${path}: ${response.status}`);
    assert.match(response.body.toString(), /another case/);
  }
  assert.equal(provider.requests.length, calls);
});

const from = (address) => raw(open, 'GET /api/x', address === undefined ? '' : `X-Forwarded-For: ${address}\r\n`);

test('an IPv6 user has one /64, and one address has one spelling', async () => {
  for (const group of [
    ['2001:db8:1:2::1', '2001:db8:1:2:ffff:ffff:ffff:ffff', '2001:0DB8:0001:0002::9', '[2001:db8:1:2::7]'],
    ['198.51.100.7', '::ffff:198.51.100.7', '::FFFF:c633:6407'],
    ['203.0.113.9', '8.8.8.8, 203.0.113.9', '1.1.1.1,2.2.2.2 , 203.0.113.9', '203.0.113.9, 10.1.2.3, 10.9.9.9', 'nonsense, 203.0.113.9'],
  ]) {
    const statuses = [];
    for (const address of group) statuses.push((await from(address)).status);
    assert.deepEqual(statuses, group.map((_, i) => (i < 2 ? 200 : 429)), group.join(' | '));
  }
  assert.equal((await from('2001:db8:1:3::1')).status, 200, 'another /64 is another user');
});

test('X-Forwarded-For of whoever is no trusted proxy is not believed', async () => {
  const direct = await startWeir(mockConfig(provider, {
    upstreams: [{ path: '/api/**', kind: 'http', url: backend.url }],
    limits: [{ name: 'by-ip', per: 'ip', meter: 'requests', allow: '2/1h' }], anonymous: 'allow', breaker: kNoCallerBreakers }));
  try {
    const statuses = [];
    for (const field of ['X-Forwarded-For: 1.1.1.1', 'X-Forwarded-For: 2.2.2.2', 'X-Forwarded-For: 3.3.3.3', 'X-Real-IP: 4.4.4.4', 'Forwarded: for=5.5.5.5', 'True-Client-IP: 6.6.6.6',
      'CF-Connecting-IP: 7.7.7.7', 'X-Client-IP: 8.8.8.8', 'X-Cluster-Client-IP: 9.9.9.9']) statuses.push((await raw(direct, 'GET /api/x', `${field}\r\n`)).status);
    assert.deepEqual(statuses, [200, 200, ...Array(7).fill(429)], 'all of them are the one address of the socket');
  } finally {
    await direct.stop();
  }
});

test("one tenant's numbers say nothing of another's", async () => {
  const numbers = async (who) => {
    const response = await raw(weir, 'GET /api/numbers', `Authorization: Bearer ${who}\r\n`);
    const me = await weir.me(who);
    return { text: `${response.raw} ${JSON.stringify(me)}`, used: Object.fromEntries(me.limits.map((limit) => [limit.name, limit.used])) };
  };
  const before = await numbers(second);
  for (let i = 0; i < 20; i += 1) await raw(weir, 'GET /api/busy', `Authorization: Bearer ${key}\r\n`);
  const after = await numbers(second);
  assert.equal(after.used.requests, before.used.requests + 1, 'its own request');
  assert.equal(after.used.tenant, before.used.tenant + 1, "and nothing of another tenant's twenty");
  for (const { text } of [before, after]) assert.ok(!/ann|acme/.test(text), text);
});
