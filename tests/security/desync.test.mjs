// HTTP desync: two servers in a row that disagree on where a request ends let one client's bytes become another's request.
// Every case of desync_cases.mjs runs against Weir alone, with nginx and with HAProxy before it, and with each of them
// behind it. After each attack a victim's request goes over the same front connection (and, through a proxy, over the same
// connection between the servers): it gets its own answer. The back end reads strictly and by itself, so that it says when
// anything ambiguous reached it; in the end it must have seen what the ledger says was admitted, request for request.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connect, parseResponse } from '../support/raw.mjs';
import { eventually, kDeadlineMs, kNoCallerBreakers, startWeir } from '../support/weir.mjs';
import { startBackend } from './backend.mjs';
import { kAnswerCases, kRequestCases } from './desync_cases.mjs';
import { kPatienceMs, startHaproxy, startNginx } from './proxies.mjs';

// Longest waits for what an attack brings: Weir refuses or answers at once, a proxy gives up after kPatienceMs.
const kQuietMs = { none: kDeadlineMs, nginx: kPatienceMs + 200, haproxy: kPatienceMs + 200 };

let backend;
let weir;
const fronts = { none: undefined };
const backs = { raw: undefined };
const keys = {};
const running = [];

before(async () => {
  backend = await startBackend();
  for (const [name, start] of [['nginx', startNginx], ['haproxy', startHaproxy]]) {
    backs[name] = await start({ to: backend.port });
    running.push(backs[name]);
  }
  const http = (path, port) => ({ path: `/${path}/**`, kind: 'http', url: `http://127.0.0.1:${port}` });
  weir = await startWeir({
    upstreams: [http('raw', backend.port), http('nginx', backs.nginx.port), http('haproxy', backs.haproxy.port)],
    limits: [{ name: 'requests', per: 'key', meter: 'requests', allow: '1M/1h' }],
    breaker: kNoCallerBreakers,
  });
  for (const [name, start] of [['nginx', startNginx], ['haproxy', startHaproxy]]) {
    fronts[name] = await start({ to: weir.port });
    running.push(fronts[name]);
  }
});
after(async () => {
  await weir?.stop();
  for (const proxy of running) await proxy.stop();
  await backend?.close();
});

// Everything that comes until the connection is closed, or `wanted` final answers have come, or nothing comes any more.
async function answers(client, wanted, quietMs) {
  const found = [];
  const end = Date.now() + quietMs;
  for (;;) {
    let parsed;
    while ((parsed = parseResponse(client.bytes, { ended: client.ended }))) {
      client.bytes = client.bytes.subarray(parsed.length);
      if (parsed.response.status >= 200) found.push(parsed.response);
    }
    if (client.ended || found.length >= wanted || Date.now() > end) return found;
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(1, end - Date.now()));
      client.waiters.push(() => { clearTimeout(timer); resolve(); });
    });
  }
}

const json = (response) => { try { return JSON.parse(response.body); } catch { return undefined; } };

// One victim on a connection of its own, through the same front.
async function victimAlone(port, path, key) {
  const client = await connect(port);
  client.send(`GET ${path} HTTP/1.1\r\nHost: weir\r\nAuthorization: Bearer ${key}\r\n\r\n`);
  const response = await client.response();
  client.destroy();
  return response;
}

// Sends one attack and a victim's request behind it; what came of it.
async function attack(front, back, index, key) {
  const [name, expected, bytes] = kRequestCases[index];
  const port = fronts[front]?.port ?? weir.port;
  const path = `/${back}/${front}/${index}`;
  const auth = `Host: weir\r\nAuthorization: Bearer ${key}\r\n`;
  const smuggled = `GET ${path}/smuggled HTTP/1.1\r\n${auth}\r\n`;
  const first = backend.requests.length;
  const client = await connect(port);
  client.send(bytes({ path, auth, smuggled }));
  client.send(`GET ${path}/victim HTTP/1.1\r\n${auth}\r\n`);
  const found = await answers(client, 2, kQuietMs[front]);
  const closed = client.ended;
  client.destroy();
  const other = await victimAlone(port, `${path}/other`, key);
  assert.equal(json(other)?.path, `${path}/other`, `${name}: the next client gets its own answer, not ${other.status} ${other.body}`);
  const seen = backend.requests.slice(first);
  for (const response of found) {
    const serial = json(response)?.serial;
    if (serial === undefined) continue;
    assert.ok(seen.some((request) => request.serial === serial), `${name}: an answer to a request of this attack`);
  }
  return { name, expected, path, found, closed, seen: seen.filter((request) => !request.path.endsWith('/other')) };
}

