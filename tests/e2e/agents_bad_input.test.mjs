// What an agent, its model or its client may send that is wrong, forged or far too much: a clear 4xx or a bound, nothing
// charged to anybody else, and the process stays up.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { startProvider } from '../mock/provider.mjs';
import { agentOf } from '../support/calls.mjs';
import { callsOf, chat, refusalOf, toolList } from '../support/agent.mjs';
import { connect, post } from '../support/raw.mjs';
import { mockConfig, startWeir } from '../support/weir.mjs';

let provider, weir;
before(async () => {
  provider = await startProvider();
  weir = await startWeir(mockConfig(provider, {
    limits: [
      { name: 'requests', per: 'key', meter: 'requests', allow: '1M/1h' },
      { name: 'tokens', per: 'key', meter: 'tokens', allow: '1G/1h' },
      { name: 'mail', per: ['caller', 'tool'], meter: 'tool_calls', allow: '5/1h', on_exceed: 'strip_tool', match: { tool: 'send_email*' } },
      { name: 'by-run', per: 'run', meter: 'requests', allow: '1000/1h' },
    ],
  }));
});
after(async () => {
  await weir?.stop();
  await provider?.close();
});

let prompts = 0;
const said = (text = 'one two three') => [{ role: 'user', content: `${text} ${prompts += 1}` }];
const ask = (key, headers = {}, body = {}) => chat(weir, key, { messages: said(), max_tokens: 20, ...body }, headers);
const charged = async (key) => (await weir.me(key)).limits.map((item) => item.used + item.reserved).reduce((a, b) => a + b, 0);

test('lineage: forged, damaged, absurd, of another tenant: 400, and nothing is charged', async () => {
  provider.script = undefined;
  const key = await weir.createKey('kin', { tenant: 'acme' });
  const sibling = await weir.createKey('sibling', { tenant: 'acme' });
  const stranger = await weir.createKey('stranger', { tenant: 'globex' });
  const token = (await ask(key)).headers.get('x-weir-lineage');
  assert.match(token, /^v1\./);
  const before = [await charged(key), await charged(stranger), provider.requests.length];
  const forged = ['v1.', 'v2' + token.slice(2), token + token, token.toUpperCase(), token.split('').reverse().join(''), 'v1.' + 'A'.repeat(300),
    'v1.' + 'B'.repeat(7000), '{"run":"x","depth":-1}', 'x'];
  for (const value of forged) {
    const answer = await ask(key, { 'x-weir-lineage': value });
    assert.equal(answer.status, 400, `${value.slice(0, 40)}: ${answer.text}`);
    assert.match(answer.body.error.message, /X-Weir-Lineage/);
  }
  assert.equal((await ask(stranger, { 'x-weir-lineage': token })).status, 400);
  assert.deepEqual([await charged(key), await charged(stranger), provider.requests.length], before);
  assert.equal((await ask(sibling, { 'x-weir-lineage': token })).status, 200, 'another key of the tenant joins');
  const [row] = await weir.rowsOf('sibling', 1);
  assert.equal(row.run, (await weir.rowsOf('kin', 1))[0].run);
});

test('a key that only children may use: without lineage, or with an empty one, 400', async () => {
  const parent = await weir.createKey('parent', { tenant: 'acme' });
  const bound = await weir.createKey('bound', { tenant: 'acme', metadata: { lineage: 'required' } });
  assert.equal((await ask(bound)).status, 400);
  assert.equal((await ask(bound, { 'x-weir-run': 'mine' })).status, 400);
  const client = await connect(weir.port);
  client.send(post('/v1/chat/completions', bound, { model: 'mock-ok', messages: said() }, { 'x-weir-lineage': '' }));
  const empty = await client.response();
  assert.equal(empty.status, 400, empty.body.toString());
  client.destroy();
  assert.equal(await charged(bound), 0);
  const token = (await ask(parent)).headers.get('x-weir-lineage');
  assert.equal((await ask(bound, { 'x-weir-lineage': token })).status, 200);
});

