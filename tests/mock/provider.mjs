// A small independent provider: OpenAI chat and embeddings, Anthropic messages, plain HTTP. Written from the providers'
// own formats, not from Weir's code. It remembers every request and counts the tokens it really produced.
//
//   const provider = await startProvider();
//   …  provider.requests[0].header('authorization');  provider.produced.output
//   await provider.close();
//
// What it does depends on the model's name, after "mock-" or "mockc-" (several parts may be joined by "+"):
//   ok            answers
//   out=N         N output tokens (default 12, never more than the request's cap)
//   429=S[xN]     refuses with 429 and retry-after S (the first N times; default always)
//   500[xN]       fails with 500 (the first N times)
//   stall         sends nothing
//   stallmid      sends half of the stream and then nothing more
//   cut           sends half of the answer and destroys the connection
//   nousage       leaves usage out
//   usage=N       reports N output tokens whatever was produced
//   slow=MS       MS between chunks of a stream
//   split         one byte per write
//   gzip          compresses an answer that is not streamed
//   crlf          ends SSE lines with CRLF
import http from 'node:http';
import https from 'node:https';
import { gzipSync } from 'node:zlib';

export const kWords = ['the ', 'quiet ', 'river ', 'runs ', 'over ', 'a ', 'low ', 'wall ', 'of ', 'stone ', 'each ', 'day '];

// One token per word: exact, and never more than a bound made from bytes.
export function countTokens(value) {
  if (value === null || value === undefined) return 0;
  if (typeof value === 'string') return value.split(/\s+/).filter(Boolean).length;
  if (Array.isArray(value)) return value.reduce((sum, item) => sum + countTokens(item), 0);
  if (typeof value === 'object') return countTokens(value.content ?? value.text ?? '');
  return 1;
}

export function parseBehaviour(model) {
  const behaviour = { out: 12 };
  const [, script = 'ok'] = /^mockc?-(.*)$/.exec(String(model)) ?? [];
  for (const part of script.split('+')) {
    const [, name, value, times] = /^([a-z0-9]+?)(?:=([0-9.]+))?(?:x([0-9]+))?$/.exec(part) ?? [null, part];
    behaviour[name] = value === undefined ? true : Number(value);
    if (times !== undefined) behaviour[`${name}Times`] = Number(times);
  }
  return behaviour;
}

class Seen {
  constructor(request, body) {
    this.method = request.method;
    this.url = request.url;
    this.headers = request.headers;
    this.rawHeaders = request.rawHeaders;
    this.body = body;
    this.aborted = false;      // Weir closed the connection before the answer was complete
    this.finished = false;
    this.output = 0;           // tokens sent so far
    try { this.json = JSON.parse(body.toString('utf8')); } catch { this.json = undefined; }
  }
  header(name) { return this.headers[name]; }
}

export async function startProvider({ tls } = {}) {
  const provider = {
    requests: [],
    produced: { input: 0, output: 0 },   // of answers that were sent whole
    failures: new Map(),
    connections: 0,
  };
  const handler = (request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('error', () => {});
    request.on('end', () => {
      const seen = new Seen(request, Buffer.concat(chunks));
      provider.requests.push(seen);
      response.on('close', () => { if (!response.writableFinished) seen.aborted = true; });
      response.on('error', () => {});
      answer(provider, seen, response).catch(() => response.destroy());
    });
  };
  const server = tls ? https.createServer(tls, handler) : http.createServer(handler);
  server.keepAliveTimeout = 60_000;
  server.on('connection', () => { provider.connections += 1; });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  provider.port = server.address().port;
  provider.url = `${tls ? 'https' : 'http'}://127.0.0.1:${provider.port}`;
  provider.close = () => new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
  return provider;
}

async function answer(provider, seen, response) {
  const path = seen.url.split('?')[0];
  if (path.startsWith('/api/')) return plain(seen, response);
  if (!seen.json || typeof seen.json.model !== 'string') {
    return json(seen, response, 400, { error: { message: 'no model', type: 'invalid_request_error', param: null, code: null } });
  }
  const behaviour = parseBehaviour(seen.json.model);
  if (refuses(provider, seen, response, behaviour, path)) return undefined;
  if (behaviour.stall) return undefined;
  if (path === '/v1/chat/completions') return chat(provider, seen, response, behaviour);
  if (path === '/v1/messages') return messages(provider, seen, response, behaviour);
  if (path === '/v1/embeddings') return embeddings(provider, seen, response, behaviour);
  return json(seen, response, 404, { error: { message: `no ${path}`, type: 'invalid_request_error', param: null, code: null } });
}

