// The power fails under load (`durability: strict`: only what was synced is left), or the process is killed (`relaxed`).
// Every answer that a client had in full is in the ledger with its usage and in the counters, and nothing is booked
// twice. SQLite is part of it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startProvider } from '../mock/provider.mjs';
import { makePowerFail } from '../support/powerfail.mjs';
import { eventually, mockConfig, prepareWeir } from '../support/weir.mjs';

const messages = [{ role: 'user', content: 'one two three' }];
const limits = [
  { name: 'requests', per: 'key', meter: 'requests', allow: '100000/1h' },
  { name: 'tokens', per: 'key', meter: 'tokens', allow: '100M/1h' },
];

// Sends until the server is gone; adds what was received in full to `answers`.
async function load(weir, key, answers) {
  for (let i = 0; ; i += 1) {
    const stream = i % 3 === 0;
    try {
      const response = await fetch(`${weir.url}/v1/chat/completions`, { method: 'POST',
        body: JSON.stringify({ messages, model: 'mock-out=5', max_tokens: 10, stream }),
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' } });
      const text = await response.text();
      if (response.status !== 200) throw new Error(`${response.status} ${text}`);
      if (stream && !/data: \[DONE\]\n\n$/.test(text)) return;
      answers.push(response.headers.get('x-weir-request-id'));
    } catch (error) {
      if (error instanceof TypeError) return;      // the connection broke
      throw error;
    }
  }
}

async function threeCrashes(weir, crash) {
  const answers = [];
  let key;
  for (let round = 1; round <= 3; round += 1) {
    await weir.start();
    key ??= await weir.createKey('power');
    const before = answers.length;
    const clients = Array.from({ length: 6 }, () => load(weir, key, answers));
    // Each reload asks for a snapshot: segments end, are booked and deleted under load. The last one meets the crash.
    for (let part = 1; part <= 4; part += 1) {
      await eventually(() => answers.length >= before + part * 30, `${part * 30} answers in round ${round}`);
      weir.signal('SIGHUP');
    }
    await weir.kill();
    await Promise.all(clients);
    crash();
  }
  await weir.start();
  const of = (rows) => new Map(rows.map((row) => [row.request_id, row]));
  const rows = await weir.usage((all) => { const known = of(all); return answers.every((id) => known.has(id)); },
    'every answered request is in the ledger');
  assert.equal(new Set(rows.map((row) => row.request_id)).size, rows.length, 'no request twice');
  const known = of(rows);
  for (const id of answers) {
    const row = known.get(id);
    assert.deepEqual([row.settled, row.input_tokens, row.output_tokens], ['usage', 3, 5], id);
  }
  const used = Object.fromEntries((await weir.me(key)).limits.map((limit) => [limit.name, limit]));
  assert.ok(used.requests.used >= answers.length, `${used.requests.used} requests remembered of ${answers.length}`);
  assert.ok(used.tokens.used >= 8 * answers.length, `${used.tokens.used} tokens remembered`);
  assert.equal(used.tokens.reserved, 0);
}

test('strict: whatever was answered survives a power loss, three times in a row', async (t) => {
  const provider = await startProvider();
  const weir = await prepareWeir(mockConfig(provider, { limits, durability: 'strict', workers: 2 }));
  const power = await makePowerFail(weir.folder);
  try {
    if (!power) {
      t.skip('needs cc, and a binary without sanitizers');
      return;
    }
    weir.env = power.env;
    power.begin();
    await threeCrashes(weir, () => {
      assert.ok(power.lose(weir.data) >= 3, 'the secret, the database and a journal survived');
      power.begin();
    });
  } finally {
    await weir.stop();
    power?.end();
    await provider.close();
  }
});

test('relaxed: whatever was answered survives kill -9 during reloads and snapshots, three times in a row', async () => {
  const provider = await startProvider();
  const weir = await prepareWeir(mockConfig(provider, { limits, durability: 'relaxed', workers: 2 }));
  try {
    await threeCrashes(weir, () => {});
  } finally {
    await weir.stop();
    await provider.close();
  }
});