test('a token that its own descendants use: children without progress are bounded', async () => {
  const key = await weir.createKey('cyclic');
  let n = 0;
  provider.script = () => [{ name: 'lookup', arguments: { n: n += 1 } }];
  const root = await ask(key);
  let token = root.headers.get('x-weir-lineage');
  const depths = [];
  let answer;
  for (let i = 0; i < 90; i += 1) {
    // Down two steps, then the root's token again.
    answer = await ask(key, { 'x-weir-lineage': i % 3 === 0 ? root.headers.get('x-weir-lineage') : token });
    if (answer.status !== 200) break;
    token = answer.headers.get('x-weir-lineage');
    depths.push(i);
  }
  assert.equal(answer.status, 429);
  assert.deepEqual([refusalOf(answer).limit, refusalOf(answer).meter, refusalOf(answer).allowed], ['runs', 'fanout', 20]);
  assert.equal((await ask(key)).status, 200, 'another run goes on');
  assert.equal(new Set((await weir.rowsOf('cyclic', depths.length + 2)).map((row) => row.run)).size, 2);
});

test('the same X-Weir-Run under two keys are two runs; a name that Weir gave leads nobody else in', async () => {
  const [ann, eve] = [await weir.createKey('ann'), await weir.createKey('eve')];
  let n = 0;
  provider.script = () => [{ name: 'lookup', arguments: { n: n += 1 } }];
  const fail = async (key, headers) => {
    let messages = said('failing');
    let answer;
    for (let i = 0; i < 6; i += 1) {
      answer = await chat(weir, key, { messages, max_tokens: 20 }, headers);
      if (answer.status !== 200) return answer;
      const [call] = callsOf(answer);
      messages = [...messages, answer.body.choices[0].message, { role: 'tool', tool_call_id: call.id, content: JSON.stringify({ error: `e${n}` }) }];
    }
    return answer;
  };
  assert.equal(refusalOf(await fail(ann, { 'x-weir-run': 'shared' })).limit, 'tool_errors');
  assert.equal((await ask(ann, { 'x-weir-run': 'shared' })).status, 429);
  assert.equal((await ask(eve, { 'x-weir-run': 'shared' })).status, 200);
  const own = refusalOf(await fail(ann, {})).per.run;
  assert.match(own, /^run_[0-9a-f]{32}$/);
  assert.equal((await ask(ann, { 'x-weir-run': own })).status, 429, 'its owner may say its name');
  assert.equal((await ask(eve, { 'x-weir-run': own })).status, 200);
  // Another key's call ids lead nowhere either.
  const announced = await ask(ann);
  const [call] = callsOf(announced);
  const stolen = await chat(weir, eve, { max_tokens: 20, messages: [...said(), announced.body.choices[0].message, { role: 'tool', tool_call_id: call.id, content: 'x' }] });
  assert.equal(stolen.status, 200);
  const rows = await weir.usage((all) => all.some((row) => row.request_id === stolen.headers.get('x-weir-request-id')));
  const runOf = (answer) => rows.find((row) => row.request_id === answer.headers.get('x-weir-request-id')).run;
  assert.notEqual(runOf(stolen), runOf(announced));
});

test('names of runs, agents, tasks and conversations: 300 bytes, control characters, bad UTF-8: 400, nothing charged', async () => {
  const key = await weir.createKey('names');
  const before = provider.requests.length;
  for (const header of ['x-weir-run', 'x-weir-agent', 'x-weir-task', 'x-weir-conversation']) {
    for (const [value, why] of [['x'.repeat(300), 'long'], ['a\tb', 'tab'], ['a\x01b', 'control'], ['a\x7fb', 'delete'], ['a\xffb', 'no UTF-8'], ['', 'empty']]) {
      const client = await connect(weir.port);
      client.send(post('/v1/chat/completions', key, { model: 'mock-ok', messages: said() }, { [header]: value }));
      const answer = await client.response();
      assert.equal(answer.status, 400, `${header} ${why}: ${answer.body}`);
      const { error } = JSON.parse(answer.body.toString());
      assert.ok((error.message ?? error).length > 10, `${header} ${why}`);
      client.destroy();
    }
  }
  assert.equal(provider.requests.length, before);
  assert.equal(await charged(key), 0);
  assert.equal((await ask(key, { 'x-weir-run': 'x'.repeat(256), 'x-weir-agent': 'é'.repeat(1) })).status, 400, 'é as one byte is no UTF-8');
  assert.equal((await ask(key, { 'x-weir-run': 'x'.repeat(256) })).status, 200);
});

