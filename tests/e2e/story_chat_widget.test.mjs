// A chat widget on a public page: one service key, a hundred free visitors and five who pay. One free visitor sends
// prompts of a hundred thousand tokens, others flood. Those who pay, and those who ask now and then, notice nothing.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startProvider } from '../mock/provider.mjs';
import { chat, refusalOf } from '../support/agent.mjs';
import { mockConfig, startWeir } from '../support/weir.mjs';

const kFree = 100, kPaid = 5, kFlooders = 3, kFlood = 40;
const kBig = 'word '.repeat(100_000);

let provider, weir, key;
before(async () => {
  provider = await startProvider();
  weir = await startWeir(mockConfig(provider, {
    tiers: { free: { weight: 1 }, paid: { weight: 4 } },
    limits: [
      { name: 'requests', per: 'caller', meter: 'requests', allow: { free: '10/1m', paid: '300/1m' } },
      { name: 'tokens', per: 'caller', meter: 'tokens', allow: { free: ['20k/1m', '100k/1h'], paid: '400k/1m' } },
      { name: 'in-flight', per: 'caller', meter: 'concurrency', allow: 16 },
    ],
  }));
  key = await weir.createKey('widget', { kind: 'service' });
});
after(async () => {
  await weir?.stop();
  await provider?.close();
});

const ask = (user, tier, content) => chat(weir, key, { messages: [{ role: 'user', content }], max_tokens: 20 },
  { 'x-weir-user': user, 'x-weir-tier': tier });

// `times` prompts, one after the other: their answers.
async function visitor(user, tier, times, prompt) {
  const answers = [];
  for (let i = 0; i < times; i += 1) answers.push(await ask(user, tier, prompt(i)));
  return answers;
}

let quiet, paid, abuse, floods;

test('an abuser and a flood beside ordinary visitors, all at once', async () => {
  const ordinary = Array.from({ length: kFree - 1 - kFlooders }, (_, n) =>
    visitor(`free-${n}`, 'free', 3, (i) => `visitor ${n} asks question ${i}`));
  const paying = Array.from({ length: kPaid }, (_, n) => visitor(`paid-${n}`, 'paid', 20, (i) => `customer ${n} asks question ${i}`));
  const greedy = visitor('abuser', 'free', 12, (i) => `${i} ${kBig}`);
  const flooding = Array.from({ length: kFlooders }, (_, n) =>
    Promise.all(Array.from({ length: kFlood }, (__, i) => ask(`flooder-${n}`, 'free', `flood ${n} ${i}`))));
  [quiet, paid, abuse, floods] = await Promise.all([Promise.all(ordinary), Promise.all(paying), greedy, Promise.all(flooding)]);
});

test('the abuser is refused before dispatch: the provider sees none of the big prompts', () => {
  for (const answer of abuse) {
    assert.equal(answer.status, 413, answer.text);
    assert.equal(answer.body.error.type, 'invalid_request_error');
    assert.equal(refusalOf(answer).limit, 'tokens');
    assert.equal(refusalOf(answer).retry_after, null, 'it can never fit');
    assert.equal(answer.headers.get('x-should-retry'), 'false');
  }
  assert.equal(provider.requests.filter((request) => request.body.length > 100_000).length, 0);
});

test('a prompt that fits, and then no more of them: 429 with a wait, nothing dispatched beyond the budget', async () => {
  const answers = await visitor('big-but-legal', 'free', 4, (i) => `${i} ${'word '.repeat(12_000)}`);
  assert.equal(answers[0].status, 200, answers[0].text);
  for (const answer of answers.slice(1)) {
    assert.equal(answer.status, 429, answer.text);
    assert.ok(refusalOf(answer).retry_after > 0);
    assert.equal(refusalOf(answer).per.caller, 'big-but-legal');
  }
  assert.equal(provider.requests.filter((request) => request.body.length > 50_000).length, 1);
});

test('paid visitors, and free ones within their limits, get no refusal at all', () => {
  assert.deepEqual(paid.flat().map((answer) => answer.status), Array(kPaid * 20).fill(200));
  assert.deepEqual(quiet.flat().map((answer) => answer.status), Array((kFree - 1 - kFlooders) * 3).fill(200));
});

test('a flood gets its own share, and nobody else pays for it', async () => {
  for (const flood of floods) {
    const admitted = flood.filter((answer) => answer.status === 200).length;
    assert.equal(admitted, 10);
    assert.equal(flood.filter((answer) => answer.status === 429).length, kFlood - 10);
  }
  const rows = await weir.usage((all) => all.length >= quiet.flat().length + paid.flat().length + 10 * kFlooders + 1);
  assert.equal(rows.filter((row) => row.user === 'abuser').length, 0, 'a refusal leaves no charge');
  assert.ok(rows.every((row) => row.key === 'widget'));
});

test('the report of the week names the abuser and the flooders, with counts', async () => {
  // What is summed comes when its second is over.
  const events = (rows, user) => rows.filter((row) => row.user.startsWith(user)).reduce((sum, row) => sum + row.count, 0);
  await weir.audit((rows) => events(rows, 'abuser') >= 12 && events(rows, 'flooder') >= kFlooders * (kFlood - 10));
  const patterns = await weir.rows('report', '--week');
  const [abuser] = patterns.filter((row) => row.user === 'abuser');
  assert.deepEqual([abuser.key, abuser.event, abuser.limit, abuser.count], ['widget', 'refused', 'tokens', 12]);
  for (let n = 0; n < kFlooders; n += 1) {
    assert.equal(events(patterns, `flooder-${n}`), kFlood - 10);
  }
  assert.equal(patterns.filter((row) => /^(paid|free)-/.test(row.user)).length, 0);
});
