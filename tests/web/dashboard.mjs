// The dashboard to test: of a real server of this build with real traffic. It fails when that cannot start.
//
//   const dashboard = await startDashboard();
//   dashboard.url;  await dashboard.code();  dashboard.token;  await dashboard.stop();
//
// With WEIR_WEB_FAKE=1 it is the one of web/dev, for answers that a real server does not give at will (stage.mjs).
import { spawn } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { startFake } from '../../web/dev/server.mjs';
import { ask, eventually, isFree, kBinary, kRoot, startWeir } from '../support/weir.mjs';

export const kMarkup = '<img src=x onerror="document.title=\'hacked\'">';
export const kLongName = `a-name-as-long-as-any-${'x'.repeat(42)}`;
const kDist = [path.join(kRoot, 'build/web/dist'), path.join(kRoot, 'web/dist')];

export async function startDashboard({ keys = 400, firstRun = false } = {}) {
  if (process.env.WEIR_WEB_FAKE) return startOnFake(keys, firstRun);
  if (!existsSync(kBinary)) throw new Error(`${kBinary} is not built: ./dev build, or set WEIR_BIN`);
  return firstRun ? startFirstRun() : startReal();
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

// A server with real keys and traffic: more than their limits allow, of two of three.
async function startReal() {
  const weir = await startWeir(config);
  try {
    return await fill(weir);
  } catch (error) {
    await weir.stop().catch(() => undefined);
    throw error;
  }
}

async function fill(weir) {
  const headers = { authorization: `Bearer ${weir.adminToken}`, 'content-type': 'application/json' };
  const call = async (method, where, body) => {
    const answer = await ask(`${weir.admin}/admin/v1${where}`, { method, headers, body: body && JSON.stringify(body) });
    if (answer.status >= 300) throw new Error(`${method} ${where}: ${answer.status} ${answer.text}`);
    return answer.text ? JSON.parse(answer.text) : undefined;
  };
  const made = {
    'acme-support-bot': { tenant: 'acme', tier: 'free', kind: 'service' },
    'markup-key': { tenant: kMarkup, user: '<script>document.title="hacked"</script>', tier: 'free', metadata: { note: kMarkup } },
    'quiet.pro': { tenant: 'globex', tier: 'pro', kind: 'human' },
    [kLongName]: { user: `${kLongName}@example.com` },
  };
  const keys = {};
  for (const [name, more] of Object.entries(made)) keys[name] = (await call('POST', '/keys', { name, ...more })).key;
  await Promise.all(Array.from({ length: 60 }, (_, i) => call('POST', '/keys', { name: `filler-${i}`, tenant: 'filler' })));
  let sent = 0;   // no two prompts are alike: breakers are another subject
  const send = async (name) => {
    const answer = await fetch(`${weir.url}/v1/chat/completions`, {
      method: 'POST', headers: { authorization: `Bearer ${keys[name]}`, 'content-type': 'application/json', 'x-weir-user': kMarkup, 'x-weir-agent': 'planner' },
      body: JSON.stringify({ model: 'sim-1', max_tokens: 20, messages: [{ role: 'user', content: `Hello ${++sent} from ${name}` }] }),
    });
    await answer.text();
    return answer.status;
  };
  const traffic = (name = 'acme-support-bot', many = 26) => Promise.all(Array.from({ length: many }, () => send(name)));
  await eventually(async () => (await send(kLongName)) === 200, 'keys are known', undefined, 50);
  await Promise.all([traffic('quiet.pro', 12), traffic('acme-support-bot'), traffic('markup-key')]);
  const { token: viewer } = JSON.parse((await weir.command('tokens', 'create', '--name', 'viewer', '--role', 'viewer', '--json')).stdout);
  await eventually(async () => (await call('GET', '/audit?event=decisions&key=markup-key')).rows.length > 0, 'refusals are in the records', undefined, 50);
  return {
    real: true, url: weir.admin, token: weir.adminToken, viewer, weir, key: 'acme-support-bot', limit: 'requests', keys, call, traffic, stop: () => weir.stop(),
    code: async () => undefined,   // with a file the link is for terminals only: the token is pasted
    change: (name, change) => call('PATCH', `/keys/${name}`, change),
  };
}

// `weir serve` as somebody starts it for the first time: no file, a new folder, the built-in policy. Its ports are fixed:
// waits until nobody has them.
async function startFirstRun() {
  for (const port of [8080, 8081]) await eventually(() => isFree(port), `port ${port} of this machine is free`, undefined, 200);
  const folder = await mkdtemp(path.join(os.tmpdir(), 'weir-first-'));
  const child = spawn(kBinary, ['serve'], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let over = false;
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => { output += text; });
  const ended = new Promise((resolve) => { child.on('close', () => { over = true; resolve(); }); });
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  const found = (pattern) => pattern.exec(output)?.[1];
  try {
    await eventually(() => {
      if (over) throw new Error('it ended');
      return found(/dashboard \S+#code=(\S+)/);
    }, 'the server prints its link');
  } catch (error) {
    await stop();
    throw new Error(`weir serve: ${error.message}\n${output}`);
  }
  let code = found(/dashboard \S+#code=(\S+)/);
  return {
    real: true, url: found(/admin on (\S+)/), token: found(/admin token (\S+)/), stop,
    async code() {   // good for once; afterwards the token is pasted
      const once = code;
      code = undefined;
      return once;
    },
  };
}
