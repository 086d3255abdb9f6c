// Secrets are said once, where PRODUCT says so, and nowhere else: not in logs, errors, metrics, records or answers, whatever
// goes wrong. Every secret here has a part that nothing else contains; everything the server says is searched for it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import zlib from 'node:zlib';
import { connect } from '../support/raw.mjs';
import { ask, eventually, kNoCallerBreakers, prepareWeir, runWeir } from '../support/weir.mjs';

const kProviderKey = 'provider-ZQJXKVBPWMYHTRGC-1';
const kOtherProviderKey = 'provider-VWKJQXZPYBMGHDFT-2';
const kAdminToken = 'admin-QXZJVKWYPBGHMFDC-3';
const kUrlPassword = 'password-JZQXWVKYGPBHMDFT-4';
const kBadToken = 'BXQZJVKW';   // inside a value that is refused
const secrets = new Map([
  [kProviderKey, 'ZQJXKVBPWMYHTRGC'], [kOtherProviderKey, 'VWKJQXZPYBMGHDFT'], [kAdminToken, 'QXZJVKWYPBGHMFDC'],
  [kUrlPassword, 'JZQXWVKYGPBHMDFT'], [kBadToken, kBadToken],
]);

let echo;      // a provider that shows whoever asks what it was sent
let broken;    // a port that accepts and hangs up
let weir;
let key;
let other;
const said = [];   // {where, text}

const heard = (where, text) => { said.push({ where, text: String(text) }); return text; };

function search() {
  for (const [secret, part] of secrets) {
    for (const { where, text } of said) {
      assert.ok(!text.includes(part), `${secret.slice(0, 9)}… appears in ${where}: ${text.slice(Math.max(0, text.indexOf(part) - 200), text.indexOf(part) + 40)}`);
    }
  }
}

before(async () => {
  echo = http.createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      let model = '';
      try { model = JSON.parse(Buffer.concat(chunks)).model ?? ''; } catch { /* shown as it is */ }
      const [, status = '401', how = ''] = /^echo-(\d+)-?(\w*)$/.exec(model) ?? [];
      const shown = JSON.stringify({ error: { message: `Incorrect API key provided: ${request.headers.authorization}`, headers: request.headers } });
      const fields = { 'content-type': 'application/json', 'x-echo': String(request.headers.authorization),
        'www-authenticate': `Bearer error="${request.headers['x-api-key'] ?? request.headers.authorization}"` };
      if (how === 'gzip') {
        response.writeHead(Number(status), { ...fields, 'content-encoding': 'gzip' });
        response.end(zlib.gzipSync(shown));
      } else if (how === 'split') {
        response.writeHead(Number(status), fields);
        for (const byte of shown) response.write(byte);
        response.end();
      } else if (how === 'cut') {
        response.writeHead(Number(status), { ...fields, 'content-length': shown.length + 10 });
        response.write(shown);
        setTimeout(() => response.destroy(), 20);
      } else if (how === 'page') {
        response.writeHead(Number(status), { ...fields, 'content-type': 'text/html' });
        response.end(`<p>${shown}</p>`);
      } else {
        response.writeHead(Number(status), fields);
        response.end(shown);
      }
    });
  });
  await new Promise((resolve) => { echo.listen(0, '127.0.0.1', resolve); });
  broken = net.createServer((socket) => { socket.on('error', () => {}); socket.once('data', () => socket.destroy()); });
  await new Promise((resolve) => { broken.listen(0, '127.0.0.1', resolve); });
  const url = `http://127.0.0.1:${echo.address().port}`;
  const brokenPort = broken.address().port;
  weir = await prepareWeir({
    admin: { listen: '127.0.0.1:0', token: kAdminToken },
    providers: {
      echo: { dialect: 'openai', url, key: kProviderKey },
      claude: { dialect: 'anthropic', url, key: '${OTHER_PROVIDER_KEY}' },
      broken: { dialect: 'openai', url: `http://127.0.0.1:${brokenPort}`, key: kProviderKey },
      tls: { dialect: 'openai', url: `https://127.0.0.1:${echo.address().port}`, key: kProviderKey },
      nobody: { dialect: 'openai', url: 'http://127.0.0.1:1', key: kProviderKey },
      unknown: { dialect: 'openai', url: 'http://no-such-host.invalid', key: kProviderKey },
    },
    models: { 'echo-*': { provider: 'echo', price: 0 }, 'claude-*': { provider: 'claude', price: 0 }, broken: { provider: 'broken', price: 0 },
      tls: { provider: 'tls', price: 0 }, nobody: { provider: 'nobody', price: 0 }, unknown: { provider: 'unknown', price: 0 } },
    upstreams: [{ path: '/api/**', kind: 'http', url }, { path: '/mcp', kind: 'mcp', url: `${url}/mcp` }],
    breaker: kNoCallerBreakers,
    retry: { attempts: 1 },
    limits: [{ name: 'requests', per: 'key', meter: 'requests', allow: '40/1h' }],
  }, { OTHER_PROVIDER_KEY: kOtherProviderKey });
  weir.adminToken = kAdminToken;
  await weir.start();
  key = await weir.createKey('ann');
  other = await weir.createKey('revoked');
  secrets.set(key, key.slice(5, 29));
  secrets.set(other, other.slice(5, 29));
  const raw = readFileSync(path.join(weir.data, 'secret'));
  for (const half of [raw.subarray(0, 16), raw.subarray(16, 48)]) {
    for (const form of ['hex', 'base64', 'latin1']) secrets.set(half.toString(form), half.toString(form).replace(/=+$/, ''));
  }
});
after(async () => {
  await weir?.stop();
  echo?.closeAllConnections();
  echo?.close();
  broken?.close();
});

