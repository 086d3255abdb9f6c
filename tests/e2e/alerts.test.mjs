// Alerts of a real server, to webhooks of ours: signed, sent again after an error, a hang and a restart, taken once.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { ask, eventually, lines, startWeir } from '../support/weir.mjs';

const kSecret = 'a secret of these tests';

// Takes messages; `answer(message)` gives a status, or nothing at all: it hangs.
async function startHook(answer = () => 200) {
  const hook = { tries: [], answer };
  const server = http.createServer((request, response) => {
    let body = '';
    request.on('data', (part) => { body += part; });
    request.on('end', () => {
      const message = { body, json: JSON.parse(body), headers: request.headers, id: request.headers['x-weir-alert-id'] };
      hook.tries.push(message);
      const status = hook.answer(message);
      if (status) {
        message.taken = status < 300;
        response.writeHead(status).end('thanks');
      }
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  hook.url = `http://127.0.0.1:${server.address().port}/secret-path`;
  hook.taken = (event) => hook.tries.filter(({ taken, json }) => taken && (!event || json.event === event));
  hook.close = () => { server.closeAllConnections(); server.close(); };
  return hook;
}

function assertSigned({ headers, body, id }) {
  const { t, v1 } = /^t=(?<t>\d+),v1=(?<v1>[0-9a-f]{64})$/.exec(headers['x-weir-signature']).groups;
  assert.equal(v1, createHmac('sha256', kSecret).update(`${id}.${t}.${body}`).digest('hex'));
  assert.ok(Math.abs(Date.now() / 1000 - Number(t)) < 60);
}

let weir, hook, slack, stuck, ann, bob, eve, fay, heavy, light;
before(async () => {
  [hook, slack, stuck] = await Promise.all([startHook(), startHook(), startHook(() => undefined)]);
  weir = await startWeir({
    providers: { sim: { simulate: { output_tokens: '5..5', first_byte: '1ms', tokens_per_second: 0 } } },
    models: { '*': { provider: 'sim', price: { input: 1, output: 1 } } },
    limits: [
      { name: 'few', per: 'key', meter: 'requests', allow: '10/1h', match: { tier: 'small' } },
      { name: 'short', per: 'key', meter: 'requests', allow: '4/2s', match: { tier: 'brief' } },
      { name: 'team', per: 'tenant', meter: 'requests', allow: '10/1h', match: { tier: 'alone' } },
    ],
    tiers: { small: {}, brief: {}, free: {}, alone: {} },
    alerts: {
      targets: {
        ops: { url: hook.url, secret: kSecret },
        chat: { url: slack.url, kind: 'slack' },
        hangs: { url: stuck.url, secret: kSecret },
      },
      rules: [
        { name: 'near', when: 'usage', limit: 'few', above: '80%' },
        { name: 'brief', when: 'usage', limit: 'short', above: '50%', to: ['ops'] },
        { name: 'team', when: 'usage', limit: 'team', above: '60%', to: ['ops'] },
        { name: 'jump', when: 'spike', meter: 'requests', factor: 3, min: 15, within: '2s', warmup: '3s', to: ['ops'] },
      ],
    },
  });
  ann = await weir.createKey('ann', { tier: 'small' });
  bob = await weir.createKey('bob', { tier: 'free' });
  eve = await weir.createKey('eve', { tier: 'free' });
  fay = await weir.createKey('fay', { tier: 'brief' });
  heavy = await weir.createKey('heavy', { tier: 'alone' });
  light = await weir.createKey('light', { tier: 'alone' });
});
after(async () => {
  await weir?.stop();
  for (const each of [hook, slack, stuck]) each?.close();
});

const admin = (path, options = {}) => ask(`${weir.admin}/admin/v1${path}`,
  { ...options, headers: { authorization: `Bearer ${weir.adminToken}`, ...options.headers } });
const chat = (key, content, headers = {}) => ask(`${weir.url}/v1/chat/completions`, {
  method: 'POST', headers: { authorization: `Bearer ${key}`, ...headers },
  body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content }] }) });

const firing = async (name) => JSON.parse((await admin('/alerts?state=firing')).text).alerts
  .filter(({ rule }) => rule === name).map(({ subject }) => subject);

// Milliseconds that a request of bob's takes.
async function median() {
  const all = [];
  for (let i = 0; i < 21; ++i) {
    const begun = performance.now();
    assert.equal((await chat(bob, `how long ${i} ${begun}`)).status, 200);
    all.push(performance.now() - begun);
  }
  return all.sort((a, b) => a - b)[10];
}

