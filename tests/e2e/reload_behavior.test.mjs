// Reload of what holds agents: `runs` and `breaker` of a new file hold for the next request.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually, startWeir } from '../support/weir.mjs';

let weir;
let round = 0;

// The amount of `round` tells which file is in force.
const policy = (more) => ({
  providers: { sim: { simulate: { output_tokens: '5..5', first_byte: '1ms', tokens_per_second: 5000 } } },
  models: { '*': { provider: 'sim', price: { input: 1, output: 1 } } },
  limits: [
    { name: 'round', per: 'key', meter: 'requests', allow: `${1_000_000 + round}/1h` },
  ],
  ...more,
});

before(async () => { weir = await startWeir(policy({})); });
after(() => weir?.stop());

async function reload(key, more) {
  round += 1;
  await weir.writeConfig(policy(more));
  weir.signal('SIGHUP');
  await eventually(async () => (await weir.limit(key, 'round')).allowed === 1_000_000 + round,
    `round ${round}`);
}

async function ask(key, run, content) {
  const response = await fetch(`${weir.url}/v1/chat/completions`, { method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'x-weir-run': run },
    body: JSON.stringify({ model: 'sim', messages: [{ role: 'user', content }] }) });
  return { status: response.status, body: await response.json() };
}

// How many requests of a run are answered before one is refused, and by what; `content` of the i-th.
async function answered(key, run, content, most = 12) {
  for (let i = 0; i < most; i += 1) {
    const { status, body } = await ask(key, run, content(i));
    if (status === 429) return [i, body.error.weir.limit];
    assert.equal(status, 200, JSON.stringify(body));
  }
  return [most, undefined];
}

test('runs: a larger bound lets the next run go further', async () => {
  const key = await weir.createKey('runs');
  const prompt = (i) => `step ${i}`;
  await reload(key, { runs: { max_llm_calls: 2 } });
  assert.deepEqual(await answered(key, 'narrow', prompt), [2, 'runs']);
  await reload(key, { runs: { max_llm_calls: 7 } });
  assert.deepEqual(await answered(key, 'wide', prompt), [7, 'runs']);
});

test('breaker: thresholds change, and 0 ends the watch', async () => {
  const key = await weir.createKey('breaker');
  const prompt = () => 'the same again';
  await reload(key, { breaker: { repeats: { warn: 2, break: 3 } } });
  assert.deepEqual(await answered(key, 'three', prompt), [2, 'repeats']);
  await reload(key, { breaker: { repeats: { warn: 2, break: 6 } } });
  assert.deepEqual(await answered(key, 'six', prompt), [5, 'repeats']);
  await reload(key, { breaker: { repeats: { warn: 0, break: 0 } } });
  assert.deepEqual(await answered(key, 'never', prompt), [12, undefined]);
});
