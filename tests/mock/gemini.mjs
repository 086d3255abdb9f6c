// Gemini's dialect of the mock: generateContent, streamGenerateContent (SSE, or one JSON array), countTokens.
import { countTokens, shown, told, withUsage, word, words } from './behaviour.mjs';
import { geminiParts } from './tools.mjs';
import { json, sendJson, sendStream } from './wire.mjs';

const kStates = { 429: 'RESOURCE_EXHAUSTED', 500: 'INTERNAL', 503: 'UNAVAILABLE' };

export function geminiError(status, message, wait) {
  const details = wait === undefined ? [] : [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: `${wait}s` }];
  return { error: { code: status, message, status: kStates[status] ?? 'UNKNOWN', details } };
}

// {model, verb} of a path, or undefined.
export function geminiTarget(path) {
  const match = /^\/v1beta\/models\/([^/:]+):(generateContent|streamGenerateContent|countTokens)$/.exec(path);
  return match ? { model: decodeURIComponent(match[1]), verb: match[2] } : undefined;
}

export async function gemini(call, { model, verb }, query) {
  const { seen: { json: request }, behaviour } = call;
  const input = countTokens(request.contents) + countTokens(request.systemInstruction);
  if (verb === 'countTokens') return json(call, 200, { totalTokens: input });
  const output = shown(behaviour, request.generationConfig?.maxOutputTokens);
  const hidden = behaviour.think ?? 0;
  const tokens = { input, output, hidden };
  // Thoughts are beside the candidates, what was cached inside the prompt.
  const usage = {
    promptTokenCount: input, candidatesTokenCount: told(behaviour, output), totalTokenCount: input + output + hidden,
    ...(behaviour.cached ? { cachedContentTokenCount: behaviour.cached } : {}),
    ...(hidden ? { thoughtsTokenCount: hidden } : {}),
  };
  const candidate = (text, finishReason) => ({ content: { role: 'model', parts: [{ text }] }, index: 0,
    ...(finishReason ? { finishReason } : {}) });
  const chunk = (text, finishReason) => ({ candidates: [candidate(text, finishReason)], modelVersion: model, responseId: 'mock' });
  const parts = call.calls?.length ? geminiParts(call.calls) : undefined;
  const calling = (finishReason) => ({ ...chunk('', finishReason), candidates: [{ ...candidate('', finishReason), content: { role: 'model', parts } }] });
  if (verb === 'generateContent' && parts) {
    return sendJson(call, withUsage(behaviour, calling('STOP'), 'usageMetadata', usage), 'usageMetadata', tokens);
  }
  if (verb === 'generateContent') {
    return sendJson(call, withUsage(behaviour, chunk(words(output), 'STOP'), 'usageMetadata', usage), 'usageMetadata', tokens);
  }
  const events = [];
  if (parts) events.push({ data: calling() });
  for (let i = 0; i < output && !parts; i += 1) events.push({ data: chunk(word(i)), tokens: 1 });
  events.push({ data: withUsage(behaviour, chunk('', 'STOP'), 'usageMetadata', usage), usage: true });
  const framing = new URLSearchParams(query).get('alt') === 'sse' ? 'sse' : 'array';
  return sendStream(call, events, framing, tokens, { data: geminiError(503, 'mock fails midway') });
}
