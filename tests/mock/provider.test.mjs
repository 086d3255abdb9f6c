// The mock itself, without Weir: the official clients understand it, and its scripted behaviours do what they say.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createRequire } from 'node:module';
import { startProvider, countTokens, parseBehaviour } from './provider.mjs';

const require = createRequire(new URL('../clients/package.json', import.meta.url));
const OpenAI = require('openai');
const Anthropic = require('@anthropic-ai/sdk');
const { GoogleGenAI } = await import(new URL('../clients/node_modules/@google/genai/dist/node/index.mjs', import.meta.url));
const { Ollama } = require('ollama');
let provider;

before(async () => { provider = await startProvider(); });
after(() => provider.close());

const ask = [{ role: 'user', content: 'one two three' }];

test('behaviours are read from the model name', () => {
  assert.deepEqual(parseBehaviour('mock-429=1.5x2+slow=5'), { out: 12, 429: 1.5, '429Times': 2, slow: 5 });
  assert.deepEqual(parseBehaviour('mockc-ok'), { out: 12, ok: true });
  assert.equal(countTokens([{ role: 'user', content: [{ type: 'text', text: 'a b' }, { type: 'text', text: 'c' }] }]), 3);
});

test('OpenAI chat, stream and embeddings', async () => {
  const client = new OpenAI({ apiKey: 'k', baseURL: `${provider.url}/v1`, maxRetries: 0 });
  const answer = await client.chat.completions.create({ model: 'mock-out=4', messages: ask });
  assert.equal(answer.usage.prompt_tokens, 3);
  assert.equal(answer.usage.completion_tokens, 4);
  assert.equal(countTokens(answer.choices[0].message.content), 4);
  let text = '';
  let usage;
  const stream = await client.chat.completions.create({
    model: 'mock-out=5+split+crlf', messages: ask, stream: true, stream_options: { include_usage: true } });
  for await (const part of stream) {
    text += part.choices[0]?.delta?.content ?? '';
    usage = part.usage ?? usage;
  }
  assert.equal(countTokens(text), 5);
  assert.equal(usage.completion_tokens, 5);
  const vectors = await client.embeddings.create({ model: 'mock-embed', input: ['a b', 'c'] });
  assert.deepEqual(vectors.data[1].embedding, [0.25, -0.5, 0.75]);
  assert.equal(vectors.usage.prompt_tokens, 3);
});

test('Anthropic messages and stream', async () => {
  const client = new Anthropic({ apiKey: 'k', baseURL: provider.url, maxRetries: 0 });
  const answer = await client.messages.create({ model: 'mockc-out=4', max_tokens: 3, messages: ask });
  assert.equal(answer.usage.output_tokens, 3);
  const final = await client.messages.stream({ model: 'mockc-out=6', max_tokens: 100, messages: ask }).finalMessage();
  assert.equal(final.usage.output_tokens, 6);
  assert.equal(countTokens(final.content[0].text), 6);
});

test('failures: 429 with a wait for the first times, cut, gzip', async () => {
  const client = new OpenAI({ apiKey: 'k', baseURL: `${provider.url}/v1`, maxRetries: 2 });
  const seen = provider.requests.length;
  await client.chat.completions.create({ model: 'mock-429=0.01x2', messages: ask });
  assert.equal(provider.requests.length, seen + 3);
  await assert.rejects(client.chat.completions.create({ model: 'mock-cut', messages: ask }, { maxRetries: 0 }));
  const zipped = await client.chat.completions.create({ model: 'mock-gzip', messages: ask });
  assert.equal(zipped.usage.completion_tokens, 12);
});

test('responses and completions', async () => {
  const client = new OpenAI({ apiKey: 'k', baseURL: `${provider.url}/v1`, maxRetries: 0 });
  const answer = await client.responses.create({ model: 'mock-out=4+think=2', input: 'one two three' });
  assert.deepEqual([answer.usage.input_tokens, answer.usage.output_tokens, countTokens(answer.output_text)], [3, 6, 4]);
  const final = await client.responses.stream({ model: 'mock-out=5+multiline+nospace+crlf', input: 'one' }).finalResponse();
  assert.equal(countTokens(final.output_text), 5);
  const legacy = await client.completions.create({ model: 'mock-out=5', prompt: 'one', max_tokens: 2 });
  assert.equal(legacy.usage.completion_tokens, 2);
});

