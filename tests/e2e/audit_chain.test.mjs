// The audit's chain and the report on a running server: intact across refusals, operators and kill -9; tampering shows.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { kNoCallerBreakers, lines, startWeir } from '../support/weir.mjs';

const run = promisify(execFile);
let weir, key;

before(async () => {
  weir = await startWeir({ breaker: kNoCallerBreakers, limits: [{ name: 'requests', per: 'key', meter: 'requests', allow: '2/1h' }] });
  key = await weir.createKey('greedy');
});
after(() => weir?.stop());

// No two prompts are the same: the same one repeated before its wait is over would meet a breaker.
let prompts = 0;
const call = async () => (await fetch(`${weir.url}/v1/chat/completions`, { method: 'POST',
  headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
  body: JSON.stringify({ model: 'sim', max_tokens: 5, messages: [{ role: 'user', content: `hi ${prompts += 1}` }] }) })).status;

async function verify(...more) {
  const result = await weir.command('audit', '--verify', '--json', ...more);
  return { code: result.code, ...lines(result.stdout)[0] };
}

// Python's sqlite3 stands for whoever gets hold of the file.
const tamper = (sql) => run('python3', ['-c', 'import sqlite3,sys\nc=sqlite3.connect(sys.argv[1],timeout=20)\nc.executescript(sys.argv[2])\nc.commit()',
  path.join(weir.data, 'weir.db'), sql]);

test('refusals and changes of keys are chained; a kept head is found again', async () => {
  assert.deepEqual([await call(), await call()], [200, 200]);
  for (let i = 0; i < 30; i += 1) assert.equal(await call(), 429);
  const refused = (all) => all.filter((row) => row.event === 'refused').reduce((n, row) => n + row.count, 0);
  const rows = await weir.audit((all) => refused(all) >= 30);
  assert.ok(rows.some((row) => row.event === 'admin' && row.limit === 'keys create' && row.per.key === 'greedy'));
  const first = await verify();
  assert.deepEqual([first.code, first.intact, first.broken], [0, true, null]);
  assert.ok(first.rows >= 21 && first.first <= first.last, JSON.stringify(first));
  await weir.createKey('another');
  const later = await verify('--expect', first.head);
  assert.deepEqual([later.code, later.expected_found], [0, true]);
  assert.notEqual(later.head, first.head);
  assert.equal((await verify('--expect', 'ab'.repeat(32))).code, 1);
});

test('the chain goes on after kill -9 and a restart that drains the journal again', async () => {
  for (let i = 0; i < 5; i += 1) assert.equal(await call(), 429);
  await weir.kill();
  await weir.start();
  assert.equal(await call(), 429);
  const refused = (all) => all.filter((row) => row.event === 'refused').reduce((n, row) => n + row.count, 0);
  await weir.audit((all) => refused(all) >= 36);
  assert.equal((await verify()).intact, true);
});

test('the report of the week groups who met which limit', async () => {
  const rows = lines((await weir.command('report', '--week', '--json')).stdout);
  assert.deepEqual(rows.map((row) => [row.key, row.event, row.limit, row.layer]), [['greedy', 'refused', 'requests', 'rate']]);
  assert.ok(rows[0].count >= 36 && rows[0].request_id.startsWith('req_') && rows[0].evidence.includes('allowed 2'), JSON.stringify(rows));
  const file = path.join(weir.folder, 'report.html');
  assert.equal((await weir.command('report', '--html', file)).code, 0);
  const page = await readFile(file, 'utf8');
  assert.ok(page.includes('greedy') && !page.includes('<script'));
});

test('a row that is changed, or forged past the chain, shows', async () => {
  await assert.rejects(tamper(`INSERT INTO audit (time, request_id, key, event, layer, limit_name, per, used, reserved, requested, allowed,
    count, evidence, config_version) VALUES (1, 'forged', '', 0, '', '', '{}', '', '', '', '', 1, '', '')`), /chained/);
  await tamper("UPDATE audit SET key = 'innocent' WHERE id = (SELECT id FROM audit WHERE key = 'greedy' LIMIT 1)");
  const result = await weir.command('audit', '--verify');
  assert.equal(result.code, 1);
  assert.match(result.stdout, /broken at row \d+ \(20.*Z, request req_\w+\)/);
  assert.equal((await verify()).intact, false);
});
