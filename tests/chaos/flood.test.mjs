// A flood of refusals: a refused request costs at most half the processor time of an admitted one, nothing is charged,
// and callers who keep to their limits do not notice.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { deadPort } from '../support/raw.mjs';
import { eventually, kRoot, startWeir } from '../support/weir.mjs';
import { flood } from './flood.mjs';
import { kGood } from './load.mjs';
import { processOf, rounds, startWorld } from './world.mjs';

const kMostShare = 0.5;
const run = promisify(execFile);

// The benchmark's upstream, so that an admitted request is one that went through a socket, at full speed.
async function fastUpstream(folder) {
  const program = path.join(folder, 'upstream');
  await run('g++', ['-std=c++20', '-O2', '-o', program, path.join(kRoot, 'bench/gateway/mock_upstream.cc')]);
  const port = await deadPort();
  const child = spawn(program, [String(port)], { stdio: 'inherit' });
  await eventually(async () => (await fetch(`http://127.0.0.1:${port}/`)).ok, 'the upstream listens');
  return { url: `http://127.0.0.1:${port}`, close: () => child.kill() };
}

test('a refused request costs at most half of an admitted one', async (t) => {
  const weir = await startWeir();
  let upstream;
  try {
    upstream = await fastUpstream(weir.folder);
    await weir.writeConfig({ providers: { fast: { dialect: 'openai', url: upstream.url, key: 'upstream' } },
      models: { '*': { provider: 'fast', price: { input: 1, output: 2 } } }, breaker: { failed_prompts: { break: 0 } },
      tiers: { free: {}, small: {} }, limits: [
        { name: 'requests', per: 'caller', meter: 'requests', allow: { free: '1000M/1m', small: '1/1h' } },
        { name: 'tokens', per: 'caller', meter: 'tokens', allow: '100000M/1h' },
        { name: 'spend', per: 'caller', meter: 'usd', allow: '1000000/day' },
      ] });
    weir.signal('SIGHUP');
    await eventually(() => weir.output.includes('policy loaded'), 'the policy is in force');
    const keys = { admitted: await weir.createKey('roomy'), refused: await weir.createKey('small', { tier: 'small' }) };
    // Of each round, in microseconds. What else the machine does only adds: the cheapest round of each is the truest, and a
    // busy machine needs more rounds until both have had a quiet one.
    const costs = { admitted: [], refused: [] };
    const us = (kind) => Math.min(...costs[kind]);
    const share = () => us('refused') / us('admitted');
    for (let round = 0; round <= rounds(4, 8) || (round <= 16 && share() > kMostShare); round += 1) {
      for (const kind of ['admitted', 'refused']) {
        const before = await processOf(weir.process.pid);
        const done = await flood(weir, [keys[kind]], { seconds: 1, connections: 64 });
        if (!done) {
          t.skip('needs wrk');
          return;
        }
        const after = await processOf(weir.process.pid);
        if (kind === 'refused') assert.ok(done.refused >= done.requests - 1, done.output);
        else assert.equal(done.refused, 0, done.output);
        if (round === 0) continue;      // to warm up
        costs[kind].push(((after.cpuTicks - before.cpuTicks) * 10_000) / done.requests);
      }
    }
    t.diagnostic(`processor time per request: admitted ${us('admitted').toFixed(1)} us, refused ${us('refused').toFixed(1)} us: `
      + share().toFixed(2));
    assert.ok(share() <= kMostShare, `a refusal costs ${share().toFixed(2)} of an admitted request`);
    const rows = await weir.usage((all) => all.some((row) => row.key === 'small'));
    assert.equal(rows.filter((row) => row.key === 'small').length, 1, 'the one that was admitted');
  } finally {
    upstream?.close();
    await weir.stop();
  }
});

test('one tenant floods, the others are served as before, and the books balance', async (t) => {
  const world = await startWorld(t, { keys: 2 });
  try {
    world.strangers.add('flooder');
    const { weir } = world;
    await weir.writeConfig({ ...weir.config, tiers: { free: {}, small: {} },
      limits: weir.config.limits.map((limit) => (limit.name === 'requests' ? { ...limit, allow: { free: '100M/1h', small: '1/1h' } } : limit)) });
    weir.signal('SIGHUP');
    const flooder = await weir.createKey('flooder', { tier: 'small', tenant: 'other' });
    const load = world.load({ clients: 6, rest: 10, scripts: kGood, leave: 0, hangUp: 0 });
    await eventually(() => load.finished > 50, 'answers before the flood', 60_000);
    const before = load.finished;
    const done = await flood(weir, [flooder], { seconds: rounds(3, 20), connections: 32 });
    if (!done) {
      t.skip('needs wrk');
      return;
    }
    assert.ok(load.finished > before + 20, `${load.finished - before} answers during the flood`);
    await load.stop();
    load.expectServed(0.98);
    assert.ok(done.refused >= done.requests - 1, done.output);
    await world.balance();
    world.say(`${done.requests} refused; others: ${load.text()}, the slowest after ${Math.round(load.slowestMs)} ms`);
  } finally {
    await world.close();
  }
});