test('tool names that no limit could hold: declared, 400; look-alikes share the cap of what they look like', async () => {
  const key = await weir.createKey('lookalikes');
  provider.script = undefined;
  const before = provider.requests.length;
  for (const name of ['send\u0000email', 'send_email\n', 'x'.repeat(10_000), '', '\u009bmail']) {
    const answer = await ask(key, {}, { tools: toolList([name]) });
    assert.equal(answer.status, 400, `${JSON.stringify(name.slice(0, 20))}: ${answer.text.slice(0, 300)}`);
    assert.match(answer.body.error.message, /tool/i);
  }
  assert.equal(provider.requests.length, before);
  const cyrillic = 'ѕеnd_email', wide = 'ｓend_email';
  provider.script = () => ['send_email', cyrillic, wide, 'send_email', cyrillic, wide, 'send_email'].map((name, i) => ({ name, arguments: { i } }));
  const answer = await ask(key, {}, { tools: toolList(['send_email', cyrillic]) });
  assert.equal(callsOf(answer).length, 5);
  const next = await ask(key, {}, { tools: toolList(['lookup', 'send_email', cyrillic]) });
  assert.equal(callsOf(next).length, 0);
  assert.deepEqual(provider.requests.at(-1).json.tools.map((tool) => tool.function.name), ['lookup']);
});

for (const stream of [false, true]) {
  test(`names that a model makes up${stream ? ' in a stream' : ''}: control characters and 10 kB pass no cap and break nothing`, async () => {
    const key = await weir.createKey(`made-up-${stream}`);
    provider.script = () => ['send_email\u0000', 'send_email\n', 'send_email' + 'x'.repeat(10_000), ''].map((name, i) => ({ name, arguments: { i } }))
      .concat([{ name: 'lookup', arguments: {} }]);
    const answer = await ask(key, {}, { tools: toolList(['lookup']), stream });
    assert.equal(answer.status, 200, answer.text.slice(0, 300));
    assert.ok(answer.text.includes('lookup'));
    assert.ok(!answer.text.includes('send_email'), answer.text.slice(0, 600));
  });

  test(`arguments of 5 MB${stream ? ' in a stream' : ''}: arrive whole, count once; a call over its cap is cut all the same`, async () => {
    const key = await weir.createKey(`large-${stream}`);
    const letter = 'river '.repeat(5 << 20).slice(0, 5 << 20);
    provider.script = () => [{ name: 'lookup', arguments: { letter } }];
    const answer = await ask(key, {}, { tools: toolList(['lookup']), stream });
    assert.equal(answer.status, 200, answer.text.slice(0, 300));
    assert.ok(answer.text.length > 5 << 20);
    provider.script = () => Array.from({ length: 6 }, (_, i) => ({ name: 'send_email', arguments: { i, letter: i === 5 ? letter : '' } }));
    const cut = await ask(key, {}, { tools: toolList(['send_email']), stream });
    assert.equal(cut.status, 200);
    assert.ok(cut.text.length < 1 << 20, 'the sixth is gone');
    assert.equal(cut.text.split('"send_email"').length - 1, 5);
    const rows = await weir.rowsOf(`large-${stream}`, 2);
    assert.deepEqual(rows.map((row) => row.tool_calls).sort(), [1, 5]);
  });
}