const kMine = /^\/(raw|nginx|haproxy)\//;
const at = (requests, path) => requests.filter((request) => request.path === path);

// What Weir reads itself must end as documented.
function judge({ name, expected, path, found, closed, seen }) {
  const statuses = found.map((response) => response.status);
  assert.equal(at(seen, `${path}/smuggled`).length, 0, `${name}: the smuggled request is none (${statuses})`);
  const victims = at(seen, `${path}/victim`).length;
  if (expected === 'refused') {
    assert.ok(closed && found.length === 1 && statuses[0] >= 400 && statuses[0] !== 502, `${name}: refused once and closed, not ${statuses}`);
    assert.equal(seen.length, 0, `${name}: nothing was forwarded`);
  } else if (expected === 'none') {
    assert.equal(seen.length, victims, `${name}: only the victim was forwarded`);
    assert.ok(statuses[0] < 500, name);
  } else {
    assert.equal(seen.length, 1 + victims, `${name}: forwarded once (${statuses})`);
    assert.equal(found.length, 2 - (closed && victims === 0 ? 1 : 0), `${name}: ${statuses}`);
  }
  if (victims === 1) assert.equal(json(found.at(-1))?.path, `${path}/victim`, `${name}: the victim's own answer`);
  if (!closed) assert.equal(victims, 1, `${name}: an open connection serves the next request`);
}

// A proxy may refuse, repair or split as it likes: then Weir must agree with it on how many requests there were.
function judgeBetween({ name, path, found, seen }) {
  const served = found.map(json).filter((body) => body?.serial !== undefined);
  for (const body of served) assert.match(body.path, kMine, name);
  assert.equal(new Set(served.map((body) => body.serial)).size, served.length, `${name}: no answer twice`);
  const victims = at(seen, `${path}/victim`);
  assert.ok(victims.length <= 1, `${name}: the victim once`);
  const order = served.map((body) => seen.findIndex((request) => request.serial === body.serial));
  assert.deepEqual(order, [...order].sort((a, b) => a - b), `${name}: answers in the order of the requests`);
}

async function runAll(front, back, check) {
  const name = `${front}-${back}`;
  const key = await weir.createKey(name);
  keys[name] = key;
  const seen = () => backend.requests.filter((request) => request.path.startsWith(`/${back}/${front}/`)).length;
  const logged = backs[back]?.requests() ?? 0;
  for (let i = 0; i < kRequestCases.length; i += 1) check(await attack(front, back, i, key));
  assert.deepEqual(backend.malformed, [], 'nothing ambiguous reached the back end');
  const rows = (await weir.usage((all) => all.filter((row) => row.key === name).length >= seen(), 'all that the back end saw is in the ledger'))
    .filter((row) => row.key === name);
  const attempts = rows.reduce((sum, row) => sum + row.attempts, 0);
  if (backs[back]) {
    await eventually(() => backs[back].requests() - logged >= attempts, 'the log of the proxy behind');
    assert.equal(attempts, backs[back].requests() - logged, 'charged = what the proxy behind was asked');
    assert.equal(rows.filter((row) => row.status === 200).length, seen(), 'answered = what the back end saw');
  } else {
    assert.equal(attempts, seen(), 'charged = what the back end saw');
  }
  assert.equal(rows.length, attempts, 'nothing was sent twice');
}

test('every attack on Weir alone ends as documented', () => runAll('none', 'raw', judge));
test('every attack on Weir with nginx behind it ends as documented', () => runAll('none', 'nginx', judge));
test('every attack on Weir with HAProxy behind it ends as documented', () => runAll('none', 'haproxy', judge));
for (const front of ['nginx', 'haproxy']) {
  for (const back of ['raw', 'nginx', 'haproxy']) {
    test(`${front} in front and ${back} behind agree with Weir on every attack`, () => runAll(front, back, judgeBetween));
  }
}

