// Do the books balance? Once nothing is in flight, the ledger is compared with the provider's production book and with
// what the clients saw, row by row; then the process is compared with itself when it was fresh.
//
//   const summary = await balance(world);       // throws with the rows at fault
//
// For each row (a request that was admitted), by `settled`:
//   usage    what the provider's usage says, to the token and the micro-dollar; and what earlier attempts may have used
//   counted  no less than its client was given, no more than was held
//   expired  charged what was held; no less than its client was given
//   none     nothing: the provider refused, failed before a byte, or was never reached
// Each request that reached the provider has one row. Rows of requests that did not reach it are `none`, or `expired`
// (the process died between its journal and the provider), or, where connections are reset, `counted` (sent, and nobody
// knows whether it was read). The sum over the ledger is the sum over the book and these
// differences, and it is what the counters say was used.
import assert from 'node:assert/strict';
import { eventually } from '../support/weir.mjs';
import { descriptorsOf, processOf } from './world.mjs';

const kPrices = { 'mockc-': [3, 15], 'mockg-': [1, 10], 'mocko-': [1, 4], 'mock-': [1, 2] };
const kSpareDescriptors = 4;      // the test's own connections, a segment of the journal, a file of SQLite

const charged = (row) => (row.settled === 'expired' ? row.reserved_tokens : row.input_tokens + row.output_tokens);
const shown = (row, entries, seen) => `${JSON.stringify(row)}\nproduced: ${JSON.stringify(entries)}\nseen: ${JSON.stringify(seen)}`;

// Nothing in flight, nothing held, and every request that reached the provider has its row.
async function quiet(world) {
  const { weir, book } = world;
  await eventually(() => book.open === 0, 'the provider has nothing under way');
  for (const gauge of ['weir_requests_in_flight', 'weir_open_reservations']) {
    await eventually(async () => await weir.metric(new RegExp(`^${gauge} `)) === 0, `${gauge} is 0`);
  }
  let before = -1;
  let rows;
  await eventually(async () => {
    rows = (await weir.rows('usage', ...(world.since ? ['--since', world.since] : []))).filter((row) => !world.strangers.has(row.key));
    const done = rows.length === before && rows.length >= book.attempts.size;
    before = rows.length;
    return done;
  }, `a row for each of ${book.attempts.size} requests`, undefined, 400).catch((error) => {
    const known = new Set(rows.map((row) => row.conversation));
    const missing = [...book.attempts.keys()].filter((mark) => !known.has(mark));
    throw new Error(`${error.message}: ${rows.length} rows; ${missing.length} without: ${missing.slice(0, 3)
      .map((mark) => `${mark} ${JSON.stringify([book.of(mark), world.calls.get(mark)])}`)}`);
  });
  return rows;
}

function checkUsage(row, tried, at) {
  const said = tried.findLast((entry) => entry.said)?.said;
  assert.ok(said, `usage that nobody told: ${at()}`);
  if (row.attempts > 1) {      // what earlier attempts may have used, for all weir knows, is in it
    assert.ok(row.input_tokens >= said.input && row.output_tokens >= said.output, at());
    return;
  }
  assert.deepEqual([row.input_tokens, row.output_tokens], [said.input, said.output], at());
  const prefix = Object.keys(kPrices).find((name) => row.model.startsWith(name));
  assert.equal(row.usd_micros, row.input_tokens * kPrices[prefix][0] + row.output_tokens * kPrices[prefix][1], at());
}

function checkRow(row, entries, seen, sums) {
  const at = () => shown(row, entries, seen);
  const amount = charged(row);
  const tried = entries.filter((entry) => entry.tool === undefined && (entry.status === 200 || entry.status === 0));
  // A client cannot have been given more than was sent; a retry begins anew.
  const given = Math.min(seen?.delivered ?? 0, tried.reduce((sum, entry) => sum + entry.sent, 0));
  const produced = tried.reduce((sum, { whole, input, sent }) => sum + (whole ? whole.input + whole.output : input + sent), 0);
  sums.rows[row.settled] += 1;
  sums.charged += amount;
  sums.produced += produced;
  if (row.settled === 'usage') {
    if (entries.some((entry) => entry.tool)) assert.equal(amount, 0, at());
    else if (tried.length > 0) checkUsage(row, tried, at);
    else assert.equal(amount, 0, `a charge without a call: ${at()}`);
    const told = tried.findLast((entry) => entry.said)?.said;
    if (row.attempts > 1) sums.explained.retried += amount - produced;
    else sums.told += told ? told.input + told.output - produced : 0;
    return;
  }
  sums.explained[row.settled] += amount - produced;
  if (row.settled === 'none') {
    assert.equal(amount, 0, at());
    assert.equal(row.usd_micros, 0, at());
    assert.ok(tried.every((entry) => entry.sent === 0 && !entry.whole), `produced, and free: ${at()}`);
    return;
  }
  assert.ok(row.output_tokens >= given || row.settled === 'expired', `less than its client was given: ${at()}`);
  assert.ok(amount >= given, `less than its client was given: ${at()}`);
  if (row.settled === 'expired') return;
  if (seen?.cap) {
    const most = row.attempts * seen.cap;
    assert.ok(row.output_tokens <= most && amount <= Math.max(row.reserved_tokens, row.input_tokens + most), `more than was held: ${at()}`);
  }
}

