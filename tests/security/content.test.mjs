// No content is kept: after traffic in every dialect, with streams, tools, errors, refusals, breakers, MCP and the decision
// API, no file of the data folder and no line of the log holds a word of a prompt, an answer, a tool's arguments or results.
// What is kept is who, when, which model and tool, and how much; the same search finds those names.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { startProvider } from '../mock/provider.mjs';
import { kWays } from '../support/calls.mjs';
import { eventually, mockConfig, startWeir } from '../support/weir.mjs';
import { startBackend } from './backend.mjs';

// Each stands where its name says; none is a name of a key, a user, a model, a tool or a run.
const kSecrets = ['kwprompt', 'kwsystem', 'kwargument', 'kwresult', 'kwtoolerror', 'kwcounted', 'kwmcpargument', 'kwmcpresult', 'kwhttpbody', 'kwhttpanswer', 'kwquery',
  'kwdestination', 'kwrefused', 'kwbadinput', 'kwmetadata', 'kwresource', 'kwheader', 'quiet river', 'mock says 500', 'mock says 503'];

let provider;
let backend;
let weir;

before(async () => {
  provider = await startProvider();
  backend = await startBackend();
  weir = await startWeir(mockConfig(provider, {
    upstreams: [
      { path: '/api/call/**', kind: 'http', url: backend.url, tool: 'call_api' },
      { path: '/mcp/crm', kind: 'mcp', url: `${backend.url}/mcp`, server: 'crm' },
    ],
    tiers: { free: {}, poor: {}, plain: { tools: { deny: ['forbidden_*'] } } },
    limits: [
      { name: 'requests', per: 'key', meter: 'requests', allow: { free: '10000/1h', plain: '10000/1h', poor: '1/1h' } },
      { name: 'tokens', per: 'key', meter: 'tokens', allow: { free: '1M/1h', plain: '1M/1h', poor: '5000/1h' } },
      { name: 'mail', per: 'key', meter: 'tool_calls', allow: '6/1h', match: { tool: 'send_email' } },
      { name: 'spend', per: 'key', meter: 'usd', allow: '1/day', degrade: [{ at: '1%', max_tokens: 30 }] },
    ],
    profiles: { sensitive: ['send_email', 'transfer*'], warmup: 1, on_anomaly: 'audit' },
    runs: { idle: '3s' },
    retry: { attempts: 2, within: '1s', when: ['503'] },
    breaker: { repeats: { warn: 2, break: 3, within: '5m' }, tool_errors: { break: 3, within: '1m' } },
  }));
});
after(async () => {
  await weir?.stop();
  await provider?.close();
  await backend?.close();
});

async function send(key, target, value, headers = {}) {
  const response = await fetch(`${weir.url}${target}`, { method: 'POST', body: typeof value === 'string' ? value : JSON.stringify(value),
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'x-note': 'kwheader', ...headers } });
  return { status: response.status, text: await response.text() };
}

async function files(folder) {
  const found = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const name = path.join(folder, entry.name);
    if (entry.isDirectory()) found.push(...await files(name));
    else if (entry.isFile()) found.push(name);
  }
  return found;
}

// Everything that Weir has written, as one text.
async function written() {
  const parts = [Buffer.from(weir.output)];
  for (const name of await files(weir.data)) parts.push(Buffer.from(`\n${name}\n`), await readFile(name));
  return Buffer.concat(parts);
}

function findings(bytes, words) {
  return words.filter((word) => [Buffer.from(word), Buffer.from(word, 'utf16le'), Buffer.from(word.toUpperCase())].some((form) => bytes.includes(form)));
}

