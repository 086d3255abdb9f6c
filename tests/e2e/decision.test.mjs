// The decision API over HTTP: admit, settle, cancel, check, count; holds and answers survive kill -9.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually, startWeir } from '../support/weir.mjs';

const limits = [
  { name: 'requests', per: 'key', meter: 'requests', allow: '1000/1h' },
  { name: 'tokens', per: 'key', meter: 'tokens', allow: '10000/1h' },
  { name: 'spend', per: 'caller', meter: 'usd', allow: '10/day' },
  { name: 'in-flight', per: 'key', meter: 'concurrency', allow: 4 },
  { name: 'units', per: 'key', meter: 'compute_units', allow: '100/1h' },
  { name: 'weighted', per: 'key', meter: { input_tokens: 1, output_tokens: 4 }, allow: '40000/1h' },
  { name: 'burst', per: 'key', meter: 'input_tokens', allow: '1000/s burst 5000' },
  { name: 'chat', per: 'conversation', match: { conversation: '*' }, meter: 'tokens', allow: '5000/1h' },
];

const policy = { limits, upstreams: [{ path: '/rows/**', kind: 'http', url: 'http://127.0.0.1:9',
  meters: { compute_units: { response_header: 'X-Units', estimate: 1 } } }] };

function client(weir, key) {
  return async (call, body, headers = {}) => {
    const response = await fetch(`${weir.url}/weir/v1/${call}`, { method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body) });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, body: JSON.parse(text) };
  };
}

const state = async (weir, key, name) => {
  const { used, reserved } = await weir.limit(key, name);
  return [used, reserved];
};

const estimate = { input_tokens: 900, output_tokens: 500 };

// Everything against several workers too: a call may arrive at one that does not keep the hold.
for (const workers of [1, 3]) {
  test(`admit holds, settle charges what was used, repeats answer the same (${workers} workers)`, async () => {
    const weir = await startWeir({ ...policy, workers });
    try {
      const key = await weir.createKey('agent');
      const call = client(weir, key);
      const admitted = await call('admit', { model: 'gpt-4o', estimate, tools: ['send_email'], hold: '60s', id: 'job-1' });
      assert.equal(admitted.status, 200, admitted.text);
      assert.equal(admitted.body.id, 'job-1');
      assert.equal(admitted.body.decision, 'allow');
      assert.match(admitted.headers.get('ratelimit'), /r=/);
      assert.equal(admitted.headers.get('x-weir-request-id').includes(','), false, 'the id is there once');
      const tokens = admitted.body.limits.find((limit) => limit.name === 'tokens');
      assert.deepEqual([tokens.used, tokens.reserved, tokens.remaining], [0, 1400, 8600], 'with its own hold');
      assert.deepEqual(await state(weir, key, 'tokens'), [0, 1400]);
      assert.deepEqual(await state(weir, key, 'in-flight'), [1, 0]);
      assert.deepEqual(await state(weir, key, 'requests'), [1, 0]);
      assert.deepEqual(await state(weir, key, 'weighted'), [0, 2900]);
      for (let i = 0; i < 6; i += 1) {
        assert.equal((await call('admit', { estimate: { input_tokens: 1 }, id: 'job-1' })).text, admitted.text, 'verbatim');
      }
      assert.deepEqual(await state(weir, key, 'requests'), [1, 0], 'a repeat charges nothing');

      const settled = await call('settle', { id: 'job-1', usage: { input_tokens: 880, output_tokens: 412 }, tools: ['send_email'] });
      assert.equal(settled.status, 200, settled.text);
      assert.deepEqual(settled.body, { id: 'job-1', settled: 'usage', input_tokens: 880, output_tokens: 412, cached_tokens: 0,
        cache_write_tokens: 0, reasoning_tokens: 0, tool_calls: 1, usd_micros: 6320 });
      for (let i = 0; i < 6; i += 1) {
        assert.equal((await call('settle', { id: 'job-1', usage: { input_tokens: 1 } })).text, settled.text);
      }
      const after = await call('cancel', { id: 'job-1' });
      assert.deepEqual([after.status, after.body.already, after.body.input_tokens], [200, 'settled', 880]);
      assert.deepEqual(await state(weir, key, 'tokens'), [1292, 0]);
      assert.deepEqual(await state(weir, key, 'spend'), [0.00632, 0]);
      assert.deepEqual(await state(weir, key, 'in-flight'), [0, 0]);
      assert.deepEqual(await state(weir, key, 'weighted'), [880 + 4 * 412, 0]);
      assert.equal((await call('admit', { id: 'job-1' })).text, admitted.text, 'also after the end');

      const rows = await weir.usage((all) => all.length >= 1);
      assert.equal(rows.length, 1);
      const { key: name, request_id: id, route, model, settled: how, status, attempts, reserved_tokens: reserved, tool_calls: tools } = rows[0];
      assert.deepEqual([name, id, route, model, how, status, attempts, reserved, tools],
        ['agent', 'job-1', '/weir/v1/admit', 'gpt-4o', 'usage', 200, 0, 1400, 1]);
    } finally {
      await weir.stop();
    }
  });
}

