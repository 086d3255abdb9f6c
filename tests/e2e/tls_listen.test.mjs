// TLS of Weir's own listeners: real clients, protocol versions, slow and wrong handshakes, streams and large bodies, drain,
// and certificates that are replaced while connections stand.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { after, before, test } from 'node:test';
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import { startProvider } from '../mock/provider.mjs';
import { authority, certificate } from '../support/certificates.mjs';
import { connect, connectTls, post } from '../support/raw.mjs';
import { ask, eventually, kRoot, mockConfig, prepareWeir, runWeir, startWeir } from '../support/weir.mjs';

let folder;
let ca;
let provider;
let weir;
let key;
const inForce = {};   // the pair that the configuration names; tests copy others over it

function use(pair) {
  copyFileSync(pair.cert, inForce.cert);
  copyFileSync(pair.key, inForce.key);
  chmodSync(inForce.key, 0o600);
}

let first;
let second;

before(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'weir-listen-'));
  ca = authority(folder, 'ca');
  first = certificate(folder, 'first', { ca });
  second = certificate(folder, 'second', { ca });
  inForce.cert = path.join(folder, 'in-force.pem');
  inForce.key = path.join(folder, 'in-force.key');
  use(first);
  provider = await startProvider();
  weir = await startWeir(mockConfig(provider, {
    tls: { ...inForce },
    admin: { listen: '127.0.0.1:0', token: 'test-admin-token', tls: { ...inForce } },
    timeouts: { header: '1s' },
    bounds: { body: '32M' },
    upstreams: [{ path: '/api/**', kind: 'http', url: provider.url }],
    limits: [],
  }));
  key = await weir.createKey('tls');
});
after(async () => {
  await weir?.stop();
  await provider?.close();
  rmSync(folder, { recursive: true, force: true });
});

const chat = (model, rest = {}) => ({ model, messages: [{ role: 'user', content: 'one two three' }], ...rest });
const call = (body, to = weir) => ask(`${to.url}/v1/chat/completions`, { method: 'POST', body: JSON.stringify(body), ca: ca.pem,
  headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' } });
const secure = (options = {}) => connectTls(weir.port, { ca: ca.pem, servername: 'localhost', ...options });

// openssl s_client: what both sides agreed on, or how it failed.
function sClient(port, ...args) {
  return new Promise((resolve) => {
    const child = execFile('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-CAfile', ca.file, ...args],
      { timeout: 20_000 }, (error, stdout, stderr) => resolve({ ok: !error, text: stdout + stderr }));
    child.stdin.end();
  });
}

test('what it prints is https, and a ready curl that works', async () => {
  assert.match(weir.url, /^https:/);
  assert.match(weir.admin, /^https:/);
  assert.match(weir.output, /try curl -i https:\/\/127\.0\.0\.1:\d+\/v1\/chat\/completions/);
  const explained = await weir.command('explain');
  assert.match(explained.stdout, new RegExp(`listen: TLS with the certificate in ${inForce.cert}`));
});

test('a verifying client gets its answer, on both listeners; an unknown authority is not accepted by it', async () => {
  const answer = await call(chat('mock-out=7'));
  assert.equal(answer.status, 200);
  assert.equal(JSON.parse(answer.text).usage.completion_tokens, 7);
  const metrics = await ask(`${weir.admin}/metrics`, { ca: ca.pem, headers: { authorization: 'Bearer test-admin-token' } });
  assert.equal(metrics.status, 200);
  await assert.rejects(ask(`${weir.url}/healthz`, { ca: authority(folder, 'stranger').pem }), /self-signed|unable to (get|verify)/i);
});

test('the official OpenAI package with NODE_EXTRA_CA_CERTS: whole answers and streams', async () => {
  const script = `import OpenAI from 'openai';
    const client = new OpenAI({ baseURL: process.env.BASE, apiKey: process.env.KEY, maxRetries: 0 });
    const messages = [{ role: 'user', content: 'hi' }];
    const whole = await client.chat.completions.create({ model: 'mock-out=5', messages });
    let parts = 0;
    for await (const part of await client.chat.completions.create({ model: 'mock-out=9', messages, stream: true })) {
      if (part.choices[0]?.delta?.content) parts += 1;
    }
    console.log(JSON.stringify({ whole: whole.usage.completion_tokens, parts }));`;
  const run = (env) => new Promise((resolve) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script],
      { cwd: path.join(kRoot, 'tests/clients'), env: { ...process.env, BASE: `${weir.url}/v1`, KEY: key, ...env } });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => { text += part; });
    child.on('close', (code) => resolve({ code, text }));
  });
  const good = await run({ NODE_EXTRA_CA_CERTS: ca.file });
  assert.equal(good.code, 0, good.text);
  assert.deepEqual(JSON.parse(good.text), { whole: 5, parts: 9 });
  assert.notEqual((await run({})).code, 0, 'without the authority it is not trusted');
});

