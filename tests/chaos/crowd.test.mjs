// Crowds: ten thousand connections, idle and active; a hundred thousand keys; a hundred thousand conversations.
import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { setLimit } from '../support/faults.mjs';
import { eventually } from '../support/weir.mjs';
import { flood } from './flood.mjs';
import { importKeys } from './keys.mjs';
import { kGood } from './load.mjs';
import { kLong, processOf, startWorld } from './world.mjs';

const kConnections = Number(process.env.WEIR_CHAOS_CONNECTIONS ?? (kLong ? 10_000 : 2_000));
const kKeys = Number(process.env.WEIR_CHAOS_KEYS ?? (kLong ? 100_000 : 10_000));
const kMostPerConnection = 10 << 10;      // bytes of resident memory
const kMostOnce = 64 << 20;             // of tables, buffers and rows on their way, whoever is served
const kMostEach = 4 << 10;              // of a key or conversation that has been used, beside that

async function connectMany(port, count) {
  const sockets = [];
  while (sockets.length < count) {
    await Promise.all(Array.from({ length: Math.min(200, count - sockets.length) }, () => new Promise((resolve, reject) => {
      const socket = net.connect(port, '127.0.0.1', resolve);
      socket.once('error', reject);
      socket.on('error', () => {});
      sockets.push(socket);
    })));
  }
  return sockets;
}

test(`${kConnections} connections, most idle, some slow, and the service goes on`, async (t) => {
  const world = await startWorld(t, { config: { timeouts: { idle: '120s', header: '60s' } } });
  const { weir } = world;
  let sockets = [];
  try {
    const { pid } = weir.process;
    await setLimit(pid, 'nofile', '20000:').catch(() => {});
    await setLimit(process.pid, 'nofile', '20000:').catch(() => {});
    const before = await processOf(pid);
    sockets = await connectMany(weir.port, kConnections);
    await eventually(async () => await weir.metric(/^weir_open_connections /) >= kConnections, 'all are open');
    const idle = await processOf(pid);
    const each = ((idle.rssKb - before.rssKb) * 1024) / kConnections;
    // One in ten begins a request and does not go on.
    for (let i = 0; i < sockets.length; i += 10) sockets[i].write('POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n');
    const load = world.load({ clients: 8, rest: 5, scripts: kGood, leave: 0, hangUp: 0 });
    await eventually(() => load.finished > 300, 'answers', 60_000);
    await load.stop();
    load.expectServed();
    assert.ok(each <= kMostPerConnection, `${Math.round(each)} bytes a connection`);
    for (const socket of sockets) socket.destroy();
    await world.balance();
    world.say(`${kConnections} connections: ${Math.round(each)} bytes each`);
  } finally {
    for (const socket of sockets) socket.destroy();
    await world.close();
  }
});

for (const conversations of [false, true]) {
  test(`${kKeys} distinct ${conversations ? 'conversations of ten keys' : 'keys'}: each counted, memory bounded, nobody else notices`, async (t) => {
    const limits = [
      { name: 'requests', per: conversations ? ['key', 'conversation'] : 'key', meter: 'requests', allow: '1000/1h' },
      { name: 'tokens', per: 'key', meter: 'tokens', allow: '1000M/1h' },
      { name: 'spend', per: 'key', meter: 'usd', allow: '1000/day' },
      { name: 'in-flight', per: 'key', meter: 'concurrency', allow: 1000 },
    ];
    const world = await startWorld(t, { config: { limits, simulated: 'crowd' } });
    const { weir } = world;
    try {
      world.counted = !conversations;
      const keys = await importKeys(weir, conversations ? 10 : kKeys);
      const known = async (key) => (await fetch(`${weir.url}/weir/v1/me`, { headers: { authorization: `Bearer ${key}` } })).status === 200;
      for (const key of [keys[0], keys.at(-1)]) await eventually(() => known(key), 'the keys are known', undefined, 50);
      const before = await processOf(weir.process.pid);
      const load = world.load({ clients: 4, rest: 10, scripts: kGood, leave: 0, hangUp: 0 });
      // As many requests as there are keys: what each request leaves (a run, a row) is in the tables that all requests share.
      let done = 0;
      while (done < kKeys) {
        const more = await flood(weir, keys, { seconds: 10, connections: 32, model: 'crowd', prompt: 'hello', conversations,
          from: done, most: kKeys - done });
        if (!more) {
          t.skip('needs wrk');
          return;
        }
        assert.equal(more.refused, 0, more.output);
        done += more.requests;
      }
      const after = await processOf(weir.process.pid);
      const subjects = await weir.metric(/^weir_subjects /);
      await load.stop();
      load.expectServed();
      const grown = (after.rssKb - before.rssKb) * 1024;
      world.say(`${done} requests, ${subjects} subjects, ${(grown / 2 ** 20).toFixed(1)} MiB more, ${Math.round(grown / kKeys)} bytes for each`);
      assert.ok(subjects >= kKeys, `${subjects} subjects`);
      assert.ok(grown <= kMostOnce + kMostEach * kKeys, `${grown} bytes more`);
      let rows;
      await eventually(async () => {
        rows = (await weir.rows('usage')).filter((row) => row.key.startsWith('crowd-'));
        return rows.length >= done;
      }, `${done} rows`, 120_000, 1000);
      assert.ok(rows.length <= done + 32 * 20, `${rows.length} rows of ${done} requests`);
      assert.equal(new Set(rows.map((row) => row.request_id)).size, rows.length);
      for (const row of rows) world.strangers.add(row.key);
      await world.balance();
    } finally {
      await world.close();
    }
  });
}