async function call(where, to, { headers = {}, body, method = body ? 'POST' : 'GET', keep = true } = {}) {
  const answer = await ask(to, { method, headers, body }).catch((error) => ({ status: 0, headers: {}, text: String(error) }));
  if (keep) heard(where, JSON.stringify(answer));
  return answer;
}
const chat = (model, headers = { authorization: `Bearer ${key}` }, rest = {}) => call(`the answer to ${model}`, `${weir.url}/v1/chat/completions`,
  { headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify({ model, messages: [{ role: 'user', content: 'hi' }], ...rest }) });

test('providers that show the key they were given, in bodies and headers, in every way', async () => {
  for (const status of ['400', '401', '403', '429', '500', '503']) {
    const answer = await chat(`echo-${status}`);
    assert.equal(answer.status, Number(status), 'the provider’s own error passes');
  }
  for (const how of ['gzip', 'split', 'cut', 'page']) {
    await chat(`echo-401-${how}`);
    await chat(`echo-500-${how}`);
  }
  await chat('echo-401', undefined, { stream: true });
  await call('an Anthropic answer', `${weir.url}/v1/messages`, { headers: { 'x-api-key': key, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'claude-x', max_tokens: 5, messages: [{ role: 'user', content: 'hi' }] }) });
  search();
});

test('providers that cannot be reached: connection, name, TLS, a hang-up', async () => {
  for (const model of ['broken', 'tls', 'nobody', 'unknown']) {
    const answer = await chat(model);
    assert.equal(answer.status, 502, model);
  }
  search();
});

test('an upstream learns nothing of Weir’s keys, in whichever header they came', async () => {
  for (const headers of [{ authorization: `Bearer ${key}` }, { 'x-api-key': key }, { 'api-key': key }, { 'x-goog-api-key': key },
    { authorization: `Bearer ${key}`, 'x-api-key': other, 'api-key': kAdminToken }]) {
    const answer = await call('what an HTTP upstream saw', `${weir.url}/api/x`, { headers });
    assert.equal(answer.status, 401, 'the upstream answered');
    await call('what an MCP upstream saw', `${weir.url}/mcp`, { headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }) });
  }
  search();
});

