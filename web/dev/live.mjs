// The last fifteen minutes of the fake server, and its event stream.
import { between, hex, iso, makeRefusal, models, pick, providerOf, random, tiersList } from './data.mjs';

const kSeconds = 900;
const kinds = ['requests', 'refused', 'tokens', 'usd_micros'];
const zero = () => ({ requests: 0, refused: 0, tokens: 0, usd_micros: 0 });
const add = (to, from) => { for (const kind of kinds) to[kind] += from[kind]; };

function secondAt(time) {
  const wave = 1 + 0.35 * Math.sin(time / 97_000) + 0.2 * Math.sin(time / 23_000);
  const all = { time: iso(time), ...zero(), in_flight: between(14, 60), by_tier: {}, by_model: {}, by_layer: {} };
  tiersList.forEach((tier, i) => {
    models.forEach((model, j) => {
      const requests = Math.round(wave * [38, 21, 30, 6][i] * [0.42, 0.2, 0.22, 0.1, 0.06][j] * (0.7 + random() * 0.6));
      const part = { requests, refused: Math.round(requests * [0.07, 0.02, 0.012, 0][i] * random() * 2), tokens: requests * between(900, 1900),
        usd_micros: Math.round(requests * [400, 5200, 6100, 900, 0][j] * (0.8 + random() * 0.4)) };
      add(all, part);
      add((all.by_tier[tier] ??= zero()), part);
      add((all.by_model[model] ??= zero()), part);
    });
  });
  const rate = Math.floor(all.refused * 0.4);
  const breaker = random() < 0.2 ? Math.min(1, all.refused) : 0;
  all.by_layer = { rate, breaker, budget: Math.max(0, all.refused - rate - breaker) };
  return all;
}

export class LiveFeed {
  constructor(keys) {
    this.keys = keys;
    this.watchers = new Set();
    const now = Math.floor(Date.now() / 1000) * 1000;
    this.seconds = Array.from({ length: kSeconds }, (_, i) => secondAt(now - (kSeconds - i) * 1000));
    this.timer = setInterval(() => this.second(), 1000);
    this.timer.unref();
  }

  second() {
    const tick = secondAt(Date.now());
    this.seconds.push(tick);
    this.seconds.shift();
    this.send('tick', tick);
    const shown = Math.min(tick.refused, 6);
    for (let i = 0; i < shown; ++i) this.send('decision', this.decision());
    if (tick.refused > shown) this.send('sampled', { shown, of: tick.refused });
  }

  decision() {
    const row = makeRefusal(this.keys, Date.now());
    const key = this.keys.find((one) => one.name === row.key);
    const model = pick(models);
    return {
      time: row.time, what: row.event, request_id: hex(32), key: row.key, tenant: key.tenant, user: key.user, tier: key.tier, kind: key.kind,
      model, provider: providerOf[model], route: '/v1/chat/completions', agent: row.agent, run: row.run, layer: row.layer, limit: row.limit,
      tokens: 0, usd_micros: 0, retry_after: row.retry_after, status: 429, sentence: row.sentence,
    };
  }

  send(event, data) {
    for (const response of this.watchers) response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  watch(response) {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.write(': hello\n\n');
    this.watchers.add(response);
    const comment = setInterval(() => response.write(': still here\n\n'), 15_000);
    response.on('close', () => { clearInterval(comment); this.watchers.delete(response); });
  }

  columns(count) {
    const part = this.seconds.slice(-count);
    const column = (of) => Object.fromEntries(kinds.map((kind) => [kind, part.map((second) => of(second)?.[kind] ?? 0)]));
    const groups = (by, names) => Object.fromEntries(names.map((name) => [name, column((second) => second[by][name])]));
    return {
      now: iso(Date.now()), step_s: 1, times: part.map((second) => second.time), ...column((second) => second),
      by_tier: groups('by_tier', tiersList), by_model: groups('by_model', models),
      by_layer: Object.fromEntries(['rate', 'budget', 'breaker'].map((layer) => [layer, part.map((second) => second.by_layer[layer] ?? 0)])),
      in_flight: part.at(-1).in_flight,
      top_keys: this.keys.slice(0, 10).map((key, i) => ({ key: key.name, requests: 900 - i * 83, tokens: (900 - i * 83) * 1310, usd_micros: (900 - i * 83) * 2200, refused: i % 3 ? 0 : 40 - i * 3 }))
        .sort((a, b) => b.requests - a.requests),
    };
  }
}