test('cancel gives back everything, once; settle afterwards says so', async () => {
  const weir = await startWeir({ ...policy, workers: 2 });
  try {
    const key = await weir.createKey('agent');
    const call = client(weir, key);
    const { body: { id } } = await call('admit', { estimate });
    assert.match(id, /^adm_[0-9a-f]{32}$/);
    const cancelled = await call('cancel', { id });
    assert.deepEqual([cancelled.status, cancelled.body.settled, cancelled.body.usd_micros], [200, 'none', 0]);
    assert.equal((await call('cancel', { id })).text, cancelled.text);
    const late = await call('settle', { id, usage: { input_tokens: 5 } });
    assert.equal(late.body.already, 'cancelled');
    assert.deepEqual(await state(weir, key, 'tokens'), [0, 0]);
    assert.deepEqual(await state(weir, key, 'in-flight'), [0, 0]);
    const rows = await weir.usage((all) => all.length >= 1);
    assert.deepEqual(rows.map((row) => [row.settled, row.input_tokens]), [['none', 0]]);
  } finally {
    await weir.stop();
  }
});

test('a refusal names the limit and charges nothing; what can never fit is 413; check decides the same for nothing', async () => {
  const weir = await startWeir(policy);
  try {
    const key = await weir.createKey('agent');
    const call = client(weir, key);
    const first = await call('admit', { estimate: { input_tokens: 100, output_tokens: 9000 } });
    assert.equal(first.status, 200, first.text);
    for (const name of ['check', 'admit']) {
      const refused = await call(name, { estimate: { input_tokens: 500, output_tokens: 600 }, id: 'again' });
      assert.equal(refused.status, 429, refused.text);
      assert.equal(refused.headers.get('content-type'), 'application/problem+json');
      assert.ok(Number(refused.headers.get('retry-after')) > 0);
      assert.equal(refused.body.weir.limit, 'tokens');
      assert.deepEqual([refused.body.weir.reserved, refused.body.weir.requested], [9100, 1100]);
      assert.deepEqual(refused.body['violated-policies'], ['tokens']);
    }
    const never = await call('admit', { estimate: { input_tokens: 20000 } });
    assert.equal(never.status, 413);
    assert.equal(never.body.weir.retry_after, null);
    const check = await call('check', { estimate: { input_tokens: 10 } });
    assert.deepEqual([check.status, check.body.decision, 'id' in check.body], [200, 'allow', false]);
    assert.deepEqual(await state(weir, key, 'requests'), [1, 0]);
    const refused = (all) => all.filter((row) => row.event === 'refused');
    const audit = refused(await weir.audit((all) => refused(all).length >= 2));
    assert.deepEqual(audit.map((row) => [row.key, row.limit]).slice(0, 1), [['agent', 'tokens']]);
    await call('cancel', { id: first.body.id });
    assert.equal((await call('admit', { estimate: { input_tokens: 500, output_tokens: 600 }, id: 'again' })).status, 200,
      'a refused id may be asked again');
  } finally {
    await weir.stop();
  }
});