test('what a client may not pass on does not reach the back end', async () => {
  const key = keys['none-raw'];
  const first = backend.requests.length;
  const client = await connect(weir.port);
  client.send(`POST /raw/fields HTTP/1.1\r\nHost: weir\r\nAuthorization: Bearer ${key}\r\nConnection: X-Named, close, Content-Type\r\nX-Named: 1\r\n`
    + 'Content-Type: text/plain\r\nKeep-Alive: 9\r\nProxy-Connection: x\r\nProxy-Authorization: x\r\nTE: trailers\r\nTrailer: X\r\nUpgrade: h2c\r\n'
    + 'RateLimit: x\r\nRateLimit-Policy: x\r\nX-RateLimit-Remaining-Tokens: 9\r\nAnthropic-RateLimit-Tokens-Remaining: 9\r\nX-Weir-User: u\r\nX-Weir-Request-Id: x\r\n'
    + 'X-Api-Key: a\r\nApi-Key: b\r\nX-Goog-Api-Key: c\r\nX-Kept: yes\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n');
  assert.equal((await client.response()).status, 200);
  await client.closed();
  const request = backend.requests[first];
  assert.equal(request.body, 'hello');
  assert.deepEqual(request.fields.map(([name]) => name).sort(), ['content-length', 'host', 'x-kept']);
  assert.equal(request.header('host'), `127.0.0.1:${backend.port}`, 'Host is the upstream of the configuration');
});

test('hostile answers of an upstream harm only their own request', async () => {
  const key = await weir.createKey('answers');
  const first = backend.requests.length;
  let late;
  backend.script = (request) => {
    const match = /^\/raw\/answer\/(\d+)$/.exec(request.path);
    if (!match) return undefined;
    const bytes = kAnswerCases[Number(match[1])][2];
    if (!Array.isArray(bytes)) return bytes;
    late = () => { if (!request.socket.destroyed) request.socket.write(Buffer.from(bytes[1], 'latin1')); };
    return bytes[0];
  };
  for (let i = 0; i < kAnswerCases.length; i += 1) {
    const [name, statuses, , method = 'GET'] = kAnswerCases[i];
    const client = await connect(weir.port);
    client.send(`${method} /raw/answer/${i} HTTP/1.1\r\nHost: weir\r\nAuthorization: Bearer ${key}\r\n\r\n`);
    let status = 0;
    let headers = {};
    let body = '';
    try {
      const response = await client.response({ headOnly: method === 'HEAD' });
      ({ status, headers } = response);
      body = response.body.toString('latin1');
    } catch (error) {
      assert.match(error.message, /^closed early/, name);
    }
    assert.ok(statuses.includes(status), `${name}: ${status} is one of ${statuses}`);
    assert.ok(!/evil/i.test(JSON.stringify(headers) + body), `${name}: ${JSON.stringify(headers)} ${body}`);
    assert.equal(headers['set-cookie'], undefined, name);
    if (status > 0 && statuses.includes(0)) assert.fail(`${name}: a damaged answer must not look complete`);
    late?.();
    late = undefined;
    if (!client.ended) {   // the same client goes on
      client.send(`GET /raw/same/${i} HTTP/1.1\r\nHost: weir\r\nAuthorization: Bearer ${key}\r\n\r\n`);
      const next = await client.response();
      assert.equal(json(next)?.path, `/raw/same/${i}`, `${name}: the same client's next answer is its own`);
    }
    assert.equal(client.bytes.length, client.ended ? client.bytes.length : 0, `${name}: nothing behind the answer`);
    client.destroy();
    for (let n = 0; n < 3; n += 1) {
      const other = await victimAlone(weir.port, `/raw/next/${i}-${n}`, key);
      assert.equal(json(other)?.path, `/raw/next/${i}-${n}`, `${name}: another client's answer is its own`);
    }
  }
  backend.script = undefined;
  assert.deepEqual(backend.malformed, []);
  const served = backend.requests.length - first;
  const rows = (await weir.usage((all) => all.filter((row) => row.key === 'answers').reduce((sum, row) => sum + row.attempts, 0) >= served))
    .filter((row) => row.key === 'answers');
  assert.equal(rows.reduce((sum, row) => sum + row.attempts, 0), served, 'the ledger has every attempt that the back end saw');
});
