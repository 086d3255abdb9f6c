// A machine that runs out: of disk, of the ledger's lock, of descriptors. Clients get 503 with a wait or are let go, what
// is in flight ends, and when there is room again everything works by itself.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { lockLedger, setLimit, smallDisk } from '../support/faults.mjs';
import { connect } from '../support/raw.mjs';
import { eventually } from '../support/weir.mjs';
import { kUsual } from './load.mjs';
import { processOf, rounds, startWorld } from './world.mjs';

test('a disk that fills up under load, again and again: 503 with a wait, then on as before', async (t) => {
  const disk = await smallDisk('24m');
  if (!disk) {
    t.skip('no right to mount a small file system here');
    return;
  }
  const world = await startWorld(t, { data: disk.folder });
  try {
    const load = world.load({ clients: 16, rest: 2 });
    for (let round = 1; round <= rounds(2, 12); round += 1) {
      let before = load.count(200);
      await eventually(() => load.count(200) > before + 50, 'answers while there is room', 60_000);
      const refused = load.count(503);
      await disk.fill();
      await eventually(() => load.count(503) > refused + 100, '503 while the disk is full', 60_000);
      assert.equal((await fetch(`${world.weir.url}/healthz`)).status, 200, 'it is alive');
      assert.equal((await fetch(`${world.weir.url}/readyz`)).status, 503, 'and says that it is not well');
      await disk.free();
      await world.ready();
      before = load.count(200);
      await eventually(() => load.count(200) > before + 50, 'answers again, by itself', 60_000);
    }
    await load.stop();
    load.expect(...kUsual);
    await world.balance();
    // The journal of a full disk is no trap for the next start.
    await world.weir.kill();
    await world.restart();
    await world.balance();
  } finally {
    await world.close().finally(disk.close);
  }
});

test('a ledger that another process has locked, under load, with a crash meanwhile: nobody notices, rows come later', async (t) => {
  const world = await startWorld(t);
  let release;
  try {
    let load = world.load({ clients: 12, rest: 2 });
    for (let round = 1; round <= rounds(1, 6); round += 1) {
      release = await lockLedger(path.join(world.weir.data, 'weir.db'));
      if (!release) {
        t.skip('needs the sqlite3 command');
        return;
      }
      const before = load.count(200);
      await eventually(() => load.count(200) > before + 100, 'answers while it is locked', 60_000);
      await world.ready(503);
      await world.weir.kill();
      await load.stop();
      load.expect(...kUsual);
      await release();
      await world.restart();
      load = world.load({ name: `after ${round}`, clients: 12, rest: 2 });
      release = await lockLedger(path.join(world.weir.data, 'weir.db'));
      await eventually(() => load.count(200) > 50, 'answers after the restart', 60_000);
      await release();
      await world.ready();
    }
    await load.stop();
    load.expect(...kUsual);
    await world.balance();
  } finally {
    await release?.();
    await world.close();
  }
});

test('no descriptors left: connections are let go or answered with 502 or 503, nobody hangs, and it recovers', async (t) => {
  const world = await startWorld(t);
  const { weir } = world;
  const idle = [];
  try {
    const { pid } = weir.process;
    const atFirst = /Max open files\s+(\d+)/.exec(await readFile(`/proc/${pid}/limits`, 'utf8'))[1];
    const load = world.load({ clients: 8, rest: 2 });
    for (let round = 1; round <= rounds(1, 6); round += 1) {
      const before = load.count(200);
      await eventually(() => load.count(200) > before + 30, 'answers', 60_000);
      await setLimit(pid, 'nofile', `${(await processOf(pid)).fds + 8}:`);
      // More clients than there is room for: those beyond are closed at once.
      for (let i = 0; i < 100; i += 1) idle.push(await connect(weir.port));
      await eventually(() => idle.filter((client) => client.ended).length >= 20, 'those without room are let go', 30_000);
      const finished = load.finished;
      await eventually(() => load.finished > finished + 30, 'clients hear something', 60_000);
      for (const client of idle.splice(0)) client.destroy();
      // The limit stays: there is room again because clients left.
      const good = load.count(200);
      await eventually(() => load.count(200) > good + 30, 'answers again, by itself', 60_000);
      await setLimit(pid, 'nofile', `${atFirst}:`);
    }
    await load.stop();
    load.expect(...kUsual);
    await world.balance();
  } finally {
    for (const client of idle) client.destroy();
    await world.close();
  }
});