test('protocols: 1.2 and 1.3 with forward secrecy, nothing older, no compression, no renegotiation, no client certificate', async () => {
  for (const [flag, version] of [['-tls1_2', 'TLSv1.2'], ['-tls1_3', 'TLSv1.3']]) {
    const { ok, text } = await sClient(weir.port, flag, '-verify_return_error', '-brief');
    assert.ok(ok, text);
    assert.match(text, new RegExp(`Protocol version: ${version}`));
    assert.doesNotMatch(text, /Requested Signature|Acceptable client certificate/i);
  }
  for (const flag of ['-tls1', '-tls1_1']) {
    const { ok, text } = await sClient(weir.port, flag, '-cipher', 'DEFAULT@SECLEVEL=0');
    assert.ok(!ok || /no peer certificate available/.test(text), `${flag}: ${text}`);
  }
  for (const cipher of ['AES128-SHA', 'ECDHE-ECDSA-AES128-SHA', 'AES128-GCM-SHA256']) {
    const { text } = await sClient(weir.port, '-tls1_2', '-cipher', cipher);
    assert.match(text, /handshake failure|no peer certificate available/, cipher);
  }
  const { text } = await sClient(weir.port, '-tls1_2');
  assert.match(text, /Compression: NONE/);
  assert.match(text, /No client certificate CA names sent/);
  const socket = tls.connect({ port: weir.port, host: '127.0.0.1', ca: ca.pem, servername: 'localhost', maxVersion: 'TLSv1.2' });
  await new Promise((resolve, reject) => { socket.once('secureConnect', resolve); socket.once('error', reject); });
  const ended = await new Promise((resolve) => {
    socket.once('error', resolve);
    socket.renegotiate({}, (error) => resolve(error));
  });
  assert.ok(ended instanceof Error, 'renegotiation is refused');
  socket.destroy();
});

test('ALPN: http/1.1 is chosen; a client that offers only others is told so', async () => {
  for (const offered of [['http/1.1'], ['h2', 'http/1.1']]) {
    const client = await secure({ ALPNProtocols: offered });
    assert.equal(client.socket.alpnProtocol, 'http/1.1');
    client.destroy();
  }
  await assert.rejects(secure({ ALPNProtocols: ['h2'] }), /no application protocol/i);
});

