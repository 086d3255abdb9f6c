// HTTP by hand: exact bytes out, exact bytes in.
//
//   const client = await connect(port);
//   client.send('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
//   const response = await client.response();        // {status, headers (lower case), raw, body (Buffer)}
//   await client.closed();                           // the other side ended it
import net from 'node:net';
import tls from 'node:tls';
import { kDeadlineMs } from './weir.mjs';

class RawClient {
  constructor(socket) {
    this.socket = socket;
    this.bytes = Buffer.alloc(0);
    this.ended = false;
    this.waiters = [];
    socket.on('data', (chunk) => { this.bytes = Buffer.concat([this.bytes, chunk]); this.wake(); });
    for (const event of ['end', 'close', 'error']) socket.on(event, () => { this.ended = true; this.wake(); });
  }

  wake() { for (const waiter of this.waiters.splice(0)) waiter(); }

  send(text) {
    if (!this.socket.destroyed) this.socket.write(Buffer.isBuffer(text) ? text : Buffer.from(text, 'latin1'));
  }

  // Resolves with probe()'s first truthy value.
  async until(probe, what) {
    const end = Date.now() + kDeadlineMs;
    for (;;) {
      const value = probe();
      if (value) return value;
      const left = end - Date.now();
      if (left <= 0) throw new Error(`${what}: not in time; have ${JSON.stringify(this.bytes.toString('latin1').slice(0, 500))}`);
      let timer;
      await new Promise((resolve) => { this.waiters.push(resolve); timer = setTimeout(resolve, left); });
      clearTimeout(timer);
    }
  }

  // The next whole response; `headOnly` for answers to HEAD. 1xx are returned as responses of their own.
  async response({ headOnly = false } = {}) {
    return this.until(() => {
      const parsed = parseResponse(this.bytes, { headOnly, ended: this.ended });
      if (!parsed) {
        if (this.ended) throw new Error(`closed early: ${JSON.stringify(this.bytes.toString('latin1').slice(0, 500))}`);
        return undefined;
      }
      this.bytes = this.bytes.subarray(parsed.length);
      return parsed.response;
    }, 'response');
  }

  async closed() { return this.until(() => this.ended, 'close of the connection'); }
  end() { this.socket.end(); }
  destroy() { this.socket.destroy(); }
}

export function connect(port) {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    socket.once('connect', () => resolve(new RawClient(socket)));
    socket.once('error', reject);
  });
}

// A port where nobody listens.
export async function deadPort() {
  const server = net.createServer();
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const { port } = server.address();
  await new Promise((resolve) => { server.close(resolve); });
  return port;
}

// The same over TLS; `options` as of tls.connect.
export function connectTls(port, options) {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ port, host: '127.0.0.1', allowHalfOpen: true, ...options });
    socket.once('secureConnect', () => resolve(new RawClient(socket)));
    socket.once('error', reject);
  });
}

// One response at the start of `bytes`, or undefined while it is incomplete. Throws on what is not HTTP.
export function parseResponse(bytes, { headOnly = false, ended = false } = {}) {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const raw = bytes.subarray(0, headEnd).toString('latin1');
  const [statusLine, ...fields] = raw.split('\r\n');
  const match = /^HTTP\/1\.1 ([1-5][0-9][0-9]) ?(.*)$/.exec(statusLine);
  if (!match) throw new Error(`not a status line: ${JSON.stringify(statusLine)}`);
  const status = Number(match[1]);
  const headers = {};
  for (const field of fields) {
    const colon = field.indexOf(':');
    if (colon <= 0) throw new Error(`not a field: ${JSON.stringify(field)}`);
    const name = field.slice(0, colon).toLowerCase();
    const value = field.slice(colon + 1).trim();
    headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
  }
  const start = headEnd + 4;
  const whole = (body, length, chunks) => ({ response: { status, headers, raw, body, chunks }, length });
  if (headOnly || status < 200 || status === 204 || status === 304) return whole(Buffer.alloc(0), start);
  if (headers['transfer-encoding'] === 'chunked') {
    const chunks = [];
    for (let at = start; ;) {
      const line = bytes.indexOf('\r\n', at);
      if (line < 0) return undefined;
      const size = Number.parseInt(bytes.subarray(at, line).toString('latin1'), 16);
      if (Number.isNaN(size)) throw new Error('not a chunk size');
      if (bytes.length < line + 2 + size + 2) return undefined;
      if (size === 0) return whole(Buffer.concat(chunks), line + 4, chunks);
      chunks.push(bytes.subarray(line + 2, line + 2 + size));
      at = line + 2 + size + 2;
    }
  }
  if ('content-length' in headers) {
    const size = Number(headers['content-length']);
    if (bytes.length < start + size) return undefined;
    return whole(bytes.subarray(start, start + size), start + size);
  }
  return ended ? whole(bytes.subarray(start), bytes.length) : undefined;
}

// The bytes of a request with a JSON body.
export function post(path, key, value, headers = {}) {
  const body = typeof value === 'string' ? value : JSON.stringify(value);
  const fields = { host: 'weir', authorization: `Bearer ${key}`, 'content-type': 'application/json',
    'content-length': Buffer.byteLength(body), ...headers };
  const head = Object.entries(fields).filter(([, field]) => field !== null).map(([name, field]) => `${name}: ${field}\r\n`).join('');
  return `POST ${path} HTTP/1.1\r\n${head}\r\n${Buffer.from(body).toString('latin1')}`;
}
