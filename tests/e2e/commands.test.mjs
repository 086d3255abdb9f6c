// The commands: keys while the server runs and without one, check with places and suggestions, explain, schema, exit codes.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { copyFile, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { eventually, kRoot, lines, prepareWeir, runWeir, startWeir } from '../support/weir.mjs';

let weir;

before(async () => {
  weir = await startWeir({
    zone: 'Europe/Berlin',
    limits: [
      { name: 'requests', per: 'key', meter: 'requests', allow: { free: '10/1h', pro: '100/1h' } },
      { name: 'spend', per: 'key', meter: 'usd', allow: '10/day' },
    ],
    tiers: { free: { weight: 1 }, pro: { weight: 4 } },
  });
});
after(() => weir?.stop());

const me = (key) => fetch(`${weir.url}/weir/v1/me`, { headers: { authorization: `Bearer ${key}` } });
const requestsAllowed = async (key) => (await (await me(key)).json()).limits.find((limit) => limit.name === 'requests').allowed;

test('keys: create, list, show, update, revoke, each within a second on the running server', async () => {
  const created = await weir.command('keys', 'create', '--name', 'ada', '--tenant', 'acme', '--user', 'ada', '--tier', 'free',
    '--kind', 'human', '--metadata', '{"plan":"x"}', '--json');
  assert.equal(created.code, 0, created.stderr);
  const { key, name } = JSON.parse(created.stdout);
  assert.equal(name, 'ada');
  assert.match(key, /^weir_[0-9A-Za-z]{24}_[0-9A-Za-z]{6}$/);
  const began = Date.now();
  await eventually(async () => (await me(key)).status === 200, 'the key is accepted');
  assert.ok(Date.now() - began < 1500, `took ${Date.now() - began} ms`);

  const listed = lines((await weir.command('keys', 'list', '--json')).stdout).find((row) => row.name === 'ada');
  assert.deepEqual([listed.tenant, listed.user, listed.tier, listed.kind, listed.metadata], ['acme', 'ada', 'free', 'human', { plan: 'x' }]);
  const shown = await weir.command('keys', 'show', 'ada', '--json');
  assert.ok(!shown.stdout.includes(key), 'a key is shown once');
  assert.ok(!(await weir.command('keys', 'list')).stdout.includes(key));

  assert.equal(await requestsAllowed(key), 10);
  assert.equal((await weir.command('keys', 'update', 'ada', '--tier', 'pro')).code, 0);
  await eventually(async () => (await requestsAllowed(key)) === 100, 'the new tier');
  assert.equal((await weir.command('keys', 'update', 'ada', '--metadata', '{"limits":{"requests":"7/1h"}}')).code, 0);
  await eventually(async () => (await requestsAllowed(key)) === 7, "the key's own amount");

  assert.equal((await weir.command('keys', 'revoke', 'ada')).code, 0);
  await eventually(async () => (await me(key)).status === 401, 'the key is refused');
});

test('keys: what cannot be done says so', async () => {
  await weir.createKey('taken');
  const twice = await weir.command('keys', 'create', '--name', 'taken', '--json');
  assert.notEqual(twice.code, 0);
  assert.match(twice.stderr, /taken/);
  const unknown = await weir.command('keys', 'show', 'nobody');
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /nobody/);
  assert.equal(unknown.stderr.trim().split('\n').length, 1, 'one line');
  assert.equal((await weir.command('keys', 'revoke', 'nobody')).code, 1);
  const badMetadata = await weir.command('keys', 'create', '--name', 'bad', '--metadata', '{oops');
  assert.notEqual(badMetadata.code, 0);
  assert.equal((await weir.command('nonsense')).code, 2);
});

test('keys create makes the store when there is none; the server then knows the key', async () => {
  const other = await prepareWeir({});
  try {
    const key = await other.createKey('first');
    await other.start();
    const response = await fetch(`${other.url}/weir/v1/me`, { headers: { authorization: `Bearer ${key}` } });
    assert.equal(response.status, 200);
    assert.deepEqual((await other.rows('usage')), []);
  } finally {
    await other.stop();
  }
});

test('keys import: what one store lists another takes, also while its server runs', async () => {
  const file = path.join(weir.folder, 'team.jsonl');
  const other = await prepareWeir({});
  try {
    const made = await other.command('keys', 'create', '--name', 'moved', '--tenant', 'acme', '--json');
    await writeFile(file, `${made.stdout}{"name":"new","kind":"human","metadata":{"seats":5}}\n`);
    const imported = await weir.command('keys', 'import', file, '--json');
    assert.equal(imported.code, 0, imported.stderr);
    const [moved, fresh] = imported.stdout.trim().split('\n').map((line) => JSON.parse(line));
    assert.equal(moved.key, JSON.parse(made.stdout).key, 'its key is the one it had');
    for (const { key } of [moved, fresh]) {
      await eventually(async () => (await fetch(`${weir.url}/weir/v1/me`, { headers: { authorization: `Bearer ${key}` } })).status === 200, 'the running server knows it');
    }
    const again = await weir.command('keys', 'import', file);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /team\.jsonl:1: the name moved is taken.*nothing was imported/);
  } finally {
    await other.stop();
  }
});