test('sessions resume by ticket', async () => {
  const one = await secure();
  const session = await new Promise((resolve) => { one.socket.once('session', resolve); one.send('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'); });
  one.destroy();
  const two = await secure({ session });
  assert.equal(two.socket.isSessionReused(), true);
  two.send('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
  assert.equal((await two.response()).status, 200);
  two.destroy();
});

test('plain HTTP on a TLS port: told at once what to do, on both listeners, and the request is not read', async () => {
  for (const port of [weir.port, Number(new URL(weir.admin).port)]) {
    for (const text of ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', post('/v1/chat/completions', key, chat('mock-out=3')), 'G']) {
      const before = provider.requests.length;
      const client = await connect(port);
      client.send(text);
      const response = await client.response();
      assert.equal(response.status, 400);
      assert.match(response.body.toString(), /speaks TLS: use https:\/\//);
      await client.closed();
      client.destroy();
      assert.equal(provider.requests.length, before);
    }
  }
});

test('TLS on a plain port: an ordinary 400, closed', async () => {
  const plain = await startWeir({ limits: [] });
  try {
    await assert.rejects(connectTls(plain.port, { rejectUnauthorized: false }));
    const client = await connect(plain.port);
    client.send(Buffer.from([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0, 10, 10]));
    assert.equal((await client.response()).status, 400);
    await client.closed();
    client.destroy();
  } finally {
    await plain.stop();
  }
});

test('a handshake that does not come, comes byte by byte, or is garbage, ends by its deadline and holds nobody up', async () => {
  const hello = await new Promise((resolve) => {   // a real ClientHello
    const server = net.createServer((socket) => socket.once('data', (bytes) => { resolve(bytes); socket.destroy(); server.close(); }));
    server.listen(0, '127.0.0.1', () => {
      tls.connect({ port: server.address().port, host: '127.0.0.1', servername: 'localhost' }).on('error', () => {});
    });
  });
  const began = Date.now();
  const silent = await connect(weir.port);
  const half = await connect(weir.port);
  half.send(hello.subarray(0, hello.length - 10));
  const afterHello = await connect(weir.port);
  afterHello.send(hello);
  const dripping = await connect(weir.port);
  let at = 0;
  const drip = setInterval(() => { dripping.send(hello.subarray(at, at + 1)); at += 1; }, 100);
  const garbage = await connect(weir.port);
  garbage.send(Buffer.concat([Buffer.from([0x16, 3, 1, 2, 0]), Buffer.alloc(600, 0x41)]));
  await garbage.closed();
  const crowd = [];
  for (let i = 0; i < 50; i += 1) crowd.push(await connect(weir.port));
  assert.equal((await call(chat('mock-out=2'))).status, 200);
  for (const client of [silent, half, afterHello, dripping, ...crowd]) await client.closed();
  clearInterval(drip);
  assert.ok(Date.now() - began >= 900, 'not before the deadline');
  for (const client of [silent, half, afterHello, dripping, garbage, ...crowd]) client.destroy();
  await eventually(async () => (await weir.metric(/^weir_open_connections /)) <= 2, 'no connection is left');
});

test('events of a stream arrive one by one', async () => {
  const client = await secure();
  client.send(post('/v1/chat/completions', key, chat('mock-out=6+slow=60', { stream: true })));
  const times = [];
  client.socket.on('data', () => times.push(Date.now()));
  const response = await client.response();
  assert.match(response.body.toString(), /\[DONE\]/);
  assert.ok(times.length >= 6, `${times.length} arrivals`);
  assert.ok(times.at(-1) - times[0] >= 200, 'spread over time');
  client.destroy();
});

test('large bodies both ways, and a reader that stops in between', async () => {
  const size = 12 << 20;
  const body = Buffer.alloc(size, 'x');
  const echoed = await ask(`${weir.url}/api/echo`, { method: 'POST', body, ca: ca.pem, headers: { authorization: `Bearer ${key}`, 'content-length': size } });
  assert.equal(echoed.status, 200);
  const seen = provider.requests.filter((request) => request.url.startsWith('/api/echo')).at(-1);
  assert.equal(seen.body.length, size);
  assert.ok(seen.body.equals(body));
  const client = await secure();
  client.socket.pause();
  client.send(post('/v1/chat/completions', key, chat('mock-out=200000', { max_tokens: 200000 })));
  await eventually(async () => (await weir.metric(/^weir_requests_in_flight /)) >= 0, 'under way');
  await new Promise((resolve) => { setTimeout(resolve, 100); });
  client.socket.resume();
  const response = await client.response();
  assert.equal(JSON.parse(response.body).usage.completion_tokens, 200000);
  client.destroy();
});

test('the end of a connection is announced; a request cut without that word is not taken for whole', async () => {
  const polite = await secure();
  polite.send('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  assert.equal((await polite.response()).status, 200);
  await polite.closed();
  assert.equal(polite.socket.errored, null, 'close_notify came, so that nothing looks cut off');
  polite.destroy();
  const { text } = await new Promise((resolve) => {
    const child = execFile('openssl', ['s_client', '-connect', `127.0.0.1:${weir.port}`, '-quiet', '-CAfile', ca.file], { timeout: 20_000 },
      (error, stdout, stderr) => resolve({ text: stdout + stderr }));
    child.stdin.write('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  });
  assert.match(text, /\r\n\r\nok\n/);
  assert.doesNotMatch(text, /unexpected eof/i);
  // Half of a body, then the raw socket goes without close_notify.
  const before = provider.requests.length;
  const raw = net.connect(weir.port, '127.0.0.1');
  await new Promise((resolve) => { raw.once('connect', resolve); });
  const rude = tls.connect({ socket: raw, ca: ca.pem, servername: 'localhost' });
  rude.on('error', () => {});
  await new Promise((resolve) => { rude.once('secureConnect', resolve); });
  rude.write(post('/v1/chat/completions', key, chat('mock-out=3')).slice(0, -5));
  await new Promise((resolve) => { setTimeout(resolve, 50); });
  raw.destroy();
  await eventually(async () => (await weir.metric(/^weir_open_connections /)) <= 2, 'it is noticed');
  assert.equal(provider.requests.length, before);
});

test('pipelining and keep-alive', async () => {
  const client = await secure();
  client.send([1, 2, 3].map((n) => post('/v1/chat/completions', key, chat(`mock-out=${n}`))).join(''));
  for (const n of [1, 2, 3]) assert.equal(JSON.parse((await client.response()).body).usage.completion_tokens, n);
  client.destroy();
});

const serial = async () => {
  const client = await secure();
  const name = client.socket.getPeerCertificate().subject.CN;
  client.destroy();
  return name;
};

test('a reload takes a new certificate, and open connections go on', async () => {
  assert.equal(await serial(), 'first');
  const standing = await secure();
  standing.send('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
  await standing.response();
  const stream = await secure();
  stream.send(post('/v1/chat/completions', key, chat('mock-out=20+slow=30', { stream: true })));
  use(second);
  weir.signal('SIGHUP');
  await eventually(async () => (await serial()) === 'second', 'the new certificate');
  standing.send('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
  assert.equal((await standing.response()).status, 200);
  assert.match((await stream.response()).body.toString(), /\[DONE\]/);
  standing.destroy();
  stream.destroy();
});

test('a bad pair leaves the old one in force and says why; mended, it is taken', async () => {
  copyFileSync(first.cert, inForce.cert);   // the key is still the other one's
  weir.signal('SIGHUP');
  await eventually(() => /does not belong to the certificate/.test(weir.output) && /reload refused, the old policy stays/.test(weir.output), 'why');
  assert.equal(await serial(), 'second');
  assert.equal((await call(chat('mock-out=2'))).status, 200);
  rmSync(inForce.key);
  const before = weir.output.length;
  weir.signal('SIGHUP');
  await eventually(() => /key `.*` cannot be read: No such file/.test(weir.output.slice(before)), 'why');
  use(first);
  weir.signal('SIGHUP');
  await eventually(async () => (await serial()) === 'first', 'the mended pair');
});

test('TLS is not switched off or on by a reload', async () => {
  const { tls: removed, ...rest } = weir.config;
  const config = weir.config;
  await weir.writeConfig(rest);
  await eventually(() => /takes effect at the next start.*"key":"tls"/.test(weir.output), 'a word about it');
  assert.equal(await serial(), 'first');
  assert.ok(removed);
  await weir.writeConfig(config);
});

test('drain: an open stream ends whole, idle connections and handshakes under way are closed', async () => {
  const own = await startWeir(mockConfig(provider, { tls: { ...inForce }, limits: [] }));
  const ownKey = await own.createKey('drain');
  const idle = await connectTls(own.port, { ca: ca.pem, servername: 'localhost' });
  const shaking = await connect(own.port);
  const stream = await connectTls(own.port, { ca: ca.pem, servername: 'localhost' });
  stream.send(post('/v1/chat/completions', ownKey, chat('mock-out=20+slow=30', { stream: true })));
  await eventually(() => stream.bytes.length > 0, 'the stream has begun');
  own.signal('SIGTERM');
  await idle.closed();
  await shaking.closed();
  assert.match((await stream.response()).body.toString(), /\[DONE\]/);
  await stream.closed();
  for (const client of [idle, shaking, stream]) client.destroy();
  await own.exited;   // a second SIGTERM would end it the hard way
  await own.stop();
  assert.deepEqual(own.exit, { code: 0, signal: null });
});

test('the admin listener without a certificate of its own: plain on loopback, the data one\'s elsewhere', async () => {
  const here = await startWeir({ tls: { ...inForce }, limits: [] });
  assert.match(here.url, /^https:/);
  assert.match(here.admin, /^http:\/\/127/);
  await here.stop();
  const everywhere = await startWeir({ tls: { ...inForce }, admin: { listen: '0.0.0.0:0', token: 'test-admin-token' }, limits: [] });
  assert.match(everywhere.admin, /^https:\/\/0\.0\.0\.0/);
  await everywhere.stop();
});

test('check and serve refuse files that cannot work: which, why, and what to do', async () => {
  const bad = path.join(folder, 'bad.pem');
  const locked = path.join(folder, 'locked.key');
  const open = path.join(folder, 'open.key');
  const long = path.join(folder, 'long.pem');
  const deep = path.join(folder, 'deep.pem');
  const fits = path.join(folder, 'fits.pem');
  writeFileSync(long, 'x'.repeat((1 << 20) + 1));
  writeFileSync(deep, readFileSync(first.cert, 'utf8').repeat(21));
  writeFileSync(fits, readFileSync(first.cert, 'utf8').repeat(20));
  const expired = certificate(folder, 'expired', { ca, days: -1 });
  writeFileSync(bad, 'nothing of use\n');
  copyFileSync(first.key, open);
  chmodSync(open, 0o644);
  await new Promise((resolve, reject) => {
    execFile('openssl', ['pkey', '-in', first.key, '-aes256', '-passout', 'pass:secret', '-out', locked], (error) => (error ? reject(error) : resolve()));
  });
  const own = await prepareWeir({ limits: [] });
  try {
    for (const [pair, says] of [
      [{ cert: '/nowhere/x.pem', key: first.key }, /certificate `\/nowhere\/x\.pem` cannot be read: No such file or directory; check the path/],
      [{ cert: first.cert, key: '/nowhere/x.key' }, /key `\/nowhere\/x\.key` cannot be read: No such file/],
      [{ cert: folder, key: first.key }, /is not a file/],
      [{ cert: bad, key: first.key }, /holds no certificate in PEM form/],
      [{ cert: first.cert, key: bad }, /every user of this machine|holds no private key/],
      [{ cert: first.cert, key: second.key }, /does not belong to the certificate in/],
      [{ cert: first.cert, key: open }, /can be read or written by every user of this machine; `chmod 600/],
      [{ cert: first.cert, key: locked }, /is locked with a password/],
      [{ cert: first.key, key: first.cert }, /holds no certificate/],
      [{ cert: long, key: first.key }, /is above 1 MiB/],
      [{ cert: deep, key: first.key }, /holds more than 20 certificates/],
    ]) {
      await own.writeConfig({ tls: pair, limits: [] });
      const check = await runWeir(['check', own.file]);
      assert.equal(check.code, 1, check.stderr);
      assert.match(check.stderr, says);
      assert.match(check.stderr, /weir\.yaml:\d+:\d+: error: /);
      const serve = await runWeir(['serve', '-c', own.file]);
      assert.equal(serve.code, 2);
      assert.match(serve.stderr, says);
    }
    await own.writeConfig({ tls: { cert: fits, key: first.key }, limits: [] });
    assert.equal((await runWeir(['check', own.file])).code, 0);
    await own.writeConfig({ tls: expired, limits: [] });
    const check = await runWeir(['check', own.file]);
    assert.equal(check.code, 0, check.stderr);
    assert.match(check.stderr, /warning: certificate `.*expired\.pem` has expired/);
    assert.ok(!readFileSync(own.file, 'utf8').includes('BEGIN'));
  } finally {
    await own.stop();
  }
});