test('a hold that nobody settles expires: charged as estimated, concurrency free; a late settle adjusts and says so', async () => {
  const weir = await startWeir({ ...policy, workers: 2 });
  try {
    const key = await weir.createKey('agent');
    const call = client(weir, key);
    const { body: { id } } = await call('admit', { estimate, hold: '1s', model: 'gpt-4o' });
    await call('admit', { estimate, hold: '1s', id: 'never-settled' });
    const rows = await weir.usage((all) => all.filter((row) => row.settled === 'expired').length >= 2, 'expired rows');
    assert.deepEqual(rows.map((row) => [row.settled, row.input_tokens, row.output_tokens]), Array(2).fill(['expired', 900, 500]));
    assert.deepEqual(await state(weir, key, 'tokens'), [2800, 0]);
    assert.deepEqual(await state(weir, key, 'in-flight'), [0, 0]);
    const late = await call('settle', { id, usage: { input_tokens: 100, output_tokens: 50 } });
    assert.deepEqual([late.status, late.body.settled, late.body.expired, late.body.input_tokens], [200, 'usage', true, 100]);
    assert.equal((await call('settle', { id, usage: { input_tokens: 7 } })).text, late.text);
    assert.deepEqual(await state(weir, key, 'tokens'), [1550, 0]);
    const settled = await weir.usage((all) => all.some((row) => row.settled === 'usage'), 'the row is replaced');
    assert.deepEqual(settled.map((row) => [row.request_id === id, row.settled]).sort(), [[false, 'expired'], [true, 'usage']]);
  } finally {
    await weir.stop();
  }
});

for (const workers of [1, 2]) {
  test(`kill -9 between admit and settle: the hold is open again and settles once (${workers} workers)`, async () => {
    const weir = await startWeir({ ...policy, workers });
    try {
      const key = await weir.createKey('agent');
      let call = client(weir, key);
      const done = await call('admit', { estimate: { input_tokens: 10 }, id: 'done' });
      const settledBefore = await call('settle', { id: 'done', usage: { input_tokens: 10 } });
      await call('admit', { estimate: { input_tokens: 10 }, id: 'dropped' });
      const cancelledBefore = await call('cancel', { id: 'dropped' });
      const open = await call('admit', { model: 'gpt-4o', hold: '1h', id: 'open',
        estimate: { ...estimate, compute_units: 10 }, attributes: { conversation: 'c1' } });
      assert.equal(open.status, 200, open.text);
      assert.equal((await call('admit', { estimate: { input_tokens: 70 }, hold: '1s', id: 'due' })).status, 200);
      const names = ['tokens', 'spend', 'units', 'weighted', 'in-flight'];
      for (let round = 0; round < 2; round += 1) {
        await weir.kill();
        if (round === 0) await new Promise((resolve) => { setTimeout(resolve, 1100); });   // `due` is over when it comes back
        await weir.start();
        call = client(weir, key);
        if (round === 0) await weir.usage((all) => all.some((row) => row.settled === 'expired'), 'the one whose time passed');
        const used = round === 0 ? 80 : 11;   // expired with 70, then settled late with 1
        assert.deepEqual(await Promise.all(names.map((name) => state(weir, key, name))),
          [[used, 1400], [0, 0.00725], [0, 10], [used, 2900], [1, 0]], 'reserved as before');
        assert.equal((await call('admit', { estimate, id: 'open' })).text, open.text, 'the answer is remembered');
        assert.equal((await call('admit', { estimate, id: 'done' })).text, done.text);
        assert.equal((await call('settle', { id: 'done', usage: { input_tokens: 5 } })).text, settledBefore.text);
        assert.equal((await call('cancel', { id: 'dropped' })).text, cancelledBefore.text);
        const due = await call('settle', { id: 'due', usage: { input_tokens: 1 } });
        assert.deepEqual([due.body.settled, due.body.input_tokens, due.body.expired], ['usage', 1, true]);
      }
      const settled = await call('settle', { id: 'open', usage: { input_tokens: 880, output_tokens: 412 } });
      assert.equal(settled.body.usd_micros, 6320, 'by the price of then');
      assert.equal((await call('settle', { id: 'open', usage: {} })).text, settled.text);
      await weir.kill();
      await weir.start();
      call = client(weir, key);
      assert.equal((await call('settle', { id: 'open', usage: {} })).text, settled.text, 'once, over restarts too');
      assert.deepEqual((await state(weir, key, 'units')), [10, 0], 'a meter that was left out costs its estimate');
      assert.deepEqual((await state(weir, key, 'in-flight')), [0, 0]);
      const rows = await weir.usage((all) => all.length >= 4 && all.some((row) => row.request_id === 'open'));
      assert.equal(new Set(rows.map((row) => row.request_id)).size, rows.length, 'no hold twice');
      assert.equal(rows.length, 4);
    } finally {
      await weir.stop();
    }
  });
}

