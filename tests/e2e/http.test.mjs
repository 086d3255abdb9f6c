// HTTP/1.1 as clients really speak it, byte by byte: pipelining, 100-continue, chunked bodies, HEAD, OPTIONS, keep-alive,
// and what may and may not pass through to an upstream and back.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startProvider } from '../mock/provider.mjs';
import { connect, post } from '../support/raw.mjs';
import { mockConfig, startWeir } from '../support/weir.mjs';

let provider;
let weir;
let key;

before(async () => {
  provider = await startProvider();
  weir = await startWeir(mockConfig(provider, {
    upstreams: [
      { path: '/api/**', kind: 'http', url: provider.url,
        meters: { compute_units: { response_header: 'X-Compute-Units', estimate: 10 }, rows: { response_json: 'meta.rows', estimate: 1 } } },
    ],
    limits: [
      { name: 'requests', per: 'key', meter: 'requests', allow: '1000/1m' },
      { name: 'tokens', per: 'key', meter: 'tokens', allow: '1M/1h' },
      { name: 'compute', per: 'key', meter: 'compute_units', allow: '60/1h' },
      { name: 'rows', per: 'key', meter: 'rows', allow: '1000/1h' },
    ],
  }));
  key = await weir.createKey('http');
});
after(async () => {
  await weir?.stop();
  await provider?.close();
});

const messages = [{ role: 'user', content: 'one two three' }];
const chat = (model, rest = {}) => ({ model, messages, ...rest });

test('keep-alive: many requests on one connection, few connections upstream', async () => {
  const client = await connect(weir.port);
  for (let i = 0; i < 20; i += 1) {
    client.send(post('/v1/chat/completions', key, chat(`mock-out=${i}`)));
    const response = await client.response();
    assert.equal(response.status, 200);
    assert.equal(JSON.parse(response.body).usage.completion_tokens, i);
  }
  client.destroy();
  assert.ok(provider.connections <= 5, `${provider.connections} connections for ${provider.requests.length} requests`);
});

test('pipelining: three requests in one write, answers in order', async () => {
  const client = await connect(weir.port);
  client.send(['mock-out=1', 'mock-out=2+slow=1', 'mock-out=3'].map((model) => post('/v1/chat/completions', key, chat(model))).join(''));
  for (const tokens of [1, 2, 3]) {
    const response = await client.response();
    assert.equal(response.status, 200);
    assert.equal(JSON.parse(response.body).usage.completion_tokens, tokens);
  }
  client.destroy();
});

test('Expect: 100-continue: told to go on, then answered; refused early when it cannot succeed', async () => {
  const whole = post('/v1/chat/completions', key, chat('mock-out=2'), { expect: '100-continue' });
  const split = whole.indexOf('\r\n\r\n') + 4;
  const client = await connect(weir.port);
  client.send(whole.slice(0, split));
  assert.equal((await client.response()).status, 100);
  client.send(whole.slice(split));
  assert.equal((await client.response()).status, 200);
  client.destroy();

  const refused = await connect(weir.port);
  const wrong = post('/v1/chat/completions', 'weir_nobody', chat('mock-out=2'), { expect: '100-continue' });
  refused.send(wrong.slice(0, wrong.indexOf('\r\n\r\n') + 4));
  assert.equal((await refused.response()).status, 401, 'no 100 before a refusal that needs no body');
  refused.destroy();
});

