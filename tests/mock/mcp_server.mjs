// MCP servers to test against: the official SDK's, and a small one of the revision 2026-07-28, which that SDK does not
// speak yet.
//
//   const server = await startMcpServer({ stateless: false, json: false });   // {url, seen, sessions, release(), close()}
//   const modern = await startModernServer();                                 // {url, seen, close()}
//
// Tools: echo {text}, send_email {to}, flaky {} (always an error), slow {} (progress 1, then waits for release()),
// announce {text} (a log message on the session's GET stream). `seen`: {method, headers, body} of every request.
import { randomUUID } from 'node:crypto';
import http from 'node:http';
import { createRequire } from 'node:module';

const require = createRequire(new URL('../clients/package.json', import.meta.url));
const { McpServer } = require('@modelcontextprotocol/sdk/server/mcp.js');
const { StreamableHTTPServerTransport } = require('@modelcontextprotocol/sdk/server/streamableHttp.js');
const { z } = require('zod');

const text = (words, extra = {}) => ({ content: [{ type: 'text', text: words }], ...extra });

function makeServer(state) {
  const server = new McpServer({ name: 'mock', version: '1.0.0' }, { capabilities: { logging: {} } });
  server.registerTool('echo', { inputSchema: { text: z.string() } }, ({ text: words }) => text(words));
  server.registerTool('send_email', { inputSchema: { to: z.string() } }, ({ to }) => text(`sent to ${to}`));
  server.registerTool('flaky', { inputSchema: {} }, () => text('out of order', { isError: true }));
  server.registerTool('slow', { inputSchema: {} }, async (_, { _meta, sendNotification }) => {
    await sendNotification({ method: 'notifications/progress', params: { progressToken: _meta.progressToken, progress: 1, total: 2 } });
    await new Promise((resolve) => { state.release = resolve; });
    return text('done at last');
  });
  server.registerTool('announce', { inputSchema: { text: z.string() } }, async ({ text: words }) => {
    await server.server.sendLoggingMessage({ level: 'info', data: words });
    return text('announced');
  });
  return server;
}

async function readBody(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function listen(handle) {
  const server = http.createServer((request, response) => {
    handle(request, response).catch((error) => { response.destroy(error); });
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return {
    url: `http://127.0.0.1:${server.address().port}/mcp`,
    dropConnections: () => server.closeAllConnections(),
    close: () => new Promise((resolve) => { server.close(resolve); server.closeAllConnections(); }),
  };
}

function answer(response, status, body) {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(body === undefined ? undefined : JSON.stringify(body));
}

export async function startMcpServer({ stateless = false, json = false } = {}) {
  const sessions = new Map();
  const state = {};
  const seen = [];

  async function transportFor(request, body) {
    const session = request.headers['mcp-session-id'];
    if (session !== undefined) return sessions.get(session);
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: stateless ? undefined : randomUUID,
      enableJsonResponse: json,
      onsessioninitialized: (id) => { sessions.set(id, transport); },
      onsessionclosed: (id) => { sessions.delete(id); },
    });
    await makeServer(state).connect(transport);
    return stateless || [body].flat().some((message) => message?.method === 'initialize') ? transport : undefined;
  }

  const { url, close } = await listen(async (request, response) => {
    const raw = await readBody(request);
    const body = raw === '' ? undefined : JSON.parse(raw);
    seen.push({ method: request.method, headers: request.headers, body });
    if (stateless && request.method !== 'POST') return answer(response, 405);
    const transport = await transportFor(request, body);
    if (transport === undefined) return answer(response, 404, { jsonrpc: '2.0', error: { code: -32001, message: 'Session not found' } });
    return transport.handleRequest(request, response, body);
  });
  return { url, close, seen, sessions, release: () => state.release?.() };
}

// Stateless, one message a POST, what 2026-07-28 asks for.
// `onCall(body)`: told of every call of a tool, instead of `seen`.
export async function startModernServer({ onCall } = {}) {
  const seen = [];
  const { url, close, dropConnections } = await listen(async (request, response) => {
    const body = JSON.parse(await readBody(request));
    if (!onCall) seen.push({ method: request.method, headers: request.headers, body });
    else if (body.method === 'tools/call') onCall(body);
    const results = {
      'tools/list': { resultType: 'complete', tools: ['echo', 'send_email'].map((name) => ({ name, inputSchema: { type: 'object' } })) },
      'tools/call': { resultType: 'complete', ...text(`called ${body.params?.name}`) },
    };
    return answer(response, 200, { jsonrpc: '2.0', id: body.id, result: results[body.method] });
  });
  return { url, close, dropConnections, seen };
}
