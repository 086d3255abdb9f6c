// Tokens of the admin API from the command line, and sessions begun with them, against a running server.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { ask, eventually, lines, startWeir } from '../support/weir.mjs';

let weir;

before(async () => { weir = await startWeir({ limits: [] }); });
after(() => weir?.stop());

const call = (method, what, token, body) => ask(`${weir.admin}/admin/v1${what}`, { method, body: body && JSON.stringify(body),
  headers: { ...(token && { authorization: `Bearer ${token}` }), ...(body && { 'content-type': 'application/json' }) } });
const within = (probe, what) => eventually(probe, what, 1000, 20);

async function create(name, role, ...more) {
  const made = await weir.command('tokens', 'create', '--name', name, '--role', role, '--json', ...more);
  assert.equal(made.code, 0, made.stderr);
  return JSON.parse(made.stdout);
}

test('a token is shown once, holds within a second, and its role is kept to', async () => {
  const { token, role, expires_at: until } = await create('looker', 'viewer', '--expires', '30d');
  assert.match(token, /^weiradmin_[0-9a-f]{48}$/);
  assert.equal(role, 'viewer');
  assert.ok(Math.abs(Date.parse(until) - Date.now() - 30 * 86_400_000) < 60_000);
  await within(async () => (await call('GET', '/whoami', token)).status === 200, 'the token is known');
  assert.equal(JSON.parse((await call('GET', '/whoami', token)).text).name, 'looker');
  assert.equal((await call('PUT', '/breakers/tool/pay', token, {})).status, 403);
  const listed = await weir.command('tokens', 'list', '--json');
  assert.deepEqual(lines(listed.stdout).map((row) => [row.name, row.role, row.expired]), [['looker', 'viewer', false]]);
  assert.ok(!listed.stdout.includes(token.slice(10)) && !weir.output.includes(token.slice(10)));
  for (const file of ['weir.db', 'weir.db-wal']) {
    assert.ok(!(await readFile(path.join(weir.data, file))).includes(token.slice(10)), `${file} has the token`);
  }
});

test('a revoked token and its sessions end within a second; changes are audited under its name', async () => {
  const { token } = await create('ops', 'admin');
  await within(async () => (await call('GET', '/whoami', token)).status === 200, 'the token is known');
  const session = JSON.parse((await call('POST', '/session', token, {})).text).token;
  assert.equal((await call('PUT', '/breakers/tool/pay', session, { reason: '<img src=x>' })).status, 200);
  assert.equal((await weir.command('tokens', 'revoke', 'ops')).code, 0);
  await within(async () => (await call('GET', '/whoami', token)).status === 401, 'the token is refused');
  assert.equal((await call('GET', '/whoami', session)).status, 401);
  const rows = (await weir.rows('audit', '--event', 'admin')).map((row) => [row.limit, row.evidence]);
  assert.ok(rows.some(([what, by]) => what === 'kill tool' && by === 'by ops: <img src=x>'), JSON.stringify(rows));
  assert.ok(rows.some(([what, by]) => what === 'tokens create' && by === 'by cli: role=admin'));
  assert.ok(rows.some(([what]) => what === 'tokens revoke'));
});

test('keys that the API makes, changes and revokes hold at once', async () => {
  const made = JSON.parse((await call('POST', '/keys', weir.adminToken, { name: 'fresh', tier: 'pro' })).text);
  const me = () => ask(`${weir.url}/weir/v1/me`, { headers: { authorization: `Bearer ${made.key}` } });
  await within(async () => (await me()).status === 200, 'the key is accepted');
  assert.equal((await call('PATCH', '/keys/fresh', weir.adminToken, { tier: 'free' })).status, 200);
  await within(async () => JSON.parse((await me()).text).tier === 'free', 'the tier holds');
  assert.equal((await call('DELETE', '/keys/fresh', weir.adminToken)).status, 204);
  await within(async () => (await me()).status === 401 || (await me()).status === 403, 'the key is refused');
});

test('a reload that fails says where, and health says so until it is mended', async () => {
  const good = weir.config;
  await weir.writeConfig({ ...good, limits: [{ name: 'x', mter: 'requests', allow: '1/1m' }] });
  const refused = await call('POST', '/reload', weir.adminToken);
  assert.equal(refused.status, 422);
  assert.match(JSON.stringify(JSON.parse(refused.text).diagnostics), /did you mean `meter`/);
  const sick = JSON.parse((await call('GET', '/health', weir.adminToken)).text);
  assert.equal(sick.status, 'degraded');
  assert.ok(sick.problems.some((each) => each.what === 'policy' && each.since && /weir check/.test(each.do)), JSON.stringify(sick.problems));
  await weir.writeConfig(good);
  assert.equal((await call('POST', '/reload', weir.adminToken)).status, 200);
  assert.deepEqual(JSON.parse((await call('GET', '/health', weir.adminToken)).text).problems.filter((each) => each.what === 'policy'), []);
});

test('exit codes: taken and unknown names are a no, bad words cannot run', async () => {
  await create('twice', 'viewer');
  for (const [args, code, says] of [
    [['create', '--name', 'twice'], 1, /taken/], [['revoke', 'nobody'], 1, /weir tokens list/], [['create', '--name', 'a b'], 2, /--name/],
    [['create', '--name', 'admin'], 2, /mistaken/], [['create', '--name', 'x', '--role', 'root'], 2, /viewer or admin/],
    [['create', '--name', 'x', '--expires', '-1d'], 2, /--expires/], [['create', '--name', 'x', '--expires', '9999d'], 2, /--expires/],
    [['create'], 2, /--name/], [[], 2, /subcommand/i],
  ]) {
    const result = await weir.command('tokens', ...args);
    assert.equal(result.code, code, `${args}: ${result.stderr}`);
    assert.match(result.stderr, says);
    assert.equal(result.stderr.trimEnd().split('\n').length, 1);
  }
});
