// Clients of every kind, as many as asked for: all dialects, streams and whole answers, providers that misbehave, clients
// that leave in the middle, that hang up before an answer, that come again after a refusal, and calls of MCP tools.
//
//   const load = new Load(world, { clients: 24, scripts: kScripts, leave: 6, mcp: 12 });
//   load.start();  …  await load.stop();
//   load.expect(...kUsual, 503);
//   load.statuses;    // Map: status, or 'lost' (the connection broke before an answer), 'hung'
//
// Every request carries a mark of its own, in its prompt (for the production book) and as its conversation (for the
// ledger); world.calls keeps what its client saw. With `fewPrompts` it is in a header instead: what is remembered of
// prompts is then the same after a thousand requests as after a million. One that is not over after kHungMs counts as hung.
import assert from 'node:assert/strict';
import { agentOf, call, kEndpoints, kWays } from '../support/calls.mjs';
import { kDeadlineMs } from '../support/weir.mjs';
import { countTokens, kWords } from '../mock/behaviour.mjs';

export const kHungMs = 2 * kDeadlineMs;

// What clients see of kScripts and of their own leaving, on an ordinary day: answers, the provider's own errors, its
// failures as 502 and 504, and 503 while one of its models is left alone.
export const kUsual = [200, 429, 500, 502, 503, 504, 'lost'];

// Good answers, missing and false usage, answers that break off, that are slow, that never come, and refusals.
export const kGood = ['out=5', 'out=20', 'out=9+split', 'out=7+think=11', 'out=12+dupusage', 'out=5+gzip', 'out=60'];
export const kLying = ['out=6+nousage', 'out=6+negusage', 'out=8+wrongusage', 'out=9+hugeusage', 'out=9+textusage', 'out=7+noout',
  'out=15+usage=3', 'out=5+usage=30', 'out=12+dupusage'];
export const kBroken = ['out=30+cut', 'out=30+early', 'out=30+errormid', 'stallmid+out=40', 'stall', 'out=12+cutat=40'];
export const kRefusing = ['500', '429=0.01', 'out=5+503x1'];
export const kSlow = ['out=120+slow=1', 'out=30+slow=10'];
export const kScripts = [...kGood, ...kGood, ...kLying, ...kBroken, ...kRefusing, ...kSlow];

const kVariants = 40;    // of each script's model, so that the breaker of one is not everybody's
const kSaid = new RegExp(`"(?:content|text|delta|response)": ?"((?:${kWords.map((word) => word.trim()).join('|')}) ?)"`, 'g');

// Output tokens that the text of a stream carries, one word an event.
function delivered(text) {
  let count = 0;
  for (const match of text.matchAll(kSaid)) count += countTokens(match[1]);
  return count;
}

const isWhole = ({ endpoint, stream }, answer) => answer.status === 200 && !answer.broken
  && (!stream || endpoint.done.test(answer.text.slice(-600)));

let loads = 0;

export class Load {
  constructor(world, { name = 'load', clients = 16, ways = kWays, scripts = kScripts, leave = 6, hangUp = 25, mcp = 12, again = 3,
    keys = world.keys, rest = 0, cap = 500, words = 20, variants = kVariants, fewPrompts = false } = {}) {
    Object.assign(this, { world, name, clients, ways, scripts, leave, hangUp, mcp, again, keys, rest, cap, words, variants, fewPrompts });
    this.id = `${world.seed}-${loads += 1}`;
    this.agent = agentOf(2 * clients + 8);
    this.statuses = new Map();
    this.finished = 0;
    this.hung = 0;
    this.rude = 0;               // 503 of weir's own without a wait
    this.slowestMs = 0;
    this.made = 0;
    this.going = false;
    this.running = [];
  }

  start() {
    this.going = true;
    this.running = Array.from({ length: this.clients }, async () => { while (this.going) await this.one(); });
  }

  async stop() {
    this.going = false;
    await Promise.all(this.running);
    this.running = [];
    this.end();
  }

  // Connections that wait for more requests are let go.
  end() { this.agent.destroy(); }

  // What clients may see: nothing else, no 503 without a wait, and none that hangs.
  expect(...statuses) {
    for (const status of this.statuses.keys()) assert.ok(statuses.includes(status), `${this.name}: ${status} in ${this.text()}`);
    assert.equal(this.rude, 0, `${this.name}: 503 without Retry-After`);
    assert.equal(this.hung, 0, `${this.name}: hung`);
  }

