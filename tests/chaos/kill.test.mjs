// kill -9 at random moments under load, and restart: the books balance after every round.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../support/weir.mjs';
import { kLong, rounds, startWorld } from './world.mjs';

for (const durability of kLong ? ['relaxed', 'strict'] : ['relaxed']) {
  test(`kill -9 at random moments under load, ${durability}: nothing lost, nothing twice`, async (t) => {
    const world = await startWorld(t, { config: { durability } });
    try {
      for (let round = 1; round <= rounds(3, 20); round += 1) {
        const load = world.load({ name: `round ${round}`, clients: 24 });
        const most = 20 + world.random(600);
        await eventually(() => load.finished >= most, `${most} answers in round ${round}`, 60_000, 1);
        await world.weir.kill();
        await load.stop();
        await world.restart();
        // A client sees a broken connection, never a wrong answer; what a provider did is its own affair.
        for (const status of load.statuses.keys()) {
          assert.ok([200, 429, 500, 502, 503, 504, 'lost'].includes(status), load.text());
        }
      }
      await world.balance();
    } finally {
      await world.close();
    }
  });
}
