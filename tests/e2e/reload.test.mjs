// Reload: by signal, by file change and by the admin API; counters stay, a bad file changes nothing.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { writeFile } from 'node:fs/promises';
import { startProvider } from '../mock/provider.mjs';
import { eventually, mockConfig, startWeir } from '../support/weir.mjs';

let provider;
let weir;
let key;
let base;

const withRequests = (allow, more = []) => ({ ...base, limits: [{ name: 'requests', per: 'key', meter: 'requests', allow }, ...more] });

before(async () => {
  provider = await startProvider();
  base = mockConfig(provider);
  weir = await startWeir(withRequests('5/1h'));
  key = await weir.createKey('reload');
});
after(async () => {
  await weir?.stop();
  await provider?.close();
});

// No two prompts are the same: the same one repeated before its wait is over would meet a breaker.
let prompts = 0;
const call = async (content = `x ${prompts += 1}`) => (await fetch(`${weir.url}/v1/chat/completions`, { method: 'POST',
  body: JSON.stringify({ model: 'mock-out=1', messages: [{ role: 'user', content }] }),
  headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' } })).status;
const limit = (name = 'requests') => weir.limit(key, name);

test('a larger amount takes effect by file change alone; what was used stays used', async () => {
  for (let i = 0; i < 5; i += 1) assert.equal(await call(), 200);
  assert.equal(await call(), 429);
  await weir.writeConfig(withRequests('8/1h'));
  await eventually(async () => (await limit()).allowed === 8, 'the new amount');
  assert.equal((await limit()).used, 5);
  for (let i = 0; i < 3; i += 1) assert.equal(await call(), 200);
  assert.equal(await call(), 429);
});

test('a bad file leaves the old policy running and says why', async () => {
  await writeFile(weir.file, 'listen: 127.0.0.1:0\nlimits:\n  - { name: requests, pre: key, meter: requests, allow: 1/1h }\n');
  weir.signal('SIGHUP');
  await eventually(() => /weir\.yaml:3:\d+: .*pre/.test(weir.output), 'the fault with its place');
  assert.equal((await limit()).allowed, 8);
  assert.equal(await call(), 429);
});

test('SIGHUP: a new limit applies at once and starts at zero', async () => {
  await weir.writeConfig(withRequests('20/1h', [{ name: 'extra', per: 'key', meter: 'requests', allow: '2/1h' }]));
  weir.signal('SIGHUP');
  await eventually(async () => (await limit('extra'))?.allowed === 2, 'the new limit');
  assert.equal((await limit()).used, 8);
  assert.equal(await call(), 200);
  assert.equal(await call(), 200);
  assert.equal(await call(), 429);
  assert.equal((await limit()).used, 10);
});

test('a reload in the middle of load: no request fails', async () => {
  await weir.writeConfig(withRequests('100000/1h'));
  weir.signal('SIGHUP');
  await eventually(async () => (await limit()).allowed === 100_000, 'room');
  const start = (await limit()).used;
  let done = 0;
  let stopping = false;
  const failures = [];
  const workers = Array.from({ length: 6 }, async () => {
    while (!stopping) {
      const status = await call(`x ${done}`);   // several of one body before its wait is over would be a breaker's case
      if (status !== 200) failures.push(status);
      done += 1;
    }
  });
  for (let round = 1; round <= 5; round += 1) {
    await weir.writeConfig(withRequests(`${100_000 + round}/1h`));
    weir.signal('SIGHUP');
    await eventually(async () => (await limit()).allowed === 100_000 + round, `round ${round}`);
  }
  stopping = true;
  await Promise.all(workers);
  assert.deepEqual(failures, []);
  assert.equal((await limit()).used, start + done);
});
