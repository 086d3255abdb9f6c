// Calls of tools, as each dialect's model announces them: parts of whole answers and events of streams.
//
//   provider.script = (seen) => [{ name: 'lookup', arguments: { city: 'Oslo' }, id: 'call_7' }];
//
// `script` is asked once for each request of a chat endpoint. It answers the calls to announce (`id` may be left out;
// `arguments` is a value, or text that is sent as it is), [] for an answer in words, or undefined for what the mock does
// without a script. It may be async.
let made = 0;

const kPieces = 3;   // arguments arrive in so many fragments

export async function scriptedCalls(provider, seen) {
  const calls = await provider.script?.(seen);
  return calls?.map((call) => ({
    id: call.id ?? `call_${made += 1}`, name: call.name, value: call.arguments ?? {},
    text: typeof call.arguments === 'string' ? call.arguments : JSON.stringify(call.arguments ?? {}),
  }));
}

export const answerId = (prefix) => `${prefix}_${made += 1}`;

function pieces(text) {
  const size = Math.max(1, Math.ceil(text.length / kPieces));
  const list = [];
  for (let at = 0; at < text.length; at += size) list.push(text.slice(at, at + size));
  return list;
}

// --- chat completions

export const chatCalls = (calls) => calls.map(({ id, name, text }) => ({ id, type: 'function', function: { name, arguments: text } }));

// The choices of each chunk.
export const chatPieces = (calls) => calls.flatMap(({ id, name, text }, index) => {
  const choice = (call) => [{ index: 0, delta: { tool_calls: [{ index, ...call }] }, finish_reason: null }];
  return [choice({ id, type: 'function', function: { name, arguments: '' } }),
    ...pieces(text).map((part) => choice({ function: { arguments: part } }))];
});

// --- responses

export const responseItems = (calls) => calls.map(({ id, name, text }) => ({ id: `fc_${id}`, type: 'function_call', status: 'completed',
  call_id: id, name, arguments: text }));

// `event(type, rest)` makes one.
export const responseEvents = (calls, event) => responseItems(calls).flatMap((item, index) => {
  const where = { item_id: item.id, output_index: index };
  return [
    event('response.output_item.added', { output_index: index, item: { ...item, status: 'in_progress', arguments: '' } }),
    ...pieces(item.arguments).map((delta) => event('response.function_call_arguments.delta', { ...where, delta })),
    event('response.function_call_arguments.done', { ...where, arguments: item.arguments }),
    event('response.output_item.done', { output_index: index, item }),
  ];
});

// --- Anthropic messages

export const messageBlocks = (calls) => calls.map(({ id, name, value }) => ({ type: 'tool_use', id, name, input: value }));

export const messageEvents = (calls, event) => calls.flatMap(({ id, name, text }, index) => [
  event('content_block_start', { index, content_block: { type: 'tool_use', id, name, input: {} } }),
  ...pieces(text).map((part) => event('content_block_delta', { index, delta: { type: 'input_json_delta', partial_json: part } })),
  event('content_block_stop', { index }),
]);

// --- Gemini: complete calls, no ids

export const geminiParts = (calls) => calls.map(({ name, value }) => ({ functionCall: { name, args: value } }));

// --- Ollama: likewise

export const ollamaCalls = (calls) => calls.map(({ name, value }) => ({ function: { name, arguments: value } }));
