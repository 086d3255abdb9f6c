// Deleting what the ledger has of somebody while the server runs and cannot book: what was booked goes, what waits in the
// journal never comes, nobody else loses anything, and budgets stay what they are.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, test } from 'node:test';
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { startProvider } from '../mock/provider.mjs';
import { eventually, lines, mockConfig, startWeir } from '../support/weir.mjs';

let provider;
let weir;
let service;

before(async () => {
  provider = await startProvider();
  weir = await startWeir(mockConfig(provider));
  service = await weir.createKey('service', { tenant: 'acme', kind: 'service' });
});
after(async () => {
  await weir?.stop();
  await provider?.close();
});

async function ask(user) {
  const response = await fetch(`${weir.url}/v1/chat/completions`, { method: 'POST', body: JSON.stringify({ model: 'mock-out=3', messages: [{ role: 'user', content: 'hello there' }] }),
    headers: { authorization: `Bearer ${service}`, 'content-type': 'application/json', 'x-weir-user': user } });
  assert.equal(response.status, 200);
}
const of = (rows, user) => rows.filter((row) => row.user === user).length;
const requests = async (user) => (await (await fetch(`${weir.url}/weir/v1/me`, { headers: { authorization: `Bearer ${service}`, 'x-weir-user': user } })).json())
  .limits.find((limit) => limit.name === 'requests').used;

// A writer that holds the database, so that the server's rows wait in its journal.
async function lock() {
  const child = spawn('python3', ['-c', `import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=20, isolation_level=None)
db.execute('BEGIN IMMEDIATE')
print('held', flush=True)
sys.stdin.read()
db.execute('COMMIT')
`, path.join(weir.data, 'weir.db')]);
  await new Promise((resolve, reject) => { child.stdout.once('data', resolve); child.once('error', reject); });
  return () => new Promise((resolve) => { child.once('close', resolve); child.stdin.end(); });
}

test('beside a running server: what was booked goes, what is not yet booked never comes', async () => {
  for (let i = 0; i < 4; i += 1) for (const user of ['ann', 'bob']) await ask(user);
  await weir.usage((rows) => of(rows, 'ann') === 4 && of(rows, 'bob') === 4);
  const release = await lock();
  for (let i = 0; i < 3; i += 1) for (const user of ['ann', 'bob']) await ask(user);
  const purge = weir.command('usage', '--purge', '--user', 'ann', '--tenant', 'acme', '--json');   // waits for the database, as the server does
  await release();
  const done = await purge;
  assert.equal(done.code, 0, done.stderr);
  const [{ deleted, subject }] = lines(done.stdout);
  assert.ok(deleted >= 4 && deleted <= 7, `${deleted} were booked when it came`);
  await ask('ann');   // afterwards is another matter
  const rows = await weir.usage((all) => of(all, 'bob') === 7 && of(all, 'ann') >= 1, 'the journal is booked');
  assert.deepEqual([of(rows, 'ann'), of(rows, 'bob')], [1, 7]);
  assert.equal(await requests('ann'), 8, 'what was used stays used');
  const audit = (await weir.rows('audit', '--event', 'admin')).filter((row) => row.limit === 'purge');
  assert.deepEqual(audit.map((row) => row.per.subject), [subject]);
  assert.ok(!JSON.stringify(audit).includes('ann'), 'the audit does not name whose records went');
  assert.equal((await weir.command('audit', '--verify')).code, 0);
});

test('again is harmless, and it holds over kill -9 and a restart that reads the journal again', async () => {
  await ask('eve');
  await weir.usage((rows) => of(rows, 'eve') === 1);
  assert.equal(lines((await weir.command('usage', '--purge', '--user', 'eve', '--json')).stdout)[0].deleted, 1);
  assert.equal(lines((await weir.command('usage', '--purge', '--user', 'eve', '--json')).stdout)[0].deleted, 0);
  await weir.kill();
  const offline = await weir.command('usage', '--purge', '--user', 'ann', '--json');
  assert.equal(offline.code, 0, offline.stderr);
  await weir.start();
  await ask('bob');
  const rows = await weir.usage((all) => of(all, 'bob') === 8);
  assert.deepEqual([of(rows, 'ann'), of(rows, 'eve')], [0, 0]);
});

test('the next snapshot takes the last copies, in the journal, away', async () => {
  const folder = path.join(weir.data, 'journal');
  await ask('max');
  await weir.usage((rows) => of(rows, 'max') === 1);
  const named = async () => {
    const bytes = await Promise.all((await readdir(folder)).map((name) => readFile(path.join(folder, name)).catch(() => Buffer.alloc(0))));
    return Buffer.concat(bytes).includes('max');
  };
  assert.ok(await named(), 'the search finds a name');
  assert.equal((await weir.command('usage', '--purge', '--user', 'max')).code, 0);
  weir.signal('SIGHUP');
  await eventually(async () => { await ask('bob'); return !await named(); }, 'no file of the journal names who was purged', undefined, 100);
});
