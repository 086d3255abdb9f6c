// Everything that a scenario of chaos needs: a provider with a production book, an MCP server, weir between them and
// its clients, a seed, and what the process held when it was fresh.
//
//   const world = await startWorld(t, { config: { durability: 'strict' }, keys: 4 });
//   const load = world.load({ clients: 16 });  …  await load.stop();
//   await world.balance();             // see balance.mjs
//   await world.close();
//
// WEIR_CHAOS_SEED sets the seed, which is printed; without it WEIR_CHAOS_LONG draws one and the brief form has its own.
// WEIR_CHAOS_LONG=1 is the long form, WEIR_CHAOS_ROUNDS how often a scenario repeats what it does.
import { readdir, readFile, readlink } from 'node:fs/promises';
import path from 'node:path';
import { ProductionBook } from '../mock/book.mjs';
import { startModernServer } from '../mock/mcp_server.mjs';
import { startProvider } from '../mock/provider.mjs';
import { eventually, kNoCallerBreakers, mockConfig, prepareWeir } from '../support/weir.mjs';
import { balance } from './balance.mjs';
import { Load } from './load.mjs';

export const kLong = process.env.WEIR_CHAOS_LONG === '1';
export const kSeed = Number(process.env.WEIR_CHAOS_SEED ?? (kLong ? Math.floor(Math.random() * 2 ** 31) : 20260101));
export const rounds = (brief, long) => Number(process.env.WEIR_CHAOS_ROUNDS ?? (kLong ? long : brief));

// The same sequence for the same seed: random(n) is 0 to n - 1.
export function randomOf(seed) {
  let state = (seed ^ 0x9e3779b9) >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return Math.floor((((z ^ (z >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

export const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

const kLimits = [
  { name: 'requests', per: 'key', meter: 'requests', allow: '100M/1h' },
  { name: 'tokens', per: 'key', meter: 'tokens', allow: '10000M/1h' },
  { name: 'spend', per: 'key', meter: 'usd', allow: '1000000/day' },
  { name: 'in-flight', per: 'key', meter: 'concurrency', allow: 100_000 },
];

// Quick timeouts, few tokens held at a time: everything that takes long in a gateway happens soon and often.
function configOf(provider, mcp, overrides) {
  const config = mockConfig(provider, {
    workers: 2, limits: kLimits, breaker: kNoCallerBreakers, retry: { attempts: 2, within: '1s' },
    reservation: { trust_cap: 32, top_up: 8 }, upstreams: [{ path: '/mcp/tools', kind: 'mcp', url: mcp.url, server: 'tools' }],
    ...overrides,
  });
  for (const one of Object.values(config.providers)) {   // `simulated`: a model that answers at once, in the process
    one.timeouts = { connect: '1s', idle: '1500ms', first_byte: '1500ms', total: '10s', ...overrides.timeoutsOfProviders };
  }
  delete config.timeoutsOfProviders;
  if (config.simulated) {
    config.providers.quick = { simulate: { output_tokens: '1..1', first_byte: '0ms', tokens_per_second: 1_000_000 } };
    config.models = { [config.simulated]: { provider: 'quick', price: { input: 1, output: 1 } }, ...config.models };
  }
  delete config.simulated;
  return config;
}

// What the kernel knows of a process.
export async function processOf(pid) {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const number = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /, '').split(' ');
  const descriptors = await readdir(`/proc/${pid}/fd`);
  return { threads: number('Threads'), rssKb: number('VmRSS'), fds: descriptors.length,
    cpuTicks: Number(fields[11]) + Number(fields[12]) };
}

// What each descriptor is, for the message of a test that found too many.
export async function descriptorsOf(pid) {
  const names = await readdir(`/proc/${pid}/fd`);
  const links = await Promise.all(names.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => 'closed')));
  const kinds = new Map();
  for (const link of links) {
    const kind = link.replace(/^(socket|pipe):.*/, '$1').replace(/^.*\/data\//, '');
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  return Object.fromEntries(kinds);
}

export class World {
  constructor(t, seed) {
    this.t = t;
    this.seed = seed;
    this.random = randomOf(seed);
    this.calls = new Map();      // mark: what its client saw
    this.keys = [];
    this.loads = [];
    this.others = [];            // further providers
    this.strangers = new Set();  // names of keys whose requests bear no marks
    this.unread = false;         // requests may be lost in the provider's sockets: sent, never read
    this.counted = true;         // the counters' windows hold all that happened; false once the clock was stepped
  }

  say(text) { this.t?.diagnostic(text); }

  load(options = {}) {
    const load = new Load(this, options);
    this.loads.push(load);
    load.start();
    return load;
  }

  // A request that must work: the service is there.
  async fresh() {
    const load = new Load(this, { name: 'fresh' });
    const seen = await eventually(async () => {
      const one = await load.chat(this.keys[0], 'out=5');
      return one.status === 200 && one;
    }, 'a fresh request is answered', undefined, 50);
    load.end();
    return seen;
  }

  balance(options) { return balance(this, options); }

  async ready(status = 200) {
    await eventually(async () => (await fetch(`${this.weir.url}/readyz`)).status === status, `/readyz says ${status}`);
  }

  // After a start or restart: what later is to be as it was.
  async note() {
    await this.ready();
    await this.weir.metric(/^weir_ready /);
    this.atStart = await processOf(this.weir.process.pid);
  }

  async restart() {
    await this.weir.start();
    await this.note();
  }

  async close() {
    for (const load of this.loads) await load.stop();
    // A process that is stopped would not hear that it is to end.
    if (this.weir?.process && !this.weir.exit) this.weir.signal('SIGCONT');
    await this.weir?.stop();
    await Promise.all([this.provider, this.mcp].map((server) => server?.close()));
  }
}

// `data`: another folder for the data; `env`: of the process; `adjust(config)`: changes what `config` alone cannot;
// `before(world)`: starts what that needs.
export async function startWorld(t, { config = {}, keys = 4, seed = kSeed, data, env, before, adjust = () => {} } = {}) {
  const world = new World(t, seed);
  world.say(`seed ${seed}${kLong ? '' : ', brief'}`);
  try {
    world.provider = await startProvider({ book: new ProductionBook() });
    world.book = world.provider.book;
    world.mcp = await startModernServer({ onCall: (body) => world.book.executed(body.params.arguments.mark, body.params.name) });
    await before?.(world);
    const whole = configOf(world.provider, world.mcp, config);
    adjust(whole);
    world.weir = await prepareWeir(whole, env);
    if (data) {
      world.weir.data = path.join(data, 'data');
      await world.weir.writeConfig();
    }
    for (let i = 0; i < keys; i += 1) world.keys.push(await world.weir.createKey(`chaos-${i}`));
    await world.restart();
  } catch (error) {
    await world.close();
    throw error;
  }
  return world;
}
