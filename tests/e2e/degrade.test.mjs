// Ladders over real HTTP: what the provider sees, what the client is told, and what the ledger and the audit say.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startProvider } from '../mock/provider.mjs';
import { call, kWays } from '../support/calls.mjs';
import { mockConfig, startWeir } from '../support/weir.mjs';

let provider;
let weir;
const kPrefixes = ['mock-', 'mockc-', 'mockg-', 'mocko-'];

before(async () => {
  provider = await startProvider();
  const big = { input: 10, output: 100 };
  const small = { input: 1, output: 10 };
  const { providers } = mockConfig(provider);
  const names = { 'mock-': 'openai', 'mockc-': 'claude', 'mockg-': 'gemini', 'mocko-': 'ollama' };
  weir = await startWeir({
    providers,
    models: Object.fromEntries(kPrefixes.flatMap((prefix) => [
      [`${prefix}big`, { provider: names[prefix], price: big }],
      [`${prefix}small`, { provider: names[prefix], price: small }],
      [`${prefix}*`, { provider: names[prefix], price: big }],
    ])),
    limits: [
      { name: 'spend', per: 'key', meter: 'usd', allow: '1/day', degrade: [
        { at: '50%', model: Object.fromEntries(kPrefixes.map((prefix) => [`${prefix}big`, `${prefix}small`])), max_tokens: 200 },
        { at: '80%', max_tokens: 100, keep_messages: 2 }] },
      { name: 'tokens', per: 'key', meter: 'tokens', allow: '100M/1m' },
    ],
  });
});
after(async () => {
  await weir?.stop();
  await provider?.close();
});

const chat = kWays.find(({ name }) => name === 'chat');
// Spends dollars with one answer that reports so many tokens.
async function spend(key, usd) {
  const answer = await call(weir, key, chat, { script: `out=1+usage=${Math.round(usd * 10_000)}`, cap: 10 });
  assert.equal(answer.status, 200, answer.text);
}
const capOf = (json) => json.max_tokens ?? json.max_output_tokens ?? json.generationConfig?.maxOutputTokens ?? json.options?.num_predict;
const seenOf = (mark) => provider.requests.filter((request) => request.header('x-mark') === mark);

for (const way of kWays.filter(({ endpoint }) => !endpoint.embeds)) {
  test(`${way.name}: below the rung nothing changes; beyond it another model, a smaller cap, its price`, async () => {
    const name = way.name.replaceAll(' ', '-');
    const key = await weir.createKey(name);
    const { prefix } = way.endpoint;
    const ask = () => call(weir, key, way, { script: 'big', cap: 1000, headers: { 'x-mark': name } });
    const plain = await ask();
    assert.equal(plain.status, 200, plain.text);
    assert.equal(plain.headers['x-weir-degraded'], undefined);
    await spend(key, 0.45);
    const degraded = await ask();
    assert.equal(degraded.status, 200, degraded.text);
    assert.equal(degraded.headers['x-weir-degraded'], `spend; model=${prefix}small; max_tokens=200`);
    const [before, now] = seenOf(name);
    assert.deepEqual([before.model, capOf(before.json)], [`${prefix}big`, 1000]);
    assert.deepEqual([now.model, capOf(now.json)], [`${prefix}small`, 200]);
    const restored = now.body.toString().replace('small', 'big').replace(/\b200\b/, '1000');
    assert.equal(restored, before.body.toString(), 'all other bytes pass unchanged');
    const rows = (await weir.usage((all) => all.filter((row) => row.key === name).length === 3)).filter((row) => row.key === name);
    const row = rows.find((item) => item.degraded !== '');
    assert.equal(row.degraded, degraded.headers['x-weir-degraded']);
    assert.deepEqual([row.model, row.input_tokens, row.output_tokens, row.usd_micros], [`${prefix}small`, 3, 12, 3 + 120]);
    assert.equal(rows.find((item) => item.model === `${prefix}big`).usd_micros, 30 + 1200);
    const audit = (await weir.audit((all) => all.some((item) => item.key === name))).filter((item) => item.key === name);
    assert.deepEqual(audit.map((item) => [item.event, item.limit, item.count]), [['degraded', 'spend', 1]]);
    assert.match(JSON.stringify(audit[0].evidence), /model=/);
  });
}

test('rungs add up, and turns are dropped: never the system message', async () => {
  const key = await weir.createKey('turns');
  await spend(key, 0.85);
  const messages = [{ role: 'system', content: 'Be brief.' }, { role: 'user', content: 'One.' },
    { role: 'assistant', content: '1' }, { role: 'user', content: 'Two.' }];
  const response = await fetch(`${weir.url}/v1/chat/completions`, { method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'x-mark': 'turns' },
    body: JSON.stringify({ model: 'mock-big', max_tokens: 1000, temperature: 0.5, messages }) });
  await response.text();
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('x-weir-degraded'), 'spend; model=mock-small; max_tokens=100; keep_messages=2');
  const { json } = seenOf('turns')[0];
  assert.deepEqual([json.model, json.max_tokens, json.temperature], ['mock-small', 100, 0.5]);
  assert.equal(json.messages[0].content, 'Be brief.');
  assert.equal(json.messages.at(-1).content, 'Two.');
  assert.ok(!json.messages.some((message) => message.content === 'One.'));
});

test('the ladder saves what the big model could not pay, and beyond the amount it is refused', async () => {
  const key = await weir.createKey('saved');
  await spend(key, 0.95);
  const ask = () => call(weir, key, chat, { script: 'big', cap: 1000 });
  assert.equal((await ask()).status, 200, 'a tenth of a dollar would not fit');
  await spend(key, 0.0499);
  const refused = await ask();
  assert.equal(refused.status, 429, refused.text);
  assert.equal(refused.headers['x-weir-degraded'], undefined);
});
