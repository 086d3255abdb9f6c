// Every endpoint that makes tokens, as a list of calls: how its request looks, and what an answer of the mock costs.
//
//   for (const endpoint of kEndpoints) await call(weir, key, endpoint, { script: 'out=6', stream: true, cap: 50 });
//
// `call` answers {status, text, headers, broken}; broken: the connection ended before the answer did.
import http from 'node:http';

const kText = 'one two three';
const messages = (text) => [{ role: 'user', content: text }];
const gemini = (cap, text) => ({ contents: [{ role: 'user', parts: [{ text }] }],
  ...(cap ? { generationConfig: { maxOutputTokens: cap } } : {}) });

// body(model, cap, stream, text); streams: whether the endpoint can; done: what a whole stream has at its end.
export const kEndpoints = [
  { name: 'chat', prefix: 'mock-', streams: true, path: () => '/v1/chat/completions', done: /data: ?\[DONE\]/,
    body: (model, cap, stream, text) => ({ model, messages: messages(text), max_tokens: cap, ...(stream ? { stream } : {}) }) },
  { name: 'completions', prefix: 'mock-', streams: true, path: () => '/v1/completions', done: /data: ?\[DONE\]/,
    body: (model, cap, stream, text) => ({ model, prompt: text, max_tokens: cap, ...(stream ? { stream } : {}) }) },
  { name: 'responses', prefix: 'mock-', streams: true, path: () => '/v1/responses', done: /response\.completed/,
    body: (model, cap, stream, text) => ({ model, input: text, max_output_tokens: cap, ...(stream ? { stream } : {}) }) },
  { name: 'embeddings', prefix: 'mock-', streams: false, path: () => '/v1/embeddings', embeds: true,
    body: (model, cap, stream, text) => ({ model, input: text }) },
  { name: 'messages', prefix: 'mockc-', streams: true, path: () => '/v1/messages', done: /message_stop/,
    body: (model, cap, stream, text) => ({ model, messages: messages(text), max_tokens: cap ?? 100, ...(stream ? { stream } : {}) }) },
  { name: 'generate', prefix: 'mockg-', streams: true, done: /"finishReason"/,
    path: (model, stream) => `/v1beta/models/${model}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
    body: (model, cap, stream, text) => gemini(cap, text) },
  { name: 'generate-array', prefix: 'mockg-', streams: true, only: true, done: /\]\s*$/,
    path: (model) => `/v1beta/models/${model}:streamGenerateContent`, body: (model, cap, stream, text) => gemini(cap, text) },
  { name: 'ollama-chat', prefix: 'mocko-', streams: true, path: () => '/api/chat', done: /"done": ?true/,
    body: (model, cap, stream, text) => ({ model, messages: messages(text), stream, options: { num_predict: cap } }) },
  { name: 'ollama-generate', prefix: 'mocko-', streams: true, path: () => '/api/generate', done: /"done": ?true/,
    body: (model, cap, stream, text) => ({ model, prompt: text, stream, options: { num_predict: cap } }) },
  { name: 'ollama-embed', prefix: 'mocko-', streams: false, path: () => '/api/embed', embeds: true,
    body: (model, cap, stream, text) => ({ model, input: text }) },
];

// Endpoint and way of answering: [{endpoint, stream, name}].
export const kWays = kEndpoints.flatMap((endpoint) => [
  ...(endpoint.only ? [] : [{ endpoint, stream: false, name: endpoint.name }]),
  ...(endpoint.streams ? [{ endpoint, stream: true, name: `${endpoint.name} streamed` }] : []),
]);

// A pool of its own, so that thousands of calls need few connections.
export const agentOf = (most) => new http.Agent({ keepAlive: true, maxSockets: most });

// `mock`: for the header x-mock; `leave`: ends the connection after that many bytes of the answer; `hangUp`: after so many
// milliseconds, answered or not.
export function call(weir, key, { endpoint, stream }, { script = 'ok', cap = 50, mock, headers = {}, agent, leave, hangUp, text = kText } = {}) {
  const model = `${endpoint.prefix}${script}`;
  const body = JSON.stringify(endpoint.body(model, cap, stream, text));
  return new Promise((resolve, reject) => {
    const request = http.request(`${weir.url}${endpoint.path(model, stream)}`, { method: 'POST', agent, headers: {
      authorization: `Bearer ${key}`, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body),
      ...(mock ? { 'x-mock': mock } : {}), ...headers } });
    const timer = hangUp === undefined ? undefined : setTimeout(() => request.destroy(), hangUp);
    request.on('close', () => clearTimeout(timer));
    request.on('error', (error) => { if (!request.res) reject(error); });
    request.on('response', (response) => {
      const chunks = [];
      let size = 0;
      const done = (broken) => resolve({ status: response.statusCode, headers: response.headers, broken,
        text: Buffer.concat(chunks).toString('utf8') });
      response.on('data', (chunk) => {
        chunks.push(chunk);
        size += chunk.length;
        if (leave !== undefined && size >= leave) request.destroy();
      });
      response.on('end', () => done(!response.complete));
      response.on('error', () => done(true));
      response.on('close', () => done(!response.complete));
    });
    request.end(body);
  });
}
