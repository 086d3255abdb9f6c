// A disk that is full and a ledger that is locked: /readyz and /metrics say why, what goes on goes on as the contract
// says, nothing is lost or booked twice, and it all works again by itself.
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { startProvider } from '../mock/provider.mjs';
import { lockLedger, setLimit, smallDisk } from '../support/faults.mjs';
import { eventually, kNoCallerBreakers, mockConfig, prepareWeir, startWeir } from '../support/weir.mjs';

const messages = [{ role: 'user', content: 'one two three' }];
const limits = [
  { name: 'requests', per: 'key', meter: 'requests', allow: '100000/1h' },
  { name: 'tokens', per: 'key', meter: 'tokens', allow: '100M/1h' },
  { name: 'in-flight', per: 'key', meter: 'concurrency', allow: 100 },
];

async function post(weir, key, body) {
  const response = await fetch(`${weir.url}/v1/chat/completions`, { method: 'POST', body: JSON.stringify({ messages, ...body }),
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' } });
  return { status: response.status, id: response.headers.get('x-weir-request-id'), headers: response.headers, text: await response.text() };
}

const ready = async (weir) => {
  const response = await fetch(`${weir.url}/readyz`);
  return { status: response.status, text: await response.text() };
};


// `fill` makes every write fail until `free` is called; `reason` is what the system calls it.
async function fullDisk(weir, provider, { fill, free, reason }) {
  const key = await weir.createKey('full');
  assert.equal((await post(weir, key, { model: 'mock-out=5' })).status, 200);
  await weir.usage((all) => all.length === 1);
  const running = post(weir, key, { model: 'mock-out=40+slow=25', stream: true, max_tokens: 50 });
  await eventually(() => provider.requests.some((seen) => seen.json?.stream), 'the stream is under way');
  await fill();

  let seen, refused;
  let passed = 0;      // in what is left of the journal's last page
  for (;; passed += 1) {
    seen = provider.requests.length;
    refused = await post(weir, key, { model: 'mock-out=5' });
    if (refused.status !== 200 || passed === 200) break;
  }
  assert.equal(refused.status, 503, refused.text);
  assert.match(JSON.parse(refused.text).error.message, /journal cannot be written/);
  assert.ok(Number(refused.headers.get('retry-after')) > 0);
  assert.equal(provider.requests.length, seen, 'nothing was forwarded that is not in the journal');
  const not = await ready(weir);
  assert.equal(not.status, 503);
  assert.match(not.text, reason);
  assert.equal(await weir.metric(/^weir_journal_healthy /), 0);
  assert.equal(await weir.metric(/^weir_ready /), 0);
  assert.ok(await weir.metric(/^weir_journal_failures_total /) >= 1);
  assert.equal((await fetch(`${weir.url}/healthz`)).status, 200, 'it is alive');
  const streamed = await running;
  assert.match(streamed.text, /data: \[DONE\]\n\n$/, 'what was in flight ends whole');

  await free();
  await eventually(async () => (await ready(weir)).status === 200, 'ready again by itself');
  assert.equal(await weir.metric(/^weir_journal_healthy /), 1);
  const after = await post(weir, key, { model: 'mock-out=7' });
  assert.equal(after.status, 200);
  const has = (all, id) => all.some((row) => row.request_id === id);
  const rows = await weir.usage((all) => has(all, after.id) && has(all, streamed.id));
  assert.equal(new Set(rows.map((row) => row.request_id)).size, rows.length, 'nothing twice');
  const of = (id) => rows.find((row) => row.request_id === id);
  assert.deepEqual([of(streamed.id).settled, of(streamed.id).output_tokens], ['usage', 40]);
  const charged = rows.filter((row) => row.status === 200);
  assert.equal(charged.length, 3 + passed);
  for (const row of rows.filter((other) => other.status !== 200)) assert.deepEqual([row.settled, row.output_tokens], ['none', 0]);
  const tokens = await weir.limit(key, 'tokens');
  assert.deepEqual([tokens.used, tokens.reserved], [8 + 43 + 10 + 8 * passed, 0]);
  assert.equal((await weir.limit(key, 'in-flight')).used, 0);

  await weir.kill();
  await weir.start();
  assert.equal((await weir.limit(key, 'tokens')).used, tokens.used, 'and so it is after a crash');
}

for (const durability of ['relaxed', 'strict']) {
  test(`files that may not grow, ${durability}: 503, in-flight requests settle, then on as before`, async () => {
    const provider = await startProvider();
    const weir = await startWeir(mockConfig(provider, { limits, durability }));
    const grow = (most) => setLimit(weir.process.pid, 'fsize', `${most}:unlimited`);
    try {
      await fullDisk(weir, provider, { fill: () => grow(1), free: () => grow('unlimited'), reason: /journal.*File too large/ });
    } finally {
      await weir.stop();
      await provider.close();
    }
  });
}

test('a full file system: the same, and the words are the system\'s', async (t) => {
  const provider = await startProvider();
  const weir = await prepareWeir(mockConfig(provider, { limits }));
  const disk = await smallDisk('8m');
  if (!disk) {
    await weir.stop();
    await provider.close();
    t.skip('no right to mount a small file system here');
    return;
  }
  try {
    weir.data = path.join(disk.folder, 'data');
    await weir.writeConfig();
    await weir.start();
    await fullDisk(weir, provider, { fill: disk.fill, free: disk.free, reason: /journal.*No space left on device/ });
  } finally {
    await weir.stop().finally(disk.close);
    await provider.close();
  }
});

test('a locked ledger: requests go on, records wait in the journal, also over a crash, and are booked once', async (t) => {
  const provider = await startProvider();
  const weir = await startWeir(mockConfig(provider, { limits }));
  let release;
  try {
    const key = await weir.createKey('locked');
    release = await lockLedger(path.join(weir.data, 'weir.db'));
    if (!release) {
      t.skip('needs the sqlite3 command');
      return;
    }
    const ids = [];
    for (let i = 0; i < 30; i += 1) {
      const answer = await post(weir, key, { model: 'mock-out=5' });
      assert.equal(answer.status, 200, answer.text);
      ids.push(answer.id);
    }
    const not = await eventually(async () => { const now = await ready(weir); return now.status === 503 && now; }, 'not ready');
    assert.match(not.text, /ledger.*locked.*journal/);
    assert.equal(await weir.metric(/^weir_ledger_healthy /), 0);
    assert.equal(await weir.metric(/^weir_journal_healthy /), 1);
    assert.deepEqual(await weir.rows('usage'), [], 'reading works, nothing is booked');
    // What the background does besides goes on: a new policy is taken up.
    await weir.writeConfig({ ...weir.config, limits: [...limits, { name: 'more', per: 'key', meter: 'requests', allow: '7/1h' }] });
    await eventually(async () => (await weir.me(key)).limits.some((limit) => limit.name === 'more'), 'the new limit');

    await weir.kill();
    await release();
    await weir.start();
    const rows = await weir.usage((all) => all.length >= ids.length);
    assert.deepEqual(rows.map((row) => row.request_id).sort(), [...ids].sort());
    assert.ok(rows.every((row) => row.settled === 'usage'));
    assert.equal((await weir.limit(key, 'tokens')).used, 8 * ids.length);

    // The same without a crash.
    release = await lockLedger(path.join(weir.data, 'weir.db'));
    const last = await post(weir, key, { model: 'mock-out=5' });
    assert.equal(last.status, 200);
    await eventually(async () => (await ready(weir)).status === 503, 'not ready');
    await release();
    await eventually(async () => (await ready(weir)).status === 200, 'ready again by itself');
    const all = await weir.usage((now) => now.length > ids.length);
    assert.deepEqual(all.map((row) => row.request_id).sort(), [...ids, last.id].sort());
    assert.equal(await weir.metric(/^weir_ledger_healthy /), 1);
  } finally {
    await release?.();
    await weir.stop();
    await provider.close();
  }
});

test('2,000 refusals of one key and limit in a row: few rows, and every one of them counted', async () => {
  const provider = await startProvider();
  const weir = await startWeir(mockConfig(provider, { workers: 2, breaker: kNoCallerBreakers,
    limits: [{ name: 'tiny', per: 'key', meter: 'requests', allow: '1/1h' }] }));
  try {
    const key = await weir.createKey('flood');
    assert.equal((await post(weir, key, { model: 'mock-out=1' })).status, 200);
    let left = 2000;
    const begin = Date.now();
    await Promise.all(Array.from({ length: 16 }, async () => {
      while (left-- > 0) assert.equal((await post(weir, key, { model: 'mock-out=1' })).status, 429);
    }));
    const seconds = Math.floor(Date.now() / 1000) - Math.floor(begin / 1000) + 1;      // of the clock, begun ones too
    const refused = (rows) => rows.filter((row) => row.event === 'refused');
    const count = (rows) => refused(rows).reduce((sum, row) => sum + row.count, 0);
    const rows = refused(await weir.audit((all) => count(all) >= 2000, 'all refusals are in the audit'));
    assert.equal(count(rows), 2000);
    const single = rows.filter((row) => row.count === 1).length;
    assert.ok(single <= 21 * seconds, `${single} single rows in ${seconds} s`);
    assert.ok(rows.length <= 21 * seconds, `${rows.length} rows in ${seconds} s`);
    assert.ok(rows.some((row) => row.count > 1));
    for (const row of rows) assert.deepEqual([row.event, row.key, row.limit], ['refused', 'flood', 'tiny']);
  } finally {
    await weir.stop();
    await provider.close();
  }
});