test('Gemini, whole, streamed and counted', async () => {
  const client = new GoogleGenAI({ apiKey: 'k', httpOptions: { baseUrl: provider.url } });
  const answer = await client.models.generateContent({ model: 'mockg-out=4+think=3', contents: 'one two' });
  assert.deepEqual([countTokens(answer.text), answer.usageMetadata.totalTokenCount], [4, 9]);
  let text = '';
  for await (const part of await client.models.generateContentStream({ model: 'mockg-out=6', contents: 'one' })) text += part.text ?? '';
  assert.equal(countTokens(text), 6);
  assert.equal((await client.models.countTokens({ model: 'mockg-ok', contents: 'one two' })).totalTokens, 2);
  const array = await fetch(`${provider.url}/v1beta/models/mockg-out=3:streamGenerateContent`, { method: 'POST',
    body: JSON.stringify({ contents: [{ parts: [{ text: 'one' }] }] }) });
  assert.equal((await array.json()).length, 4, 'three words and the end');
});

test('Ollama, whole and streamed', async () => {
  const client = new Ollama({ host: provider.url });
  assert.equal((await client.chat({ model: 'mocko-out=4', messages: ask })).eval_count, 4);
  let last;
  for await (const part of await client.generate({ model: 'mocko-out=5+split', prompt: 'one two', stream: true })) last = part;
  assert.deepEqual([last.prompt_eval_count, last.eval_count], [2, 5]);
  assert.equal((await client.embed({ model: 'mocko-embed', input: ['a b'] })).prompt_eval_count, 2);
});

test('damage: an error inside a stream, an early end, usage twice, in the wrong place and negative', async () => {
  const post = async (script, more) => (await fetch(`${provider.url}/v1/chat/completions`, { method: 'POST',
    body: JSON.stringify({ model: `mock-${script}`, messages: ask, ...more }) })).text();
  const streamed = { stream: true, stream_options: { include_usage: true } };
  assert.match(await post('errormid', streamed), /"error":\{[^\n]*\n\n$/);
  const early = await post('early', streamed);
  assert.ok(!early.includes('[DONE]') && !early.includes('"usage":{'));
  assert.equal((await post('dupusage')).split('"usage":{').length, 3);
  assert.equal((await post('dupusage', streamed)).split('"usage":{').length, 3);
  assert.equal(JSON.parse(await post('wrongusage')).statistics.usage.completion_tokens, 12);
  assert.equal(JSON.parse(await post('negusage')).usage.completion_tokens, -12);
  await assert.rejects(post('cutat=20'));
});

test('scripted calls of tools, in every dialect, whole and streamed', async () => {
  const wanted = [{ id: 'call_a', name: 'lookup', arguments: { city: 'Oslo' } }, { id: 'call_b', name: 'schedule', arguments: {} }];
  const names = wanted.map((call) => call.name);
  provider.script = () => wanted;
  const gpt = new OpenAI({ apiKey: 'k', baseURL: `${provider.url}/v1`, maxRetries: 0 });
  const chat = { model: 'mock-ok', messages: ask };
  for (const { choices: [choice] } of [await gpt.chat.completions.create(chat), await gpt.chat.completions.stream(chat).finalChatCompletion()]) {
    assert.equal(choice.finish_reason, 'tool_calls');
    assert.deepEqual(choice.message.tool_calls.map((call) => [call.id, call.function.name]), [['call_a', 'lookup'], ['call_b', 'schedule']]);
    assert.equal(choice.message.tool_calls[0].function.arguments, '{"city":"Oslo"}');
  }
  const response = { model: 'mock-ok', input: 'one' };
  for (const { output } of [await gpt.responses.create(response), await gpt.responses.stream(response).finalResponse()]) {
    assert.deepEqual(output.map((item) => [item.type, item.name]), names.map((name) => ['function_call', name]));
  }
  const claude = new Anthropic({ apiKey: 'k', baseURL: provider.url, maxRetries: 0 });
  const message = { model: 'mockc-ok', max_tokens: 50, messages: ask };
  for (const answer of [await claude.messages.create(message), await claude.messages.stream(message).finalMessage()]) {
    assert.equal(answer.stop_reason, 'tool_use');
    assert.deepEqual(answer.content.map((block) => [block.name, block.input]), [['lookup', { city: 'Oslo' }], ['schedule', {}]]);
  }
  const gemini = new GoogleGenAI({ apiKey: 'k', httpOptions: { baseUrl: provider.url } });
  const turn = { model: 'mockg-ok', contents: 'one' };
  assert.deepEqual((await gemini.models.generateContent(turn)).functionCalls.map((call) => call.name), names);
  const seen = [];
  for await (const part of await gemini.models.generateContentStream(turn)) seen.push(...(part.functionCalls ?? []));
  assert.deepEqual(seen.map((call) => call.name), names);
  const llama = new Ollama({ host: provider.url });
  assert.deepEqual((await llama.chat({ model: 'mocko-ok', messages: ask })).message.tool_calls.map((call) => call.function.name), names);
  provider.script = () => [];
  assert.equal((await gpt.chat.completions.create({ ...chat, tools: [{ type: 'function', function: { name: 'lookup' } }] })).choices[0].finish_reason, 'stop');
  provider.script = undefined;
});
