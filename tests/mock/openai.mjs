// OpenAI's dialect of the mock: chat and legacy completions, responses, embeddings.
import { countTokens, shown, told, withUsage, word, words } from './behaviour.mjs';
import { answerId, chatCalls, chatPieces, responseEvents, responseItems } from './tools.mjs';
import { sendJson, sendStream } from './wire.mjs';

export const kOpenAiPaths = ['/v1/chat/completions', '/v1/completions', '/v1/responses', '/v1/embeddings'];

export function openaiError(status, message) {
  return { error: { message, type: 'mock_error', param: null, code: `mock_${status}` } };
}

export function openai(call, path) {
  if (path === '/v1/chat/completions') return completions(call, chatShape);
  if (path === '/v1/completions') return completions(call, legacyShape);
  if (path === '/v1/responses') return responses(call);
  return embeddings(call);
}

function completionUsage(behaviour, input, output) {
  const reported = told(behaviour, output);
  return {
    prompt_tokens: input, completion_tokens: reported, total_tokens: input + output,
    prompt_tokens_details: { cached_tokens: behaviour.cached ?? 0 },
    completion_tokens_details: { reasoning_tokens: behaviour.think ?? 0 },
  };
}

const chatShape = {
  id: 'chatcmpl-mock', whole: 'chat.completion', part: 'chat.completion.chunk',
  input: (request) => countTokens(request.messages),
  choice(request, output, calls) {
    const tool = calls ? undefined : request.tools?.[0]?.function?.name;
    if (calls?.length) {
      const message = { role: 'assistant', content: null, tool_calls: chatCalls(calls) };
      return { index: 0, message, logprobs: null, finish_reason: 'tool_calls' };
    }
    const message = tool
      ? { role: 'assistant', content: null, tool_calls: [{ id: 'call_1', type: 'function', function: { name: tool, arguments: '{}' } }] }
      : { role: 'assistant', content: words(output), refusal: null };
    return { index: 0, message, logprobs: null, finish_reason: tool ? 'tool_calls' : 'stop' };
  },
  begin: [{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }],
  piece: (text) => [{ index: 0, delta: { content: text }, finish_reason: null }],
  end: [{ index: 0, delta: {}, finish_reason: 'stop' }],
};

const legacyShape = {
  id: 'cmpl-mock', whole: 'text_completion', part: 'text_completion',
  input: (request) => countTokens(request.prompt),
  choice: (request, output) => ({ index: 0, text: words(output), logprobs: null, finish_reason: 'stop' }),
  piece: (text) => [{ index: 0, text, logprobs: null, finish_reason: null }],
  end: [{ index: 0, text: '', logprobs: null, finish_reason: 'stop' }],
};

async function completions(call, shape) {
  const { seen: { json: request }, behaviour } = call;
  const input = shape.input(request);
  const output = shown(behaviour, request.max_completion_tokens, request.max_tokens);
  const hidden = behaviour.think ?? 0;
  const tokens = { input, output, hidden };
  const usage = completionUsage(behaviour, input, output + hidden);
  const calls = shape === chatShape && call.calls?.length ? call.calls : undefined;
  const base = { id: call.calls ? answerId('chatcmpl') : shape.id, created: 1_700_000_000, model: request.model };
  if (!request.stream) {
    const value = { ...base, object: shape.whole, choices: [shape.choice(request, output, call.calls)] };
    return sendJson(call, withUsage(behaviour, value, 'usage', usage), 'usage', tokens);
  }
  const wantsUsage = request.stream_options?.include_usage === true;
  const chunk = (choices, more = {}) => ({ data: { ...base, object: shape.part, choices,
    ...(wantsUsage ? { usage: null } : {}), ...more } });
  const events = shape.begin ? [chunk(shape.begin)] : [];
  if (calls) events.push(...chatPieces(calls).map((choices) => chunk(choices)));
  for (let i = 0; i < output && !calls; i += 1) events.push({ ...chunk(shape.piece(word(i))), tokens: 1 });
  events.push(chunk(calls ? [{ index: 0, delta: {}, finish_reason: 'tool_calls' }] : shape.end));
  if (wantsUsage && !behaviour.nousage) events.push({ ...chunk([], withUsage(behaviour, {}, 'usage', usage)), usage: true });
  events.push({ text: '[DONE]', end: true });
  return sendStream(call, events, 'sse', tokens, { data: openaiError(500, 'mock fails midway') });
}