  // Of those who did not leave by themselves nearly all are served; a slow machine may time one out.
  expectServed(share = 0.95) {
    const rest = this.finished - this.count('lost');
    assert.ok(this.finished > 0 && this.count(200) >= share * rest, `${this.name}: ${this.text()}`);
    this.expect(200, 502, 504, 'lost');
  }

  count(status) { return this.statuses.get(status) ?? 0; }
  text() { return JSON.stringify(Object.fromEntries(this.statuses)); }

  async one() {
    const { random } = this.world;
    const key = this.keys[random(this.keys.length)];
    let seen;
    if (this.mcp && random(this.mcp) === 0) {
      seen = await this.tool(key);
    } else {
      const way = this.ways[random(this.ways.length)];
      const script = `${this.scripts[random(this.scripts.length)]}+n${random(this.variants)}`;
      const leave = this.leave && random(this.leave) === 0 ? 1 + random(2000) : undefined;
      const hangUp = this.hangUp && random(this.hangUp) === 0 ? random(30) : undefined;
      seen = await this.chat(key, script, { way, leave, hangUp });
      const wait = Number(seen.retryAfterMs ?? 0);
      if ([429, 503].includes(seen.status) && this.again && random(this.again) === 0) {
        await new Promise((resolve) => { setTimeout(resolve, Math.min(wait, 200)); });
        if (this.going) await this.chat(key, script, { way });
      }
    }
    const rest = seen.status === 'lost' ? Math.max(this.rest, 5) : this.rest;
    if (rest) await new Promise((resolve) => { setTimeout(resolve, rest); });
  }

  // What the client of one call of a model saw.
  async chat(key, script, { way = { endpoint: kEndpoints[0], stream: false }, leave, hangUp, headers = {}, cap = this.cap } = {}) {
    const mark = `mark-${this.id}-${this.made += 1}`;
    const seen = { status: 'lost', way: way.name ?? way.endpoint.name, script, cap, left: leave !== undefined || hangUp !== undefined,
      delivered: 0, whole: false };
    this.world.calls.set(mark, seen);
    const text = `${'word '.repeat(1 + this.world.random(this.words))}${this.fewPrompts ? '' : mark}`;
    await this.timed(seen, async () => {
      const answer = await call(this.world.weir, key, way, { script, cap, agent: this.agent, leave, text,
        hangUp: hangUp ?? kHungMs, headers: { 'x-weir-conversation': mark,
          ...(this.fewPrompts ? { 'x-mark': mark } : {}), ...headers } });
      seen.status = answer.status;
      seen.id = answer.headers['x-weir-request-id'];
      seen.retryAfterMs = answer.headers['retry-after-ms'] ?? (answer.headers['retry-after'] ?? 0) * 1000;
      seen.whole = isWhole(way, answer);
      if (way.stream) seen.delivered = delivered(answer.text);
      if (answer.status >= 400) seen.error = answer.text.slice(0, 300);
      if (answer.status === 503 && !(seen.retryAfterMs > 0) && !answer.text.includes('mock says')) this.rude += 1;
    });
    return seen;
  }

  async timed(seen, act) {
    const began = performance.now();
    await act().catch((error) => { seen.error = String(error); });
    const ms = performance.now() - began;
    if (ms >= kHungMs) {
      this.hung += 1;
      seen.status = 'hung';
    }
    this.slowestMs = Math.max(this.slowestMs, ms);
    this.statuses.set(seen.status, this.count(seen.status) + 1);
    this.finished += 1;
  }

  // One call of an MCP tool.
  async tool(key) {
    const mark = `mark-${this.id}-${this.made += 1}`;
    const seen = { status: 'lost', way: 'mcp', tool: true, left: false, delivered: 0, whole: false };
    this.world.calls.set(mark, seen);
    const body = { jsonrpc: '2.0', id: this.made, method: 'tools/call', params: { name: 'echo', arguments: { mark } } };
    const endpoint = { prefix: '', path: () => '/mcp/tools', body: () => body };
    await this.timed(seen, async () => {
      const answer = await call(this.world.weir, key, { endpoint, stream: false }, { agent: this.agent, hangUp: kHungMs, headers: {
        'x-weir-conversation': mark, accept: 'application/json, text/event-stream', 'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'tools/call', 'mcp-name': 'echo' } });
      seen.status = answer.status;
      seen.id = answer.headers['x-weir-request-id'];
      seen.whole = answer.status === 200 && !answer.broken;
      if (!seen.whole) seen.error = answer.text.slice(0, 300);
    });
    return seen;
  }
}
