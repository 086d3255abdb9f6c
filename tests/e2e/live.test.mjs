// The event stream and the live numbers of a real server: what is refused is seen with its sentence, of a burst a
// sample, and who does not read hurts nobody.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { connect } from '../support/raw.mjs';
import { ask, eventually, kNoCallerBreakers, startWeir } from '../support/weir.mjs';

let weir, key;

before(async () => {
  weir = await startWeir({
    providers: { sim: { simulate: { output_tokens: '5..5', first_byte: '1ms', tokens_per_second: 5000 } } },
    models: { '*': { provider: 'sim', price: { input: 1, output: 1 } } },
    limits: [
      { name: 'few', per: 'key', meter: 'requests', allow: '2/1h' },
      { name: 'watched', per: 'key', meter: 'requests', allow: '1/1h', mode: 'shadow' },
    ],
    breaker: kNoCallerBreakers,
  });
  key = await weir.createKey('ann');
});
after(() => weir?.stop());

// Like EventSource: reads until close().
function watch(query = '') {
  const seen = { events: [], status: 0, ended: false };
  const request = http.get(`${weir.admin}/admin/v1/events${query}`,
    { headers: { authorization: `Bearer ${weir.adminToken}`, accept: 'text/event-stream' }, agent: false }, (response) => {
      seen.status = response.statusCode;
      seen.type = response.headers['content-type'];
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part) => {
        text += part;
        const parts = text.split('\n\n');
        text = parts.pop();
        for (const one of parts) {
          const event = /^event: (.*)$/m.exec(one)?.[1];
          const data = /^data: (.*)$/m.exec(one)?.[1];
          if (event) seen.events.push({ event, data: JSON.parse(data) });
        }
      });
      response.on('end', () => { seen.ended = true; });
      response.on('error', () => { seen.ended = true; });
    });
  request.on('error', () => { seen.ended = true; });
  seen.close = () => request.destroy();
  seen.of = (name) => seen.events.filter(({ event }) => event === name).map(({ data }) => data);
  seen.open = eventually(() => seen.status === 200, 'the stream is open').then(() => seen);
  return seen;
}

const admin = (path) => ask(`${weir.admin}/admin/v1${path}`, { headers: { authorization: `Bearer ${weir.adminToken}` } });
const chat = () => ask(`${weir.url}/v1/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${key}` },
  body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }] }) });

// So many requests that are turned away, down one connection.
async function burst(count) {
  const client = await connect(weir.port);
  let left = count;
  client.socket.removeAllListeners('data');
  let bytes = '';
  const done = new Promise((resolve, reject) => {
    client.socket.on('data', (part) => {
      bytes += part.toString('latin1');
      const answers = bytes.split('HTTP/1.1 401').length - 1;
      if (answers > 0) { left -= answers; bytes = bytes.slice(bytes.lastIndexOf('HTTP/1.1 401') + 12); }
      if (left <= 0) resolve();
    });
    client.socket.on('close', () => (left > 0 ? reject(new Error(`closed with ${left} unanswered`)) : resolve()));
  });
  client.send('GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(count));
  await done;
  client.destroy();
}

test('a refusal is seen with its sentence, beside ticks', async () => {
  const seen = await watch('?only=admitted,refused,settled').open;
  assert.match(seen.type, /^text\/event-stream/);
  for (const status of [200, 200, 429]) assert.equal((await chat()).status, status);
  const decisions = (what) => seen.of('decision').filter((one) => one.what === what);
  await eventually(() => decisions('refused').length === 1 && decisions('settled').length === 2, 'all three');
  const [refused] = decisions('refused');
  assert.equal(refused.key, 'ann');
  assert.equal(refused.limit, 'few');
  assert.equal(refused.layer, 'rate');
  assert.ok(refused.retry_after > 3000, refused.retry_after);
  assert.match(refused.request_id, /^req_/);
  assert.match(refused.sentence, /^ann had used 2 of 2 requests/);
  assert.deepEqual(decisions('admitted').map((one) => one.shadow_limits), [[], ['watched']]);
  assert.ok(decisions('settled')[0].tokens > 5);
  await eventually(() => seen.of('tick').reduce((sum, tick) => sum + tick.refused, 0) >= 1, 'a tick that counts it');
  assert.ok(seen.of('tick').some((tick) => tick.by_layer.rate === 1));
  seen.close();
  const live = JSON.parse((await admin('/live?seconds=60')).text);
  assert.equal(live.times.length, 60);
  assert.equal(live.requests.length, 60);
  assert.equal(live.by_layer.rate.reduce((a, b) => a + b), 1);
  assert.equal(live.top_keys[0].key, 'ann');
});

test('what changes is told, and gauges say how near the limit is', async () => {
  const seen = await watch('?only=broken').open;
  await weir.createKey('bob');
  await eventually(() => seen.of('changed').some(({ what }) => what === 'keys'), 'changed keys');
  await weir.writeConfig({ ...weir.config, auth_failures: { per: 'ip', allow: '100001/1m' } });
  await eventually(() => seen.of('changed').some(({ what, version }) => what === 'policy' && version), 'changed policy');
  seen.close();
  await eventually(async () => (await weir.metric(/^weir_limit_utilisation_ratio\{limit="few",tier="[^"]+"\} 1$/)) === 1, 'utilisation');
  assert.equal(await weir.metric(/^weir_events_dropped_total /), 0);
});

test('of a burst each watcher sees a sample and is told of how many; who does not read hurts nobody', async () => {
  const stuck = await connect(Number(new URL(weir.admin).port));
  stuck.send(`GET /admin/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${weir.adminToken}\r\n\r\n`);
  stuck.socket.pause();
  const seen = await watch('?only=rejected&most=500').open;
  const all = 4000;
  await burst(all);
  await eventually(() => seen.of('tick').reduce((sum, tick) => sum + tick.requests, 0) >= all, 'ticks that count all of it');
  const sampled = await eventually(() => seen.of('sampled').length > 0 && seen.of('sampled'), 'sampled');
  assert.ok(sampled.every(({ shown, of }) => shown < of));
  const shown = seen.of('decision').length;
  assert.ok(shown >= 500 && shown < all, `${shown} of ${all}`);
  assert.ok(seen.of('decision').every((one) => one.what === 'rejected' && one.status === 401));
  const ticks = seen.of('tick').length;
  await eventually(() => seen.of('tick').length >= ticks + 2, 'ticks go on');
  stuck.destroy();
  seen.close();
});

test('asks that make no sense, and more than 64 watchers, are told so', async () => {
  assert.equal((await admin('/events?only=everything')).status, 400);
  assert.equal((await ask(`${weir.admin}/admin/v1/events`)).status, 401);
  const all = await Promise.all(Array.from({ length: 64 }, () => watch('?only=broken').open));
  const more = await admin('/events');
  assert.equal(more.status, 503);
  assert.match(more.text, /64 watchers/);
  for (const one of all) one.close();
  await eventually(async () => (await weir.metric(/^weir_events_watchers /)) === 0, 'all have left');
});

test('streams end in order with the server', async () => {
  const seen = await watch().open;
  weir.signal('SIGTERM');
  await weir.exited;
  assert.equal(weir.exit.code, 0);
  await eventually(() => seen.ended, 'the stream ended');
});
