// A restart gives no run a fresh start: what the ledger knows of it counts, and its lineage tokens stay good.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startProvider } from '../mock/provider.mjs';
import { mockConfig, startWeir } from '../support/weir.mjs';

const limits = [{ name: 'requests', per: 'key', meter: 'requests', allow: '100000/1h' }];

function ask(weir, key, words, headers = {}) {
  return fetch(`${weir.url}/v1/chat/completions`, { method: 'POST',
    body: JSON.stringify({ model: 'mock-out=5', max_tokens: 10, messages: [{ role: 'user', content: words }] }),
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers } });
}

test('a named run keeps its count of model calls over a restart, a token its place', async () => {
  const provider = await startProvider();
  const weir = await startWeir(mockConfig(provider, { limits, runs: { max_llm_calls: 3 } }));
  try {
    const key = await weir.createKey('agent');
    const inRun = { 'x-weir-run': 'nightly' };
    let token;
    for (const words of ['one', 'two']) {
      const answer = await ask(weir, key, words, inRun);
      assert.equal(answer.status, 200);
      token = answer.headers.get('x-weir-lineage');
      await answer.arrayBuffer();
    }
    await weir.usage((rows) => rows.length === 2, 'both are in the ledger');
    await weir.kill();
    await weir.start();

    const third = await ask(weir, key, 'three', { 'x-weir-lineage': token });
    assert.equal(third.status, 200);
    await third.arrayBuffer();
    const fourth = await ask(weir, key, 'four', inRun);
    assert.equal(fourth.status, 429);
    const { weir: why } = (await fourth.json()).error;
    assert.equal(why.layer, 'breaker');
    assert.equal(why.limit, 'runs');
    assert.equal(why.meter, 'llm_calls');
    assert.equal(why.allowed, 3);
    const other = await ask(weir, key, 'five', { 'x-weir-run': 'daily' });
    assert.equal(other.status, 200);
    const rows = await weir.usage((all) => all.length === 4, 'four rows');
    assert.deepEqual(rows.map((row) => row.run).sort(), ['daily', 'nightly', 'nightly', 'nightly']);
  } finally {
    await weir.stop();
    await provider.close();
  }
});
