// Providers that are down, slow, that reset connections, and that lie about what they used.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startProvider } from '../mock/provider.mjs';
import { kWays } from '../support/calls.mjs';
import { eventually } from '../support/weir.mjs';
import { kBroken, kGood, kLying, kSlow, kUsual } from './load.mjs';
import { pause, rounds, startWorld } from './world.mjs';

const messages = kWays.filter(({ endpoint }) => endpoint.prefix === 'mockc-');
const others = kWays.filter(({ endpoint }) => endpoint.prefix !== 'mockc-');

test('a provider that goes down and comes back: 502 or 503 with a wait meanwhile, and other providers go on', async (t) => {
  let claude;
  const world = await startWorld(t, {
    before: async ({ book }) => { claude = await startProvider({ book }); },
    adjust: (config) => { config.providers.claude.url = claude.url; } });
  try {
    world.unread = true;      // what was sent as it went down
    const good = world.load({ name: 'others', clients: 8, ways: others, scripts: kGood, leave: 0, hangUp: 0 });
    const victims = world.load({ name: 'victims', clients: 8, ways: messages, scripts: kGood, mcp: 0, rest: 5 });
    for (let round = 1; round <= rounds(2, 12); round += 1) {
      const before = victims.count(200);
      await eventually(() => victims.count(200) > before + 30, 'answers while it is up', 60_000);
      const failed = victims.count(502) + victims.count(503);
      claude.dropConnections();
      await claude.close();
      await eventually(() => victims.count(502) + victims.count(503) > failed + 20, 'errors while it is down', 60_000);
      claude = await startProvider({ book: world.book, port: claude.port });
    }
    // Models whose breaker opened are asked again within its wait.
    const before = victims.count(200);
    await eventually(() => victims.count(200) > before + 30, 'answers again, by itself', 60_000);
    await victims.stop();
    await good.stop();
    world.others.push(claude);
    victims.expect(...kUsual);
    good.expectServed();
    await world.balance();
  } finally {
    await world.close();
    await claude?.close();
  }
});

test('a provider that resets connections at any moment, is slow, stalls and breaks off: nobody hangs', async (t) => {
  const world = await startWorld(t);
  try {
    world.unread = true;
    const load = world.load({ clients: 24, scripts: [...kGood, ...kSlow, ...kBroken] });
    const most = rounds(1, 10) * 800;
    while (load.finished < most) {
      await pause(20 + world.random(150));
      world.provider.dropConnections(() => world.random(3) === 0);
    }
    await load.stop();
    load.expect(...kUsual);
    assert.ok(load.count(200) > load.finished / 4, load.text());
    await world.balance();
  } finally {
    await world.close();
  }
});

test('a provider that lies about usage (missing, twice, negative, absurd, too small, too large): charged what it says, or what was seen',
  async (t) => {
    const world = await startWorld(t);
    try {
      const load = world.load({ clients: 16, scripts: kLying, leave: 0, hangUp: 0 });
      const most = rounds(1, 10) * 600;
      await eventually(() => load.finished >= most, `${most} answers`, 120_000);
      await load.stop();
      load.expectServed();
      const sums = await world.balance();
      assert.ok(sums.rows.counted > most / 5 && sums.rows.usage > most / 5, JSON.stringify(sums.rows));
      assert.equal(sums.rows.expired, 0);
    } finally {
      await world.close();
    }
  });
