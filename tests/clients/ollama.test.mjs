// The official `ollama` package, unmodified: only host and key are changed.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Ollama } from 'ollama';
import { countTokens } from '../mock/provider.mjs';
import { startRig } from '../support/clients.mjs';

let rig;
before(async () => { rig = await startRig(); });
after(() => rig?.close());

const messages = [{ role: 'user', content: 'one two three' }];

async function clientFor(name, options = {}) {
  const apiKey = await rig.weir.createKey(name, options);
  return { client: new Ollama({ host: rig.weir.url, headers: { Authorization: `Bearer ${apiKey}` } }), apiKey };
}
const counted = (row) => [row.route, row.input_tokens, row.output_tokens, row.usd_micros, row.settled];

test('chat, generate and embed: metered, the credential is replaced', async () => {
  const { client } = await clientFor('whole');
  const chat = await client.chat({ model: 'mocko-out=7', messages });
  assert.equal(countTokens(chat.message.content), 7);
  const generated = await client.generate({ model: 'mocko-out=5', prompt: 'one two', options: { num_predict: 3 } });
  assert.equal(countTokens(generated.response), 3);
  const vectors = await client.embed({ model: 'mocko-embed', input: ['a b', 'c d'] });
  assert.deepEqual(vectors.embeddings[1], [0.25, -0.5, 0.75]);
  assert.equal(rig.seen('mocko-out=7')[0].header('authorization'), 'Bearer upstream-ollama-credential');
  const rows = await rig.rows('whole', 3);
  assert.deepEqual(rows.map(counted).sort((a, b) => a[0].localeCompare(b[0])), [
    ['/api/chat', 3, 7, 31, 'usage'], ['/api/embed', 4, 0, 4, 'usage'], ['/api/generate', 2, 3, 14, 'usage']]);
});

test('streams of chat and generate', async () => {
  const { client } = await clientFor('stream');
  let text = '';
  for await (const part of await client.chat({ model: 'mocko-out=9+split', messages, stream: true })) text += part.message.content;
  assert.equal(countTokens(text), 9);
  text = '';
  for await (const part of await client.generate({ model: 'mocko-out=8', prompt: 'one', stream: true })) text += part.response;
  assert.equal(countTokens(text), 8);
  const rows = await rig.rows('stream', 2);
  assert.deepEqual(rows.map(counted).sort((a, b) => a[0].localeCompare(b[0])), [
    ['/api/chat', 3, 9, 39, 'usage'], ['/api/generate', 1, 8, 33, 'usage']]);
});

test('a refusal: ResponseError with 429', async () => {
  const { client } = await clientFor('closed', { tier: 'closed' });
  await client.chat({ model: 'mocko-out=1', messages });
  for (const call of [
    () => client.chat({ model: 'mocko-out=1', messages }),
    () => client.chat({ model: 'mocko-out=1', messages, stream: true }),
    () => client.generate({ model: 'mocko-out=1', prompt: 'one' }),
    () => client.embed({ model: 'mocko-embed', input: 'one' }),
  ]) {
    await assert.rejects(call(), (error) => {
      assert.equal(error.name, 'ResponseError');
      assert.equal(error.status_code, 429);
      assert.match(error.message, /requests/, 'it names the limit');
      return true;
    });
  }
});

test('a stream that its budget ends is an error', async () => {
  for (const [name, open] of Object.entries({
    chat: (client) => client.chat({ model: 'mocko-out=2000', messages, stream: true, options: { num_predict: 2000 } }),
    generate: (client) => client.generate({ model: 'mocko-out=2000', prompt: 'one two three', stream: true }),
  })) {
    const { client, apiKey } = await clientFor(`cut-${name}`, { tier: 'cut' });
    let parts = 0;
    await assert.rejects(async () => { for await (const part of await open(client)) parts += part.done ? 0 : 1; }, /tokens/);
    assert.ok(parts > 100, `${parts} parts before`);
    const row = await rig.row(`cut-${name}`);
    assert.equal(row.settled, 'counted');
    assert.equal(row.input_tokens + row.output_tokens, await rig.settledWithin(apiKey, 300));
  }
});