test('an ordinary restart keeps open holds, and a snapshot in between changes nothing', async () => {
  const weir = await startWeir(policy);
  try {
    const key = await weir.createKey('agent');
    await client(weir, key)('admit', { estimate, hold: '1h', id: 'long' });
    for (let round = 0; round < 3; round += 1) {
      weir.signal('SIGHUP');   // asks for a snapshot: the segments before it go, the hold is carried over
      await eventually(() => weir.output.includes('policy loaded'), 'a reload');
      await client(weir, key)('admit', { estimate: { input_tokens: 1 }, id: `short-${round}` });
      await client(weir, key)('settle', { id: `short-${round}`, usage: {} });
      await new Promise((resolve) => { setTimeout(resolve, 300); });
      weir.signal('SIGTERM');
      assert.deepEqual(await weir.exited, { code: 0, signal: null });
      await weir.start();
      assert.deepEqual(await state(weir, key, 'tokens'), [0, 1400]);
    }
    await client(weir, key)('cancel', { id: 'long' });
    assert.deepEqual(await state(weir, key, 'tokens'), [0, 0]);
  } finally {
    await weir.stop();
  }
});

test('ids belong to the key that used them', async () => {
  const weir = await startWeir({ ...policy, workers: 2 });
  try {
    const [ann, bob] = [client(weir, await weir.createKey('ann')), client(weir, await weir.createKey('bob'))];
    assert.equal((await ann('admit', { estimate, id: 'shared' })).status, 200);
    for (const [name, body] of [['settle', { id: 'shared', usage: {} }], ['cancel', { id: 'shared' }]]) {
      const foreign = await bob(name, body);
      assert.deepEqual([foreign.status, foreign.body.code], [404, 'unknown_id']);
    }
    assert.equal((await bob('admit', { estimate, id: 'shared' })).status, 200, 'the same text is another id');
    assert.equal((await ann('settle', { id: 'nothing-like-it', usage: {} })).body.code, 'unknown_id');
    assert.equal((await fetch(`${weir.url}/weir/v1/admit`, { method: 'POST', body: '{}' })).status, 401);
  } finally {
    await weir.stop();
  }
});

test('a service key names the end consumer', async () => {
  const weir = await startWeir(policy);
  try {
    const agent = await weir.createKey('agent', { tenant: 'acme', user: 'ann' });
    const proxy = client(weir, await weir.createKey('proxy', { kind: 'service' }));
    assert.equal((await proxy('admit', { estimate, attributes: { key: 'agent' }, id: 'a' })).status, 200);
    assert.deepEqual(await state(weir, agent, 'tokens'), [0, 1400]);
    const user = await proxy('admit', { estimate: { usd: 9 }, attributes: { tenant: 'acme', user: 'eve', tier: 'pro' }, id: 'b' });
    assert.equal(user.status, 200, user.text);
    const over = await proxy('admit', { estimate: { usd: '1.50' }, attributes: { tenant: 'acme', user: 'eve' } });
    assert.deepEqual([over.status, over.body.weir.limit, over.body.weir.requested], [429, 'spend', 1.5]);
    await proxy('settle', { id: 'a', usage: { input_tokens: 1 } });
    await proxy('settle', { id: 'b', usage: { usd: 0.5 } });
    const rows = await weir.usage((all) => all.length >= 2);
    assert.deepEqual(rows.map((row) => [row.request_id, row.key, row.tenant, row.user, row.tier, row.usd_micros]).sort(),
      [['a', 'agent', 'acme', 'ann', 'free', 0], ['b', 'proxy', 'acme', 'eve', 'pro', 500000]]);
    for (const attributes of [{ key: 'nobody' }, { key: 'agent', user: 'x' }, { tier: 'gold' }]) {
      assert.equal((await proxy('admit', { attributes })).status, 400, JSON.stringify(attributes));
    }
    for (const attributes of [{ key: 'proxy' }, { user: 'x' }, { tenant: 'x' }, { tier: 'pro' }]) {
      const plain = await client(weir, agent)('admit', { attributes });
      assert.equal(plain.status, 400);
      assert.match(plain.body.detail, /service/);
    }
  } finally {
    await weir.stop();
  }
});

