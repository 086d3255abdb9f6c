// The official `openai` package on responses and legacy completions; budgets that end its streams.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import OpenAI from 'openai';
import { countTokens } from '../mock/provider.mjs';
import { startRig } from '../support/clients.mjs';

let rig;
before(async () => { rig = await startRig(); });
after(() => rig?.close());

async function clientFor(name, options = {}) {
  const apiKey = await rig.weir.createKey(name, options);
  return { client: new OpenAI({ baseURL: `${rig.weir.url}/v1`, apiKey, maxRetries: 0 }), apiKey };
}
const counted = (row) => [row.input_tokens, row.output_tokens, row.cached_tokens, row.reasoning_tokens, row.usd_micros, row.settled];

test('responses: text, reasoning and cached input are metered to the token', async () => {
  const { client } = await clientFor('responses');
  const model = 'mock-out=7+think=5+cached=2';
  const answer = await client.responses.create({ model, input: 'one two three', instructions: 'be brief', max_output_tokens: 100 });
  assert.equal(countTokens(answer.output_text), 7);
  assert.equal(answer.usage.output_tokens, 12);
  const [seen] = rig.seen(model);
  assert.equal(seen.header('authorization'), 'Bearer upstream-openai-credential');
  assert.equal(seen.url, '/v1/responses');
  const row = await rig.row('responses');
  // 5 input tokens at $1, cached ones at the same price as none is given, 12 at $2.
  assert.deepEqual(counted(row), [5, 12, 2, 5, 29, 'usage']);
  assert.equal(row.route, '/v1/responses');
});

test('responses streamed: every event arrives, usage comes from response.completed', async () => {
  const { client } = await clientFor('responses-stream');
  const stream = client.responses.stream({ model: 'mock-out=9+split+think=4', input: [{ role: 'user', content: 'one two three' }] });
  let text = '';
  stream.on('response.output_text.delta', (event) => { text += event.delta; });
  const final = await stream.finalResponse();
  assert.equal(countTokens(text), 9);
  assert.equal(final.usage.output_tokens, 13);
  assert.deepEqual(counted(await rig.row('responses-stream')), [3, 13, 0, 4, 29, 'usage']);
});

test('completions, whole and streamed', async () => {
  const { client } = await clientFor('completions');
  const answer = await client.completions.create({ model: 'mock-out=4', prompt: 'one two', max_tokens: 10 });
  assert.equal(countTokens(answer.choices[0].text), 4);
  let text = '';
  for await (const part of await client.completions.create({ model: 'mock-out=6', prompt: 'one two three', max_tokens: 10, stream: true })) {
    assert.equal(part.usage ?? null, null, 'usage stays hidden when it was not asked for');
    text += part.choices[0].text;
  }
  assert.equal(countTokens(text), 6);
  const rows = await rig.rows('completions', 2);
  assert.deepEqual(rows.map(counted).sort((a, b) => a[0] - b[0]), [[2, 4, 0, 0, 10, 'usage'], [3, 6, 0, 0, 15, 'usage']]);
});

test('a refusal is a RateLimitError on each endpoint', async () => {
  const { client } = await clientFor('refused', { tier: 'closed' });
  await client.responses.create({ model: 'mock-out=1', input: 'hi' });
  for (const call of [
    () => client.responses.create({ model: 'mock-out=1', input: 'hi' }),
    () => client.responses.create({ model: 'mock-out=1', input: 'hi', stream: true }),
    () => client.completions.create({ model: 'mock-out=1', prompt: 'hi' }),
  ]) {
    await assert.rejects(call(), (error) => {
      assert.ok(error instanceof OpenAI.RateLimitError, error.constructor.name);
      assert.equal(error.code, 'insufficient_quota');
      assert.equal(error.error.weir.limit, 'requests');
      return true;
    });
  }
});

for (const [name, open] of Object.entries({
  chat: (client, model) => client.chat.completions.create({ model, stream: true, max_tokens: 2000,
    messages: [{ role: 'user', content: 'one two three' }] }),
  completions: (client, model) => client.completions.create({ model, stream: true, max_tokens: 2000, prompt: 'one two three' }),
  responses: (client, model) => client.responses.create({ model, stream: true, max_output_tokens: 2000, input: 'one two three' }),
})) {
  test(`a stream that its budget ends is an error: ${name}`, async () => {
    const { client, apiKey } = await clientFor(`cut-${name}`, { tier: 'cut' });
    let events = 0;
    let failure;
    try {
      for await (const event of await open(client, 'mock-out=2000')) {
        events += 1;
        if (event.type === 'response.failed') failure = event.response.error;
        if (event.type === 'error') failure = event;
      }
    } catch (error) {
      failure = error;
    }
    assert.ok(failure, 'the client was told');
    assert.match(JSON.stringify(failure) + failure.message, /rate_limit_exceeded|insufficient_quota/);
    assert.ok(events > 50, `${events} events before`);
    const row = await rig.row(`cut-${name}`);
    assert.equal(row.settled, 'counted');
    assert.equal(row.input_tokens + row.output_tokens, await rig.settledWithin(apiKey, 300));
  });
}
