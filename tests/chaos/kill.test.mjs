// kill -9 at random moments under load, and restart: nothing is lost, nothing is twice.
import { test } from 'node:test';
import { eventually } from '../support/weir.mjs';
import { kUsual } from './load.mjs';
import { kLong, rounds, startWorld } from './world.mjs';

for (const durability of kLong ? ['relaxed', 'strict'] : ['relaxed']) {
  test(`kill -9 at random moments under load, ${durability}: clients lose connections, the books nothing`, async (t) => {
    const world = await startWorld(t, { config: { durability } });
    try {
      for (let round = 1; round <= rounds(3, 20); round += 1) {
        const load = world.load({ name: `round ${round}`, clients: 24 });
        const most = 20 + world.random(600);
        await eventually(() => load.finished >= most, `${most} answers in round ${round}`, 60_000, 1);
        await world.weir.kill();
        await load.stop();
        await world.restart();
        load.expect(...kUsual);
      }
      await world.balance();
    } finally {
      await world.close();
    }
  });
}

test('SIGSTOP for a while and SIGCONT under load: clients wait, then all goes on', async (t) => {
  const world = await startWorld(t);
  try {
    const load = world.load({ clients: 24 });
    for (let round = 1; round <= rounds(1, 6); round += 1) {
      const before = load.finished;
      await eventually(() => load.finished >= before + 100, '100 answers', 60_000, 1);
      world.weir.signal('SIGSTOP');
      await new Promise((resolve) => { setTimeout(resolve, 1000 + world.random(rounds(1, 6) * 500)); });
      world.weir.signal('SIGCONT');
    }
    const before = load.finished;
    await eventually(() => load.finished >= before + 100, 'answers again', 60_000, 1);
    await load.stop();
    load.expect(...kUsual);
    await world.balance();
  } finally {
    await world.close();
  }
});