test('every dialect, whole and streamed, good and failing', async () => {
  const key = await weir.createKey('content-key', { tier: 'free', tenant: 'content-tenant' });
  const poor = await weir.createKey('poor-key', { tier: 'poor' });
  for (const { endpoint, stream, name } of kWays) {
    for (const script of ['out=6', '500', '503', 'cut', 'badutf8']) {
      const model = `${endpoint.prefix}${script}`;
      const text = JSON.stringify(endpoint.body(model, 20, stream, 'kwprompt in words'));
      assert.match(text, /kwprompt/, name);
      await send(key, endpoint.path(model, stream), text).catch((error) => assert.match(String(error), /terminated|fetch failed/));
    }
    const refused = JSON.stringify(endpoint.body(`${endpoint.prefix}out=6`, 20, stream, 'kwrefused '.repeat(9)));
    await send(poor, endpoint.path(`${endpoint.prefix}out=6`, stream), refused);
    await send(key, endpoint.path(`${endpoint.prefix}ok`, stream), `{"kwbadinput": ["kwbadinput", kwbadinput]}`);
  }
  assert.ok(provider.requests.some((seen) => seen.body.includes('kwprompt')), 'the provider was told');
});

test('agents: arguments, results, errors, loops, destinations, refused tools', async () => {
  const key = await weir.createKey('agent-key', { tier: 'plain', tenant: 'agents' });
  const tools = ['send_email', 'lookup', 'forbidden_tool', 'transfer'].map((name) => ({ type: 'function', function: { name, parameters: {} } }));
  const system = { role: 'system', content: 'kwsystem' };
  for (let run = 0; run < 7; run += 1) {
    const messages = [system, { role: 'user', content: `kwprompt number ${run % 6}` }];
    for (let turn = 0; turn < 5; turn += 1) {
      provider.script = () => [
        { name: 'send_email', arguments: { to: `ann-kwdestination${run > 4 ? run : ''}@outside.example`, body: 'kwargument' } },
        { name: 'lookup', arguments: { q: 'kwargument' } }, { name: 'forbidden_tool', arguments: { q: 'kwargument' } },
        ...(run > 4 ? [{ name: 'transfer', arguments: { iban: 'DE89370400440532013000', note: 'kwargument' } }] : []),
      ];
      const answer = await send(key, '/v1/chat/completions', { model: 'mock-agent', messages, tools, metadata: { note: 'kwmetadata' } });
      if (answer.status !== 200) break;
      const message = JSON.parse(answer.text).choices[0].message;
      messages.push(message);
      for (const call of message.tool_calls ?? []) {
        messages.push({ role: 'tool', tool_call_id: call.id, content: turn % 2 ? 'Error: kwtoolerror happened' : 'kwresult' });
      }
      if (!message.tool_calls?.length) break;
    }
  }
  provider.script = undefined;
  await weir.audit((rows) => ['broken', 'stripped'].every((event) => rows.some((row) => row.event === event)), 'breaks and cuts are in the audit');
});

test('profiles: what an unusual run did, and where it pointed', async () => {
  const key = await weir.createKey('profile-key', { tier: 'free' });
  const names = ['send_email', ...Array.from({ length: 90 }, (_, i) => `transfer_${i}`)];
  const tools = names.map((name) => ({ type: 'function', function: { name, parameters: {} } }));
  let n = 0;
  const run = async (name) => {
    n += 1;
    provider.script = (seen) => (seen.json.messages.length > 1 ? [] : [{ name, arguments: { to: `kwdestination${n}@outside.example`, note: `kwargument ${n}` } }]);
    const messages = [{ role: 'user', content: `kwprompt for known${n}@inside.example` }];
    const answer = await send(key, '/v1/chat/completions', { model: 'mock-agent', messages, tools });
    const message = answer.status === 200 ? JSON.parse(answer.text).choices[0].message : undefined;
    if (!message?.tool_calls?.length) return;
    messages.push(message, { role: 'tool', tool_call_id: message.tool_calls[0].id, content: 'kwresult' });
    await send(key, '/v1/chat/completions', { model: 'mock-agent', messages, tools });
  };
  await run('send_email');   // ordinary once it is over
  await eventually(async () => {
    await run(`transfer_${n % 90}`);   // another one each time: what was done before the profile knew anything is ordinary
    return (await weir.rows('audit', '--key', 'profile-key')).some((row) => /transfer/.test(row.evidence));
  }, 'an anomaly in the audit', undefined, 300);
  provider.script = undefined;
});

