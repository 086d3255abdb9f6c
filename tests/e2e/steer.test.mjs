// Changing the policy while it runs: over the admin API, into the record store, in force within a second, and back.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { startProvider } from '../mock/provider.mjs';
import { ask, eventually, mockConfig, prepareWeir, runWeir, startWeir } from '../support/weir.mjs';

let provider;
let weir;
let key;
let prompts = 0;

const limits = [
  { name: 'requests', per: 'key', meter: 'requests', allow: { default: '1000/1h', pro: '4/1h' } },
  { name: 'tokens', per: 'key', meter: 'tokens', allow: '10M/1h' },
];

before(async () => {
  provider = await startProvider();
  weir = await startWeir(mockConfig(provider, { limits }));
  key = await weir.createKey('steered', { tier: 'pro' });
});
after(async () => {
  await weir?.stop();
  await provider?.close();
});

const admin = async (method, where, body, headers = {}, server = weir) => {
  const answer = await ask(`${server.admin}/admin/v1${where}`, { method,
    headers: { authorization: `Bearer ${server.adminToken}`, 'content-type': 'application/json', ...headers },
    body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body) });
  const json = /json/.test(answer.headers['content-type'] ?? '') && answer.text ? JSON.parse(answer.text) : undefined;
  return { ...answer, json };
};
const call = async (server = weir, by = key) => (await fetch(`${server.url}/v1/chat/completions`, { method: 'POST',
  body: JSON.stringify({ model: 'mock-out=1', messages: [{ role: 'user', content: `x ${prompts += 1}` }] }),
  headers: { authorization: `Bearer ${by}`, 'content-type': 'application/json' } })).status;
const limit = (name = 'requests') => weir.limit(key, name);

test('a larger amount of a tier decides the next request within a second; what was used stays used', async () => {
  for (let i = 0; i < 4; i += 1) assert.equal(await call(), 200);
  assert.equal(await call(), 429);
  const put = await admin('PUT', '/tiers/pro', { amounts: { requests: ['6/1h'] } });
  assert.equal(put.status, 200, put.text);
  assert.deepEqual(put.json.amounts.requests, ['6/1h']);
  await eventually(async () => (await limit()).allowed === 6, 'the new amount', 1_000);
  assert.equal((await limit()).used, 4);
  assert.equal(await call(), 200);
  assert.equal((await limit()).used, 5);
});

test('it survives kill -9 and a restart', async () => {
  await weir.kill();
  await weir.start();
  assert.equal((await limit()).allowed, 6);
  assert.equal((await limit()).used, 5);
  assert.equal(await call(), 200);
  assert.equal(await call(), 429);
  const { json } = await admin('GET', '/policy/changes');
  assert.equal(json.changes[0].what, 'override tier');
  assert.equal(json.changes[0].name, 'pro');
});

test('the export is a file that weir check accepts and that decides the same alone', async () => {
  const { text } = await admin('GET', '/policy/export?what=effective');
  assert.ok(!text.includes(weir.adminToken), 'the token stays here');
  const file = path.join(weir.folder, 'export.yaml');
  await writeFile(file, text);
  const check = await runWeir(['check', file]);
  assert.equal(check.code, 0, check.stderr);
  const alone = await prepareWeir(text.replace(/^data: .*$/m, `data: ${weir.folder}/alone`)
    .replace(/listen: "?127\.0\.0\.1:\d+"?/g, 'listen: "127.0.0.1:0"').replace(/^admin:\n/m, 'admin:\n  token: test-admin-token\n'));
  try {
    await alone.start();
    const other = await alone.createKey('other', { tier: 'pro' });
    const limitsOf = async (server, by) => (await server.me(by)).limits.map(({ name, allowed, window }) => ({ name, allowed, window }));
    assert.deepEqual(await limitsOf(alone, other), await limitsOf(weir, key));
    const statuses = [];
    for (let i = 0; i < 7; i += 1) statuses.push(await call(alone, other));
    assert.deepEqual(statuses, [...Array(6).fill(200), 429]);
  } finally {
    await alone.stop();
  }
});

test('of two who change the same, the slower one gets 412', async () => {
  const { headers } = await admin('GET', '/limits/requests');
  const both = await Promise.all(['7/1h', '8/1h'].map((allow) => admin('PUT', '/limits/requests', { allow: { default: allow, pro: allow } },
    { 'if-match': headers.etag })));
  assert.deepEqual(both.map((reply) => reply.status).sort(), [200, 412]);
  assert.equal((await admin('DELETE', '/limits/requests')).status, 204);
});

test('what would not be valid is refused with its reason, and nothing changes', async () => {
  const before = (await admin('GET', '/policy')).json;
  for (const [where, body, status, pattern] of [
    ['/limits/requests', { allow: 'lots' }, 422, /amount|window|such as/],
    ['/limits/requests', { per: null }, 422, /per/],
    ['/tiers/pro', { amounts: { nope: '1/1h' } }, 422, /no limit `nope`/],
    ['/tiers/pro', { speed: 1 }, 400, /not known/],
    ['/tenants/acme', { zone: 'Atlantis' }, 422, /zone/],
    ['/limits/requests', '{"allow":', 400, /JSON/],
    ['/limits/requests', '[]', 400, /JSON/],
    ['/limits/<script>', { per: 'key', meter: 'requests', allow: '1/1h' }, 422, /a-z/],
  ]) {
    const answer = await admin('PUT', encodeURI(where), body);
    assert.equal(answer.status, status, answer.text);
    assert.match(answer.text, pattern);
    if (status === 422) assert.ok(answer.json.diagnostics[0].message);
  }
  const now = (await admin('GET', '/policy')).json;
  assert.deepEqual([now.version, now.overrides], [before.version, before.overrides]);
});

