// Many streams on a small budget: nothing is ever charged or held beyond it, nothing stays held, and who does not fit is
// told so: with 429 before the stream, or with the dialect's error inside it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startProvider } from '../mock/provider.mjs';
import { agentOf, call, kEndpoints } from '../support/calls.mjs';
import { eventually, mockConfig, startWeir } from '../support/weir.mjs';

const kStreams = 1000;
const kWords = 200;              // of every whole answer
const kError = /"error": ?[^n]/;  // responses say "error":null when there is none

// Asks all the time how much is used and held until stop(); the most there was at one instant.
function watch(weir, key) {
  const seen = { most: 0, samples: 0 };
  let going = true;
  const done = (async () => {
    while (going) {
      const tokens = await weir.limit(key, 'tokens');
      seen.most = Math.max(seen.most, tokens.used + tokens.reserved);
      seen.samples += 1;
      await new Promise((resolve) => { setImmediate(resolve); });
    }
  })();
  return { stop: async () => { going = false; await done; return seen; } };
}

async function race(allowed, reservation, script, workers, run) {
  const provider = await startProvider();
  const weir = await startWeir(mockConfig(provider, {
    workers,
    reservation,
    limits: [
      { name: 'tokens', per: 'key', meter: 'tokens', allow: `${allowed}/1h` },
      { name: 'in-flight', per: 'key', meter: 'concurrency', allow: 2 * kStreams },
    ],
  }));
  const agent = agentOf(kStreams);
  try {
    const key = await weir.createKey('crowd');
    const watcher = watch(weir, key);
    const streamed = kEndpoints.filter((endpoint) => endpoint.streams);
    const began = Date.now();
    const answers = await Promise.all(Array.from({ length: kStreams }, (_, i) => {
      const way = { endpoint: streamed[i % streamed.length], stream: true };
      return call(weir, key, way, { script, cap: run.cap, agent }).then((answer) => ({ ...answer, ...way }));
    }));
    const ms = Date.now() - began;
    const seen = await watcher.stop();
    const whole = answers.filter((answer) => answer.status === 200 && answer.endpoint.done.test(answer.text)
      && !kError.test(answer.text));
    const cut = answers.filter((answer) => answer.status === 200 && kError.test(answer.text));
    const refused = answers.filter((answer) => answer.status === 429);
    const rows = await weir.usage((all) => all.length >= whole.length + cut.length, 'a row for every admitted stream');
    const tokens = await eventually(async () => {
      const limits = Object.fromEntries((await weir.me(key)).limits.map((limit) => [limit.name, limit]));
      return limits.tokens.reserved === 0 && limits['in-flight'].used === 0 && limits.tokens;
    }, 'nothing held');
    const sum = rows.reduce((total, row) => total + row.input_tokens + row.output_tokens, 0);
    assert.equal(whole.length + cut.length + refused.length, kStreams, 'each is whole, ended by its budget, or refused');
    assert.equal(rows.length, whole.length + cut.length, 'refused ones have no row');
    assert.equal(sum, tokens.used, 'ledger and counter agree');
    assert.ok(sum <= allowed, `overshoot: ${sum} of ${allowed}`);
    assert.ok(seen.most <= allowed, `used + reserved was ${seen.most} of ${allowed}`);
    assert.ok(seen.samples > 1, `${seen.samples} samples`);
    run.check({ whole, cut, refused, rows, sum, ms, seen, provider });
  } finally {
    agent.destroy();
    await weir.stop();
    await provider.close();
  }
}

for (const workers of [1, 2]) {
  // Whole caps are held: 20 streams of at most 200 words fit, with their input.
  test(`${kStreams} streams on a budget for 20, ${workers} worker(s): overshoot 0`, async (t) => {
    await race(20 * (kWords + 20), undefined, `out=${kWords}+slow=1`, workers, { cap: kWords, check({ whole, cut, refused, sum, ms, seen }) {
      t.diagnostic(`${whole.length} whole, ${refused.length} refused, ${sum} tokens, ${seen.samples} samples, ${ms} ms`);
      assert.equal(cut.length, 0, 'a cap that is held is never cut');
      assert.ok(whole.length >= 18 && whole.length <= 22, `${whole.length} whole`);
      assert.ok(refused.every((answer) => Number(answer.headers['retry-after']) > 0));
    } });
  });
}

test(`${kStreams} streams that top up on a budget for 20: cut in-band, overshoot 0`, async (t) => {
  const allowed = 20 * kWords;
  await race(allowed, { trust_cap: 16, top_up: 8 }, `out=${kWords}+slow=1`, 2, { cap: 1000, check({ whole, cut, refused, rows, sum, ms, seen }) {
    t.diagnostic(`${whole.length} whole, ${cut.length} cut, ${refused.length} refused, ${sum} tokens, ${seen.samples} samples, ${ms} ms`);
    assert.ok(cut.length > 20, `${cut.length} cut`);
    assert.ok(cut.every((answer) => /rate_limit|insufficient_quota|RESOURCE_EXHAUSTED|no room left/.test(answer.text)));
    assert.equal(rows.filter((row) => row.settled === 'counted').length, cut.length);
    for (const { endpoint, text } of cut) {     // what was cut is still well formed
      if (endpoint.only) assert.ok(Array.isArray(JSON.parse(text)));
      else if (endpoint.prefix === 'mocko-') text.trim().split('\n').forEach((line) => JSON.parse(line));
      else text.split('\n').filter((line) => line.startsWith('data: ')).forEach((line) => JSON.parse(line.slice(6)));
    }
    assert.ok(sum >= allowed / 2, `${sum} of ${allowed} were put to use`);
  } });
});
