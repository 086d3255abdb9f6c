// The official `@google/genai` package, unmodified: only base URL and key are changed.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { GoogleGenAI } from '@google/genai';
import { countTokens } from '../mock/provider.mjs';
import { startRig } from '../support/clients.mjs';

let rig;
before(async () => { rig = await startRig(); });
after(() => rig?.close());

const contents = 'one two three';

async function clientFor(name, options = {}) {
  const apiKey = await rig.weir.createKey(name, options);
  return { client: new GoogleGenAI({ apiKey, httpOptions: { baseUrl: rig.weir.url } }), apiKey };
}
const counted = (row) => [row.input_tokens, row.output_tokens, row.cached_tokens, row.reasoning_tokens, row.usd_micros, row.settled];

test('generateContent: thoughts and cached input are metered, the credential is replaced', async () => {
  const { client } = await clientFor('generate');
  const model = 'mockg-out=7+think=3+cached=2';
  const answer = await client.models.generateContent({ model, contents, config: { maxOutputTokens: 100, systemInstruction: 'be brief' } });
  assert.equal(countTokens(answer.text), 7);
  assert.equal(answer.usageMetadata.totalTokenCount, 15);
  const [seen] = rig.seen(model);
  assert.equal(seen.header('x-goog-api-key'), 'upstream-gemini-credential');
  const row = await rig.row('generate');
  // 3 input tokens at $1, 2 cached ones at $0.50, 7 + 3 output tokens at $10.
  assert.deepEqual(counted(row), [5, 10, 2, 3, 104, 'usage']);
  assert.equal(row.model, model);
});

test('generateContentStream: whole text, usage of the last chunk', async () => {
  const { client } = await clientFor('stream');
  let text = '';
  let usage;
  for await (const part of await client.models.generateContentStream({ model: 'mockg-out=9+think=4', contents })) {
    text += part.text ?? '';
    usage = part.usageMetadata ?? usage;
  }
  assert.equal(countTokens(text), 9);
  assert.equal(usage.candidatesTokenCount, 9);
  assert.deepEqual(counted(await rig.row('stream')), [3, 13, 0, 4, 133, 'usage']);
});

test('countTokens: answered, charged as a request, free of tokens', async () => {
  const { client, apiKey } = await clientFor('count');
  assert.equal((await client.models.countTokens({ model: 'mockg-ok', contents })).totalTokens, 3);
  const row = await rig.row('count');
  assert.deepEqual([row.input_tokens, row.output_tokens, row.usd_micros], [0, 0, 0]);
  assert.equal((await rig.weir.limit(apiKey)).used, 1);
});

test('a refusal: the ClientError of 429 with RESOURCE_EXHAUSTED and its wait', async () => {
  const { client } = await clientFor('closed', { tier: 'closed' });
  await client.models.generateContent({ model: 'mockg-out=1', contents });
  for (const call of [
    () => client.models.generateContent({ model: 'mockg-out=1', contents }),
    () => client.models.generateContentStream({ model: 'mockg-out=1', contents }),
    () => client.models.countTokens({ model: 'mockg-ok', contents }),
  ]) {
    await assert.rejects(call(), (error) => {
      assert.equal(error.name, 'ClientError');
      assert.match(error.message, /429/);
      assert.match(error.message, /RESOURCE_EXHAUSTED/);
      assert.match(error.message, /google\.rpc\.RetryInfo/);
      return true;
    });
  }
});

test('a wrong key and an unknown model are errors in its shape', async () => {
  const { client } = await clientFor('unknown');
  await assert.rejects(client.models.generateContent({ model: 'nobody-1', contents }), /NOT_FOUND/);
  const wrong = new GoogleGenAI({ apiKey: 'weir_000000000000000000000000_000000', httpOptions: { baseUrl: rig.weir.url } });
  await assert.rejects(wrong.models.generateContent({ model: 'mockg-out=1', contents }), /UNAUTHENTICATED/);
});

test('a stream that its budget ends is an error', async () => {
  const { client, apiKey } = await clientFor('cut', { tier: 'cut' });
  let text = '';
  await assert.rejects(async () => {
    const stream = await client.models.generateContentStream({ model: 'mockg-out=2000', contents, config: { maxOutputTokens: 2000 } });
    for await (const part of stream) text += part.text ?? '';
  }, Error);
  assert.ok(countTokens(text) > 100, `${countTokens(text)} words before`);
  const row = await rig.row('cut');
  assert.equal(row.settled, 'counted');
  assert.equal(row.input_tokens + row.output_tokens, await rig.settledWithin(apiKey, 300));
});