test('a chunked request body, split anywhere, reaches the provider whole', async () => {
  const value = chat('mock-out=3', { metadata: { note: 'naïve ✓' } });
  const body = Buffer.from(JSON.stringify(value));
  const parts = [body.subarray(0, 1), body.subarray(1, 17), body.subarray(17)];
  const head = `POST /v1/chat/completions HTTP/1.1\r\nHost: weir\r\nAuthorization: Bearer ${key}\r\n`
    + 'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n';
  const bytes = Buffer.concat([Buffer.from(head), ...parts.flatMap((part) => [
    Buffer.from(`${part.length.toString(16)};ext=1\r\n`), part, Buffer.from('\r\n')]), Buffer.from('0\r\nX-Trailer: 1\r\n\r\n')]);
  const client = await connect(weir.port);
  for (let at = 0; at < bytes.length; at += 11) {
    client.send(bytes.subarray(at, at + 11));
    await new Promise((resolve) => setImmediate(resolve));
  }
  const response = await client.response();
  assert.equal(response.status, 200, response.body.toString());
  assert.deepEqual(provider.requests.at(-1).json, value);
  client.send(post('/v1/chat/completions', key, chat('mock-out=1')));
  assert.equal((await client.response()).status, 200, 'the connection goes on after a chunked body');
  client.destroy();
});

test('Connection: close and HTTP/1.0 are closed after the answer', async () => {
  const client = await connect(weir.port);
  client.send(post('/v1/chat/completions', key, chat('mock-out=1'), { connection: 'close' }));
  const response = await client.response();
  assert.equal(response.status, 200);
  assert.equal(response.headers.connection.toLowerCase(), 'close');
  await client.closed();
  const old = await connect(weir.port);
  old.send('GET /healthz HTTP/1.0\r\n\r\n');
  await old.closed();
  assert.match(old.bytes.toString(), /^HTTP\/1\.1 200 /);
});

test('HEAD and OPTIONS', async () => {
  const client = await connect(weir.port);
  client.send('HEAD /healthz HTTP/1.1\r\nHost: weir\r\n\r\n');
  assert.equal((await client.response({ headOnly: true })).status, 200);
  client.send(`HEAD /api/things HTTP/1.1\r\nHost: weir\r\nAuthorization: Bearer ${key}\r\n\r\n`);
  const head = await client.response({ headOnly: true });
  assert.equal(head.status, 200);
  assert.equal(head.headers['x-mock'], 'yes');
  client.send(`OPTIONS /api/things HTTP/1.1\r\nHost: weir\r\nAuthorization: Bearer ${key}\r\n\r\n`);
  const options = await client.response();
  assert.ok(options.status === 200 || options.status === 204);
  client.send('OPTIONS * HTTP/1.1\r\nHost: weir\r\n\r\n');
  assert.ok((await client.response()).status < 500);
  client.send('GET /healthz HTTP/1.1\r\nHost: weir\r\n\r\n');
  assert.equal((await client.response()).status, 200, 'the connection is still in step');
  client.destroy();
});

test('hop-by-hop fields and the key stay here; end-to-end fields pass', async () => {
  const client = await connect(weir.port);
  client.send(post('/v1/chat/completions', key, chat('mock-hop'), {
    connection: 'keep-alive, x-private', 'x-private': 'secret', 'keep-alive': 'timeout=5', te: 'trailers', upgrade: 'h2c',
    'proxy-authorization': 'Basic abc', 'x-custom': 'kept', 'x-api-key': 'other', 'user-agent': 'test/1' }));
  const response = await client.response();
  assert.equal(response.status, 200, response.body.toString());
  const seen = provider.requests.find((request) => request.json?.model === 'mock-hop');
  for (const name of ['x-private', 'keep-alive', 'upgrade', 'proxy-authorization', 'te']) {
    assert.equal(seen.header(name), undefined, name);
  }
  assert.equal(seen.header('x-custom'), 'kept');
  assert.equal(seen.header('authorization'), 'Bearer upstream-openai-credential');
  assert.ok(!JSON.stringify(seen.rawHeaders).includes(key));
  assert.equal(seen.header('host'), `127.0.0.1:${provider.port}`);
  assert.ok(!response.raw.includes('upstream-openai-credential'));
  client.destroy();
});

test('a body the client sent for an answer that is not streamed passes byte for byte', async () => {
  const text = `{ "model" : "mock-bytes",\n\t"messages":[{"role":"user","content":"caf\\u00e9"}], "x": 1.50e1 }`;
  const client = await connect(weir.port);
  client.send(post('/v1/chat/completions', key, text));
  assert.equal((await client.response()).status, 200);
  assert.equal(provider.requests.find((request) => request.json?.model === 'mock-bytes').body.toString(), text);
  client.destroy();
});