test('keys in odd places of requests that are refused', async () => {
  assert.equal((await weir.command('keys', 'revoke', 'revoked')).code, 0);
  for (const authorization of [key.slice(0, -1), `Basic ${key}x`, `Bearer ${key} `.concat(other), `Bearer ${key}\t${key}`, `Bearer ${kAdminToken}`,
    `Digest username="${key}"`, `bearer${key}`]) {
    await chat('echo-401', { authorization });
  }
  await eventually(async () => (await chat('echo-401', { authorization: `Bearer ${other}` })).status === 401, 'revoked');
  await call('a wrong query', `${weir.url}/v1/models?api_key=${key}`);
  await call('a wrong query on an LLM route', `${weir.url}/v1/chat/completions?key=${key}`);
  await call('a lineage that is a key', `${weir.url}/v1/chat/completions`, { headers: { authorization: `Bearer ${key}`, 'x-weir-lineage': key },
    body: JSON.stringify({ model: 'echo-401', messages: [] }) });
  await call('a budget that is a key', `${weir.url}/v1/chat/completions`, { headers: { authorization: `Bearer ${key}`, 'x-weir-run-budget': key },
    body: JSON.stringify({ model: 'echo-401', messages: [{ role: 'user', content: 'x' }] }) });
  // What the caller writes into a path or a model's name is told back to that caller only.
  await call('a path', `${weir.url}/nowhere/${key}`, { keep: false });
  await call('an unknown model', `${weir.url}/v1/chat/completions`, { keep: false, headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({ model: key, messages: [{ role: 'user', content: 'x' }] }) });
  for (const bytes of [`GET /${key} HTTP/9.9\r\n\r\n`, `${key}\r\n\r\n`, `GET / HTTP/1.1\r\nHost: x\r\n${key}\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: ${key}@x\r\n\r\n`, `GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\nContent-Length: ${key}\r\n\r\n`,
    `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\nTransfer-Encoding: ${key}\r\n\r\n`]) {
    const client = await connect(weir.port);
    client.send(bytes);
    await client.closed();
    heard('the answer to malformed bytes', client.bytes.toString('latin1'));
    client.destroy();
  }
  for (const body of [`{"model": "echo-401", "x": ${key}`, `{"model": {"${key}": 1}}`, `[${JSON.stringify(key)}]`, key]) {
    await call('a body that is not what it should be', `${weir.url}/v1/chat/completions`, { headers: { authorization: `Bearer ${key}` }, body });
  }
  for (const [where, body] of [['admit', { attributes: { key: 7 }, estimate: key }], ['settle', { id: key }], ['cancel', { id: key }],
    ['count', { model: 7, text: key }]]) {
    await call(`the decision API: ${where}`, `${weir.url}/weir/v1/${where}`, { headers: { authorization: `Bearer ${key}` }, body: JSON.stringify(body) });
  }
  search();
});

test('the admin listener and its token', async () => {
  const bearer = { authorization: `Bearer ${kAdminToken}` };
  for (const [where, headers] of [['/metrics', {}], ['/metrics', { authorization: `Bearer ${kAdminToken}x` }], [`/metrics?token=${kAdminToken}`, {}],
    [`/metrics?x=${kAdminToken}`, bearer], ['/admin/v1/breakers', bearer], ['/admin/v1/breakers/tool/none', bearer], ['/nowhere', bearer],
    ['/metrics', { ...bearer, origin: 'http://evil.example' }], ['/healthz', bearer], ['/schema.json', bearer]]) {
    await call(`the admin listener’s ${where.split('?')[0]}`, `${weir.admin}${where}`, { headers });
  }
  await call('a refused change', `${weir.admin}/admin/v1/breakers/tool/x`, { method: 'PUT', headers: { ...bearer, 'content-type': 'application/json' }, body: `{"${kAdminToken}": 1}` });
  search();
});

test('a refusal by a limit names the key’s name only', async () => {
  await eventually(async () => (await chat('echo-401')).status === 429, 'the limit');
  search();
});