// True while a scripted failure is still to be shown.
function refuses(provider, seen, response, behaviour, path) {
  for (const status of [429, 500, 503]) {
    if (behaviour[status] === undefined) continue;
    const key = `${seen.json.model}:${status}`;
    const shown = provider.failures.get(key) ?? 0;
    if (shown >= (behaviour[`${status}Times`] ?? Infinity)) continue;
    provider.failures.set(key, shown + 1);
    const message = `mock says ${status}`;
    const body = path === '/v1/messages'
      ? { type: 'error', error: { type: status === 429 ? 'rate_limit_error' : 'api_error', message } }
      : { error: { message, type: 'mock_error', param: null, code: `mock_${status}` } };
    const headers = status === 429 && typeof behaviour[429] === 'number' ? { 'retry-after': String(behaviour[429]) } : {};
    json(seen, response, status, body, headers);
    return true;
  }
  return false;
}

function json(seen, response, status, value, headers = {}) {
  const body = Buffer.from(JSON.stringify(value));
  response.writeHead(status, {
    'content-type': 'application/json', 'content-length': body.length, 'x-mock': 'yes',
    'openai-organization': 'mock-org', ...headers,
  });
  response.end(body, () => { seen.finished = true; });
}

function plain(seen, response) {
  const body = JSON.stringify({ method: seen.method, url: seen.url, bytes: seen.body.length, meta: { rows: 7 } });
  response.writeHead(200, {
    'content-type': 'application/json', 'content-length': Buffer.byteLength(body), 'x-compute-units': '25',
    connection: 'keep-alive', 'keep-alive': 'timeout=60', 'x-mock': 'yes',
  });
  response.end(seen.method === 'HEAD' ? undefined : body);
  seen.finished = true;
}

function send(provider, seen, response, behaviour, value, input, output) {
  let body = Buffer.from(JSON.stringify(value));
  const headers = { 'content-type': 'application/json', 'x-mock': 'yes', 'x-request-id': 'req_mock' };
  if (behaviour.gzip) {
    body = gzipSync(body);
    headers['content-encoding'] = 'gzip';
  }
  if (!behaviour.nolength) headers['content-length'] = body.length;
  response.writeHead(200, headers);
  if (behaviour.cut) {
    response.write(body.subarray(0, body.length >> 1), () => response.socket.end());
    return;
  }
  provider.produced.input += input;
  provider.produced.output += output;
  seen.output = output;
  response.end(body, () => { seen.finished = true; });
}

function words(count) {
  let text = '';
  for (let i = 0; i < count; i += 1) text += kWords[i % kWords.length];
  return text.trimEnd();
}

function capped(behaviour, ...caps) {
  const cap = caps.find((value) => typeof value === 'number');
  return cap === undefined ? behaviour.out : Math.min(behaviour.out, cap);
}

function chatUsage(behaviour, input, output) {
  const reported = behaviour.usage ?? output;
  return {
    prompt_tokens: input, completion_tokens: reported, total_tokens: input + reported,
    prompt_tokens_details: { cached_tokens: 0 }, completion_tokens_details: { reasoning_tokens: 0 },
  };
}

async function chat(provider, seen, response, behaviour) {
  const request = seen.json;
  const input = countTokens(request.messages);
  const output = capped(behaviour, request.max_completion_tokens, request.max_tokens);
  const base = { id: 'chatcmpl-mock', created: 1_700_000_000, model: request.model };
  if (!request.stream) {
    const tool = request.tools?.[0]?.function?.name;
    const message = tool
      ? { role: 'assistant', content: null, tool_calls: [{ id: 'call_1', type: 'function', function: { name: tool, arguments: '{}' } }] }
      : { role: 'assistant', content: words(output), refusal: null };
    const value = { ...base, object: 'chat.completion',
      choices: [{ index: 0, message, logprobs: null, finish_reason: tool ? 'tool_calls' : 'stop' }] };
    if (!behaviour.nousage) value.usage = chatUsage(behaviour, input, output);
    send(provider, seen, response, behaviour, value, input, output);
    return;
  }
  const wantsUsage = request.stream_options?.include_usage === true;
  const chunk = (choices, usage) => ({ data: { ...base, object: 'chat.completion.chunk', choices,
    ...(wantsUsage ? { usage: usage ?? null } : {}) } });
  const events = [chunk([{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }])];
  for (let i = 0; i < output; i += 1) {
    events.push({ ...chunk([{ index: 0, delta: { content: kWords[i % kWords.length] }, finish_reason: null }]), tokens: 1 });
  }
  events.push(chunk([{ index: 0, delta: {}, finish_reason: 'stop' }]));
  if (wantsUsage && !behaviour.nousage) events.push(chunk([], chatUsage(behaviour, input, output)));
  events.push({ text: '[DONE]' });
  await stream(provider, seen, response, behaviour, events, input);
}

