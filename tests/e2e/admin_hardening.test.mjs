// The admin listener of the running binary: the whole matrix is in src/api/admin_entry_test.cc, here are the ways in that a
// browser or a stranger has.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connect } from '../support/raw.mjs';
import { ask, startWeir } from '../support/weir.mjs';

let weir;
let port;
before(async () => {
  weir = await startWeir({ admin: { listen: '127.0.0.1:0', token: 'test-admin-token', names: ['weir.internal'] },
    auth_failures: { per: 'ip', allow: '5/1m' }, limits: [] });
  port = Number(new URL(weir.admin).port);
});
after(() => weir?.stop());

const bearer = { authorization: 'Bearer test-admin-token' };

test('a page of another site gets 403 for everything, token or not, and changes nothing', async () => {
  for (const [method, path] of [['GET', '/metrics'], ['HEAD', '/metrics'], ['OPTIONS', '/admin/v1/breakers/tool/x'], ['PUT', '/admin/v1/breakers/tool/x'],
    ['DELETE', '/admin/v1/breakers/tool/x'], ['POST', '/admin/v1/breakers'], ['GET', '/healthz'], ['GET', '/']]) {
    for (const headers of [{ origin: 'http://evil.example' }, { origin: 'null' }, { 'sec-fetch-site': 'cross-site' }, { host: 'evil.example' }]) {
      if (headers.host && ['/metrics', '/healthz'].includes(path)) continue;   // any name may ask for those
      for (const token of [{}, bearer]) {
        const answer = await ask(`${weir.admin}${path}`, { method, headers: { ...token, ...headers } });
        assert.equal(answer.status, 403, `${method} ${path} ${JSON.stringify(headers)}`);
        assert.deepEqual(Object.keys(answer.headers).filter((name) => name.startsWith('access-control')), []);
        assert.equal(answer.headers['cache-control'], 'no-store');
        assert.equal(answer.headers['x-content-type-options'], 'nosniff');
        if (method !== 'HEAD') assert.ok(JSON.parse(answer.text).detail);
      }
    }
  }
  const listed = await ask(`${weir.admin}/admin/v1/breakers`, { headers: bearer });
  assert.deepEqual(JSON.parse(listed.text), { breakers: [] });
});

test('its own origin, its names, and programs are let in', async () => {
  for (const headers of [{}, { origin: weir.admin }, { 'sec-fetch-site': 'same-origin' }, { host: 'weir.internal' }, { host: 'localhost:1' }]) {
    assert.equal((await ask(`${weir.admin}/metrics`, { headers: { ...bearer, ...headers } })).status, 200, JSON.stringify(headers));
  }
  const old = await connect(port);   // HTTP/1.0 without a Host is no browser
  old.send('GET /metrics HTTP/1.0\r\nAuthorization: Bearer test-admin-token\r\n\r\n');
  assert.equal((await old.response()).status, 200);
  old.destroy();
});

test('balancers and scrapers may use any name', async () => {
  const headers = { host: 'weir.default.svc:8081' };
  assert.equal((await ask(`${weir.admin}/healthz`, { headers })).status, 200);
  assert.equal((await ask(`${weir.admin}/metrics`, { headers })).status, 401);
  assert.equal((await ask(`${weir.admin}/metrics`, { headers: { ...bearer, ...headers } })).status, 200);
});

test('a large body without the token is not waited for', async () => {
  const client = await connect(port);
  client.send('PUT /admin/v1/breakers/tool/x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 900000\r\nExpect: 100-continue\r\n\r\n');
  assert.equal((await client.response()).status, 401);
  await client.closed();
  client.destroy();
});

test('guessing the token: 429 after a few, the right one is always let in, other listeners count along', async () => {
  const statuses = [];
  for (let i = 0; i < 8; i += 1) statuses.push((await ask(`${weir.admin}/metrics`, { headers: { authorization: `Bearer guess-${i}` } })).status);
  assert.deepEqual(statuses, [401, 401, 401, 401, 401, 429, 429, 429]);
  const blocked = await ask(`${weir.admin}/admin/v1/breakers`, { headers: { 'x-api-key': 'guess' } });
  assert.equal(blocked.status, 429);
  assert.ok(Number(blocked.headers['retry-after']) >= 1);
  assert.equal((await ask(`${weir.admin}/metrics`, { headers: bearer })).status, 200);
  assert.ok(await weir.metric(/^weir_auth_failures_total /) >= 9);
});

test('only JSON changes anything', async () => {
  const put = (headers, body) => ask(`${weir.admin}/admin/v1/breakers/tool/x`, { method: 'PUT', body, headers: { ...bearer, ...headers } });
  assert.equal((await put({ 'content-type': 'text/plain' }, '{}')).status, 415);
  assert.equal((await put({ 'content-type': 'application/x-www-form-urlencoded' }, 'reason=x')).status, 415);
  assert.equal((await put({}, '{}')).status, 415);
  assert.equal((await put({ 'content-type': 'application/json' }, '{"reason":"x"}')).status, 200);
  assert.equal((await ask(`${weir.admin}/admin/v1/breakers/tool/x`, { method: 'DELETE', headers: bearer })).status, 204);
});
