// The official `@anthropic-ai/sdk` package, unmodified: only base URL and key are changed.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { countTokens, startProvider } from '../mock/provider.mjs';
import { eventually, mockConfig, startWeir } from '../support/weir.mjs';

let provider;
let weir;

before(async () => {
  provider = await startProvider();
  weir = await startWeir(mockConfig(provider, {
    limits: [
      { name: 'requests', per: 'key', meter: 'requests', allow: { free: '500/1m', tight: '1/2s', closed: '1/1h' } },
      { name: 'tokens', per: 'key', meter: 'tokens', allow: '1M/1h' },
    ],
    tiers: { free: { weight: 1 }, tight: { weight: 1 }, closed: { weight: 1 } },
  }));
});
after(async () => {
  await weir?.stop();
  await provider?.close();
});

const messages = [{ role: 'user', content: 'one two three' }];

async function clientFor(name, options = {}) {
  const { tier, ...rest } = options;
  const apiKey = rest.apiKey ?? await weir.createKey(name, { tier });
  const attempts = [];
  const client = new Anthropic({
    baseURL: weir.url,
    maxRetries: 0,
    ...rest,
    apiKey,
    authToken: null,
    fetch: async (url, init) => {
      const began = Date.now();
      const response = await fetch(url, init);
      attempts.push({ began, status: response.status, headers: response.headers });
      return response;
    },
  });
  return { client, attempts, apiKey };
}

async function usageOf(key) {
  const rows = await weir.usage((all) => all.some((row) => row.key === key));
  return rows.filter((row) => row.key === key);
}

test('messages: metered, credential replaced, version header kept', async () => {
  const { client, attempts, apiKey } = await clientFor('messages');
  const answer = await client.messages.create({ model: 'mockc-out=7', max_tokens: 100, system: 'be brief', messages });
  assert.equal(countTokens(answer.content[0].text), 7);
  assert.deepEqual([answer.usage.input_tokens, answer.usage.output_tokens], [5, 7]);
  const seen = provider.requests.find((request) => request.json?.model === 'mockc-out=7');
  assert.equal(seen.header('x-api-key'), 'upstream-anthropic-credential');
  assert.ok(seen.header('anthropic-version'));
  assert.ok(!JSON.stringify(seen.headers).includes(apiKey), "Weir's key does not go upstream");
  assert.equal(attempts[0].headers.get('x-weir-tokens'), '12');
  assert.equal(attempts[0].headers.get('x-weir-cost-usd'), '0.000120');
  assert.ok(attempts[0].headers.get('anthropic-ratelimit-requests-limit'));
  const [row] = await usageOf('messages');
  assert.deepEqual([row.input_tokens, row.output_tokens, row.usd_micros, row.settled, row.provider], [5, 7, 120, 'usage', 'claude']);
});

test('streaming', async () => {
  const { client } = await clientFor('stream');
  const stream = client.messages.stream({ model: 'mockc-out=9+split', max_tokens: 50, messages });
  let text = '';
  stream.on('text', (delta) => { text += delta; });
  const final = await stream.finalMessage();
  assert.equal(countTokens(text), 9);
  assert.equal(final.usage.output_tokens, 9);
  assert.equal(final.stop_reason, 'end_turn');
  const [row] = await usageOf('stream');
  assert.deepEqual([row.input_tokens, row.output_tokens, row.settled], [3, 9, 'usage']);
});

test('tools in the request', async () => {
  const { client } = await clientFor('tools');
  const tools = [{ name: 'get_weather', description: 'by city', input_schema: { type: 'object', properties: {} } }];
  const answer = await client.messages.create({ model: 'mockc-out=2', max_tokens: 20, messages, tools });
  assert.equal(answer.stop_reason, 'tool_use');
  assert.equal(answer.content[0].name, 'get_weather');
  assert.deepEqual(provider.requests.find((request) => request.json?.tools).json.tools, tools);
});

test('a short refusal: RateLimitError, then a patient client gets through', async () => {
  const { client, apiKey } = await clientFor('tight', { tier: 'tight' });
  const ask = { model: 'mockc-out=1', max_tokens: 5, messages };
  await client.messages.create(ask);
  await assert.rejects(client.messages.create(ask), (error) => {
    assert.ok(error instanceof Anthropic.RateLimitError, error.constructor.name);
    assert.equal(error.error.type, 'error');
    assert.equal(error.error.error.type, 'rate_limit_error');
    assert.equal(error.error.error.weir.limit, 'requests');
    assert.ok(Number(error.headers.get('retry-after')) >= 1);
    return true;
  });
  const patient = await clientFor('tight', { apiKey, maxRetries: 3 });
  const before = provider.requests.length;
  await patient.client.messages.create(ask);
  assert.equal(patient.attempts.at(-1).status, 200);
  assert.ok(patient.attempts.length <= 2, 'one wait is enough');
  assert.equal(provider.requests.length, before + 1);
});

test('a long refusal: not retried', async () => {
  const { client, attempts } = await clientFor('closed', { tier: 'closed', maxRetries: 4 });
  const ask = { model: 'mockc-out=1', max_tokens: 5, messages };
  await client.messages.create(ask);
  await assert.rejects(client.messages.create(ask), (error) => {
    assert.ok(error instanceof Anthropic.RateLimitError);
    assert.equal(error.headers.get('x-should-retry'), 'false');
    return true;
  });
  assert.deepEqual(attempts.map((attempt) => attempt.status), [200, 429]);
});

test('a wrong key: AuthenticationError', async () => {
  const { client } = await clientFor('wrong', { apiKey: 'weir_000000000000000000000000_000000' });
  await assert.rejects(client.messages.create({ model: 'mockc-out=1', max_tokens: 5, messages }), (error) => {
    assert.ok(error instanceof Anthropic.AuthenticationError, error.constructor.name);
    assert.equal(error.error.error.type, 'authentication_error');
    return true;
  });
});

test('an unknown model: NotFoundError', async () => {
  const { client } = await clientFor('unknown-model');
  await assert.rejects(client.messages.create({ model: 'nobody-1', max_tokens: 5, messages }), (error) => {
    assert.ok(error instanceof Anthropic.NotFoundError, error.constructor.name);
    assert.equal(error.error.error.type, 'not_found_error');
    return true;
  });
});

test('an aborted stream: the upstream call is cancelled, what was produced is charged', async () => {
  const { client } = await clientFor('abort');
  const model = 'mockc-out=4000+slow=5';
  const stream = await client.messages.create({ model, max_tokens: 4000, messages, stream: true });
  let deltas = 0;
  for await (const event of stream) {
    deltas += event.type === 'content_block_delta' ? 1 : 0;
    if (deltas === 5) break;
  }
  const seen = provider.requests.find((request) => request.json?.model === model);
  await eventually(() => seen.aborted, 'the provider sees the connection close');
  const [row] = await usageOf('abort');
  assert.equal(row.settled, 'counted');
  assert.equal(row.input_tokens, 3, 'the input side was reported at the start of the stream');
  assert.ok(row.output_tokens >= 5 && row.output_tokens <= 4000, `charged ${row.output_tokens}`);
});