async function messages(provider, seen, response, behaviour) {
  const request = seen.json;
  const input = countTokens(request.messages) + countTokens(request.system);
  const output = capped(behaviour, request.max_tokens);
  const usage = { input_tokens: input, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 };
  const reported = behaviour.usage ?? output;
  const base = { id: 'msg_mock', type: 'message', role: 'assistant', model: request.model };
  if (!request.stream) {
    const tool = request.tools?.[0]?.name;
    const content = tool ? [{ type: 'tool_use', id: 'toolu_1', name: tool, input: {} }] : [{ type: 'text', text: words(output) }];
    const value = { ...base, content, stop_reason: tool ? 'tool_use' : 'end_turn', stop_sequence: null };
    if (!behaviour.nousage) value.usage = { ...usage, output_tokens: reported };
    send(provider, seen, response, behaviour, value, input, output);
    return;
  }
  const event = (type, rest) => ({ event: type, data: { type, ...rest } });
  const events = [
    event('message_start', { message: { ...base, content: [], stop_reason: null, stop_sequence: null,
      usage: { ...usage, output_tokens: 1 } } }),
    event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
    event('ping', {}),
  ];
  for (let i = 0; i < output; i += 1) {
    events.push({ ...event('content_block_delta', { index: 0, delta: { type: 'text_delta', text: kWords[i % kWords.length] } }),
      tokens: 1 });
  }
  events.push(event('content_block_stop', { index: 0 }));
  events.push(event('message_delta', { delta: { stop_reason: 'end_turn', stop_sequence: null },
    usage: behaviour.nousage ? undefined : { output_tokens: reported } }));
  events.push(event('message_stop', {}));
  await stream(provider, seen, response, behaviour, events, input);
}

function embeddings(provider, seen, response, behaviour) {
  const list = Array.isArray(seen.json.input) ? seen.json.input : [seen.json.input];
  const input = countTokens(list);
  // The official client asks for base64 and decodes it into floats.
  const vector = [0.25, -0.5, 0.75];
  const encoded = seen.json.encoding_format === 'base64' ? Buffer.from(new Float32Array(vector).buffer).toString('base64') : vector;
  send(provider, seen, response, behaviour, {
    object: 'list', model: seen.json.model,
    data: list.map((_, index) => ({ object: 'embedding', index, embedding: encoded })),
    usage: { prompt_tokens: input, total_tokens: input },
  }, input, 0);
}

async function stream(provider, seen, response, behaviour, events, input) {
  const end = behaviour.crlf ? '\r\n' : '\n';
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache', 'x-mock': 'yes' });
  const stopAt = behaviour.cut || behaviour.stallmid ? events.length >> 1 : events.length;
  for (let i = 0; i < stopAt; i += 1) {
    if (response.destroyed) return;
    const { event, data, text, tokens = 0 } = events[i];
    const bytes = Buffer.from(`${event ? `event: ${event}${end}` : ''}data: ${text ?? JSON.stringify(data)}${end}${end}`);
    if (behaviour.split) {
      for (const byte of bytes) {
        if (response.destroyed) return;
        response.write(Buffer.of(byte));
      }
      await new Promise((resolve) => setImmediate(resolve));
    } else {
      response.write(bytes);
    }
    seen.output += tokens;
    if (behaviour.slow) await new Promise((resolve) => setTimeout(resolve, behaviour.slow));
  }
  if (behaviour.stallmid) return;
  if (behaviour.cut) {
    response.socket.end();         // after what was written; the last chunk never comes
    return;
  }
  provider.produced.input += input;
  provider.produced.output += seen.output;
  response.end(() => { seen.finished = true; });
}
