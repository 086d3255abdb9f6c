// Kill switches: command line and admin API change the same store; every change is audited.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually, lines, startWeir } from '../support/weir.mjs';

let weir;

before(async () => {
  weir = await startWeir({ limits: [] });
  await weir.createKey('ada');
});
after(() => weir?.stop());

async function admin(method, what = '', { body, token = weir.adminToken } = {}) {
  const response = await fetch(`${weir.admin}/admin/v1/breakers${what}`, { method, body,
    headers: { ...(token && { authorization: `Bearer ${token}` }), ...(body && { 'content-type': 'application/json' }) } });
  const text = await response.text();
  return { status: response.status, type: response.headers.get('content-type'), body: text ? JSON.parse(text) : null };
}

const listed = async () => lines((await weir.command('kill', '--list', '--json')).stdout).map((row) => [row.kind, row.name, row.reason, row.by]);

test('the command line throws and clears; the admin API sees it at once', async () => {
  const thrown = await weir.command('kill', 'tool', 'send_email', '--reason', 'phishing', '--json');
  assert.equal(thrown.code, 0, thrown.stderr);
  assert.deepEqual((await admin('GET')).body.breakers, [JSON.parse(thrown.stdout)]);
  assert.equal((await weir.command('kill', 'key', 'ada')).code, 0);
  assert.deepEqual(await listed(), [['key', 'ada', '', 'cli'], ['tool', 'send_email', 'phishing', 'cli']]);
  assert.equal((await weir.command('unkill', 'key', 'ada')).code, 0);
  assert.equal((await weir.command('unkill', 'tool', 'send_email')).code, 0);
  assert.deepEqual(await listed(), []);
});

test('the admin API throws and clears; the command line sees it', async () => {
  const thrown = await admin('PUT', '/run/a%2Fb%20c', { body: JSON.stringify({ reason: 'runaway' }) });
  assert.equal(thrown.status, 200);
  assert.deepEqual(await listed(), [['run', 'a/b c', 'runaway', 'admin']]);
  assert.deepEqual((await admin('GET', '/run/a%2Fb%20c')).body, thrown.body);
  assert.equal((await admin('DELETE', '/run/a%2Fb%20c')).status, 204);
  assert.equal((await admin('DELETE', '/run/a%2Fb%20c')).status, 404);
  assert.deepEqual(await listed(), []);
});

test('without the token, with bad names or bodies: a problem that says why, and nothing changes', async () => {
  for (const [method, what, options, status] of [
    ['GET', '', { token: '' }, 401],
    ['PUT', '/tool/pay', { token: 'wrong' }, 401],
    ['PUT', '/key/nobody', {}, 404],
    ['PUT', '/model/x', {}, 404],
    ['PUT', '/tool/%zz', {}, 400],
    ['PUT', '/tool/pay', { body: '{"reason":' }, 400],
    ['PUT', '/tool/pay', { body: JSON.stringify({ reason: 'x'.repeat(5000) }) }, 400],
    ['PUT', '/tool/pay', { body: JSON.stringify({ reason: 'x'.repeat(300_000) }) }, 413],
    ['POST', '', {}, 405],
  ]) {
    const answer = await admin(method, what, options);
    assert.equal(answer.status, status, `${method} ${what}`);
    assert.equal(answer.type, 'application/problem+json');
    assert.ok(answer.body.title || answer.body.detail);
  }
  assert.deepEqual(await listed(), []);
  assert.equal((await fetch(`${weir.url}/admin/v1/breakers`, { headers: { authorization: `Bearer ${weir.adminToken}` } })).status, 404);
});

test('exit codes: an unknown key is a no with a suggestion, bad words cannot run', async () => {
  const unknown = await weir.command('kill', 'key', 'adda');
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /did you mean ada\?/);
  assert.equal((await weir.command('unkill', 'tool', 'never')).code, 1);
  assert.equal((await weir.command('kill', 'model', 'x')).code, 2);
  assert.equal((await weir.command('kill')).code, 2);
});

test('many at once from both sides: none is lost, the chain holds', async () => {
  const work = [];
  for (let i = 0; i < 20; i += 1) work.push(admin('PUT', `/agent/api-${i}`).then((answer) => assert.equal(answer.status, 200)));
  for (let i = 0; i < 4; i += 1) work.push(weir.command('kill', 'agent', `cli-${i}`).then((result) => assert.equal(result.code, 0, result.stderr)));
  await Promise.all(work);
  assert.equal((await listed()).length, 24);
  const audit = await weir.rows('audit', '--event', 'admin');
  assert.equal(audit.filter((row) => row.limit === 'kill agent').length, 24);
  assert.ok(audit.every((row) => row.evidence.startsWith('by ')));
  assert.equal((await weir.command('audit', '--verify')).code, 0);
  await eventually(async () => (await admin('GET')).body.breakers.length === 24, 'the server lists them');
});
