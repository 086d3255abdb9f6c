// What the examples of the OpenAPI document find when they run: one server with consumers, traffic, a refusal, a kill switch,
// and all of that in the ledger and the audit.
//
//   const { weir, tokens, traffic } = await seed();      // tokens: {admin, viewer}
//   await traffic();      // one request that is answered, one that is refused, one without a key
import assert from 'node:assert/strict';
import { ask, startWeir } from '../support/weir.mjs';

export async function seed() {
  const weir = await startWeir({
    providers: { sim: { simulate: { output_tokens: '5..20', first_byte: '1ms', tokens_per_second: 10000 } } },
    models: { '*': { provider: 'sim', price: { input: 1, output: 2 } } },
    limits: [
      { name: 'requests', per: 'key', meter: 'requests', allow: '5/1h' },
      { name: 'tokens', per: 'key', meter: 'tokens', allow: '100k/1h' },
      { name: 'spend', per: 'tenant', meter: 'usd', allow: '10/day' },
    ],
  });
  const alice = await weir.createKey('alice', { tenant: 'acme', user: 'u1', tier: 'pro' });
  const bob = await weir.createKey('bob', { tenant: '<b>bold</b> & co', kind: 'human', metadata: { tools: { allow: ['lookup'] } } });
  let asked = 0;      // no two requests are the same, which a breaker would stop
  const chat = (key, body = {}) => ask(`${weir.url}/v1/chat/completions`, { method: 'POST',
    headers: { ...(key ? { authorization: `Bearer ${key}` } : {}), 'content-type': 'application/json', 'x-weir-run': 'r1', 'x-weir-agent': 'mail',
      'x-weir-conversation': 'c1' },
    body: JSON.stringify({ model: 'gpt-4o', messages: [{ role: 'user', content: `Question ${asked += 1}` }], ...body }) })
    .then((answer) => answer.status);
  for (let i = 0; i < 5; i += 1) assert.equal(await chat(alice), 200);
  assert.equal(await chat(alice), 429);
  assert.equal((await weir.command('kill', 'tool', 'send_email', '--reason', 'phishing')).code, 0);
  const tools = [{ type: 'function', function: { name: 'send_email', parameters: { type: 'object' } } }];
  assert.equal(await chat(bob, { tools }), 200);
  await weir.usage((rows) => rows.length === 6);
  await weir.audit((rows) => ['refused', 'stripped', 'admin'].every((event) => rows.some((row) => row.event === event)));
  const made = await weir.command('tokens', 'create', '--name', 'looker', '--role', 'viewer', '--expires', '1d', '--json');
  assert.equal(made.code, 0, made.stderr);
  const traffic = async () => assert.deepEqual([await chat(bob), await chat(alice), await chat()], [200, 429, 401]);
  return { weir, tokens: { admin: weir.adminToken, viewer: JSON.parse(made.stdout).token }, traffic };
}
