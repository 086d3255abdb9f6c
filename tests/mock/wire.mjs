// How the mock's answers go over the wire: whole JSON, SSE, NDJSON, or one JSON array; whole or damaged as scripted.
//
//   sendJson(call, value, 'usage', tokens)     sendStream(call, events, framing, tokens)     refuse(call, 429, body)
//
// A call: {provider, seen, response, behaviour}. An event: {event, data, text, tokens, usage, end}: SSE name, JSON,
// text instead of JSON, output tokens it carries, whether it holds usage, whether it is the end marker.
import { gzipSync } from 'node:zlib';
import { saidUsage } from './book.mjs';

const settled = () => new Promise((resolve) => { setImmediate(resolve); });

export function json({ seen, response }, status, value, headers = {}) {
  const body = Buffer.from(JSON.stringify(value));
  response.writeHead(status, {
    'content-type': 'application/json', 'content-length': body.length, 'x-mock': 'yes',
    'openai-organization': 'mock-org', ...headers,
  });
  response.end(body, () => { seen.finished = true; });
}

// What a provider says of its own limits, as each dialect writes it.
function limitHeaders({ behaviour, dialect }) {
  const { remreq, remtok, reset = 60 } = behaviour;
  const headers = {};
  const add = (meter, remaining) => {
    if (remaining === undefined) return;
    if (dialect === 'anthropic') {
      headers[`anthropic-ratelimit-${meter}-limit`] = '1000000';
      headers[`anthropic-ratelimit-${meter}-remaining`] = String(remaining);
      headers[`anthropic-ratelimit-${meter}-reset`] = new Date(Date.now() + reset * 1000).toISOString();
    } else {
      headers[`x-ratelimit-limit-${meter}`] = '1000000';
      headers[`x-ratelimit-remaining-${meter}`] = String(remaining);
      headers[`x-ratelimit-reset-${meter}`] = `${reset}s`;
    }
  };
  add('requests', remreq);
  add('tokens', remtok);
  return headers;
}

// An answer that was sent whole.
function produced({ provider, seen, behaviour }, tokens, output) {
  const { input = 0, hidden = 0 } = tokens;
  seen.produced = { input, output: output + hidden };
  seen.said = saidUsage(behaviour, tokens, output + hidden);
  provider.produced.input += input;
  provider.produced.output += output + hidden;
}