test('a stream passes event by event and unchanged; the forced usage chunk is hidden', async () => {
  const client = await connect(weir.port);
  const events = async (model, rest) => {
    client.send(post('/v1/chat/completions', key, chat(model, { stream: true, ...rest })));
    const response = await client.response();
    assert.equal(response.status, 200);
    return response;
  };
  for (const script of ['out=3', 'out=3+split', 'out=3+crlf', 'out=3+crlf+split']) {
    const hidden = await events(`mock-${script}`);
    const text = hidden.body.toString();
    assert.ok(!/"choices":\[\]/.test(text), 'no usage chunk');
    assert.ok(!/prompt_tokens/.test(text));
    assert.ok(/data: \[DONE\]\r?\n\r?\n$/.test(text));
    const contents = [...text.matchAll(/"content":"([^"]*)"/g)].map((m) => m[1]).join('');
    assert.equal(contents, 'the quiet river ');
    const shown = await events(`mock-${script}`, { stream_options: { include_usage: true } });
    assert.match(shown.body.toString(), /"choices":\[\].*"completion_tokens":3/);
  }
  const slow = await events('mock-out=5+slow=20');
  assert.ok(slow.chunks.length >= 5, 'events are not gathered');
  client.destroy();
});

test('other members of stream_options survive', async () => {
  const client = await connect(weir.port);
  client.send(post('/v1/chat/completions', key, chat('mock-options', { stream: true, stream_options: { include_obfuscation: false } })));
  await client.response();
  assert.deepEqual(provider.requests.find((request) => request.json?.model === 'mock-options').json.stream_options,
    { include_obfuscation: false, include_usage: true });
  client.destroy();
});

test('a compressed answer is either decoded or passed as it is, and metered all the same', async () => {
  const name = 'gzip';
  const token = await weir.createKey(name);
  const response = await fetch(`${weir.url}/v1/chat/completions`, { method: 'POST', body: JSON.stringify(chat('mock-gzip')),
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'accept-encoding': 'gzip' } });
  assert.equal((await response.json()).usage.completion_tokens, 12);
  const rows = await weir.usage((all) => all.some((row) => row.key === name));
  assert.ok(rows.find((row) => row.key === name).output_tokens >= 12, 'never less than what was produced');
});

test('kind: http: path, query and method pass; custom meters are settled from header and body', async () => {
  const token = await weir.createKey('meters');
  const ask = async (suffix) => fetch(`${weir.url}/api/${suffix}`, { headers: { authorization: `Bearer ${token}` } });
  const response = await ask('deep/path?q=1&r=%20x');
  assert.equal(response.status, 200);
  assert.equal((await response.json()).url, '/api/deep/path?q=1&r=%20x');
  assert.equal(provider.requests.at(-1).header('authorization'), undefined, "Weir's key does not go upstream");
  const used = async (limit) => (await weir.limit(token, limit)).used;
  assert.equal(await used('compute'), 25);
  assert.equal(await used('rows'), 7);
  assert.equal((await ask('two')).status, 200);        // 50 used
  assert.equal((await ask('three')).status, 200);      // holds the estimate 10, really used 25: 75, in debt
  const refused = await ask('four');
  assert.equal(refused.status, 429);
  const body = await refused.json();
  assert.deepEqual([body.weir.limit, body.weir.layer, body.weir.meter, body.weir.used], ['compute', 'budget', 'compute_units', 75]);
});

test('a client that half-closes after its request still gets the answer', async () => {
  const client = await connect(weir.port);
  client.send(post('/v1/chat/completions', key, chat('mock-out=2'), { connection: 'close' }));
  client.end();
  await client.closed();
  assert.match(client.bytes.toString('latin1'), /^HTTP\/1\.1 (200|4\d\d) |^$/);
  assert.equal((await fetch(`${weir.url}/healthz`)).status, 200);
});