test('a file edited so that an override no longer fits: it is left out and said, the rest holds', async () => {
  assert.equal((await admin('PUT', '/limits/tokens', { allow: '5M/1h' })).status, 200);
  await weir.writeConfig({ ...weir.config, limits: [limits[0]] });
  await eventually(async () => (await admin('GET', '/policy')).json.skipped.length === 1, 'the override is left out');
  const { skipped, overrides } = (await admin('GET', '/policy')).json;
  assert.deepEqual([skipped[0].kind, skipped[0].name, overrides.length], ['limit', 'tokens', 2]);
  assert.match(weir.output, /does not fit/);
  assert.equal((await limit()).allowed, 6, 'the tier is as it was set');
  await weir.writeConfig({ ...weir.config, limits });
  await eventually(async () => (await limit('tokens'))?.allowed === 5_000_000, 'it fits again');
  assert.equal((await admin('DELETE', '/limits/tokens')).status, 204);
});

test('a replay of the last day under a draft', async () => {
  await weir.usage((rows) => rows.length >= 6);
  const { yaml } = (await admin('GET', '/policy')).json;
  const started = await admin('POST', '/policy/what-if', { yaml: yaml.replace('6/1h', '2/1h'), hours: 24 });
  assert.equal(started.status, 202, started.text);
  const done = await eventually(async () => {
    const { json } = await admin('GET', `/policy/what-if/${started.json.id}`);
    return json.state !== 'running' && json;
  }, 'the replay');
  assert.equal(done.state, 'done', JSON.stringify(done));
  assert.ok(done.result.draft.refused > done.result.current.refused, JSON.stringify(done.result));
  assert.equal(done.result.newly_refused[0].key, 'steered');
  assert.equal((await admin('DELETE', `/policy/what-if/${started.json.id}`)).status, 204);
});

test('what is shown of a policy with secrets is a draft that can be checked, tried and put in force', async () => {
  const other = await startWeir(mockConfig(provider, {
    limits: [...limits, { name: 'few', per: 'key', meter: 'requests', allow: '1/1h', mode: 'shadow' }],
    alerts: { targets: { ops: { url: 'http://127.0.0.1:9/hook/path', secret: '0123456789abcdef' } }, rules: [{ name: 'full', when: 'usage', limit: 'tokens', above: '90%', to: ['ops'] }] },
  }));
  try {
    const shown = (await admin('GET', '/policy', undefined, {}, other)).json.yaml;
    assert.doesNotMatch(shown, /0123456789abcdef|hook\/path/);
    assert.deepEqual((await admin('POST', '/policy/check', { yaml: shown }, {}, other)).json.diagnostics, []);
    assert.deepEqual((await admin('PUT', '/policy/draft', { yaml: shown }, {}, other)).json?.changed, []);
    const draft = await admin('PUT', '/policy/draft', { yaml: shown.replace('10M/1h', '20M/1h') }, {}, other);
    assert.deepEqual(draft.json?.changed, ['limit tokens'], draft.text);
    const file = path.join(other.folder, 'export.yaml');
    await writeFile(file, shown);
    const alone = await runWeir(['check', file]);
    assert.equal(alone.code, 1);
    assert.match(alone.stdout + alone.stderr, /`\*\*\*` stands where an export left out a secret/);

    const by = await other.createKey('shadowed', { tier: 'pro' });
    for (let i = 0; i < 6; i += 1) await call(other, by);
    const would = () => admin('GET', '/policy/shadow', undefined, {}, other).then(({ json }) => json.limits.find(({ limit: name }) => name === 'few'));
    await eventually(async () => (await would())?.would_refuse > 0, 'the shadow limit is heard');
    await eventually(async () => (await would()).of === 6, 'four were answered, two refused by another limit');
    assert.ok((await would()).would_refuse <= 6);
  } finally {
    await other.stop();
  }
});

test('a model whose price nobody knows is warned of, in the log and in health', async () => {
  const other = await startWeir({ ...mockConfig(provider), models: { 'mock-*': { provider: 'openai' } } });
  try {
    assert.equal(await call(other, await other.createKey('dear')), 200);
    const note = await eventually(async () => (await admin('GET', '/health', undefined, {}, other)).json.notes[0], 'health says so');
    assert.equal((await admin('GET', '/health', undefined, {}, other)).json.status, 'ok', 'nothing is broken');
    assert.match(`${note.what}: ${note.detail} ${note.do}`, /price of mock-out=1: No price is known.*give it.*`price`/is);
    await eventually(() => /no price is known.*mock-out=1/.test(other.output), 'the log says so');
  } finally {
    await other.stop();
  }
});

test('taken away, the file holds again', async () => {
  assert.equal((await admin('DELETE', '/tiers/pro')).status, 204);
  await eventually(async () => (await limit()).allowed === 4, 'the amount of the file', 1_000);
  assert.equal(await call(), 429);
  assert.deepEqual((await admin('GET', '/policy')).json.overrides, []);
});

test('weir explain looks at the file alone and says that more was changed', async () => {
  assert.equal((await admin('PUT', '/tenants/acme', { zone: 'Europe/Berlin' })).status, 200);
  const explained = await weir.command('explain', '--key', 'steered');
  assert.equal(explained.code, 0, explained.stderr);
  assert.match(explained.stderr, /1 override/);
  assert.ok((await readFile(weir.file, 'utf8')).length > 0);
});
