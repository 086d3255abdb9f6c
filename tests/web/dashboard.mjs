// The dashboard to test: of a real server with real traffic if this build has the API, else of the fake one.
//
//   const dashboard = await startDashboard();
//   dashboard.real;  dashboard.url;  await dashboard.code();  dashboard.token;  await dashboard.stop();
//
// WEIR_WEB_FAKE=1 forces the fake server.
import { spawn } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { startFake } from '../../web/dev/server.mjs';
import { ask, eventually, kBinary, kRoot, startWeir } from '../support/weir.mjs';

export const kMarkup = '<img src=x onerror="document.title=\'hacked\'">';
const kDist = [path.join(kRoot, 'build/web/dist'), path.join(kRoot, 'web/dist')];

export async function startDashboard({ keys = 400, firstRun = false } = {}) {
  return (await (firstRun ? startFirstRun() : startReal())) ?? startOnFake(keys, firstRun);
}

async function startOnFake(keys, firstRun) {
  const age = (folder) => statSync(path.join(folder, 'index.html')).mtimeMs;
  const [dist] = kDist.filter((folder) => existsSync(path.join(folder, 'index.html'))).sort((a, b) => age(b) - age(a));
  if (!dist) throw new Error('the dashboard is not built: ./dev build, or npm run build in web/');
  const fake = await startFake({ keys, dist, firstRun });
  let codes = 0;
  return {
    real: false, url: fake.url, token: 'fake-admin', viewer: 'fake-viewer', state: fake.state, key: 'acme-support-bot', limit: 'tokens', stop: () => fake.stop(),
    async code() {
      const code = `code-${++codes}`;
      fake.state.codes.add(code);
      return code;
    },
    // Somebody else changes a key.
    async change(name, change) { Object.assign(fake.state.keys.find((key) => key.name === name), change); },
    traffic: async () => undefined,
  };
}

const config = {
  providers: { sim: { simulate: { output_tokens: '20..60', first_byte: '2ms', tokens_per_second: 5000 } } },
  models: { 'sim-*': { provider: 'sim', price: { input: 1, output: 2 } } },
  tiers: { free: {}, pro: { weight: 4 } },
  limits: [
    { name: 'requests', per: 'caller', meter: 'requests', allow: { free: '20/1m', pro: '300/1m', default: '20/1m' } },
    { name: 'tokens', per: 'caller', meter: 'tokens', allow: { free: '20k/1m', pro: '900k/1h', default: '20k/1m' } },
    { name: 'spend', per: 'tenant', meter: 'usd', allow: '10/day' },
  ],
};

// A server of this build with real keys and traffic; undefined if it has no such API yet.
async function startReal() {
  if (process.env.WEIR_WEB_FAKE || !existsSync(kBinary)) return undefined;
  const weir = await startWeir(config);
  const headers = { authorization: `Bearer ${weir.adminToken}` };
  const live = await ask(`${weir.admin}/admin/v1/live`, { headers });
  if (live.status !== 200) {
    await weir.stop();
    return undefined;
  }
  const call = async (method, where, body) => {
    const answer = await ask(`${weir.admin}/admin/v1${where}`, { method, headers: { ...headers, 'content-type': 'application/json' }, body: body && JSON.stringify(body) });
    if (answer.status >= 300) throw new Error(`${method} ${where}: ${answer.status} ${answer.text}`);
    return answer.text ? JSON.parse(answer.text) : undefined;
  };
  const made = {
    'acme-support-bot': { tenant: 'acme', tier: 'free', kind: 'service' },
    'markup-key': { tenant: kMarkup, user: '<script>document.title="hacked"</script>', tier: 'free', metadata: { note: kMarkup } },
    'quiet.pro': { tenant: 'globex', tier: 'pro', kind: 'human' },
  };
  const keys = {};
  for (const [name, more] of Object.entries(made)) keys[name] = (await call('POST', '/keys', { name, ...more })).key;
  for (let i = 0; i < 60; ++i) await call('POST', '/keys', { name: `filler-${i}`, tenant: 'filler' });
  const send = (name) => fetch(`${weir.url}/v1/chat/completions`, {
    method: 'POST', headers: { authorization: `Bearer ${keys[name]}`, 'content-type': 'application/json', 'x-weir-user': kMarkup, 'x-weir-agent': 'planner' },
    body: JSON.stringify({ model: 'sim-1', max_tokens: 40, messages: [{ role: 'user', content: `Hello from ${name}` }] }),
  });
  const traffic = async (name = 'acme-support-bot', many = 26) => { for (let i = 0; i < many; ++i) await (await send(name)).text(); };
  await eventually(async () => (await send('quiet.pro')).status === 200, 'keys are known');
  await traffic('quiet.pro', 12);
  await traffic('acme-support-bot');
  await traffic('markup-key');
  await eventually(async () => (await call('GET', '/audit?key=acme-support-bot')).rows.length > 0, 'refusals are in the records');
  return {
    real: true, url: weir.admin, token: weir.adminToken, weir, key: 'acme-support-bot', limit: 'requests', traffic, stop: () => weir.stop(),
    code: async () => undefined,   // the link's code was for once: the token is pasted
    change: (name, change) => call('PATCH', `/keys/${name}`, change),
  };
}

// `weir serve` as somebody starts it for the first time: no file, a new folder, the built-in policy. Its ports are fixed; if
// others have them, the fake server stands in.
async function startFirstRun() {
  if (process.env.WEIR_WEB_FAKE || !existsSync(kBinary)) return undefined;
  const folder = await mkdtemp(path.join(os.tmpdir(), 'weir-first-'));
  const child = spawn(kBinary, ['serve', '--data', path.join(folder, 'data')], { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = new Promise((resolve) => { child.on('close', resolve); });
  let output = '';
  let over = false;
  child.stdout.on('data', (text) => { output += text; });
  void ended.then(() => { over = true; });
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  const found = (pattern) => pattern.exec(output)?.[1];
  await eventually(() => over || (found(/admin on (\S+)/) && found(/admin token (\S+)/)), 'the server says where it is').catch(() => undefined);
  const url = found(/admin on (\S+)/);
  const token = found(/admin token (\S+)/);
  const welcome = !over && url && token ? await ask(`${url}/admin/v1/welcome`, { headers: { authorization: `Bearer ${token}` } }).catch(() => undefined) : undefined;
  if (welcome?.status !== 200) {
    await stop();
    return undefined;
  }
  let code = found(/#\S*code=([^&\s]+)/);
  return {
    real: true, url, token, stop,
    async code() {   // good for once; afterwards the token is pasted
      const once = code;
      code = undefined;
      return once;
    },
  };
}