test('bad input: 400 that says what to do, nothing charged', async () => {
  const weir = await startWeir(policy);
  try {
    const key = await weir.createKey('agent');
    const call = client(weir, key);
    const cases = [
      '', '[]', '{', '"x"', '{"estimat":{}}', '{"estimate":{"input_tokens":1,"input_tokens":2}}', '{"id":"a","id":"b"}',
      '{"estimate":{"input_tokens":-1}}', '{"estimate":{"input_tokens":1.5}}', '{"estimate":{"input_tokens":"1"}}',
      '{"estimate":{"input_tokens":9007199254740993}}', '{"estimate":{"input_tokens":99999999999999999999999}}',
      '{"estimate":{"tokens":5}}', '{"estimate":{"input_token":5}}', '{"estimate":{"concurrency":5}}', '{"estimate":[]}',
      '{"estimate":{"usd":-1}}', '{"estimate":{"usd":"much"}}', '{"estimate":{"input_tokens":1,"cached_tokens":2}}',
      '{"hold":"25h"}', '{"hold":"0s"}', '{"hold":120}', '{"hold":"soon"}', '{"id":""}', '{"id":"a b"}', `{"id":"${'x'.repeat(65)}"}`,
      '{"attributes":{"ip":"1.2.3.4"}}', '{"attributes":{"header.x":"1"}}', '{"attributes":{"run":""}}', '{"attributes":{"run":7}}',
      '{"tools":"send"}', '{"tools":[7]}', '{"model":7}', '{"model":""}', '{"estimate":{"input_tokens":true}}',
    ];
    for (const body of cases) {
      const answer = await call('admit', body);
      assert.equal(answer.status, 400, `${body}: ${answer.text}`);
      assert.equal(answer.headers.get('content-type'), 'application/problem+json');
      assert.ok(answer.body.detail.length > 20, answer.text);
    }
    await call('admit', { id: 'real', estimate: { input_tokens: 5 } });
    for (const body of ['{}', '{"id":"real"}', '{"usage":{}}', '{"id":"real","usage":{"rows":1}}', '{"id":"real","usage":7}', '{"id":"real","usage":{},"x":1}']) {
      assert.equal((await call('settle', body)).status, 400, body);
    }
    assert.equal((await call('cancel', '{"id":"real","usage":{}}')).status, 400);
    assert.equal((await call('admit', `{"model":"${'x'.repeat(1 << 20)}"}`)).status, 413);
    assert.deepEqual(await state(weir, key, 'requests'), [1, 0]);
    assert.equal((await fetch(`${weir.url}/weir/v1/admit`, { headers: { authorization: `Bearer ${key}` } })).status, 405);
    assert.equal((await call('settle', { id: 'real', usage: { input_tokens: 5 } })).status, 200);
  } finally {
    await weir.stop();
  }
});