test('`weir alerts test` says which targets a message reaches, and exits 1 if one is not reached', async () => {
  const reached = await weir.command('alerts', 'test', '--json', '--target', 'ops');
  assert.equal(reached.code, 0, reached.stderr);
  assert.deepEqual(lines(reached.stdout).map(({ target, ok, status }) => [target, ok, status]), [['ops', true, 200]]);
  assert.equal(hook.tries.at(-1).json.type, 'test');
  assertSigned(hook.tries.at(-1));
  const all = await weir.command('alerts', 'test', '--json');
  assert.equal(all.code, 1);
  assert.deepEqual(lines(all.stdout).map(({ target, ok, status }) => [target, ok, status]),
    [['ops', true, 200], ['chat', true, 200], ['hangs', false, null]]);
  assert.match(lines(all.stdout)[2].detail, /no answer within 5000 ms/);
  const unknown = await weir.command('alerts', 'test', '--target', 'opps');
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /did you mean `ops`/);
  assert.ok(!(all.stdout + all.stderr).includes('secret-path'));
});

test('a limit near its amount is told once, signed, after an error and to Slack; a target that hangs delays nobody', async (t) => {
  const calm = await median();
  let errors = 1;
  hook.tries.length = slack.tries.length = stuck.tries.length = 0;
  hook.answer = () => (errors-- > 0 ? 500 : 200);
  for (let i = 0; i < 9; ++i) await chat(ann, `question ${i}`);
  await eventually(() => slack.tries.length > 0, 'Slack is told');
  assert.match(slack.tries[0].json.text, /^Alert: near: Limit few of key ann is used to [89]0% \([89] of 10/);
  assert.equal(slack.tries.at(-1).headers['x-weir-signature'], undefined);
  await eventually(() => hook.taken('firing').length === 1, 'the message is sent again after an error');
  assert.equal(hook.tries.length, 2);
  assert.equal(hook.tries[0].id, hook.tries[1].id);
  hook.tries.forEach(assertSigned);
  const { subject, rule, state, sentence } = hook.taken()[0].json;
  assert.deepEqual([rule, subject, state], ['near', 'few of key ann', 'firing']);
  assert.match(sentence, /used to [89]0%/);
  assert.ok(stuck.tries.length >= 1);

  const during = await median();
  t.diagnostic(`a request takes ${calm.toFixed(1)} ms, while a webhook hangs ${during.toFixed(1)} ms`);
  assert.ok(during < 5 * calm + 1000, 'a request that waited for the webhook would take its 5 s');
});

test('GET /alerts has rules in words, the alert with what was sent, and targets without their addresses', async () => {
  let text;
  await eventually(async () => {
    text = (await admin('/alerts')).text;
    return JSON.parse(text).alerts.find(({ rule }) => rule === 'near')?.sent.find(({ target }) => target === 'ops').ok;
  }, 'the outcome is in the store');
  const { rules, alerts, targets } = JSON.parse(text);
  assert.deepEqual(rules.map(({ name, when }) => [name, when]), [['near', 'usage'], ['brief', 'usage'], ['team', 'usage'], ['jump', 'spike']]);
  assert.equal(rules[0].words, 'limit few is used to 80%');
  const alert = alerts.find((each) => each.rule === 'near');
  assert.equal(alert.state, 'firing');
  assert.equal(alert.until, null);
  assert.deepEqual(Object.fromEntries(alert.sent.map(({ target, ok }) => [target, ok])), { ops: true, chat: true, hangs: null });
  const hangs = targets.find(({ name }) => name === 'hangs');
  assert.equal(hangs.waiting >= 1, true);
  assert.ok(!text.includes('secret-path') && !text.includes(kSecret));
  assert.equal((await admin('/alerts?state=often')).status, 400);
  assert.deepEqual(JSON.parse((await admin('/alerts?state=resolved')).text).alerts.filter(({ rule }) => rule === 'near'), []);
  const post = { method: 'POST', headers: { 'content-type': 'application/json' } };
  const tried = await admin('/alerts/test', { ...post, body: '{"target":"ops"}' });
  assert.equal(JSON.parse(tried.text).results[0].ok, true, tried.text);
  assert.equal((await admin('/alerts/test', { ...post, body: '{"target":"nobody"}' })).status, 404);
  assert.ok(await weir.metric(/^weir_alerts_sent_total\{.*result="sent"/) >= 2);
  assert.ok(await weir.metric(/^weir_alerts_sent_total\{.*result="failed"/) >= 1);
  const listed = await weir.command('alerts', 'list', '--json', '--state', 'firing');
  assert.ok(lines(listed.stdout).some(({ rule }) => rule === 'near'), listed.stderr);
});

const inUse = async () => JSON.parse((await admin('/limits/short')).text).utilisation;

test('keys without the tenant that a limit counts by have alerts, bars and refusals of their own', async () => {
  for (let i = 0; i < 7; ++i) assert.equal((await chat(heavy, `much ${i}`)).status, 200);
  const told = await eventually(() => hook.tries.find(({ json }) => json.rule === 'team'), 'heavy is told');
  assert.equal(told.json.subject, 'team of key heavy');
  assert.equal(told.json.value, 70);
  assert.equal((await chat(light, 'a little')).status, 200);
  const hot = await eventually(async () => {
    const rows = JSON.parse((await admin('/limits/team')).text).utilisation.hot;
    return rows.length === 2 && rows;
  }, 'two bars');
  assert.deepEqual(hot.map(({ per, used }) => [per, used]), [[{ key: 'heavy' }, 7], [{ key: 'light' }, 1]]);
  for (let i = 0; i < 3; ++i) await chat(heavy, `more ${i}`);
  const refused = await chat(heavy, 'too much');
  assert.equal(refused.status, 429);
  assert.match(refused.text, /"per":\{"key":"heavy"\}/);
});

test('a window of two seconds is shown full, told, and no longer shown once it has emptied', async () => {
  for (let i = 0; i < 4; ++i) assert.equal((await chat(fay, `at once ${i}`)).status, 200);
  const shown = await eventually(async () => (await inUse()).hot[0], 'the bar');
  assert.deepEqual([shown.per, shown.allowed], [{ key: 'fay' }, 4]);
  await eventually(() => hook.tries.find(({ json }) => json.subject === 'short of key fay' && json.event === 'firing'), 'it is told');
  await eventually(async () => (await inUse()).hot.length === 0, 'the bar is gone');
  assert.equal((await inUse()).max, 0);
  await eventually(async () => (await weir.metric(/^weir_limit_utilisation_ratio\{limit="short",tier="brief"\} /)) === 0, 'the metric is 0');
});

test('a runaway loop is a spike whose cause is a loop', async () => {
  hook.tries.length = 0;
  let asked = 0;
  await eventually(async () => (await chat(eve, `one a second ${asked}`)).status === 200 && ++asked >= 6, 'a baseline', 20_000, 1000);
  for (let i = 0; i < 60; ++i) await chat(eve, 'the same again', { 'x-weir-run': 'runaway' });
  const told = await eventually(() => hook.tries.find(({ json }) => json.subject === 'key eve' && json.event === 'firing'), 'the spike is told');
  assert.equal(told.json.rule, 'jump');
  assert.equal(told.json.cause, 'loop', told.json.sentence);
  assert.match(told.json.sentence, /Likely cause: loop/);
});

test('the alert of the short window is over although its subject said nothing since, and what is still used is not', async () => {
  const over = await eventually(() => hook.tries.find(({ json }) => json.rule === 'brief' && json.event === 'resolved'), 'it is over', 30_000);
  assert.equal(over.json.subject, 'short of key fay');
  assert.deepEqual(await firing('team'), ['team of key heavy'], 'what light uses says nothing of heavy');
  const { alerts } = JSON.parse((await admin('/alerts')).text);
  assert.equal(alerts.filter(({ rule }) => rule === 'team').length, 1, 'it never was over');
});

test('what a target did not take survives a kill, and is taken once; what is still used is neither over nor told again', async () => {
  const before = stuck.tries.length;
  const ids = new Set(stuck.tries.filter(({ json }) => json.rule === 'near').map(({ id }) => id));
  assert.equal(ids.size, 1);
  for (let i = 0; i < 4; ++i) assert.equal((await chat(fay, `before the kill ${i}`)).status, 200);
  await eventually(async () => (await firing('brief')).length === 1, 'the short window is told');
  hook.tries.length = 0;
  await weir.kill();
  stuck.answer = () => 200;
  await weir.start();
  await chat(ann, 'and again');
  await eventually(() => stuck.taken('firing').length === 1, 'sent again after the restart', 40_000);
  assert.ok(stuck.tries.length > before);
  assert.ok(ids.has(stuck.taken('firing')[0].id));
  const over = await eventually(() => hook.taken('resolved').find(({ json }) => json.rule === 'brief'), 'a window that has passed is over', 40_000);
  assert.equal(over.json.value >= 50, true, 'what was said before the kill');
  assert.deepEqual([await firing('near'), await firing('team')], [['few of key ann'], ['team of key heavy']]);
  assert.match(over.json.sentence, /^Over after/);
  for (let i = 0; i < 2; ++i) await chat(heavy, `refused ${i}`);
  await eventually(async () => JSON.parse((await admin('/limits/team')).text).utilisation.hot.length > 0, 'heavy is seen');
  assert.deepEqual(hook.tries.filter(({ json }) => ['near', 'team'].includes(json.rule)).map(({ json }) => json.sentence), [], 'nothing is told twice');
});