test('results without calls count once; calls without results, and 5 MB of history, pass', async () => {
  const key = await weir.createKey('halves');
  provider.script = undefined;
  const orphans = [...said(), ...['a', 'b', 'c'].map((id) => ({ role: 'tool', tool_call_id: `never-${id}`, content: 'sent' }))];
  for (let i = 0; i < 2; i += 1) {
    const answer = await chat(weir, key, { messages: orphans, max_tokens: 20 });
    assert.equal(answer.status, 200, answer.text);
  }
  assert.deepEqual((await weir.rowsOf('halves', 2)).map((row) => row.tool_calls).sort(), [0, 3], 'a retry is not counted again');
  const call = { id: 'call_x', type: 'function', function: { name: 'send_email', arguments: '{"to":"a"}' } };
  const pending = await chat(weir, key, { max_tokens: 20, messages: [...said(), { role: 'assistant', content: null, tool_calls: [call] }, { role: 'user', content: 'go on' }] });
  assert.equal(pending.status, 200, pending.text);
  const large = { ...call, function: { name: 'send_email', arguments: JSON.stringify({ letter: 'river '.repeat(900_000) }) } };
  const history = await chat(weir, key, { max_tokens: 20,
    messages: [...said(), { role: 'assistant', content: null, tool_calls: [large] }, { role: 'tool', tool_call_id: 'call_x', content: 'sent' }] });
  assert.equal(history.status, 200, history.text.slice(0, 300));
});

test('ten thousand results in one request: refused with a reason, nothing forwarded', async () => {
  const key = await weir.createKey('flood');
  const before = provider.requests.length;
  const many = (count) => [...said(), ...Array.from({ length: count }, (_, i) => ({ role: 'tool', tool_call_id: `c${i}`, content: `r${i}` }))];
  const shape = await chat(weir, key, { messages: many(10_000) });
  assert.equal(shape.status, 400, shape.text.slice(0, 300));
  assert.match(shape.body.error.message, /10000|messages/);
  const turn = await chat(weir, key, { messages: many(9_000) });
  assert.equal(turn.status, 400, turn.text.slice(0, 300));
  assert.match(turn.body.error.message, /512 results/);
  const run = await chat(weir, key, { messages: many(500) });
  assert.equal(run.status, 429, run.text.slice(0, 300));
  assert.deepEqual([refusalOf(run).limit, refusalOf(run).meter], ['runs', 'tool_calls']);
  const parts = Array.from({ length: 10_000 }, (_, i) => ({ functionResponse: { name: 'lookup', response: { i } } }));
  const gemini = await chat(weir, key, { contents: [{ role: 'user', parts: [{ text: 'hi' }] }, { role: 'user', parts }] }, {}, '/v1beta/models/mockg-ok:generateContent');
  assert.equal(gemini.status, 400, gemini.text.slice(0, 300));
  assert.equal(provider.requests.length, before);
  assert.equal((await ask(key)).status, 200);
});

test('20,000 run names of one key: bounded memory, and another key notices nothing', async () => {
  const [flooder, other] = [await weir.createKey('flooder'), await weir.createKey('calm')];
  provider.script = undefined;
  const resident = async () => Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${weir.process.pid}/status`, 'utf8'))[1]) / 1024;
  const alone = await ask(other);
  const before = await resident();
  const { default: http } = await import('node:http');
  const agent = agentOf(24);
  const body = JSON.stringify({ model: 'mock-out=1', max_tokens: 1, messages: [{ role: 'user', content: 'hi' }] });
  const send = (i) => new Promise((resolve, reject) => {
    const request = http.request(`${weir.url}/v1/chat/completions`, { method: 'POST', agent, headers: { authorization: `Bearer ${flooder}`,
      'content-type': 'application/json', 'content-length': body.length, 'x-weir-run': `run-${i}` } }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode));
    });
    request.on('error', reject);
    request.end(body);
  });
  const statuses = new Map();
  const slow = [];
  let next = 0;
  await Promise.all(Array.from({ length: 24 }, async () => {
    while (next < 20_000) {
      const status = await send(next += 1);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (next % 1000 === 0) slow.push(await ask(other));
      provider.requests.length = 0;
    }
  }));
  agent.destroy();
  const grown = await resident() - before;
  assert.equal((statuses.get(200) ?? 0) + (statuses.get(429) ?? 0), 20_000, JSON.stringify([...statuses]));
  assert.deepEqual(slow.map((answer) => answer.status), Array(slow.length).fill(200));
  assert.ok(slow.length > 0 && Math.max(...slow.map((answer) => answer.ms)) < 10 * alone.ms + 2000);
  assert.ok(grown < 200, `grown by ${grown} MB`);
  const after = await ask(other, { 'x-weir-run': 'run-7' });
  assert.equal(after.status, 200);
});
