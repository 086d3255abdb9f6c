// Stopping: kill -9 under load keeps every budget and charges what was in flight; SIGTERM lets a stream finish.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startProvider } from '../mock/provider.mjs';
import { eventually, mockConfig, prepareWeir, startWeir } from '../support/weir.mjs';

const messages = [{ role: 'user', content: 'one two three' }];

const limits = [
  { name: 'requests', per: 'key', meter: 'requests', allow: '100000/1h' },
  { name: 'tokens', per: 'key', meter: 'tokens', allow: '100M/1h' },
  { name: 'spend', per: 'key', meter: 'usd', allow: '100/day' },
  { name: 'in-flight', per: 'key', meter: 'concurrency', allow: 100 },
];

function post(weir, key, body, options = {}) {
  return fetch(`${weir.url}/v1/chat/completions`, { method: 'POST', body: JSON.stringify({ messages, ...body }),
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' }, ...options });
}

const used = async (weir, key, name) => {
  const limit = await weir.limit(key, name);
  return { used: limit.used, reserved: limit.reserved };
};

for (const durability of ['relaxed', 'strict']) {
  test(`kill -9 under load, ${durability}: budgets are never less than what was answered`, async () => {
    const provider = await startProvider();
    const weir = await startWeir(mockConfig(provider, { limits, durability }));
    try {
      const key = await weir.createKey('load');
      // Three requests that are in flight for sure when the process dies.
      const stalled = Array.from({ length: 3 }, () => post(weir, key, { model: 'mock-stallmid+out=8', stream: true, max_tokens: 50 }));
      await Promise.all(stalled.map(async (response) => { assert.equal((await response).status, 200); }));
      let answered = 0;
      let tokens = 0;
      let stopping = false;
      const worker = async () => {
        while (!stopping) {
          try {
            const response = await post(weir, key, { model: 'mock-out=5', max_tokens: 10 });
            const body = await response.json();
            answered += 1;
            tokens += body.usage.total_tokens;
          } catch { return; }
        }
      };
      const workers = Array.from({ length: 8 }, worker);
      await eventually(() => answered >= 150, '150 answers');
      const before = await used(weir, key, 'tokens');
      await weir.kill();
      stopping = true;
      await Promise.all(workers);

      await weir.start();
      const requests = await used(weir, key, 'requests');
      const after = await used(weir, key, 'tokens');
      assert.ok(requests.used >= answered + 3, `${requests.used} requests remembered, ${answered} were answered`);
      assert.ok(after.used >= tokens, `${after.used} tokens remembered, ${tokens} were delivered`);
      assert.ok(after.used >= before.used, `${after.used} after, ${before.used} before`);
      assert.equal(after.reserved, 0, 'nothing is held by requests that no longer exist');
      const inFlight = await used(weir, key, 'in-flight');
      assert.deepEqual([inFlight.used, inFlight.reserved], [0, 0], 'concurrency is released');

      const rows = await weir.usage((all) => all.filter((row) => row.settled === 'expired').length >= 3
        && all.length >= answered + 3, 'expired rows');
      const expired = rows.filter((row) => row.settled === 'expired');
      assert.ok(expired.length <= 3 + 8, `${expired.length} expired`);
      assert.equal(new Set(rows.map((row) => row.request_id)).size, rows.length, 'no request twice');
      assert.equal(rows.length, requests.used, 'ledger and counter agree');
      const ledger = rows.reduce((sum, row) => sum + (row.settled === 'expired' ? row.reserved_tokens : row.input_tokens + row.output_tokens), 0);
      assert.equal(after.used, ledger, 'expired requests are charged what they held');
      assert.equal((await post(weir, key, { model: 'mock-out=1' })).status, 200);
    } finally {
      await weir.stop();
      await provider.close();
    }
  });
}

test('a second kill -9 right after the start loses nothing and charges nothing twice', async () => {
  const provider = await startProvider();
  const weir = await startWeir(mockConfig(provider, { limits }));
  try {
    const key = await weir.createKey('twice');
    for (let i = 0; i < 10; i += 1) await (await post(weir, key, { model: 'mock-out=5' })).json();
    for (let round = 0; round < 3; round += 1) {
      await weir.kill();
      await weir.start();
    }
    assert.deepEqual(await used(weir, key, 'tokens'), { used: 80, reserved: 0 });
    const rows = await weir.usage((all) => all.length >= 10);
    assert.equal(rows.length, 10);
    assert.ok(rows.every((row) => row.settled === 'usage'));
  } finally {
    await weir.stop();
    await provider.close();
  }
});

test('an ordinary stop and start keeps budgets', async () => {
  const provider = await startProvider();
  const weir = await startWeir(mockConfig(provider, { limits }));
  try {
    const key = await weir.createKey('ordinary');
    for (let i = 0; i < 4; i += 1) await (await post(weir, key, { model: 'mock-out=5' })).json();
    weir.signal('SIGTERM');
    assert.deepEqual(await weir.exited, { code: 0, signal: null });
    await weir.start();
    assert.deepEqual(await used(weir, key, 'tokens'), { used: 32, reserved: 0 });
    assert.deepEqual(await used(weir, key, 'requests'), { used: 4, reserved: 0 });
  } finally {
    await weir.stop();
    await provider.close();
  }
});

test('SIGTERM drains: the running stream ends whole, new connections are not taken, exit 0', async () => {
  const provider = await startProvider();
  const weir = await startWeir(mockConfig(provider, { limits }));
  try {
    const key = await weir.createKey('drain');
    const response = await post(weir, key, { model: 'mock-out=60+slow=20', stream: true, max_tokens: 100 });
    const reader = response.body.getReader();
    const first = await reader.read();
    assert.ok(!first.done);
    weir.signal('SIGTERM');
    await eventually(async () => {
      try { return (await fetch(`${weir.url}/readyz`)).status === 503; } catch { return true; }
    }, 'not ready any more');
    let text = Buffer.from(first.value).toString();
    for (let part = await reader.read(); !part.done; part = await reader.read()) text += Buffer.from(part.value).toString();
    assert.match(text, /data: \[DONE\]\n\n$/);
    assert.equal([...text.matchAll(/"content":"[^"]+"/g)].length, 60);
    assert.deepEqual(await weir.exited, { code: 0, signal: null });
    const rows = await weir.rows('usage');
    assert.deepEqual(rows.map((row) => [row.key, row.output_tokens, row.settled]), [['drain', 60, 'usage']]);
  } finally {
    await weir.stop();
    await provider.close();
  }
});

test('SIGTERM with a stream that never ends: gives up after `drain`, and settles it', async () => {
  const provider = await startProvider();
  const weir = await startWeir(mockConfig(provider, { limits, drain: '300ms' }));
  try {
    const key = await weir.createKey('endless');
    const response = await post(weir, key, { model: 'mock-stallmid+out=10', stream: true, max_tokens: 100 });
    assert.equal(response.status, 200);
    response.body.getReader().read().catch(() => {});
    weir.signal('SIGTERM');
    assert.equal((await weir.exited).code, 0);
    await weir.start();
    const rows = await weir.usage((all) => all.length >= 1);
    assert.equal(rows.length, 1);
    assert.ok(['counted', 'expired'].includes(rows[0].settled), rows[0].settled);
    assert.equal((await used(weir, key, 'tokens')).reserved, 0);
  } finally {
    await weir.stop();
    await provider.close();
  }
});

test('two processes on one data folder: the second says so and ends', async () => {
  const weir = await startWeir({});
  try {
    const second = await prepareWeir({ data: weir.data });
    const result = await second.command('serve');
    assert.equal(result.code, 2);
    assert.match(result.stderr, /data|use|lock/i);
    await second.stop();
  } finally {
    await weir.stop();
  }
});
