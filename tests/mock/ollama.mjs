// Ollama's dialect of the mock: chat, generate, embed. Streams unless told otherwise, one JSON object per line.
import { countTokens, shown, told, withUsage, word, words } from './behaviour.mjs';
import { ollamaCalls } from './tools.mjs';
import { sendJson, sendStream } from './wire.mjs';

export const kOllamaPaths = ['/api/chat', '/api/generate', '/api/embed'];

export const ollamaError = (status, message) => ({ error: message });

export async function ollama(call, path) {
  const { seen: { json: request }, behaviour } = call;
  const base = { model: request.model, created_at: '2026-01-01T00:00:00Z' };
  if (path === '/api/embed') {
    const list = Array.isArray(request.input) ? request.input : [request.input];
    const input = countTokens(list);
    const value = { model: request.model, embeddings: list.map(() => [0.25, -0.5, 0.75]), total_duration: 5 };
    return sendJson(call, counts(behaviour, value, behaviour.negusage ? -input : input), 'prompt_eval_count', { input, output: 0 });
  }
  const chat = path === '/api/chat';
  const input = chat ? countTokens(request.messages) : countTokens(request.prompt) + countTokens(request.system);
  const output = shown(behaviour, request.options?.num_predict);
  const tokens = { input, output, hidden: behaviour.think ?? 0 };
  const text = (piece) => (chat ? { message: { role: 'assistant', content: piece } } : { response: piece });
  const calls = call.calls?.length ? { message: { role: 'assistant', content: '', tool_calls: ollamaCalls(call.calls) } } : undefined;
  const last = (piece) => counts(behaviour, { ...base, ...text(piece), done: true, done_reason: 'stop', total_duration: 5 },
    input, told(behaviour, output + tokens.hidden));
  if (request.stream === false) return sendJson(call, calls ? { ...last(''), ...calls } : last(words(output)), 'eval_count', tokens);
  const events = [];
  if (calls) events.push({ data: { ...base, ...calls, done: false } });
  for (let i = 0; i < output && !calls; i += 1) events.push({ data: { ...base, ...text(word(i)), done: false }, tokens: 1 });
  events.push({ data: last(''), usage: true, end: true });
  return sendStream(call, events, 'ndjson', tokens, { data: ollamaError(500, 'mock fails midway') });
}

// Zero counts are left out.
function counts(behaviour, value, input, output) {
  if (behaviour.nousage) return value;
  const usage = { ...(input ? { prompt_eval_count: input, prompt_eval_duration: 5 } : {}),
    ...(output ? { eval_count: output, eval_duration: 5 } : {}) };
  return behaviour.wrongusage ? withUsage(behaviour, value, 'metrics', usage) : { ...value, ...usage };
}
