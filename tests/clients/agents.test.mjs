// Agents on the official clients, unmodified and without a header of Weir's: their runs are found, their calls counted
// once, and calls that are too many never reach them, whole or streamed.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startProvider } from '../mock/provider.mjs';
import { kSdkAgents } from '../support/sdk_agents.mjs';
import { mockConfig, startWeir } from '../support/weir.mjs';

const kWays = kSdkAgents.flatMap((sdk) => [false, true].map((stream) => ({ sdk, stream, name: `${sdk.name}${stream ? ' streamed' : ''}` })));

let provider, weir;
before(async () => {
  provider = await startProvider();
  weir = await startWeir(mockConfig(provider, { limits: undefined }));   // the built-in ones
});
after(async () => {
  await weir?.stop();
  await provider?.close();
});

// What the model says to the next requests.
function say(...turns) {
  provider.script = () => turns.shift() ?? [];
}
// Keys have names without spaces.
const keyName = (what, name) => `${what}-${name.replaceAll(' ', '-')}`;
const mail = (i) => ({ name: 'send_email', arguments: { to: `customer-${i}@example.org`, subject: `Letter ${i}` } });

for (const { sdk, stream, name } of kWays) {
  test(`${name}: two steps are one run, their call is counted once and named`, async () => {
    const key = await weir.createKey(keyName('steps', name));
    say([{ name: 'lookup', arguments: { city: 'Oslo' } }]);
    const talk = sdk.talk(weir.url, key, { prompt: `How cold is it? ${name}`, tools: ['lookup'] });
    const first = await talk.ask({ stream });
    assert.deepEqual(first.calls.map((call) => [call.name, call.arguments]), [['lookup', { city: 'Oslo' }]]);
    assert.equal(first.finish, sdk.called);
    talk.answer(first.calls, () => '12 degrees');
    const second = await talk.ask({ stream });
    assert.deepEqual(second.calls, []);
    const rows = await weir.rowsOf(keyName('steps', name), 2);
    assert.equal(new Set(rows.map((row) => row.run)).size, 1, JSON.stringify(rows));
    assert.ok(rows[0].run);
    assert.deepEqual(rows.map((row) => row.tool_calls).sort(), [0, 1]);
    assert.match(JSON.stringify(rows.find((row) => row.tool_calls === 1).tools), /lookup/);
    assert.equal((await weir.me(key)).limits.find((limit) => limit.name === 'runs' || limit.name === 'runs-1m').used, 1);
  });

  test(`${name}: calls over the cap never arrive, and the turn ends properly`, async () => {
    const key = await weir.createKey(keyName('cap', name));
    say(Array.from({ length: 7 }, (_, i) => mail(i)), [mail(8), mail(9)]);
    const talk = sdk.talk(weir.url, key, { prompt: `Write to all ${name}`, tools: ['lookup', 'send_email'] });
    const first = await talk.ask({ stream });
    assert.deepEqual(first.calls.map((call) => call.arguments.to), [0, 1, 2, 3, 4].map((i) => `customer-${i}@example.org`));
    assert.equal(first.finish, sdk.called);
    talk.answer(first.calls, (call) => `sent to ${call.arguments.to}`);
    const second = await talk.ask({ stream });
    assert.deepEqual(second.calls, []);
    assert.equal(second.finish, sdk.cut);
    assert.equal(second.headers.get('x-weir-stripped'), 'send_email');
    const body = provider.requests.at(-1).body.toString('utf8');
    assert.ok(body.includes('"lookup"'));
    assert.equal(JSON.stringify(provider.requests.at(-1).json.tools).includes('send_email'), false);
    const rows = await weir.rowsOf(keyName('cap', name), 2);
    assert.equal(rows.reduce((sum, row) => sum + row.tool_calls, 0), 5);
  });

  test(`${name}: the third identical call warns, the fifth is cut`, async () => {
    const key = await weir.createKey(keyName('loop', name));
    provider.script = () => [{ name: 'lookup', arguments: { city: 'Oslo' } }];
    const talk = sdk.talk(weir.url, key, { prompt: `Look again ${name}`, tools: ['lookup'] });
    for (let i = 1; i <= 4; i += 1) {
      const { calls, headers } = await talk.ask({ stream });
      assert.equal(calls.length, 1, `call ${i}`);
      if (!stream) {
        const warning = headers.get('x-weir-warning');
        if (i < 3) assert.equal(warning, null);
        else assert.match(warning, new RegExp(`^repeats; used=${i}; allowed=5$`));
      }
      talk.answer(calls, () => `result ${i}`);
    }
    const fifth = await talk.ask({ stream });
    assert.deepEqual(fifth.calls, []);
    assert.equal(fifth.finish, sdk.cut);
    await weir.audit((rows) => ['warned', 'broken'].every((event) =>
      rows.some((row) => row.key === keyName('loop', name) && row.event === event && row.limit === 'repeats' && row.tool === 'lookup')));
  });
}
