// What the examples of the OpenAPI document find when they run: one server with consumers, traffic, a refusal, a kill switch.
//
//   const { weir, tokens } = await seed();      // tokens: {admin, viewer}
import assert from 'node:assert/strict';
import { startWeir } from '../support/weir.mjs';

export async function seed() {
  const weir = await startWeir({
    providers: { sim: { simulate: { output_tokens: '5..20', first_byte: '1ms', tokens_per_second: 10000 } } },
    models: { '*': { provider: 'sim' } },
    limits: [
      { name: 'requests', per: 'key', meter: 'requests', allow: '5/1h' },
      { name: 'tokens', per: 'key', meter: 'tokens', allow: '100k/1h' },
      { name: 'spend', per: 'tenant', meter: 'usd', allow: '10/day' },
    ],
  });
  const key = await weir.createKey('alice', { tenant: 'acme', user: 'u1', tier: 'pro' });
  await weir.createKey('bob', { tenant: '<b>bold</b> & co', kind: 'human' });
  const ask = (i) => fetch(`${weir.url}/v1/chat/completions`, { method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'x-weir-run': 'r1', 'x-weir-agent': 'mail' },
    body: JSON.stringify({ model: 'gpt-4o', messages: [{ role: 'user', content: `Question ${i}` }] }) }).then((answer) => answer.status);
  for (let i = 0; i < 5; i += 1) assert.equal(await ask(i), 200);
  assert.equal(await ask(5), 429);
  await weir.usage((rows) => rows.length === 5);
  assert.equal((await weir.command('kill', 'tool', 'send_email', '--reason', 'phishing')).code, 0);
  const made = await weir.command('tokens', 'create', '--name', 'looker', '--role', 'viewer', '--expires', '1d', '--json');
  assert.equal(made.code, 0, made.stderr);
  return { weir, tokens: { admin: weir.adminToken, viewer: JSON.parse(made.stdout).token } };
}
