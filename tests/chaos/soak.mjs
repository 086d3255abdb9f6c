// A long steady mixed load, as ./dev soak runs it: node tests/chaos/soak.mjs [MINUTES]
//
// Clients in every dialect, keys that come and go, runs that end, snapshots, the ledger drained, reloads, a flood of
// refusals every other minute. Resident memory is sampled every 10 s; a line a minute is printed. Fails if the books do
// not balance, or if memory at the end is more than 5% above that after five minutes (of a soak of ten minutes or less: a quarter).
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { eventually, kNoCallerBreakers } from '../support/weir.mjs';
import { flood } from './flood.mjs';
import { kBroken, kGood, kLying, kRefusing, kSlow } from './load.mjs';
import { pause, processOf, startWorld } from './world.mjs';

const kMinutes = Number(process.argv[2] ?? 20);
const kSampleMs = 10_000;
const kMostGrowth = 0.05;
const kClients = Number(process.env.WEIR_SOAK_CLIENTS ?? 24);
const kRestMs = Number(process.env.WEIR_SOAK_REST_MS ?? 50);
const kGauges = ['weir_subjects', 'weir_counter_bytes', 'weir_open_reservations', 'weir_open_connections'];

async function bytesIn(folder) {
  let sum = 0;
  for (const name of await readdir(folder).catch(() => [])) {
    sum += await stat(path.join(folder, name)).then((found) => (found.isFile() ? found.size : 0), () => 0);
  }
  return sum;
}

const kClosedIds = Number(process.env.WEIR_SOAK_FILL ?? 1_050_000);

async function fill(world) {
  const { weir } = world;
  const key = await weir.createKey('filler');
  const before = await processOf(weir.process.pid);
  const began = performance.now();
  let done = 0;
  while (done < kClosedIds) done += (await flood(weir, [key], { seconds: 5, model: 'filler', prompt: 'fill' })).requests;
  const booked = async () => (await weir.rows('usage', '--by', 'key')).find((row) => row.key === 'filler')?.requests ?? 0;
  await eventually(async () => await booked() >= done, 'the ledger has it all', 120_000, 1000);
  const after = await processOf(weir.process.pid);
  console.log(`filled: ${done} requests in ${Math.round((performance.now() - began) / 1000)} s, `
    + `memory ${mb(before.rssKb * 1024)} -> ${mb(after.rssKb * 1024)} MB, ${after.cpuTicks - before.cpuTicks} ticks`);
  world.since = new Date(Date.now() + 1).toISOString();
}

// What each key may: steady ones everything, those that are flooded one request an hour.
const limits = [
  { name: 'requests', per: 'key', meter: 'requests', allow: { free: '100M/1h', flooded: '1/1h' } },
  { name: 'tokens', per: 'key', meter: 'tokens', allow: '10000M/1h' },
  { name: 'spend', per: 'key', meter: 'usd', allow: '1000000/day' },
  { name: 'in-flight', per: 'key', meter: 'concurrency', allow: 100_000 },
];

async function sample(world, samples) {
  const metrics = {};
  for (const name of kGauges) metrics[name] = await world.weir.metric(new RegExp(`^${name} `));
  samples.push({ at: performance.now(), ...await processOf(world.weir.process.pid), ...metrics,
    finished: world.loads.reduce((sum, load) => sum + load.finished, 0),
    journal: await bytesIn(path.join(world.weir.data, 'journal')), ledger: await bytesIn(world.weir.data) });
}

const mb = (bytes) => (bytes / 1048576).toFixed(1).padStart(8);

function printMinute(minute, last, before, floods) {
  const seconds = (last.at - before.at) / 1000;
  console.log([String(minute).padStart(6), mb(last.rssKb * 1024), String(last.fds).padStart(5), String(last.threads).padStart(8),
    String(Math.round((last.finished - before.finished) / seconds)).padStart(6),
    `${Math.round((last.cpuTicks - before.cpuTicks) / seconds)}%`.padStart(5), String(last.weir_subjects).padStart(9),
    mb(last.weir_counter_bytes), mb(last.journal), mb(last.ledger), String(floods).padStart(9)].join(' '));
}

// A key is made, used and revoked.
async function churn(world, round) {
  const name = `guest-${round}`;
  const key = await world.weir.createKey(name, { tenant: 'guests' });
  world.guests.push({ name, key });
  if (world.guests.length > 3) await world.weir.command('keys', 'revoke', world.guests.shift().name);
  world.guestKeys.splice(0, Infinity, ...world.guests.map((guest) => guest.key));
}

// Of the samples of the minute that ends with index `end`.
function median(samples, end) {
  const values = samples.slice(Math.max(0, end - 5), end + 1).map((one) => one.rssKb).sort((a, b) => a - b);
  return values[values.length >> 1];
}

async function soak(world) {
  const { weir } = world;
  const flooded = await weir.createKey('flooded', { tier: 'flooded' });
  world.strangers.add('flooded').add('filler');
  world.guests = [];
  world.guestKeys = [world.keys[0]];
  world.steadyKeys = world.keys;
  const scripts = [...kGood, ...kGood, ...kLying, ...kBroken, ...kRefusing, ...kSlow];
  const steady = { clients: kClients, rest: kRestMs, scripts, variants: 3, fewPrompts: true };
  world.load({ name: 'steady', ...steady });
  world.load({ name: 'guests', ...steady, clients: 1, keys: world.guestKeys });
  const samples = [];
  let floods = 0;
  console.log('minute   RSS MB   fds  threads  req/s   CPU  subjects count MB  jrnl MB    db MB   refused');
  const began = performance.now();
  await sample(world, samples);
  for (let i = 1; i <= kMinutes * 6; i += 1) {
    const busy = [churn(world, i)];
    if (i % 12 === 6) busy.push(flood(weir, [flooded], { seconds: 5 }).then((done) => { floods += done?.refused ?? 0; }));
    if (i % 18 === 9) weir.signal('SIGHUP');
    await Promise.all(busy);
    await pause(Math.max(0, began + i * kSampleMs - performance.now()));
    await sample(world, samples);
    if (i % 6 === 0) printMinute(i / 6, samples[i], samples[i - 6], floods);
  }
  for (const load of world.loads) await load.stop();
  return samples;
}

const world = await startWorld({ diagnostic: (text) => console.log(text) }, { config: { limits, tiers: { free: {}, flooded: {} },
  runs: { idle: '20s' }, breaker: kNoCallerBreakers, simulated: 'filler' } });
try {
  await fill(world);
  const samples = await soak(world);
  const early = median(samples, kMinutes > 10 ? 5 * 6 : Math.ceil((samples.length - 1) / 4));
  const late = median(samples, samples.length - 1);
  const growth = late / early - 1;
  console.log(`memory at the end ${mb(late * 1024)} MB, after ${kMinutes > 10 ? 'five minutes' : 'a quarter'} ${mb(early * 1024)} MB: `
    + `${(growth * 100).toFixed(1)}% (at most ${kMostGrowth * 100}%)`);
  world.keys = [...world.steadyKeys, ...world.guestKeys];
  world.counted = false;      // keys that were revoked do not say what they used
  await world.balance();
  if (growth > kMostGrowth) process.exitCode = 1;
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await world.close();
}
console.log(process.exitCode ? 'soak: failed' : 'soak: ok');