export function checkRows(world, rows) {
  const byMark = new Map(rows.map((row) => [row.conversation, row]));
  assert.equal(byMark.size, rows.length, 'no request has two rows');
  assert.equal(new Set(rows.map((row) => row.request_id)).size, rows.length, 'no id has two rows');
  const zero = () => ({ usage: 0, counted: 0, none: 0, expired: 0 });
  const sums = { rows: zero(), charged: 0, produced: 0, told: 0, explained: { retried: 0, counted: 0, none: 0, expired: 0 } };
  for (const mark of world.book.attempts.keys()) assert.ok(byMark.has(mark), `${mark} reached the provider and has no row`);
  for (const row of rows) {
    const entries = world.book.of(row.conversation);
    const seen = world.calls.get(row.conversation);
    assert.ok(seen, `a row of a request that nobody made: ${JSON.stringify(row)}`);
    if (entries.length === 0) {
      const lost = world.unread && row.settled === 'counted' && row.attempts > 0;
      assert.ok(lost || ['none', 'expired'].includes(row.settled), `a charge without a call: ${shown(row, entries, seen)}`);
    }
    if (seen.id) assert.equal(row.request_id, seen.id, shown(row, entries, seen));
    // The last byte leaves after the usage is in the journal.
    if (seen.whole && row.status === 200) assert.notEqual(row.settled, 'expired', `answered whole: ${shown(row, entries, seen)}`);
    checkRow(row, entries, seen, sums);
  }
  for (const [mark, seen] of world.calls) {
    if (seen.whole) assert.ok(byMark.has(mark), `answered, and no row: ${mark} ${JSON.stringify(seen)}`);
  }
  const explained = Object.values(sums.explained).reduce((sum, value) => sum + value, 0);
  assert.equal(sums.charged, sums.produced + sums.told + explained, 'the sums differ by what is explained');
  return sums;
}

// The counters hold what the ledger adds up to.
async function checkCounters(world, rows) {
  const used = { requests: 0, tokens: 0, spend: 0 };
  for (const key of world.keys) {
    const limits = Object.fromEntries((await world.weir.me(key)).limits.map((limit) => [limit.name, limit]));
    assert.deepEqual([limits.tokens.reserved, limits.spend.reserved, limits['in-flight'].used], [0, 0, 0], 'nothing is held');
    for (const name of Object.keys(used)) used[name] += limits[name].used;
  }
  if (!world.counted) return;
  assert.equal(used.requests, rows.length, 'as many rows as the counters of requests');
  assert.equal(used.tokens, rows.reduce((sum, row) => sum + charged(row), 0), 'ledger and counters agree to the token');
  assert.equal(Math.round(used.spend * 1e6), rows.reduce((sum, row) => sum + row.usd_micros, 0), 'and to the micro-dollar');
}

// Threads and descriptors are those of a fresh process; the pool's connections end with their other side.
async function checkProcess(world) {
  const { pid } = world.weir.process;
  for (const server of [world.provider, world.mcp, ...world.others]) server.dropConnections();
  let now;
  await eventually(async () => {
    now = await processOf(pid);
    return now.fds <= world.atStart.fds + kSpareDescriptors && now.threads === world.atStart.threads;
  }, 'descriptors and threads as at the start').catch(async (error) => {
    throw new Error(`${error.message}: ${JSON.stringify([world.atStart, now, await descriptorsOf(pid)])}`);
  });
}

export async function balance(world, { rowsOnly = false } = {}) {
  for (const load of world.loads) assert.equal(load.hung, 0, `${load.hung} requests of ${load.name} hung`);
  await world.ready();
  const rows = await quiet(world);
  const sums = checkRows(world, rows);
  await checkCounters(world, rows);
  if (!rowsOnly) {
    await checkProcess(world);
    await world.fresh();
  }
  const text = `${rows.length} rows ${JSON.stringify(sums.rows)}; ${sums.charged} tokens charged = ${sums.produced} produced `
    + `+ ${sums.told} told + ${JSON.stringify(sums.explained)}; seen ${world.loads.map((load) => load.text()).join(' ')}`;
  world.say(text);
  return { rows, ...sums };
}
