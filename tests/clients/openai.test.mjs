// The official `openai` package, unmodified: only base URL and key are changed.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import OpenAI from 'openai';
import { countTokens, startProvider } from '../mock/provider.mjs';
import { eventually, mockConfig, startWeir } from '../support/weir.mjs';

let provider;
let weir;

before(async () => {
  provider = await startProvider();
  weir = await startWeir(mockConfig(provider, {
    limits: [
      { name: 'requests', per: 'key', meter: 'requests', allow: { free: '500/1m', tight: '2/2s', closed: '1/1h' } },
      { name: 'tokens', per: 'key', meter: 'tokens', allow: '1M/1h' },
    ],
    tiers: { free: { weight: 1 }, tight: { weight: 1 }, closed: { weight: 1 } },
  }));
});
after(async () => {
  await weir?.stop();
  await provider?.close();
});

const messages = [{ role: 'system', content: 'be brief' }, { role: 'user', content: 'one two three' }];

// A client that also counts the attempts it makes.
async function clientFor(name, options = {}) {
  const { tier, ...rest } = options;
  const apiKey = rest.apiKey ?? await weir.createKey(name, { tier });
  const attempts = [];
  const client = new OpenAI({
    baseURL: `${weir.url}/v1`,
    maxRetries: 0,
    ...rest,
    apiKey,
    fetch: async (url, init) => {
      const began = Date.now();
      const response = await fetch(url, init);
      attempts.push({ began, status: response.status, headers: response.headers });
      return response;
    },
  });
  return { client, attempts, apiKey };
}

test('chat: the answer passes unchanged and is metered', async () => {
  const { client, attempts } = await clientFor('chat');
  const answer = await client.chat.completions.create({ model: 'mock-out=7', messages, temperature: 0.5 });
  assert.equal(countTokens(answer.choices[0].message.content), 7);
  assert.deepEqual([answer.usage.prompt_tokens, answer.usage.completion_tokens], [5, 7]);
  const seen = provider.requests.find((request) => request.json?.model === 'mock-out=7');
  assert.deepEqual(seen.json, { model: 'mock-out=7', messages, temperature: 0.5 });
  assert.equal(seen.header('authorization'), 'Bearer upstream-openai-credential');
  assert.equal(attempts[0].headers.get('x-weir-tokens'), '12');
  // 5 input tokens at $1 and 7 output tokens at $2 per million.
  assert.equal(attempts[0].headers.get('x-weir-cost-usd'), '0.000019');
  const [row] = await weir.usage((rows) => rows.some((r) => r.key === 'chat')).then((rows) => rows.filter((r) => r.key === 'chat'));
  assert.deepEqual([row.input_tokens, row.output_tokens, row.usd_micros, row.settled, row.status], [5, 7, 19, 'usage', 200]);
});

test('streaming: text arrives, usage stays hidden when it was not asked for', async () => {
  const { client } = await clientFor('stream');
  const stream = await client.chat.completions.create({ model: 'mock-out=9', messages, stream: true });
  let text = '';
  for await (const part of stream) {
    assert.equal(part.usage ?? null, null);
    assert.ok(part.choices.length > 0, 'the usage chunk is hidden');
    text += part.choices[0].delta.content ?? '';
  }
  assert.equal(countTokens(text), 9);
  const seen = provider.requests.find((request) => request.json?.model === 'mock-out=9');
  assert.equal(seen.json.stream_options.include_usage, true, 'include_usage is forced upstream');
  const rows = await weir.usage((all) => all.some((row) => row.key === 'stream'));
  const row = rows.find((r) => r.key === 'stream');
  assert.deepEqual([row.input_tokens, row.output_tokens, row.settled], [5, 9, 'usage']);
});

test('streaming with usage: the client gets the chunk it asked for', async () => {
  const { client } = await clientFor('stream-usage');
  const stream = await client.chat.completions.create({
    model: 'mock-out=6', messages, stream: true, stream_options: { include_usage: true } });
  let usage;
  for await (const part of stream) usage = part.usage ?? usage;
  assert.equal(usage.completion_tokens, 6);
});

test('tools in the request reach the provider, the call reaches the client', async () => {
  const { client } = await clientFor('tools');
  const tools = [{ type: 'function', function: { name: 'get_weather', description: 'by city',
    parameters: { type: 'object', properties: { city: { type: 'string' } } } } }];
  const answer = await client.chat.completions.create({ model: 'mock-out=3', messages, tools });
  assert.equal(answer.choices[0].finish_reason, 'tool_calls');
  assert.equal(answer.choices[0].message.tool_calls[0].function.name, 'get_weather');
  const seen = provider.requests.find((request) => request.json?.tools);
  assert.deepEqual(seen.json.tools, tools);
});

test('embeddings', async () => {
  const { client, attempts } = await clientFor('embeddings');
  const answer = await client.embeddings.create({ model: 'mock-embed', input: ['one two', 'three'] });
  assert.deepEqual(answer.data.map((item) => item.embedding), [[0.25, -0.5, 0.75], [0.25, -0.5, 0.75]]);
  assert.equal(attempts[0].headers.get('x-weir-tokens'), '3');
  const rows = await weir.usage((all) => all.some((row) => row.key === 'embeddings'));
  const row = rows.find((r) => r.key === 'embeddings');
  assert.deepEqual([row.input_tokens, row.output_tokens, row.settled], [3, 0, 'usage']);
});

