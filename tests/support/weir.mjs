// Starts the built binary with a configuration and data folder of its own, on free ports, and drives its commands.
//
//   const weir = await startWeir({ providers: { openai: { dialect: 'openai', url: provider.url } }, limits: [...] });
//   const key = await weir.createKey('alice');
//   await fetch(`${weir.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } });
//   await weir.stop();
//
// The configuration is an object; JSON is YAML. WEIR_BIN names the binary (default build/release/weir).
import { spawn, execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile, rename } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const kRoot = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const kBinary = path.resolve(kRoot, process.env.WEIR_BIN ?? 'build/release/weir');
export const kDeadlineMs = Number(process.env.WEIR_TEST_DEADLINE_MS ?? 20_000);

// Polls until `probe` returns something truthy; throws with `what` after the deadline.
export async function eventually(probe, what = 'condition', deadlineMs = kDeadlineMs, intervalMs = 10) {
  const end = Date.now() + deadlineMs;
  let last;
  for (;;) {
    try {
      const value = await probe();
      if (value) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`${what}: not within ${deadlineMs} ms (last: ${last?.stack ?? last})`);
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
}

// One request on a connection of its own: {status, headers, text}. Certificates are looked at only when `ca` is given.
export function ask(url, { method = 'GET', headers = {}, body, ca } = {}) {
  return new Promise((resolve, reject) => {
    const secure = url.startsWith('https:');
    const options = { method, headers, agent: false, ...(secure ? { ca, rejectUnauthorized: ca !== undefined } : {}) };
    const request = (secure ? https : http).request(url, options, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part) => { text += part; });
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

// Runs `weir ARGS`: {code, stdout, stderr}.
export function runWeir(args, { env = {}, cwd } = {}) {
  return new Promise((resolve) => {
    execFile(kBinary, args, { env: cleanEnv(env), cwd, maxBuffer: 256 << 20, timeout: 2 * kDeadlineMs }, (error, stdout, stderr) => {
      resolve({ code: error ? (typeof error.code === 'number' ? error.code : 2) : 0, stdout, stderr });
    });
  });
}

// Real credentials of the machine never reach a test.
function cleanEnv(extra) {
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, TZ: 'UTC', ...extra };
  for (const name of ['ASAN_OPTIONS', 'UBSAN_OPTIONS', 'TSAN_OPTIONS', 'LSAN_OPTIONS', 'LLVM_PROFILE_FILE']) {
    if (process.env[name]) env[name] = process.env[name];
  }
  return env;
}

export function lines(text) {
  return text.split('\n').filter(Boolean).map((line) => JSON.parse(line));
}

export class Weir {
  constructor(folder, config, env) {
    this.folder = folder;
    this.config = config;
    this.env = env;
    this.file = path.join(folder, 'weir.yaml');
    this.data = path.join(folder, 'data');
    this.adminToken = 'test-admin-token';
  }

  // Replaces the file in one step, so that a watcher never sees half of it.
  async writeConfig(config = this.config) {
    this.config = config;
    const text = typeof config === 'string' ? config : JSON.stringify({
      listen: '127.0.0.1:0', admin: { listen: '127.0.0.1:0', token: this.adminToken }, data: this.data, workers: 1,
      auth_failures: { per: 'ip', allow: '100000/1m' },   // createKey asks until a new key is known
      ...config,
    }, null, 1);
    await writeFile(`${this.file}.new`, `${text}\n`);
    await rename(`${this.file}.new`, this.file);
  }

  async start() {
    if (!existsSync(kBinary)) throw new Error(`${kBinary} is not built: ./dev build, or set WEIR_BIN`);
    this.output = '';
    this.exit = undefined;
    this.process = spawn(kBinary, ['serve', '-c', this.file], { env: cleanEnv(this.env), cwd: this.folder });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (text) => { this.output += text; });
    }
    this.exited = new Promise((resolve) => {
      this.process.on('close', (code, signal) => {
        this.exit = { code, signal };
        resolve(this.exit);
      });
    });
    const address = (pattern) => eventually(() => {
      if (this.exit) throw new Error(`weir ended: ${JSON.stringify(this.exit)}\n${this.output}`);
      return pattern.exec(this.output)?.[1];
    }, `address line ${pattern} in:\n${this.output}`);
    this.url = await address(/listening on (https?:\/\/\S+)/);
    this.admin = await address(/admin on (https?:\/\/\S+)/);
    this.port = Number(new URL(this.url).port);
    await eventually(async () => (await ask(`${this.url}/readyz`)).status === 200, '/readyz');
    return this;
  }

  command(...args) {
    return runWeir([...args, '-c', this.file], { env: this.env, cwd: this.folder });
  }

  async createKey(name, { tier, tenant, user, kind, metadata } = {}) {
    const args = ['keys', 'create', '--name', name, '--json'];
    if (tier) args.push('--tier', tier);
    if (tenant) args.push('--tenant', tenant);
    if (user) args.push('--user', user);
    if (kind) args.push('--kind', kind);
    if (metadata) args.push('--metadata', JSON.stringify(metadata));
    const result = await this.command(...args);
    if (result.code !== 0) throw new Error(`weir ${args.join(' ')}: ${result.code}\n${result.stderr}${result.stdout}`);
    const { key } = JSON.parse(result.stdout);
    // A running server takes it up within a second.
    if (this.url && !this.exit) {
      await eventually(async () => (await ask(`${this.url}/weir/v1/me`, { headers: { authorization: `Bearer ${key}` } })).status === 200,
        `key ${name} is accepted`, kDeadlineMs, 50);
    }
    return key;
  }

  async rows(command, ...args) {
    const result = await this.command(command, '--json', ...args);
    if (result.code !== 0) throw new Error(`weir ${command}: ${result.code}\n${result.stderr}`);
    return lines(result.stdout);
  }

  // The ledger is drained in the background: waits until `accept(rows)` holds.
  async usage(accept, what = 'usage rows') {
    let rows;
    await eventually(async () => { rows = await this.rows('usage'); return accept(rows); }, what)
      .catch((error) => { throw new Error(`${error.message}\nrows: ${JSON.stringify(rows)}\n${this.output.slice(-2000)}`); });
    return rows;
  }

  // The rows of one key, once there are `count`.
  async rowsOf(name, count) {
    const own = (rows) => rows.filter((row) => row.key === name);
    return own(await this.usage((rows) => own(rows).length >= count));
  }

  async audit(accept, what = 'audit rows') {
    let rows;
    await eventually(async () => { rows = await this.rows('audit'); return accept(rows); }, what)
      .catch((error) => { throw new Error(`${error.message}\nrows: ${JSON.stringify(rows)}`); });
    return rows;
  }

  // What a key has used of its limits, by limit name and window.
  async me(key) {
    const response = await fetch(`${this.url}/weir/v1/me`, { headers: { authorization: `Bearer ${key}` } });
    const body = await response.json();
    if (response.status !== 200) throw new Error(`/weir/v1/me: ${response.status} ${JSON.stringify(body)}`);
    return body;
  }

  async limit(key, name = 'requests') { return (await this.me(key)).limits.find((limit) => limit.name === name); }

  async metric(pattern) {
    const { text } = await ask(`${this.admin}/metrics`, { headers: { authorization: `Bearer ${this.adminToken}` } });
    return text.split('\n').filter((line) => pattern.test(line)).reduce((sum, line) => sum + Number(line.split(' ').pop()), 0);
  }

  signal(name) { this.process.kill(name); }

  async kill() {
    this.signal('SIGKILL');
    await this.exited;
  }

  // Ends it the ordinary way and removes its folder; fails if it did not end cleanly.
  async stop() {
    if (this.process && !this.exit) {
      this.signal('SIGTERM');
      const timer = setTimeout(() => this.signal('SIGKILL'), kDeadlineMs);
      await this.exited;
      clearTimeout(timer);
      if (this.exit.code !== 0) throw new Error(`weir ended with ${JSON.stringify(this.exit)}\n${this.output}`);
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}

export const isFree = (port) => new Promise((resolve) => {
  const server = net.createServer().once('error', () => resolve(false));
  server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
});

// Makes the folder and the file, without starting.
export async function prepareWeir(config = {}, env = {}) {
  const weir = new Weir(await mkdtemp(path.join(os.tmpdir(), 'weir-test-')), config, env);
  await weir.writeConfig();
  return weir;
}

export async function startWeir(config = {}, env = {}) {
  return (await prepareWeir(config, env)).start();
}

// For tests that repeat one request, or make many fail, and are about something else.
export const kNoCallerBreakers = { failed_prompts: { break: 0 }, unlinked: { repeats: 0, failed: 0 } };

// The usual policy of these tests: everything goes to one mock, in every dialect; roomy limits.
export function mockConfig(provider, overrides = {}) {
  return {
    providers: {
      openai: { dialect: 'openai', url: provider.url, key: 'upstream-openai-credential' },
      claude: { dialect: 'anthropic', url: provider.url, key: 'upstream-anthropic-credential' },
      gemini: { dialect: 'gemini', url: provider.url, key: 'upstream-gemini-credential' },
      ollama: { dialect: 'ollama', url: provider.url, key: 'upstream-ollama-credential' },
    },
    models: {
      'mockc-*': { provider: 'claude', price: { input: 3, cached_input: 0.5, cache_write: 4, cache_write_1h: 6, output: 15 } },
      'mockg-*': { provider: 'gemini', price: { input: 1, cached_input: 0.5, output: 10 } },
      'mocko-*': { provider: 'ollama', price: { input: 1, output: 4 } },
      'mock-*': { provider: 'openai', price: { input: 1, output: 2 } },
    },
    limits: [
      { name: 'requests', per: 'caller', meter: 'requests', allow: '1000/1m' },
      { name: 'tokens', per: 'caller', meter: 'tokens', allow: '1M/1h' },
      { name: 'spend', per: 'caller', meter: 'usd', allow: '100/day' },
    ],
    ...overrides,
  };
}
