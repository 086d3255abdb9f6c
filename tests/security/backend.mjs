// A back end that says exactly what reached it: a strict reader of its own, written without Weir's, nginx's or Node's.
//
//   const backend = await startBackend();
//   backend.requests      // [{serial, method, path, fields: [[name, value]], body, connection}]
//   backend.malformed     // bytes that are no request: must stay empty
//   backend.script = (request) => Buffer | [Buffer, …] | undefined;   // what is answered instead of an echo
//
// It answers {serial, path, body} as JSON, so that every client can tell whose answer it got.
import net from 'node:net';

const kHead = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\S+) HTTP\/1\.1$/;

// One request at the start of `bytes`: {request, length}, or undefined while it is incomplete.
function take(bytes) {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [line, ...rest] = bytes.subarray(0, end).toString('latin1').split('\r\n');
  const match = kHead.exec(line);
  if (!match) throw new Error(`not a request line: ${JSON.stringify(line)}`);
  const fields = rest.map((text) => {
    const field = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*?)[ \t]*$/.exec(text);
    if (!field) throw new Error(`not a field: ${JSON.stringify(text)}`);
    return [field[1].toLowerCase(), field[2]];
  });
  const all = (name) => fields.filter(([field]) => field === name).map(([, value]) => value);
  const lengths = all('content-length');
  const codings = all('transfer-encoding');
  if (lengths.length + codings.length > 1) throw new Error(`ambiguous framing: ${JSON.stringify(fields)}`);
  if (all('host').length !== 1) throw new Error(`not one Host: ${JSON.stringify(fields)}`);
  const start = end + 4;
  const request = (body, length) => ({ request: { method: match[1], path: match[2], fields, body: body.toString('latin1') }, length });
  if (codings.length === 1) {
    if (codings[0] !== 'chunked') throw new Error(`coding ${codings[0]}`);
    return takeChunks(bytes, start, request);
  }
  if (lengths.length === 0) return request(Buffer.alloc(0), start);
  if (!/^[0-9]{1,9}$/.test(lengths[0])) throw new Error(`length ${lengths[0]}`);
  const size = Number(lengths[0]);
  return bytes.length < start + size ? undefined : request(bytes.subarray(start, start + size), start + size);
}

function takeChunks(bytes, start, request) {
  const parts = [];
  for (let at = start; ;) {
    const line = bytes.indexOf('\r\n', at);
    if (line < 0) return undefined;
    const text = bytes.subarray(at, line).toString('latin1');
    if (!/^[0-9a-fA-F]{1,8}$/.test(text)) throw new Error(`chunk size ${JSON.stringify(text)}`);
    const size = Number.parseInt(text, 16);
    if (bytes.length < line + 2 + size + 2) return undefined;
    if (bytes.subarray(line + 2 + size, line + 4 + size).toString('latin1') !== '\r\n') throw new Error('a chunk or trailers without CRLF');
    if (size === 0) return request(Buffer.concat(parts), line + 4);
    parts.push(bytes.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
}

export async function startBackend() {
  const backend = { requests: [], malformed: [], connections: 0, script: undefined, sockets: new Set() };
  const server = net.createServer({ noDelay: true }, (socket) => {
    const connection = backend.connections += 1;
    let bytes = Buffer.alloc(0);
    backend.sockets.add(socket);
    socket.on('close', () => backend.sockets.delete(socket));
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      try {
        for (let taken = take(bytes); taken; taken = take(bytes)) {
          bytes = bytes.subarray(taken.length);
          answer(backend, socket, { ...taken.request, connection, socket });
        }
      } catch (error) {
        backend.malformed.push(`${error.message} in ${JSON.stringify(bytes.toString('latin1').slice(0, 300))}`);
        socket.destroy();
      }
    });
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  backend.port = server.address().port;
  backend.url = `http://127.0.0.1:${backend.port}`;
  backend.close = () => new Promise((resolve) => {
    for (const socket of backend.sockets) socket.destroy();
    server.close(resolve);
  });
  return backend;
}

function answer(backend, socket, request) {
  request.serial = backend.requests.push(request);
  request.header = (name) => request.fields.find(([field]) => field === name)?.[1];
  const scripted = backend.script?.(request);
  if (scripted !== undefined) {
    for (const part of [scripted].flat()) socket.write(typeof part === 'string' ? Buffer.from(part, 'latin1') : part);
    return;
  }
  const body = Buffer.from(JSON.stringify({ serial: request.serial, path: request.path, body: request.body }));
  const head = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
  socket.write(request.method === 'HEAD' ? head : Buffer.concat([Buffer.from(head), body]));
}
