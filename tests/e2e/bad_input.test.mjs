// Bad input, case by case (bad_input_cases.json): a clear 4xx in the dialect's shape or a closed connection, nothing
// charged, nothing sent upstream, the process up.
//
// A case: name; dialect (shape of the answer: openai, anthropic, http); raw: what is sent, in order: text (one byte per
// character, {KEY} replaced), {repeat: [text, times]}, {stall_ms: most to wait for an answer before going on};
// half_close: end our side after sending; expect: statuses, or "close" for a connection that just ends.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFileSync } from 'node:fs';
import { startProvider } from '../mock/provider.mjs';
import { connect, parseResponse } from '../support/raw.mjs';
import { mockConfig, startWeir } from '../support/weir.mjs';

const cases = JSON.parse(readFileSync(new URL('bad_input_cases.json', import.meta.url), 'utf8'));

const answerOf = (client) => {
  const parsed = parseResponse(client.bytes, { ended: client.ended });
  return parsed?.response;
};

// Waits until there is an answer or the connection ended, at most `ms`.
async function pause(client, ms) {
  let timer;
  const over = new Promise((resolve) => { timer = setTimeout(resolve, ms); });
  await Promise.race([over, client.until(() => client.ended || answerOf(client), 'answer').catch(() => {})]);
  clearTimeout(timer);
}

// Sends one case; its first answer, or "close".
async function play(weir, key, { raw, half_close: halfClose }) {
  const client = await connect(weir.port);
  for (const part of raw) {
    if (client.ended) break;
    if (typeof part === 'string') client.send(part.replaceAll('{KEY}', key));
    else if (part.repeat) client.send(part.repeat[0].repeat(part.repeat[1]));
    else await pause(client, part.stall_ms);
  }
  if (halfClose) client.end();
  await client.until(() => client.ended || answerOf(client), 'an answer or a closed connection');
  const response = answerOf(client);
  client.destroy();
  return response ?? 'close';
}

function checkShape(response, dialect) {
  assert.ok(response.body.length > 0, 'an error explains itself');
  const body = JSON.parse(response.body.toString('utf8'));
  if (dialect === 'openai') {
    for (const name of ['message', 'type', 'param', 'code']) assert.ok(name in body.error, `error.${name}`);
  } else if (dialect === 'anthropic') {
    assert.equal(body.type, 'error');
    assert.ok(body.error.type && body.error.message);
  } else {
    assert.ok(body.error?.message || (body.title && body.status === response.status), JSON.stringify(body));
  }
}

async function checked(weir, key, item) {
  const result = await play(weir, key, item);
  const status = result === 'close' ? 'close' : result.status;
  assert.ok(item.expect.includes(status), `expected ${JSON.stringify(item.expect)}, got ${status} ${result.body ?? ''}`);
  if (status !== 'close' && status >= 400) checkShape(result, item.dialect);
  return status;
}

const spent = async (weir, key) => (await weir.me(key)).limits.map((limit) => [limit.name, limit.used, limit.reserved]);

test('bad input', { concurrency: false }, async (t) => {
  const provider = await startProvider();
  const weir = await startWeir(mockConfig(provider, {
    models: {
      'gpt-4o-mini': { provider: 'openai', price: { input: 1, output: 2 } },
      'claude-*': { provider: 'claude', price: { input: 3, output: 15 } },
    },
    timeouts: { header: '1s', body: '1s', idle: '2s' },
    auth_failures: { per: 'ip', allow: '10000/1m' },
  }));
  try {
    const key = await weir.createKey('bad-input');
    const slow = cases.filter((item) => item.name.startsWith('slow'));
    const one = (item) => t.test(item.name, async () => {
      const before = await spent(weir, key);
      const calls = provider.requests.length;
      const status = await checked(weir, key, item);
      if (status === 200 || item.expect.includes(200)) return;
      assert.deepEqual(await spent(weir, key), before, 'nothing is charged');
      assert.equal(provider.requests.length, calls, 'nothing goes upstream');
    });
    // Requests that may be admitted and answered to nobody come last: their upstream call may still be under way.
    const late = (item) => item.expect.includes(200) && item.expect.includes('close');
    for (const item of cases.filter((each) => !slow.includes(each) && !late(each))) await one(item);
    await t.test('slow senders, all at once', { concurrency: 16 }, async (all) => {
      const before = await spent(weir, key);
      await Promise.all(slow.map((item) => all.test(item.name, () => checked(weir, key, item))));
      assert.deepEqual(await spent(weir, key), before, 'nothing is charged');
    });
    for (const item of cases.filter(late)) await one(item);
    await t.test('after all of it: up, ready, and good requests are answered', async () => {
      assert.equal(weir.exit, undefined, weir.output);
      assert.equal((await fetch(`${weir.url}/readyz`)).status, 200);
      assert.equal(await checked(weir, key, cases.find((item) => item.expect.includes(200))), 200);
    });
  } finally {
    await weir.stop();
    await provider.close();
  }
});
