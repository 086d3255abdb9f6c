// Anthropic's dialect of the mock: messages and count_tokens.
import { countTokens, shown, told, withUsage, word, words } from './behaviour.mjs';
import { answerId, messageBlocks, messageEvents } from './tools.mjs';
import { json, sendJson, sendStream } from './wire.mjs';

export const kAnthropicPaths = ['/v1/messages', '/v1/messages/count_tokens'];

const kTypes = { 429: 'rate_limit_error', 503: 'overloaded_error' };
export const anthropicError = (status, message) => ({ type: 'error', error: { type: kTypes[status] ?? 'api_error', message } });

export async function anthropic(call, path) {
  const { seen: { json: request }, behaviour } = call;
  const input = countTokens(request.messages) + countTokens(request.system);
  if (path === '/v1/messages/count_tokens') return json(call, 200, { input_tokens: input });
  const output = shown(behaviour, request.max_tokens);
  const hidden = behaviour.think ?? 0;
  const { cached = 0, written = 0, hour = 0 } = behaviour;
  // What the cache took is beside input_tokens, not inside.
  const usage = {
    input_tokens: Math.max(0, input - cached - written - hour), cache_read_input_tokens: cached,
    cache_creation_input_tokens: written + hour,
    cache_creation: { ephemeral_5m_input_tokens: written, ephemeral_1h_input_tokens: hour },
  };
  const final = { output_tokens: told(behaviour, output + hidden),
    ...(hidden ? { output_tokens_details: { thinking_tokens: hidden } } : {}) };
  const tokens = { input: Math.max(input, cached + written + hour), output, hidden };
  const calls = call.calls?.length ? call.calls : undefined;
  const base = { id: call.calls ? answerId('msg') : 'msg_mock', type: 'message', role: 'assistant', model: request.model };
  if (!request.stream) {
    const tool = call.calls ? undefined : request.tools?.[0]?.name;
    const content = calls ? messageBlocks(calls) : tool ? [{ type: 'tool_use', id: 'toolu_1', name: tool, input: {} }] : [{ type: 'text', text: words(output) }];
    const value = { ...base, content, stop_reason: calls || tool ? 'tool_use' : 'end_turn', stop_sequence: null };
    return sendJson(call, withUsage(behaviour, value, 'usage', { ...usage, ...final }), 'usage', tokens);
  }
  const event = (type, rest) => ({ event: type, data: { type, ...rest } });
  const message = { ...base, content: [], stop_reason: null, stop_sequence: null };
  const first = behaviour.nousage || behaviour.wrongusage ? message : { ...message, usage: { ...usage, output_tokens: 1 } };
  const events = [event('message_start', { message: first })];
  if (hidden) {
    events.push(event('content_block_start', { index: 0, content_block: { type: 'thinking', thinking: '', signature: '' } }));
    events.push(event('content_block_delta', { index: 0, delta: { type: 'signature_delta', signature: 'c2ln' } }));
    events.push(event('content_block_stop', { index: 0 }));
  }
  const index = hidden ? 1 : 0;
  if (calls) events.push(...messageEvents(calls, event));
  else events.push(event('content_block_start', { index, content_block: { type: 'text', text: '' } }), event('ping', {}));
  for (let i = 0; i < output && !calls; i += 1) {
    events.push({ ...event('content_block_delta', { index, delta: { type: 'text_delta', text: word(i) } }), tokens: 1 });
  }
  if (!calls) events.push(event('content_block_stop', { index }));
  const delta = withUsage(behaviour, { delta: { stop_reason: calls ? 'tool_use' : 'end_turn', stop_sequence: null } }, 'usage', final);
  events.push({ ...event('message_delta', delta), usage: true });
  events.push({ ...event('message_stop', {}), end: true });
  return sendStream(call, events, 'sse', tokens, event('error', { error: { type: 'overloaded_error', message: 'mock fails midway' } }));
}
