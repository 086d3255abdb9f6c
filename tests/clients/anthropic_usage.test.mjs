// The official `@anthropic-ai/sdk` package: token counting, cache and thinking usage, budgets that end its streams.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { countTokens } from '../mock/provider.mjs';
import { startRig } from '../support/clients.mjs';

let rig;
before(async () => { rig = await startRig(); });
after(() => rig?.close());

const messages = [{ role: 'user', content: 'one two three four five six seven' }];

async function clientFor(name, options = {}) {
  const apiKey = await rig.weir.createKey(name, options);
  return { client: new Anthropic({ baseURL: rig.weir.url, apiKey, authToken: null, maxRetries: 0 }), apiKey };
}

test('count_tokens: answered by the provider, charged as a request, free of tokens', async () => {
  const { client, apiKey } = await clientFor('count');
  const answer = await client.messages.countTokens({ model: 'mockc-ok', messages });
  assert.equal(answer.input_tokens, 7);
  const row = await rig.row('count');
  assert.deepEqual([row.route, row.input_tokens, row.output_tokens, row.usd_micros], ['/v1/messages/count_tokens', 0, 0, 0]);
  const limits = Object.fromEntries((await rig.weir.me(apiKey)).limits.map((limit) => [limit.name, limit]));
  assert.deepEqual([limits.requests.used, limits.tokens.used, limits.tokens.reserved], [1, 0, 0]);
});

// 7 words of input: 2 read from the cache ($0.50), 1 written to it ($4), 1 for an hour ($6), 3 plain ($3): 20; the output
// is 4 words and 6 thought tokens at $15: 150.
for (const stream of [false, true]) {
  test(`cache and thinking tokens, ${stream ? 'streamed' : 'whole'}: right to the token and the micro-dollar`, async () => {
    const name = `cache-${stream}`;
    const { client } = await clientFor(name);
    const body = { model: 'mockc-out=4+think=6+cached=2+written=1+hour=1', max_tokens: 2000, messages,
      thinking: { type: 'enabled', budget_tokens: 1024 } };
    const answer = stream ? await client.messages.stream(body).finalMessage() : await client.messages.create(body);
    assert.equal(countTokens(answer.content.filter((block) => block.type === 'text')), 4);
    assert.equal(answer.usage.output_tokens, 10);
    const row = await rig.row(name);
    assert.deepEqual([row.input_tokens, row.cached_tokens, row.cache_write_tokens, row.output_tokens, row.reasoning_tokens,
      row.usd_micros, row.settled], [7, 2, 2, 10, 6, 170, 'usage']);
    assert.equal(rig.seen(body.model).at(-1).header('x-api-key'), 'upstream-anthropic-credential');
  });
}

test('a stream that its budget ends is an APIError', async () => {
  const { client, apiKey } = await clientFor('cut', { tier: 'cut' });
  const stream = client.messages.stream({ model: 'mockc-out=2000', max_tokens: 2000, messages });
  let text = '';
  stream.on('text', (delta) => { text += delta; });
  await assert.rejects(stream.finalMessage(), (error) => {
    assert.ok(error instanceof Anthropic.APIError, error.constructor.name);
    assert.match(error.message, /rate_limit_error/);
    return true;
  });
  assert.ok(countTokens(text) > 100, `${countTokens(text)} words before`);
  const row = await rig.row('cut');
  assert.equal(row.settled, 'counted');
  assert.equal(row.input_tokens + row.output_tokens, await rig.settledWithin(apiKey, 300));
});

test('a refused stream and a refused count are RateLimitErrors', async () => {
  const { client } = await clientFor('closed', { tier: 'closed' });
  await client.messages.create({ model: 'mockc-out=1', max_tokens: 5, messages });
  for (const call of [
    () => client.messages.create({ model: 'mockc-out=1', max_tokens: 5, messages, stream: true }),
    () => client.messages.countTokens({ model: 'mockc-ok', messages }),
  ]) {
    await assert.rejects(call(), (error) => {
      assert.ok(error instanceof Anthropic.RateLimitError, error.constructor.name);
      assert.equal(error.error.error.weir.limit, 'requests');
      return true;
    });
  }
});