test('MCP and HTTP tools', async () => {
  const key = await weir.createKey('mcp-key', { tier: 'free' });
  backend.script = (request) => {
    const rpc = request.path.startsWith('/mcp') ? JSON.parse(request.body || '{}') : undefined;
    const body = rpc ? JSON.stringify({ jsonrpc: '2.0', id: rpc.id, result: { isError: rpc.id % 2 === 1, content: [{ type: 'text', text: 'kwmcpresult' }] } }) : '{"answer":"kwhttpanswer"}';
    return `HTTP/1.1 ${rpc || request.path.length % 2 ? 200 : 500} X\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  };
  const mcp = (id, method, params) => send(key, '/mcp/crm', { jsonrpc: '2.0', id, method, params }, { accept: 'application/json, text/event-stream' });
  for (let i = 0; i < 8; i += 1) await mcp(i, 'tools/call', { name: 'send_email', arguments: { to: 'kwmcpargument', body: 'kwmcpargument' } });
  await mcp(20, 'resources/read', { uri: 'file:///kwresource' });
  await mcp(21, 'prompts/get', { name: 'kwresource', arguments: { x: 'kwmcpargument' } });
  await mcp(22, 'tools/call', { name: 'lookup', arguments: 'kwmcpargument' });
  for (const suffix of ['a', 'bb']) await send(key, `/api/call/${suffix}?q=kwquery`, { note: 'kwhttpbody' });
  backend.script = undefined;
});

test('the decision API', async () => {
  const key = await weir.createKey('decision-key', { tier: 'free', kind: 'service' });
  await send(key, '/weir/v1/count', { model: 'gpt-4o', text: 'kwcounted words' });
  await send(key, '/weir/v1/count', { model: 'gpt-4o', messages: [{ role: 'user', content: 'kwcounted' }] });
  const admitted = await send(key, '/weir/v1/admit', { attributes: { user: 'decision-user' }, model: 'mock-x', estimate: { input_tokens: 5, output_tokens: 5 } });
  assert.equal(admitted.status, 200, admitted.text);
  await send(key, '/weir/v1/settle', { id: JSON.parse(admitted.text).id, usage: { input_tokens: 5, output_tokens: 5 } });
  await send(key, '/weir/v1/admit', '{"kwbadinput": kwbadinput}');
});

test('nothing of it is in the data folder or the log, while it runs, after kill -9, and after a clean end', async () => {
  await weir.usage((rows) => ['content-key', 'agent-key', 'mcp-key', 'decision-key'].every((key) => rows.some((row) => row.key === key)), 'all of it is in the ledger');
  const look = async (when) => {
    const bytes = await written();
    assert.deepEqual(findings(bytes, kSecrets), [], when);
    assert.deepEqual(findings(bytes, ['content-tenant', 'send_email', 'mock-out=6']).sort(), ['content-tenant', 'mock-out=6', 'send_email'], `${when}: the search finds what is kept`);
  };
  await look('running');
  await weir.kill();
  await look('after kill -9');
  await weir.start();
  await weir.rows('audit');
  weir.signal('SIGTERM');
  await weir.exited;
  await look('after a clean end');
  await weir.start();
  const metrics = await (await fetch(`${weir.admin}/metrics`, { headers: { authorization: `Bearer ${weir.adminToken}` } })).text();
  assert.deepEqual(findings(Buffer.from(metrics), kSecrets), [], 'metrics');
  const shown = [...await weir.rows('usage'), ...await weir.rows('audit')].map((row) => JSON.stringify(row)).join('\n');
  assert.deepEqual(findings(Buffer.from(shown), kSecrets), [], 'what the commands show');
});