test('a short refusal: RateLimitError, and a client with retries waits what it was told and gets through', async () => {
  const { client, attempts, apiKey } = await clientFor('tight', { tier: 'tight' });
  const ask = { model: 'mock-out=1', messages };
  await client.chat.completions.create(ask);
  await client.chat.completions.create(ask);
  await assert.rejects(client.chat.completions.create(ask), (error) => {
    assert.ok(error instanceof OpenAI.RateLimitError, error.constructor.name);
    assert.equal(error.status, 429);
    assert.equal(error.code, 'rate_limit_exceeded');
    assert.equal(error.error.weir.limit, 'requests');
    assert.ok(error.error.weir.retry_after > 0 && error.error.weir.retry_after <= 2.1);
    assert.ok(Number(error.headers.get('retry-after')) >= error.error.weir.retry_after);
    assert.ok(Number(error.headers.get('retry-after-ms')) >= error.error.weir.retry_after * 1000 - 1);
    assert.equal(error.headers.get('x-should-retry'), null);
    return true;
  });
  assert.equal(attempts.length, 3, 'maxRetries: 0 makes one attempt per call');

  const patient = await clientFor('tight', { apiKey, maxRetries: 3 });
  const before = provider.requests.length;
  await patient.client.chat.completions.create(ask);
  const [refused, last] = [patient.attempts[0], patient.attempts.at(-1)];
  assert.equal(last.status, 200);
  assert.equal(provider.requests.length, before + 1, 'refused attempts never reach the provider');
  if (patient.attempts.length > 1) {
    assert.equal(refused.status, 429);
    assert.equal(patient.attempts.length, 2, 'one wait is enough: the wait is true');
    const waited = patient.attempts[1].began - refused.began;
    assert.ok(waited >= Number(refused.headers.get('retry-after-ms')) - 5, `waited only ${waited} ms`);
  }
});

test('a long refusal: not retried', async () => {
  const { client, attempts } = await clientFor('closed', { tier: 'closed', maxRetries: 4 });
  await client.chat.completions.create({ model: 'mock-out=1', messages });
  await assert.rejects(client.chat.completions.create({ model: 'mock-out=1', messages }), (error) => {
    assert.ok(error instanceof OpenAI.RateLimitError);
    assert.equal(error.code, 'insufficient_quota');
    assert.equal(error.type, 'insufficient_quota');
    assert.equal(error.headers.get('x-should-retry'), 'false');
    return true;
  });
  assert.deepEqual(attempts.map((attempt) => attempt.status), [200, 429]);
  const audit = await weir.audit((rows) => rows.some((row) => row.key === 'closed'));
  const row = audit.find((r) => r.key === 'closed');
  assert.deepEqual([row.event, row.limit, row.layer, row.count], ['refused', 'requests', 'rate', 1]);
});

test('a wrong key: AuthenticationError', async () => {
  for (const apiKey of ['weir_000000000000000000000000_000000', 'sk-something-else']) {
    const { client } = await clientFor('wrong', { apiKey });
    await assert.rejects(client.chat.completions.create({ model: 'mock-out=1', messages }), (error) => {
      assert.ok(error instanceof OpenAI.AuthenticationError, error.constructor.name);
      assert.equal(error.status, 401);
      assert.ok(!JSON.stringify(error.error).includes(apiKey), 'the key is not echoed');
      return true;
    });
  }
});

test('an unknown model: NotFoundError with model_not_found', async () => {
  const { client } = await clientFor('unknown-model');
  await assert.rejects(client.chat.completions.create({ model: 'nobody-1', messages }), (error) => {
    assert.ok(error instanceof OpenAI.NotFoundError, error.constructor.name);
    assert.equal(error.code, 'model_not_found');
    return true;
  });
});

test('an aborted stream: the upstream call is cancelled, what was produced is charged', async () => {
  const { client } = await clientFor('abort');
  const model = 'mock-out=4000+slow=5';
  const stream = await client.chat.completions.create({ model, messages, stream: true, max_tokens: 4000 });
  let chunks = 0;
  for await (const part of stream) {
    chunks += part.choices[0]?.delta?.content ? 1 : 0;
    if (chunks === 5) break;                      // leaving the loop aborts the request
  }
  const seen = provider.requests.find((request) => request.json?.model === model);
  await eventually(() => seen.aborted, 'the provider sees the connection close');
  assert.ok(seen.output < 4000);
  const rows = await weir.usage((all) => all.some((row) => row.key === 'abort'));
  const row = rows.find((r) => r.key === 'abort');
  assert.equal(row.settled, 'counted');
  assert.ok(row.output_tokens >= 5, `charged ${row.output_tokens} of at least 5`);
  assert.ok(row.output_tokens <= 4000);
  const me = await weir.me((await clientFor('abort-2')).apiKey);
  assert.equal(me.limits.find((limit) => limit.name === 'tokens').reserved, 0);
});

test("the provider's own refusal passes through, and the official client retries it", async () => {
  const { client, attempts } = await clientFor('upstream-429', { maxRetries: 2 });
  const model = 'mock-429=0.05x3+out=2';  // three attempts of Weir's own, then the client's
  await client.chat.completions.create({ model, messages });
  assert.deepEqual(attempts.map((attempt) => attempt.status), [429, 200]);
  const { client: once } = await clientFor('upstream-500');
  await assert.rejects(once.chat.completions.create({ model: 'mock-500', messages }), (error) => {
    assert.ok(error instanceof OpenAI.InternalServerError);
    assert.equal(error.code, 'mock_500');
    return true;
  });
  const rows = await weir.usage((all) => all.some((row) => row.key === 'upstream-500'));
  const row = rows.find((r) => r.key === 'upstream-500');
  assert.deepEqual([row.status, row.output_tokens, row.usd_micros, row.settled], [500, 0, 0, 'none']);
});

test('models: the literal names of the configuration', async () => {
  const { client } = await clientFor('models');
  const page = await client.models.list();
  assert.equal(page.object, 'list');
  assert.ok(Array.isArray(page.data));
  for (const model of page.data) assert.equal(model.object, 'model');
});
