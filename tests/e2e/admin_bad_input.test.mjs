// What is sent wrongly to the calls that change something, each of the OpenAPI document: who may not, pages of other sites,
// bodies that are none, names with markup. Nothing changes, and meanwhile the data plane answers.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ask, eventually } from '../support/weir.mjs';
import { seed } from './openapi_seed.mjs';

const kMarkup = '<img src=x onerror=alert(1)>';
const kChanging = ['post', 'put', 'patch', 'delete'];
let weir, tokens, document, loop;

before(async () => {
  ({ weir, tokens } = await seed());
  await eventually(async () => (await call('GET', '/whoami', { token: tokens.viewer })).status === 200, 'the new token is known');
  document = JSON.parse((await call('GET', '/openapi.json')).text);
  for (const limit of ['requests', 'tokens']) {      // room for the loop
    assert.equal((await call('PUT', `/limits/${limit}`, { body: '{"allow":"1000000000/1h"}' })).status, 200, limit);
  }
  loop = startLoop(await weir.createKey('steady', { tenant: 'steady' }));
});
after(() => weir?.stop());

function call(method, path, { token = tokens.admin, headers = {}, body } = {}) {
  return ask(`${weir.admin}/admin/v1${path}`, { method, body,
    headers: { ...(token ? { authorization: `Bearer ${token}` } : {}), ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers } });
}

// Real requests one after another, until stop() gives their statuses.
function startLoop(key) {
  const statuses = [];
  let on = true;
  const done = (async () => {
    while (on) {
      const body = JSON.stringify({ model: 'gpt-4o', messages: [{ role: 'user', content: `Question ${statuses.length} of many` }] });
      statuses.push((await ask(`${weir.url}/v1/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${key}` }, body })).status);
    }
  })();
  return { stop: async () => { on = false; await done; return statuses; } };
}

// The members that a body may have; nothing if the call takes no body.
function membersOf(body) {
  let schema = body?.content['application/json'].schema;
  if (schema?.$ref) schema = document.components.schemas[schema.$ref.split('/').pop()];
  return schema && Object.keys(schema.properties ?? {});
}

// Every call of the document that changes something, with names that exist.
function changing() {
  const names = { '/keys': 'alice', '/tenants': 'acme', '/tiers': 'pro', '/limits': 'requests', '/breakers': 'some_tool', '/policy': 'x' };
  return Object.entries(document.paths).flatMap(([path, item]) => kChanging.filter((method) => item[method]).map((method) => {
    const name = names[Object.keys(names).find((start) => path.startsWith(start))] ?? 'x';
    return { method: method.toUpperCase(), role: item[method]['x-weir-role'], members: membersOf(item[method].requestBody),
      path: path.replace('{kind}', 'tool').replace(/\{\w+\}/, name) };
  }));
}

function refused(answer, statuses, where) {
  assert.ok(statuses.includes(answer.status), `${where}: ${answer.status} ${answer.text.slice(0, 300)}`);
  assert.equal(answer.headers['content-type'], 'application/problem+json', where);
  assert.equal(answer.headers['x-content-type-options'], 'nosniff', where);
  assert.ok(JSON.parse(answer.text).detail, where);
}

// What can be changed, as it is now.
async function state() {
  const texts = await Promise.all(['/policy', '/tiers', '/tenants', '/breakers', '/keys?status=all'].map((path) => call('GET', path)));
  return texts.map(({ status, text }) => {
    assert.equal(status, 200, text);
    const of = JSON.parse(text);
    for (const key of of.keys ?? []) { delete key.last_24h; delete key.trust; }
    for (const tenant of of.tenants ?? []) for (const use of ['requests', 'tokens', 'usd_micros']) delete tenant[use];
    return of;
  });
}

test('calls that change something: who may not, other sites, other types and bodies that are none change nothing', async () => {
  const before = await state();
  const calls = changing();
  assert.ok(calls.length >= 15, `only ${calls.length}`);
  for (const { method, path, role, members } of calls) {
    const where = `${method} ${path}`;
    const send = (options, statuses, why) => call(method, path, { body: method === 'DELETE' ? undefined : '{}', ...options })
      .then((answer) => refused(answer, statuses, `${where} ${why}`));
    // The session is what gives a token: without one it asks for a code.
    await send({ token: null }, path === '/session' ? [400, 401] : [401], 'without a token');
    if (role === 'admin') await send({ token: tokens.viewer }, [403], 'as viewer');
    for (const headers of [{ origin: 'http://evil.example' }, { origin: 'null' }, { 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }]) {
      await send({ headers }, [403], JSON.stringify(headers));
    }
    if (!members) continue;
    await send({ body: '{}', headers: { 'content-type': 'text/plain' } }, [415], 'text/plain');
    const deep = `${'['.repeat(1000)}${']'.repeat(1000)}`;
    for (const body of ['{', '{"a":}', 'null', '[]', '\u0000', '{"no_such_member":1}', '{"no_such_member":1,"no_such_member":2}', deep,
      `{"no_such_member":${deep}}`, ...members.map((name) => `{"${name}":${deep}}`)]) {
      await send({ body }, [400, 422], body.slice(0, 60));
    }
  }
  refused(await call('PUT', '/breakers/tool/x', { body: `{"reason":"${'x'.repeat(2 << 20)}"}` }), [413], 'two megabytes');
  assert.deepEqual(await state(), before);
});

