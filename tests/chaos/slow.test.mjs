// Slowloris: clients that send their heads and bodies byte by byte, and that read nothing of what they asked for. They are
// let go in time, hold little memory, and nobody else notices.
import assert from 'node:assert/strict';
import http from 'node:http';
import { test } from 'node:test';
import { connect, post } from '../support/raw.mjs';
import { eventually } from '../support/weir.mjs';
import { kGood } from './load.mjs';
import { processOf, rounds, startWorld } from './world.mjs';

const kClients = rounds(1, 10) * 100;
const kReaders = rounds(1, 8) * 6;
const kTimeouts = { header: '1s', body: '1s', idle: '2s' };
const kMostMb = 64;      // of answers that nobody reads, all together

const message = (content) => [{ role: 'user', content }];

// Sends `bytes` one by one until the other side has had enough; resolves to the answer's status, 0 without one.
async function dribble(port, begin, bytes) {
  const client = await connect(port);
  client.send(begin);
  let at = 0;
  const timer = setInterval(() => { client.send(bytes[at % bytes.length]); at += 1; }, 50);
  try {
    await client.closed();
    return Number(/^HTTP\/1\.1 (\d+)/.exec(client.bytes.toString('latin1'))?.[1] ?? 0);
  } finally {
    clearInterval(timer);
    client.destroy();
  }
}

// A stream of 8 MB from a buffer that is made once: the provider has little to do.
async function startLongStream() {
  const event = `data: ${JSON.stringify({ id: 'long', object: 'chat.completion.chunk', choices: [{ index: 0, delta: { content: 'word '.repeat(20) } }] })}\n\n`;
  const body = Buffer.from(event.repeat(Math.ceil((8 << 20) / event.length)));
  const server = http.createServer((request, response) => {
    request.resume();
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(body);
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return { url: `http://127.0.0.1:${server.address().port}`, dropConnections: () => server.closeAllConnections(), close: () => server.close() };
}

async function underLoad(t, attack, longStream) {
  const world = await startWorld(t, { config: { timeouts: kTimeouts }, adjust: (config) => {
    if (!longStream) return;
    config.providers.long = { dialect: 'openai', url: longStream.url, key: 'upstream' };
    config.models = { 'long-*': { provider: 'long', price: { input: 1, output: 2 } }, ...config.models };
  } });
  if (longStream) world.others.push(longStream);
  const load = world.load({ clients: 4, rest: 20, scripts: kGood, leave: 0, hangUp: 0 });
  try {
    await attack(world);
    await load.stop();
    load.expectServed();
    await world.balance();
  } finally {
    await world.close();
    longStream?.close();
  }
}

test(`${kClients} clients that send their heads byte by byte: 408 in time, nothing is charged`, async (t) => {
  await underLoad(t, async ({ weir, keys }) => {
    const began = performance.now();
    const head = `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${keys[0]}\r\nX-Slow: `;
    const statuses = await Promise.all(Array.from({ length: kClients }, () => dribble(weir.port, head, 'z')));
    assert.ok(statuses.every((status) => status === 408 || status === 0), JSON.stringify(statuses));
    t.diagnostic(`let go within ${Math.round(performance.now() - began)} ms`);
  });
});

test(`${kClients} clients that send their bodies byte by byte: 408 in time, nothing is charged`, async (t) => {
  await underLoad(t, async ({ weir, keys }) => {
    const whole = post('/v1/chat/completions', keys[0], { model: 'mock-out=5', messages: message('x'.repeat(20_000)) });
    const begin = whole.slice(0, whole.indexOf('\r\n\r\n') + 40);
    const statuses = await Promise.all(Array.from({ length: kClients }, () => dribble(weir.port, begin, 'x')));
    assert.ok(statuses.every((status) => status === 408 || status === 0), JSON.stringify(statuses));
  });
});

for (const stream of [true, false]) {
  test(`${kReaders} clients that read nothing of a long ${stream ? 'stream' : 'JSON answer'}: let go, memory bounded, charged`, async (t) => {
    await underLoad(t, async (world) => {
      const { weir } = world;
      world.strangers.add('reader');
      const key = await weir.createKey('reader');
      const before = await processOf(weir.process.pid);
      // Far more than the sockets between them hold.
      const words = 400_000;
      const body = { model: stream ? 'long-story' : `mock-out=${words}`, stream, max_tokens: words, messages: message('a long story') };
      const clients = [];
      for (let i = 0; i < kReaders; i += 1) {
        const client = await connect(weir.port);
        client.socket.pause();
        client.send(post('/v1/chat/completions', key, body));
        clients.push(client);
      }
      let most = 0;
      let rows;
      await eventually(async () => {
        most = Math.max(most, (await processOf(weir.process.pid)).rssKb - before.rssKb);
        rows = (await weir.rows('usage')).filter((row) => row.key === 'reader');
        return rows.length === kReaders;
      }, 'all are let go', 120_000, 200);
      for (const client of clients) client.destroy();
      for (const row of rows) assert.ok(row.output_tokens > 0, JSON.stringify(row));
      assert.ok(most <= kMostMb * 1024, `${most} KB more`);
      const settled = rows.reduce((all, { settled: how }) => ({ ...all, [how]: (all[how] ?? 0) + 1 }), {});
      t.diagnostic(`at most ${(most / 1024).toFixed(1)} MB more for ${kReaders} readers; ${JSON.stringify(settled)}`);
    }, stream ? await startLongStream() : undefined);
  });
}
