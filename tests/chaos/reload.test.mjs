// Reload storms: the policy file is written 50 times a second, valid and invalid, in one step and in place, with SIGHUP
// and without, under load.
import assert from 'node:assert/strict';
import { renameSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { eventually } from '../support/weir.mjs';
import { kGood } from './load.mjs';
import { kLong, pause, startWorld } from './world.mjs';

const kEveryMs = 20;
const kSeconds = kLong ? 30 : 3;

// The policy with other amounts, one limit more, or a mistake.
function variant(world, config) {
  const { random } = world;
  const limits = config.limits.map((limit) => ({ ...limit }));
  limits[0].allow = `${100 + random(5)}M/1h`;
  const changed = { ...config, limits: [...limits, { name: `storm-${random(3)}`, per: 'key', meter: 'requests', allow: `${1 + random(9)}M/1m` }] };
  switch (random(6)) {
    case 0: return JSON.stringify({ ...changed, limmits: [] });
    case 1: return JSON.stringify({ ...changed, limits: [{ name: 'none', per: 'nobody', meter: 'requests', allow: 1 }] });
    case 2: return JSON.stringify(changed).slice(0, 1 + random(500));
    case 3: return '\u0000\u0001';
    default: return JSON.stringify(changed);
  }
}

test('a policy file rewritten 50 times a second, good and bad, with SIGHUP: no request notices', async (t) => {
  const world = await startWorld(t, { config: { auth_failures: { per: 'ip', allow: '100000/1m' } } });
  const { weir } = world;
  try {
    const load = world.load({ clients: 8, rest: 20, scripts: kGood, leave: 0, hangUp: 0 });
    const config = { listen: '127.0.0.1:0', admin: { listen: '127.0.0.1:0', token: weir.adminToken }, data: weir.data, ...weir.config };
    let writes = 0;
    for (const inPlace of [false, true]) {
      const end = performance.now() + kSeconds * 1000;
      while (performance.now() < end) {
        const text = variant(world, config);
        if (inPlace) {
          writeFileSync(weir.file, text);      // half of it may be read: only the watch for changes is to look at it
        } else {
          writeFileSync(`${weir.file}.storm`, text);
          renameSync(`${weir.file}.storm`, weir.file);
          if (writes % 3 === 0) weir.signal('SIGHUP');
        }
        writes += 1;
        await pause(kEveryMs);
      }
    }
    const reloads = weir.output.match(/policy loaded/g)?.length ?? 0;
    const refused = weir.output.match(/reload refused/g)?.length ?? 0;
    assert.ok(reloads > 1 && refused > 1, `${reloads} loaded, ${refused} refused of ${writes} written`);
    await weir.writeConfig({ ...weir.config, limits: [...weir.config.limits, { name: 'last', per: 'key', meter: 'requests', allow: '77M/1h' }] });
    await eventually(async () => (await weir.me(world.keys[0])).limits.some((limit) => limit.name === 'last'), 'the last policy is in force');
    await load.stop();
    load.expectServed();
    await world.balance();
    world.say(`${writes} writes: ${reloads} loaded, ${refused} refused, ${load.finished} requests`);
  } finally {
    await world.close();
  }
});