async function responses(call) {
  const { seen: { json: request }, behaviour } = call;
  const input = countTokens(request.input) + countTokens(request.instructions);
  const output = shown(behaviour, request.max_output_tokens);
  const hidden = behaviour.think ?? 0;
  const usage = {
    input_tokens: input, input_tokens_details: { cached_tokens: behaviour.cached ?? 0, cache_write_tokens: 0 },
    output_tokens: told(behaviour, output + hidden), output_tokens_details: { reasoning_tokens: hidden },
    total_tokens: input + output + hidden,
  };
  const tokens = { input, output, hidden };
  const calls = call.calls?.length ? call.calls : undefined;
  const base = { id: call.calls ? answerId('resp') : 'resp_mock', object: 'response', created_at: 1_700_000_000, model: request.model, error: null,
    incomplete_details: null, instructions: null, metadata: {}, parallel_tool_calls: true, temperature: 1, tool_choice: 'auto',
    tools: [], top_p: 1 };
  const item = { id: 'msg_mock', type: 'message', role: 'assistant' };
  const part = (text) => ({ type: 'output_text', text, annotations: [] });
  const done = { ...item, status: 'completed', content: [part(words(output))] };
  const whole = withUsage(behaviour, { ...base, status: 'completed', output: calls ? responseItems(calls) : [done] }, 'usage', usage);
  if (!request.stream) return sendJson(call, whole, 'usage', tokens);
  let sequence = 0;
  const event = (type, rest) => ({ event: type, data: { type, sequence_number: sequence++, ...rest } });
  const started = { ...base, status: 'in_progress', output: [], usage: null };
  const where = { item_id: item.id, output_index: 0, content_index: 0 };
  const events = [
    event('response.created', { response: started }),
    event('response.in_progress', { response: started }),
  ];
  if (calls) {
    events.push(...responseEvents(calls, event));
    events.push({ ...event('response.completed', { response: whole }), usage: true, end: true });
    return sendStream(call, events, 'sse', tokens, event('error', { code: 'server_error', message: 'mock fails midway', param: null }));
  }
  events.push(
    event('response.output_item.added', { output_index: 0, item: { ...item, status: 'in_progress', content: [] } }),
    event('response.content_part.added', { ...where, part: part('') }),
  );
  for (let i = 0; i < output; i += 1) {
    events.push({ ...event('response.output_text.delta', { ...where, delta: word(i), logprobs: [] }), tokens: 1 });
  }
  events.push(event('response.output_text.done', { ...where, text: words(output), logprobs: [] }));
  events.push(event('response.content_part.done', { ...where, part: part(words(output)) }));
  events.push(event('response.output_item.done', { output_index: 0, item: done }));
  events.push({ ...event('response.completed', { response: whole }), usage: true, end: true });
  const failed = event('error', { code: 'server_error', message: 'mock fails midway', param: null });
  return sendStream(call, events, 'sse', tokens, failed);
}

function embeddings(call) {
  const { seen: { json: request }, behaviour } = call;
  const list = Array.isArray(request.input) ? request.input : [request.input];
  const input = countTokens(list);
  // The official client asks for base64 and decodes it into floats.
  const vector = [0.25, -0.5, 0.75];
  const encoded = request.encoding_format === 'base64' ? Buffer.from(new Float32Array(vector).buffer).toString('base64') : vector;
  const value = { object: 'list', model: request.model,
    data: list.map((_, index) => ({ object: 'embedding', index, embedding: encoded })) };
  const reported = behaviour.negusage ? -input : input;
  return sendJson(call, withUsage(behaviour, value, 'usage', { prompt_tokens: reported, total_tokens: reported }), 'usage',
    { input, output: 0 });
}
