// A small independent provider in four dialects (OpenAI, Anthropic, Gemini, Ollama), and plain HTTP. Written from the
// providers' own formats, not from Weir's code. It remembers every request and counts the tokens it really produced.
//
//   const provider = await startProvider();
//   …  provider.requests[0].header('authorization');  provider.produced.output
//   await provider.close();
//
// What it does depends on the model's name and the header x-mock: see behaviour.mjs; `provider.script` announces calls of
// tools: see tools.mjs. With `book`, a ProductionBook, it writes down what it produced instead of remembering requests.
import http from 'node:http';
import https from 'node:https';
import { anthropic, anthropicError, kAnthropicPaths } from './anthropic.mjs';
import { countTokens, parseBehaviour } from './behaviour.mjs';
import { gemini, geminiError, geminiTarget } from './gemini.mjs';
import { kOllamaPaths, ollama, ollamaError } from './ollama.mjs';
import { kOpenAiPaths, openai, openaiError } from './openai.mjs';
import { scriptedCalls } from './tools.mjs';
import { json, oddBody, refuses, shows } from './wire.mjs';

export { countTokens, parseBehaviour };

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
    this.produced = undefined; // {input, output} once the answer was sent whole
    this.said = undefined;     // {input, output} as its usage tells them
    try { this.json = JSON.parse(body.toString('utf8')); } catch { this.json = undefined; }
  }
  header(name) { return this.headers[name]; }
}

// `port`: one that was free before, so that a provider can come back.
export async function startProvider({ tls, book, port = 0 } = {}) {
  const provider = {
    requests: [],
    produced: { input: 0, output: 0 },   // of answers that were sent whole
    failures: new Map(),
    connections: 0,
    script: undefined,   // (seen) => calls of tools that the answer announces
    book,
  };
  const handler = (request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('error', () => {});
    request.on('end', () => {
      const seen = new Seen(request, Buffer.concat(chunks));
      response.on('close', () => { if (!response.writableFinished) seen.aborted = true; });
      if (book) book.begin(seen, response);
      else provider.requests.push(seen);
      response.on('error', () => {});
      answer(provider, seen, response).catch(() => response.destroy());
    });
  };
  const server = tls ? https.createServer(tls, handler) : http.createServer(handler);
  server.keepAliveTimeout = 60_000;
  const sockets = new Set();
  server.on('connection', (socket) => {
    provider.connections += 1;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise((resolve, reject) => { server.once('error', reject).listen(port, '127.0.0.1', resolve); });
  provider.port = server.address().port;
  provider.url = `${tls ? 'https' : 'http'}://127.0.0.1:${provider.port}`;
  // Resets connections, whatever is under way on them: all, or those that `chosen` says.
  provider.dropConnections = (chosen = () => true) => { for (const socket of sockets) if (chosen()) socket.resetAndDestroy(); };
  provider.close = () => new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
  return provider;
}

// The dialect of a path: {dialect, model, answer(call), error(status, message, wait)}, or undefined.
function dialectOf(path, query, seen) {
  const model = seen.json?.model;
  const target = geminiTarget(path);
  if (target) return { dialect: 'gemini', model: target.model, answer: (call) => gemini(call, target, query), error: geminiError };
  if (kOpenAiPaths.includes(path)) return { dialect: 'openai', model, answer: (call) => openai(call, path), error: openaiError };
  if (kAnthropicPaths.includes(path)) {
    return { dialect: 'anthropic', model, answer: (call) => anthropic(call, path), error: anthropicError };
  }
  if (kOllamaPaths.includes(path) && seen.method === 'POST' && model) {
    return { dialect: 'ollama', model, answer: (call) => ollama(call, path), error: ollamaError };
  }
  return undefined;
}

async function answer(provider, seen, response) {
  const [path, query = ''] = seen.url.split('?');
  const found = dialectOf(path, query, seen);
  if (!found && path.startsWith('/api/')) return plain(provider, seen, response);
  if (!found) return json({ seen, response }, 404, openaiError(404, `no ${path}`));
  if (!seen.json || typeof found.model !== 'string') return json({ seen, response }, 400, found.error(400, 'no model'));
  const behaviour = parseBehaviour(found.model, seen.header('x-mock'));
  seen.model = found.model;
  const call = { provider, seen, response, behaviour, dialect: found.dialect };
  if (refuses(call, found.model, found.error)) return undefined;
  for (const name of ['stall', 'cut']) {
    if (behaviour[`${name}Times`] !== undefined && !shows(provider, `${found.model}:${name}`, behaviour[`${name}Times`])) {
      delete behaviour[name];
    }
  }
  if (behaviour.stall || oddBody(call, found.error)) return undefined;
  if (behaviour.nostream && seen.json.stream) seen.json = { ...seen.json, stream: false };
  call.calls = await scriptedCalls(provider, seen);
  return found.answer(call);
}

function plain(provider, seen, response) {
  const behaviour = parseBehaviour('', seen.header('x-mock'));
  if (refuses({ provider, seen, response, behaviour }, seen.url, openaiError)) return;
  const body = JSON.stringify({ method: seen.method, url: seen.url, bytes: seen.body.length, meta: { rows: 7 } });
  response.writeHead(200, {
    'content-type': 'application/json', 'content-length': Buffer.byteLength(body), 'x-compute-units': '25',
    connection: 'keep-alive', 'keep-alive': 'timeout=60', 'x-mock': 'yes',
  });
  response.end(seen.method === 'HEAD' ? undefined : body);
  seen.finished = true;
}