// Status 200 and a body that is no answer: true if that is what the behaviour asks for.
export function oddBody({ seen, response, behaviour }, error) {
  const body = behaviour.empty ? '' : behaviour.html ? '<!doctype html><title>Sign in</title>'
    : behaviour.error200 ? JSON.stringify(error(500, 'mock fails')) : behaviour.deep ? '['.repeat(200_000) + ']'.repeat(200_000) : undefined;
  if (body === undefined) return false;
  response.writeHead(200, { 'content-type': behaviour.html ? 'text/html' : 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body, () => { seen.finished = true; });
  return true;
}

function begin(call, headers) {
  const { response, behaviour } = call;
  if (behaviour.hints) response.writeEarlyHints({ link: '</style.css>; rel=preload' });
  const more = behaviour.trailers ? { trailer: 'x-checksum' } : {};
  response.writeHead(200, { ...headers, ...more, ...(behaviour.ctype ? { 'content-type': 'text/plain' } : {}) });
  response.flushHeaders();
}

function finish({ seen, response, behaviour }) {
  if (behaviour.trailers) response.addTrailers({ 'x-checksum': 'abc' });
  response.end(() => { seen.finished = true; });
}

// A byte that no UTF-8 text has, in the middle.
function spoilt(behaviour, body) {
  if (!behaviour.badutf8) return body;
  const at = Math.max(body.indexOf('river'), 0);
  return at > 0 ? Buffer.concat([body.subarray(0, at), Buffer.of(0xff), body.subarray(at)]) : body;
}

async function writeIn(response, bytes, at) {
  response.write(bytes.subarray(0, at));
  await settled();
  if (!response.destroyed) response.write(bytes.subarray(at));
}

// `tokens`: {input, output, hidden}.
export async function sendJson(call, value, usageName, tokens) {
  const { seen, response, behaviour } = call;
  let text = JSON.stringify(value);
  if (behaviour.dupusage && usageName in value) {
    text = `${text.slice(0, -1)},${JSON.stringify({ [usageName]: value[usageName] }).slice(1)}`;
  }
  let body = spoilt(behaviour, Buffer.from(behaviour.crlf ? `${text.replaceAll('":', '":\r\n')}\r\n` : text));
  const headers = { 'content-type': 'application/json', 'x-mock': 'yes', 'x-request-id': 'req_mock', ...limitHeaders(call) };
  if (behaviour.gzip) {
    body = gzipSync(body);
    headers['content-encoding'] = 'gzip';
  }
  if (!behaviour.nolength && !behaviour.trailers) headers['content-length'] = body.length;
  begin(call, headers);
  const cutAt = behaviour.cut ? body.length >> 1 : behaviour.cutat;
  if (cutAt !== undefined && cutAt < body.length) {
    if (cutAt === 0) response.socket.end();
    else response.write(body.subarray(0, cutAt), () => response.socket.end());
    return;
  }
  seen.output = tokens.output;
  if (behaviour.split) {
    for (const byte of body) response.write(Buffer.of(byte));
  } else if (behaviour.at > 0 && behaviour.at < body.length) {
    await writeIn(response, body, behaviour.at);
  } else {
    response.write(body);
  }
  produced(call, tokens, tokens.output);
  finish(call);
}

function sseBytes(behaviour, { event, data, text }) {
  const end = behaviour.crlf ? '\r\n' : '\n';
  const colon = behaviour.nospace ? ':' : ': ';
  const lines = text !== undefined ? [text]
    : behaviour.multiline ? JSON.stringify(data, null, 1).split('\n') : [JSON.stringify(data)];
  const before = behaviour.comments ? `: keep-alive${end}${end}retry: 10${end}id: 7${end}${end}${end}` : '';
  return `${before}${event ? `event${colon}${event}${end}` : ''}${lines.map((line) => `data${colon}${line}${end}`).join('')}${end}`;
}

function framed(behaviour, framing, events) {
  const end = behaviour.crlf ? '\r\n' : '\n';
  return events.map((event, i) => {
    if (framing === 'sse') return sseBytes(behaviour, event);
    const line = JSON.stringify(event.data);
    if (framing === 'ndjson') return line + end;
    const first = i === 0 ? '[' : `,${end}`;
    return first + line + (i === events.length - 1 && !behaviour.early && !behaviour.errormid ? ']' : '');
  });
}

const kTypes = { sse: 'text/event-stream', ndjson: 'application/x-ndjson', array: 'application/json; charset=UTF-8' };

// The events that are sent: damaged as the behaviour says.
function scripted(behaviour, events, errorEvent) {
  let list = events;
  if (behaviour.dupusage) list = list.flatMap((event) => (event.usage && !event.end ? [event, event] : [event]));
  if (behaviour.early) list = list.filter((event) => !event.usage && !event.end);
  if (behaviour.errormid) list = [...list.slice(0, list.length >> 1), errorEvent];
  return list;
}

async function writeEvents({ seen, response, behaviour }, parts, list, tokens) {
  const stopAt = behaviour.cut || behaviour.stallmid ? list.length >> 1 : list.length;
  let left = behaviour.cutat ?? Infinity;
  let until = behaviour.at ?? 0;
  const told = list.findLastIndex((event) => event.usage);
  for (let i = 0; i < stopAt && left > 0; i += 1) {
    if (response.destroyed) return;
    const bytes = parts[i].subarray(0, left);
    left -= bytes.length;
    if (behaviour.split) {
      for (const byte of bytes) {
        if (response.destroyed) return;
        response.write(Buffer.of(byte));
      }
      await settled();
    } else if (until > 0 && until < bytes.length) {
      await writeIn(response, bytes, until);
    } else {
      response.write(bytes);
    }
    until -= bytes.length;
    if (left > 0) seen.output += list[i].tokens ?? 0;
    // Told once it is written, whatever comes of the rest.
    if (left > 0 && i === told) seen.said = saidUsage(behaviour, tokens, seen.output + (tokens.hidden ?? 0));
    if (behaviour.slow) await new Promise((resolve) => { setTimeout(resolve, behaviour.slow); });
  }
}

// `errorEvent`: the dialect's error inside a stream.
export async function sendStream(call, events, framing, tokens, errorEvent) {
  const { seen, response, behaviour } = call;
  begin(call, { 'content-type': kTypes[framing], 'cache-control': 'no-cache', 'x-mock': 'yes',
    ...(behaviour.gzip ? { 'content-encoding': 'gzip' } : {}), ...limitHeaders(call) });
  const list = scripted(behaviour, events, errorEvent);
  const parts = framed(behaviour, framing, list).map((part) => spoilt(behaviour, Buffer.from(part)));
  if (behaviour.gzip) {
    response.write(gzipSync(Buffer.concat(parts)));
    produced(call, tokens, tokens.output);
    return finish(call);
  }
  const size = parts.reduce((sum, part) => sum + Buffer.byteLength(part), 0);
  await writeEvents(call, parts, list, tokens);
  if (behaviour.stallmid) return undefined;
  if (behaviour.cut || behaviour.cutat < size) {
    response.socket?.end();         // after what was written; the last chunk never comes
    return undefined;
  }
  if (response.destroyed) return undefined;
  if (!behaviour.early && !behaviour.errormid) produced(call, tokens, seen.output);
  return finish(call);
}

// True the first `times` times of a scripted failure.
export function shows(provider, failure, times = Infinity) {
  const before = provider.failures.get(failure) ?? 0;
  provider.failures.set(failure, before + 1);
  return before < times;
}

// True while a scripted failure is still to be shown.
export function refuses(call, name, body) {
  const { provider, behaviour } = call;
  for (const status of [429, 500, 503]) {
    if (behaviour[status] === undefined) continue;
    if (!shows(provider, `${name}:${status}`, behaviour[`${status}Times`])) continue;
    const wait = status === 429 && typeof behaviour[429] === 'number' ? behaviour[429] : behaviour.after;
    json(call, status, body(status, `mock says ${status}`, wait), {
      ...limitHeaders(call), ...(wait === undefined || call.dialect === 'gemini' ? {} : { 'retry-after': String(wait) }) });
    return true;
  }
  return false;
}