test('tokens create makes no store that nobody named, and says in which one the token is', async () => {
  const empty = await mkdtemp(path.join(tmpdir(), 'weir-'));
  try {
    const refused = await runWeir(['tokens', 'create', '--name', 'ops'], { cwd: empty });
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /^weir: no store at \/.*\/weir-data \(a relative `data` begins in the current folder\); -c weir\.yaml or --data DIR says where it is/);
    assert.deepEqual(await readdir(empty), []);
    const listed = await runWeir(['alerts', 'list'], { cwd: empty });
    assert.deepEqual([listed.code, listed.stderr], [2, refused.stderr]);
    assert.equal((await runWeir(['keys', 'create', '--name', 'first'], { cwd: empty })).code, 0, 'the first five minutes');
    const made = await runWeir(['tokens', 'create', '--name', 'ops'], { cwd: empty });
    assert.deepEqual([made.code, made.stderr], [0, 'token for the store in ./weir-data\n']);
  } finally {
    await rm(empty, { recursive: true });
  }
});

test('a tier that the policy does not have is refused by name', async () => {
  const refused = await weir.command('keys', 'create', '--name', 'typo', '--tier', 'por');
  assert.deepEqual([refused.code, refused.stderr], [2, 'weir: --tier: there is no tier `por`; did you mean `pro`? There are free, pro\n']);
  assert.equal((await weir.command('keys', 'show', 'typo')).code, 1, 'nothing was made');
});

async function check(text) {
  const file = path.join(weir.folder, 'candidate.yaml');
  await writeFile(file, text);
  return runWeir(['check', file]);
}

test('check: a good file is 0; faults have file, line, column and a suggestion', async () => {
  assert.equal((await check('')).code, 0);
  assert.equal((await check('listen: 127.0.0.1:9\nlimits:\n  - { name: r, per: key, meter: requests, allow: 5/1m }\n')).code, 0);
  const misspelt = await check('limits:\n  - name: r\n    pre: key\n    meter: requests\n    allow: 5/1m\n');
  assert.equal(misspelt.code, 1);
  assert.match(misspelt.stdout + misspelt.stderr, /candidate\.yaml:3:5: .*pre.*per/);
  for (const [text, pattern] of [
    ['limts: []\n', /:1:1: .*limts.*limits/],
    ['limits:\n  - { name: r, per: key, meter: request, allow: 5/1m }\n', /:2:\d+: .*request.*requests/],
    ['limits:\n  - { name: r, per: key, meter: requests, allow: 5/1parsec }\n', /:2:\d+: /],
    ['limits:\n  - { name: r, per: key, meter: tool_calls, allow: 5/1h, soft: true }\n', /not available in this version/],
    ['limits:\n  - { name: r, per: key, meter: requests, allow: 5/1h, on_exceed: strip_tool }\n', /:2:\d+: .*strip_tool.*tool_calls/],
    ['breaker: { repeats: { warn: 6, break: 5 } }\n', /:1:29: .*warn.*break/],
    ['runs: { max_toolcalls: 5 }\n', /:1:9: .*max_toolcalls.*max_tool_calls/],
    ['guards: {}\n', /not available in this version/],
    ['zone: Mars/Olympus\n', /:1:\d+: .*Mars/],
    ['limits: [\n', /candidate\.yaml:\d+:\d+: /],
  ]) {
    const result = await check(text);
    assert.equal(result.code, 1, text);
    assert.match(result.stdout + result.stderr, pattern, text);
  }
});

test('explain says in words which limits apply', async () => {
  await weir.createKey('explained', { tier: 'pro' });
  const result = await weir.command('explain', '--key', 'explained', '--model', 'gpt-4o');
  assert.equal(result.code, 0, result.stderr);
  assert.match(result.stdout, /requests.*100/);
  assert.match(result.stdout, /spend.*\$10.*Europe\/Berlin/);
  assert.match(result.stdout, /^runs: one run has at most 200 tool calls/m);
  assert.match(result.stdout, /^breaker: refused for 30 seconds after 5 equal tool calls/m);
});

test('check and explain read a file with every section', async () => {
  const file = path.join(weir.folder, 'full.yaml');
  await copyFile(path.join(kRoot, 'tests/e2e/full.yaml'), file);
  const env = { WEIR_ADMIN_TOKEN: 'an-admin-token', OPENAI_API_KEY: 'a', ANTHROPIC_API_KEY: 'b', GEMINI_API_KEY: 'c' };
  for (const set of [{}, env]) {
    const checked = await runWeir(['check', file], { env: set });
    assert.equal(checked.code, 0, checked.stdout + checked.stderr);
    assert.match(checked.stdout, /ok, 6 limits/);
    assert.doesNotMatch(checked.stdout + checked.stderr, /error/);
  }
  const explained = await runWeir(['explain', '-c', file, '--data', path.join(weir.folder, 'none')], { env, cwd: weir.folder });
  assert.equal(explained.code, 0, explained.stderr);
  for (const words of [/^runs: 20 runs in any 1 minute per caller$/m, /^high-risk: 5 tool calls per hour and caller and tool/m,
    /^runs: one run has at most 200 tool calls/m, /^breaker: refused for 30 seconds/m, /^trust: anomalies scale/m]) {
    assert.match(explained.stdout, words);
  }
});

test('schema and version', async () => {
  const schema = JSON.parse((await runWeir(['schema'])).stdout);
  assert.ok(schema.properties.limits);
  const version = await runWeir(['version']);
  assert.equal(version.code, 0);
  assert.match(version.stdout, /\d+\.\d+\.\d+/);
});

test('a configuration that is not there, or is wrong, ends with 2 or 1 and one clear line', async () => {
  const missing = await runWeir(['serve', '-c', path.join(weir.folder, 'missing.yaml')]);
  assert.equal(missing.code, 2);
  assert.match(missing.stderr, /missing\.yaml/);
  const file = path.join(weir.folder, 'wrong.yaml');
  await writeFile(file, 'limits: 7\n');
  const wrong = await runWeir(['serve', '-c', file]);
  assert.notEqual(wrong.code, 0);
  assert.match(wrong.stderr, /wrong\.yaml:1:\d+: /);
});