test('a member that stands twice is an error, not the last of both', async () => {
  for (const [method, path, body] of [['POST', '/keys', '{"name":"one","name":"two"}'], ['PATCH', '/keys/alice', '{"user":"a","user":"b"}'],
    ['PUT', '/tenants/acme', '{"zone":"UTC","zone":"Europe/Berlin"}'], ['PUT', '/tiers/pro', '{"weight":1,"weight":2}'],
    ['PUT', '/limits/requests', '{"allow":"1/1m","allow":"9/1m"}'], ['PUT', '/breakers/tool/twice', '{"reason":"a","reason":"b"}'],
    ['POST', '/policy/check', '{"yaml":"","yaml":"x"}'], ['POST', '/try', '{"count":1,"count":2}'], ['POST', '/alerts/test', '{"target":"a","target":"b"}']]) {
    refused(await call(method, path, { body }), [400], `${method} ${path} ${body}`);
  }
  assert.equal((await call('GET', '/breakers/tool/twice')).status, 404);
});

test('lists: absurd pages, ranges and cursors are 400 at once', async () => {
  for (const path of ['/usage', '/audit', '/keys', '/tenants', '/policy/changes']) {
    for (const query of ['page_size=1000000000', 'page_size=-1', 'page_size=99999999999999999999', 'cursor=%00', 'cursor=forged', `cursor=${'a'.repeat(300)}`, 'page_size=1&page_size=1']) {
      if (path === '/tenants' && query === 'cursor=forged') continue;      // there it is the name of the last one
      refused(await call('GET', `${path}?${query}`), [400], `${path}?${query.slice(0, 60)}`);
    }
  }
  for (const path of ['/usage', '/usage/sums?by=key', '/usage/series', '/audit', '/audit/sums', '/policy/changes']) {
    for (const range of ['since=9999-12-31T23:59:59Z', 'until=9999-12-31T23:59:59Z', 'since=0001-01-01T00:00:00Z', 'since=999999d', 'since=-1h', 'since=1h&until=2h']) {
      refused(await call('GET', `${path}${path.includes('?') ? '&' : '?'}${range}`), [400], `${path} ${range}`);
    }
  }
  for (const path of ['/policy/shadow?since=9999-12-31T23:59:59Z', '/policy/shadow?since=999999d', '/live?seconds=1000000000', '/usage/sums?by=key&top=1000000000', '/usage/series?top=1000000000']) {
    refused(await call('GET', path), [400], path);
  }
});

test('names with markup come back as the text they are', async () => {
  const json = async (method, path, body, status = 200) => {
    const answer = await call(method, path, { body: body && JSON.stringify(body) });
    assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`);
    assert.equal(answer.headers['content-type'], 'application/json', path);
    assert.equal(answer.headers['x-content-type-options'], 'nosniff', path);
    return JSON.parse(answer.text);
  };
  const made = await json('POST', '/keys', { name: 'marked', tenant: kMarkup, user: kMarkup, metadata: { note: kMarkup } }, 201);
  assert.deepEqual([made.tenant, made.user, made.metadata], [kMarkup, kMarkup, { note: kMarkup }]);
  const listed = await json('GET', `/keys?tenant=${encodeURIComponent(kMarkup)}`);
  assert.deepEqual(listed.keys.map(({ name, tenant, user }) => [name, tenant, user]), [['marked', kMarkup, kMarkup]]);
  await json('PUT', '/breakers/tool/marked', { reason: kMarkup });
  assert.ok(JSON.stringify((await json('GET', '/breakers')).breakers).includes(kMarkup));
  await eventually(async () => (await ask(`${weir.url}/v1/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${made.key}`, 'x-weir-agent': kMarkup },
    body: JSON.stringify({ model: 'gpt-4o', messages: [{ role: 'user', content: kMarkup }] }) })).status === 200, 'the new key is known');
  const { rows } = await eventually(async () => {
    const page = await json('GET', `/usage?tenant=${encodeURIComponent(kMarkup)}`);
    return page.rows.length > 0 ? page : undefined;
  }, 'the request is in the ledger');
  assert.deepEqual([rows[0].key, rows[0].tenant, rows[0].user], ['marked', kMarkup, kMarkup]);
  const sentences = (await json('GET', '/audit?event=admin')).rows.filter(({ sentence }) => sentence.includes(kMarkup));
  assert.ok(sentences.length >= 2, 'the key and the kill switch, in words');
  refused(await call('GET', `/keys?${encodeURIComponent(kMarkup)}=1`), [400], 'a parameter with markup');
});

test('meanwhile every real request was answered', async () => {
  const statuses = await loop.stop();
  assert.ok(statuses.length > 20, `only ${statuses.length}`);
  assert.deepEqual(statuses.filter((status) => status !== 200), []);
});