test('files with mistakes next to secrets: check, serve and reload do not repeat them', async () => {
  const good = readFileSync(weir.file, 'utf8');
  const provider = (text) => `providers: { a: ${text} }\n`;
  const files = [
    provider(`{ dialect: openai, url: "http://user:${kUrlPassword}@host", key: ${kProviderKey} }`),
    provider(`{ dialect: openai, url: "https://host/v1?key=${kUrlPassword}", key: ${kProviderKey} }`),
    provider(`{ dialect: openai, url: "http://h", key: [${kProviderKey}] }`),
    provider(`{ dialect: openai, url: "http://h", key: { value: ${kProviderKey} } }`),
    provider(`{ dialect: openai, url: "http://h", keyy: ${kProviderKey} }`),
    provider(`{ dialect: openai, url: "http://h", key: ${kProviderKey}, key: ${kOtherProviderKey} }`),
    provider(`{ dialect: openai, url: "http://h", key: "${kProviderKey} }`),
    provider(`{ dialect: openai, url: "http://h", key: ${kProviderKey} ] }`),
    provider(`{ dialect: openai, url: "http://h", key: !secret ${kProviderKey} }`),
    provider(`{ dialect: openai, url: "http://h", key: "\\q${kProviderKey}" }`),
    provider(`{ dialect: openai, url: "http://h", key: "\${OTHER_PROVIDER_KEY:-x" }`),
    `admin: { token: "${kBadToken} with spaces" }\n`,
    `admin: { token: ["${kBadToken}"] }\n`,
    `admin: { tokens: ${kBadToken} }\n`,
    `admin: ${kAdminToken}\n`,
    `store: { counters: "redis://:${kUrlPassword}@host" }\n`,
    `store: { records: "postgres://weir:${kUrlPassword}@host/db" }\n`,
    `tls: { cert: "-----BEGIN CERTIFICATE----- ${kBadToken}", key: "-----BEGIN PRIVATE KEY----- ${kBadToken}" }\n`,
    `upstreams: [{ path: /a, kind: http, url: "http://u:${kUrlPassword}@h" }]\n`,
    `providers: { a: { dialect: openai, url: "http://h", key: ${kProviderKey} } }\nzone: Nowhere\nbogus: 1\n`,
  ];
  const broken = path.join(weir.folder, 'broken.yaml');
  for (const text of files) {
    writeFileSync(broken, text);
    for (const args of [['check', broken], ['serve', '-c', broken], ['explain', '-c', broken], ['keys', 'list', '-c', broken]]) {
      const result = await runWeir(args, { env: { OTHER_PROVIDER_KEY: kOtherProviderKey }, cwd: weir.folder });
      assert.notEqual(result.code, 0, `${args[0]} accepts ${text}`);
      heard(`weir ${args[0]} of: ${text.slice(0, 40).split(':')[0]}…`, result.stdout + result.stderr);
    }
    const before = weir.output.length;
    await weir.writeConfig(text);
    weir.signal('SIGHUP');
    await eventually(() => /reload refused/.test(weir.output.slice(before)), 'the reload is refused');
  }
  const before = weir.output.length;
  await weir.writeConfig(good);
  weir.signal('SIGHUP');
  await eventually(() => /policy loaded/.test(weir.output.slice(before)), 'the reload of the good file');
  heard('standard output and error', weir.output);
  search();
});

test('commands, metrics, and the records on disk', async () => {
  for (const args of [['usage', '--json'], ['usage', '--by', 'key'], ['audit', '--json'], ['audit', '--verify'], ['explain', '--key', 'ann'],
    ['report', '--week', '--json'], ['keys', 'list', '--json'], ['keys', 'show', 'ann', '--json'], ['kill', '--list', '--json'],
    ['keys', 'create', '--name', 'ann'], ['keys', 'show', key], ['usage', '--since', key], ['kill', 'tool']]) {
    const result = await weir.command(...args);
    // A command's own words are its user's: only what it looks up may not show a key.
    if (!args.includes(key)) heard(`weir ${args.join(' ')}`, result.stdout + result.stderr);
  }
  heard('weir check', Object.values(await runWeir(['check', weir.file], { env: { OTHER_PROVIDER_KEY: kOtherProviderKey } })).join('\n'));
  heard('/metrics', (await ask(`${weir.admin}/metrics`, { headers: { authorization: `Bearer ${kAdminToken}` } })).text);
  await weir.usage((rows) => rows.length >= 10);
  const walk = (folder) => {
    for (const name of readdirSync(folder)) {
      const file = path.join(folder, name);
      if (statSync(file).isDirectory()) walk(file);
      else if (name !== 'secret') heard(`the file ${name}`, readFileSync(file).toString('latin1'));
    }
  };
  walk(weir.data);
  heard('standard output and error', weir.output);
  assert.ok(said.length > 150, `${said.length} texts`);
  search();
});

test('the search can fail', () => {
  said.push({ where: 'a sample', text: `Bearer ${kProviderKey}` });
  assert.throws(search, /appears in a sample/);
  said.pop();
});
