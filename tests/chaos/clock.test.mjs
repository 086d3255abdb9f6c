// Clocks: the wall clock is stepped by hours in both directions under load, and a process lives through the end of
// summer time and of a month. A step mints no budget and takes none away; a true wait stays true over the border.
// Debian's faketime stands between the process and its clock; the monotonic clock stays the machine's.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { startProvider } from '../mock/provider.mjs';
import { call, kEndpoints } from '../support/calls.mjs';
import { eventually, kNoCallerBreakers, mockConfig, prepareWeir } from '../support/weir.mjs';
import { kGood, kUsual } from './load.mjs';
import { pause, rounds, startWorld } from './world.mjs';

const kFaketime = ['x86_64', 'aarch64'].map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketimeMT.so.1`).find(existsSync);
const chat = { endpoint: kEndpoints[0], stream: false };

// A clock whose offset is in a file: {env, set(text), close()}; `text` is '+3600' or '@2026-10-25 02:59:57'.
async function makeClock() {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'weir-clock-'));
  const file = path.join(folder, 'offset');
  const set = async (text) => {
    await writeFile(`${file}.new`, `${text}\n`);
    await rename(`${file}.new`, file);
  };
  await set('+0');
  return { set, close: () => rm(folder, { recursive: true }), env: { LD_PRELOAD: kFaketime, FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1', FAKETIME_DONT_RESET: '1' } };
}

test('the wall clock steps by hours, forwards and backwards, under load and over restarts: nothing is minted or lost', async (t) => {
  if (!kFaketime) {
    t.skip('needs faketime');
    return;
  }
  const clock = await makeClock();
  const world = await startWorld(t, { env: clock.env, adjust: (config) => {
    config.limits = [...config.limits, { name: 'few', per: 'key', meter: 'requests', allow: '3/1h', match: { model: 'mock-few' } }];
  } });
  const { weir } = world;
  try {
    world.counted = false;
    const key = await weir.createKey('few');
    const few = async () => (await call(weir, key, chat, { script: 'few' })).status;
    world.strangers.add('few');
    const load = world.load({ clients: 8, rest: 5 });
    for (let i = 0; i < 3; i += 1) assert.equal(await few(), 200);
    assert.equal(await few(), 429);
    const steps = ['+5h', '-7h', '+30d', '-30d', '+0'];
    for (let i = 0; i < rounds(steps.length, 4 * steps.length); i += 1) {
      await clock.set(steps[i % steps.length]);
      const before = load.count(200);
      await eventually(() => load.count(200) > before + 20, `answers after a step to ${steps[i % steps.length]}`, 60_000);
      assert.equal(await few(), 429, `no budget from a step to ${steps[i % steps.length]}`);
      assert.equal((await fetch(`${weir.url}/readyz`)).status, 200);
    }
    await load.stop();
    load.expect(...kUsual);

    // A restart believes the clock, but never less than what was journalled last.
    await clock.set('-7h');
    await weir.kill();
    await world.restart();
    assert.equal(await few(), 429, 'a clock that went back gives no room');
    await clock.set('+2h');
    await weir.kill();
    await world.restart();
    assert.equal(await few(), 200, 'after two hours there is room again');
    await clock.set('+0');
    await weir.kill();
    await world.restart();
    const after = world.load({ name: 'after', clients: 4, scripts: kGood, leave: 0, hangUp: 0 });
    await eventually(() => after.count(200) > 50, 'answers with a clock two hours behind the journal', 60_000);
    await after.stop();
    after.expectServed();
    await world.balance();
  } finally {
    await world.close();
    await clock.close();
  }
});

// Borders of a calendar day, month and hour where a zone's clock does something: three seconds before, a limit is used up.
// `utc` is the border.
const kBorders = [
  { name: 'the end of a month in Berlin', allow: '2/month', utc: '2026-03-31T22:00:00Z' },
  { name: 'the hour that summer time leaves out', allow: '2/hour', utc: '2026-03-29T01:00:00Z' },
  { name: 'the hour that comes twice', allow: '2/hour', utc: '2026-10-25T01:00:00Z' },
  { name: 'midnight of the day of 25 hours', allow: '2/day', utc: '2026-10-25T23:00:00Z' },
  { name: 'the turn of the year', allow: '2/month', utc: '2027-12-31T23:00:00Z' },
  { name: 'a leap day', allow: '2/day', utc: '2028-02-28T23:00:00Z' },
];

async function crossBorder({ allow, utc }) {
  const clock = await makeClock();
  const provider = await startProvider();
  const before = 6;
  const toBorder = () => (Date.parse(utc) - Date.now()) / 1000 - before;
  const offset = (seconds) => clock.set(`${seconds < 0 ? '' : '+'}${seconds.toFixed(3)}`);
  await offset(toBorder());
  const weir = await prepareWeir(mockConfig(provider, { zone: 'Europe/Berlin', breaker: kNoCallerBreakers,
    limits: [{ name: 'period', per: 'key', meter: 'requests', allow }] }), clock.env);
  try {
    const key = await weir.createKey('border');
    await offset(toBorder());
    const border = Date.now() + before * 1000;
    await weir.start();
    for (let i = 0; i < 2; i += 1) assert.equal((await call(weir, key, chat)).status, 200);
    const refused = await call(weir, key, chat);
    assert.equal(refused.status, 429, refused.text);
    const { weir: why } = JSON.parse(refused.text).error;
    assert.equal(Date.parse(why.reset_at), Date.parse(utc), JSON.stringify(why));
    const wait = Number(refused.headers['retry-after-ms']);
    assert.ok(Math.abs(Date.now() + wait - border) < 2000, `${wait} ms, ${border - Date.now()} left`);
    await pause(wait);
    for (let i = 0; i < 2; i += 1) assert.equal((await call(weir, key, chat)).status, 200, 'a new period');
    assert.equal((await call(weir, key, chat)).status, 429);
  } finally {
    await weir.stop();
    await provider.close();
    await clock.close();
  }
}

test('borders of calendar periods: refused before with a true wait, admitted after it', { concurrency: true }, async (t) => {
  if (!kFaketime) {
    t.skip('needs faketime');
    return;
  }
  await Promise.all(kBorders.map((border) => t.test(border.name, () => crossBorder(border))));
});