test('a ladder degrades: the hold, the price and the ledger are those of the model to call; check does the same for nothing', async () => {
  const ladder = [
    { name: 'spend', per: 'caller', meter: 'usd', allow: '10/day', on_exceed: 'degrade', hard: '120%',
      degrade: [{ at: '50%', model: { 'gpt-4o': 'gpt-4o-mini' }, max_tokens: 200 }] },
    { name: 'tokens', per: 'key', meter: 'tokens', allow: '10000/1h' },
    { name: 'big', per: 'key', match: { model: 'gpt-4o' }, meter: 'requests', allow: '1/1h' },
  ];
  const weir = await startWeir({ limits: ladder, workers: 2 });
  try {
    const key = await weir.createKey('agent');
    const call = client(weir, key);
    assert.equal((await call('admit', { id: 'first', model: 'gpt-4o', estimate })).body.decision, 'allow');
    assert.equal((await call('settle', { id: 'first', usage: { usd: 4.999 } })).status, 200);
    const degrade = { model: 'gpt-4o-mini', max_tokens: 200 };
    const checked = await call('check', { model: 'gpt-4o', estimate });
    assert.equal(checked.status, 200, checked.text);
    assert.deepEqual([checked.body.decision, checked.body.degrade], ['degrade', degrade]);
    const admitted = await call('admit', { id: 'second', model: 'gpt-4o', estimate });
    assert.equal(admitted.status, 200, `not refused by the limit of gpt-4o: ${admitted.text}`);
    assert.deepEqual([admitted.body.decision, admitted.body.degrade], ['degrade', degrade]);
    assert.equal(admitted.headers.get('x-weir-degraded'), 'spend; model=gpt-4o-mini; max_tokens=200');
    assert.equal((await call('admit', { id: 'second' })).text, admitted.text, 'verbatim');
    assert.deepEqual(await state(weir, key, 'tokens'), [0, 1100], '900 and the cap of 200');
    await call('settle', { id: 'second', usage: { input_tokens: 900, output_tokens: 200 } });
    const rows = await weir.usage((all) => all.length === 2);
    const row = rows.find((one) => one.request_id === 'second');
    assert.deepEqual([row.model, row.degraded, row.reserved_tokens, row.usd_micros],
      ['gpt-4o-mini', 'spend; model=gpt-4o-mini; max_tokens=200', 1100, 255]);
    const audit = (await weir.audit((all) => all.some((one) => one.event === 'degraded')))
      .filter((one) => one.event === 'degraded');
    assert.deepEqual(audit.map((one) => [one.request_id, one.limit, one.key]), [['second', 'spend', 'agent']]);
  } finally {
    await weir.stop();
  }
});

test('count needs a key, counts and charges nothing', async () => {
  const weir = await startWeir(policy);
  try {
    const key = await weir.createKey('agent');
    const call = client(weir, key);
    const text = await call('count', { model: 'claude-sonnet-4-5', text: 'hello world' });
    assert.equal(text.status, 200, text.text);
    assert.deepEqual([text.body.model, text.body.encoding, text.body.exact], ['claude-sonnet-4-5', null, false]);
    assert.ok(text.body.tokens >= 2 && text.body.tokens <= 8);
    assert.equal((await call('count', { model: 'gpt-4o', text: 'hello world' })).text,
      '{"model":"gpt-4o","encoding":"o200k_base","tokens":2,"exact":true}');
    assert.deepEqual((await call('count', { model: 'gpt-4o', messages: [{ role: 'user', content: 'hello world' }] })).body,
      { model: 'gpt-4o', encoding: 'o200k_base', tokens: 9, exact: true });
    assert.deepEqual((await call('count', { model: 'nobody-knows', text: 'hello world' })).body,
      { model: 'nobody-knows', encoding: null, tokens: 4, exact: false });
    const messages = await call('count', { model: 'claude-sonnet-4-5', messages: [{ role: 'user', content: 'hello world' }] });
    assert.equal(messages.status, 200, messages.text);
    assert.ok(messages.body.tokens >= 2);
    for (const body of [{}, { model: 'x' }, { text: 'x' }, { model: 'x', text: 'a', messages: [] }, { model: 'x', text: 7 }, { model: 'x', messages: 7 }]) {
      assert.equal((await call('count', body)).status, 400, JSON.stringify(body));
    }
    assert.equal((await fetch(`${weir.url}/weir/v1/count`, { method: 'POST', body: '{"model":"x","text":"a"}' })).status, 401);
    assert.deepEqual(await state(weir, key, 'requests'), [0, 0]);
  } finally {
    await weir.stop();
  }
});
