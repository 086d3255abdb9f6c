// One agent for each official client: the same loop over five ways to say it. The clients are unmodified; only URL and
// key are theirs to know, and no header is set.
//
//   for (const sdk of kSdkAgents) {
//     const talk = sdk.talk(weir.url, key, { prompt: 'How cold is it?', tools: ['lookup'] });
//     const { calls, finish, headers } = await talk.ask({ stream: false });   // calls: [{ name, arguments }]
//     talk.answer(calls, (call) => '12 degrees');
//   }
//
// A talk remembers what was said. `cut` and `called` are the finish reasons of a turn without and with calls.
import { createRequire } from 'node:module';

const require = createRequire(new URL('../clients/package.json', import.meta.url));
const OpenAI = require('openai');
const Anthropic = require('@anthropic-ai/sdk');
const { GoogleGenAI } = await import(new URL('../clients/node_modules/@google/genai/dist/node/index.mjs', import.meta.url));
const { Ollama } = require('ollama');

const parameters = { type: 'object', properties: {} };
const functions = (tools) => tools.map((name) => ({ type: 'function', function: { name, description: name, parameters } }));

// The headers of the last answer, as the client's own fetch saw them.
function listening(last) {
  const plain = globalThis.fetch;
  return async (...args) => {
    const response = await plain(...args);
    last.headers = response.headers;
    return response;
  };
}

function chat(url, apiKey, { prompt, tools }) {
  const last = {};
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0, fetch: listening(last) });
  const messages = [{ role: 'user', content: prompt }];
  return {
    async ask({ stream, model = 'mock-out=3' }) {
      const request = { model, messages, tools: functions(tools) };
      const answer = stream ? await client.chat.completions.stream(request).finalChatCompletion() : await client.chat.completions.create(request);
      const [choice] = answer.choices;
      messages.push({ role: 'assistant', content: choice.message.content, ...(choice.message.tool_calls?.length ? { tool_calls: choice.message.tool_calls } : {}) });
      const calls = (choice.message.tool_calls ?? []).map((call) => ({ id: call.id, name: call.function.name, arguments: JSON.parse(call.function.arguments) }));
      return { calls, finish: choice.finish_reason, headers: last.headers };
    },
    answer(calls, execute) {
      for (const call of calls) messages.push({ role: 'tool', tool_call_id: call.id, content: execute(call) });
    },
  };
}

function responses(url, apiKey, { prompt, tools }) {
  const last = {};
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0, fetch: listening(last) });
  let input = [{ role: 'user', content: prompt }];
  let previous;
  return {
    async ask({ stream, model = 'mock-out=3' }) {
      const request = { model, input, previous_response_id: previous,
        tools: tools.map((name) => ({ type: 'function', name, parameters, strict: false })) };
      const answer = stream ? await client.responses.stream(request).finalResponse() : await client.responses.create(request);
      previous = answer.id;
      input = [];
      const calls = answer.output.filter((item) => item.type === 'function_call')
        .map((item) => ({ id: item.call_id, name: item.name, arguments: JSON.parse(item.arguments) }));
      return { calls, finish: answer.status, headers: last.headers };
    },
    answer(calls, execute) {
      for (const call of calls) input.push({ type: 'function_call_output', call_id: call.id, output: execute(call) });
    },
  };
}

function messages(url, apiKey, { prompt, tools }) {
  const last = {};
  const client = new Anthropic({ baseURL: url, apiKey, maxRetries: 0, fetch: listening(last) });
  const history = [{ role: 'user', content: prompt }];
  return {
    async ask({ stream, model = 'mockc-out=3' }) {
      const request = { model, max_tokens: 100, messages: history, tools: tools.map((name) => ({ name, input_schema: parameters })) };
      const answer = stream ? await client.messages.stream(request).finalMessage() : await client.messages.create(request);
      history.push({ role: 'assistant', content: answer.content });
      const calls = answer.content.filter((block) => block.type === 'tool_use')
        .map((block) => ({ id: block.id, name: block.name, arguments: block.input }));
      return { calls, finish: answer.stop_reason, headers: last.headers };
    },
    answer(calls, execute) {
      history.push({ role: 'user', content: calls.map((call) => ({ type: 'tool_result', tool_use_id: call.id, content: execute(call) })) });
    },
  };
}

function gemini(url, apiKey, { prompt, tools }) {
  const client = new GoogleGenAI({ apiKey, httpOptions: { baseUrl: url } });
  const contents = [{ role: 'user', parts: [{ text: prompt }] }];
  return {
    async ask({ stream, model = 'mockg-out=3' }) {
      const request = { model, contents, config: { tools: [{ functionDeclarations: tools.map((name) => ({ name, description: name })) }] } };
      const parts = [];
      let finish;
      const last = {};
      const plain = globalThis.fetch;   // this client takes no other
      globalThis.fetch = listening(last);
      let chunks;
      try {
        chunks = stream ? await client.models.generateContentStream(request) : [await client.models.generateContent(request)];
      } finally {
        globalThis.fetch = plain;
      }
      for await (const chunk of chunks) {
        parts.push(...(chunk.candidates?.[0]?.content?.parts ?? []));
        finish = chunk.candidates?.[0]?.finishReason ?? finish;
      }
      contents.push({ role: 'model', parts: parts.length > 0 ? parts : [{ text: '' }] });
      const calls = parts.filter((part) => part.functionCall).map(({ functionCall }) => ({ name: functionCall.name, arguments: functionCall.args }));
      return { calls, finish, headers: last.headers };
    },
    answer(calls, execute) {
      contents.push({ role: 'user', parts: calls.map((call) => ({ functionResponse: { name: call.name, response: { output: execute(call) } } })) });
    },
  };
}

function ollama(url, apiKey, { prompt, tools }) {
  const last = {};
  const client = new Ollama({ host: url, headers: { Authorization: `Bearer ${apiKey}` }, fetch: listening(last) });
  const history = [{ role: 'user', content: prompt }];
  return {
    async ask({ stream, model = 'mocko-out=3' }) {
      const request = { model, messages: history, tools: functions(tools), stream };
      const message = { role: 'assistant', content: '', tool_calls: [] };
      let finish;
      for await (const part of stream ? await client.chat(request) : [await client.chat(request)]) {
        message.content += part.message.content;
        message.tool_calls.push(...(part.message.tool_calls ?? []));
        finish = part.done ? part.done_reason : finish;
      }
      history.push(message);
      return { calls: message.tool_calls.map((call) => call.function), finish, headers: last.headers };
    },
    answer(calls, execute) {
      for (const call of calls) history.push({ role: 'tool', tool_name: call.name, content: execute(call) });
    },
  };
}

export const kSdkAgents = [
  { name: 'openai chat', talk: chat, called: 'tool_calls', cut: 'stop' },
  { name: 'openai responses', talk: responses, called: 'completed', cut: 'completed' },
  { name: 'anthropic messages', talk: messages, called: 'tool_use', cut: 'end_turn' },
  { name: 'google genai', talk: gemini, called: 'STOP', cut: 'STOP' },
  { name: 'ollama chat', talk: ollama, called: 'stop', cut: 'stop' },
];
