// What the fake admin API answers, call by call, as docs/admin-api.md says. `calls` is a list of [method, pattern, handler];
// a handler gets {state, query, body, names, headers} and returns a value, or {status, body, headers}.
import { createHash } from 'node:crypto';
import { between, hex, iso, limits, makeRefusal, models, pick, providerOf, random, skewed, tiersList, kMarkup } from './data.mjs';

const hash = (value) => `"${createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16)}"`;
export const problem = (status, detail, more = {}) => ({ status, problem: true, body: { type: 'about:blank', title: 'Error', status, detail, ...more } });
const kDay = 86_400_000;
const version = 'c0ffee12';

export function makeState(keys, live) {
  const now = Date.now();
  return {
    keys, live, tokens: new Map(), codes: new Set(['demo-code']), breakers: [{ kind: 'tool', name: 'run_sql', reason: 'deletes rows', by: 'anna', at: iso(now - 3_600_000) }],
    audit: Array.from({ length: 2400 }, (_, i) => makeRefusal(keys, now - i * 36_000 - between(0, 30_000))),
    overrides: [{ kind: 'limit', name: 'tokens', value: { allow: { pro: ['200k/1m'] } }, by: 'anna', at: iso(now - 5 * 3_600_000), etag: '"01"' }],
    whatIf: new Map(), tries: 0,
  };
}

const instant = (text, fallback) => {
  if (!text) return fallback;
  const match = /^(\d+)([smhdw])$/.exec(text);
  if (match) return Date.now() - Number(match[1]) * { s: 1e3, m: 6e4, h: 36e5, d: kDay, w: 7 * kDay }[match[2]];
  return Date.parse(text);
};
function paged(list, query) {
  const size = Number(query.get('page_size') ?? 100);
  const from = Number(query.get('cursor') || 0);
  return { part: list.slice(from, from + size), next: from + size < list.length ? String(from + size) : null };
}
const wordsOf = (limit) => `Each ${limit.per[0]} may use ${limit.amounts.pro} ${limit.meter}${limit.window ? ` per ${limit.window}` : ' at once'}.`;

function stateOf(limit, key) {
  const allowed = limit.amounts[key.tier] ?? limit.amounts.free;
  const base = Math.abs(Number.parseInt(createHash('md5').update(key.name + limit.name).digest('hex').slice(0, 6), 16) % 1000) / 1000;
  const ratio = key.last_24h.refused > 500 ? 0.7 + base * 0.32 : base * 0.85;
  const reserved = Math.round(allowed * 0.03);
  const used = Math.min(allowed - (ratio < 1 ? reserved : 0), Math.round(allowed * ratio * 100) / 100);
  return {
    name: limit.name, layer: limit.layer, meter: limit.meter, window: limit.window, allowed, used, reserved, remaining: Math.max(0, allowed - used - reserved),
    ratio: (used + reserved) / allowed, reset_at: limit.reset ? iso(Date.now() + limit.reset * 1000 * (0.2 + base * 0.7)) : null, shadow: limit.mode === 'shadow', words: wordsOf(limit),
  };
}
const shown = (key) => ({ ...key, etag: hash([key.tenant, key.user, key.tier, key.kind, key.status, key.metadata]) });
const find = (state, name) => state.keys.find((key) => key.name === name);
const limitOf = (state, limit) => ({
  name: limit.name, per: limit.per, meter: limit.meter, match: {}, allow: Object.fromEntries(Object.entries(limit.amounts).map(([tier, n]) => [tier, [`${n}/${limit.window ?? 'now'}`]])),
  layer: limit.layer, mode: limit.mode ?? 'enforce', on_exceed: 'refuse', fail: 'closed', words: wordsOf(limit), source: 'file',
  override: state.overrides.find((one) => one.kind === 'limit' && one.name === limit.name)?.value ?? null, etag: hash(limit), refused_1h: between(0, 400),
  utilisation: { max: 0.97, hot: state.keys.slice(0, 5).map((key, i) => ({ per: { caller: key.name }, ratio: 0.97 - i * 0.11, used: Math.round(limit.amounts.pro * (0.97 - i * 0.11)), allowed: limit.amounts.pro, at: iso(Date.now() - i * 9000) })) },
});

function series(query, groups) {
  const step = query.get('step') === 'day' ? kDay : 3_600_000;
  const until = Math.floor(instant(query.get('until'), Date.now()) / step) * step;
  const since = Math.floor(instant(query.get('since'), until - kDay) / step) * step;
  const times = [];
  for (let t = since; t <= until; t += step) times.push(t);
  const wave = (t, g) => Math.max(0, Math.sin((t / kDay) * 2 * Math.PI - 1.8) * 0.6 + 0.75) * (0.8 + random() * 0.4) / (g + 1);
  return {
    step: query.get('step') ?? 'hour', times: times.map(iso),
    series: groups.map((group, g) => {
      const requests = times.map((t) => Math.round(wave(t, g) * (step / 3_600_000) * 1100));
      return { group, requests, tokens: requests.map((n) => n * 1400), usd_micros: requests.map((n) => n * 2100), refused: requests.map((n) => Math.round(n * 0.03 * random())) };
    }),
  };
}
const groupsOf = (state, by) => ({
  key: state.keys.slice(0, 12).map((key) => key.name), tenant: ['acme', 'northwind', '', 'globex', 'initech', kMarkup, 'hooli'], user: state.keys.slice(5, 15).map((key) => key.user || key.name),
  tier: tiersList, model: models, provider: ['openai', 'claude', 'gemini', 'ollama'], agent: ['planner', 'researcher', 'writer'], run: ['run-1', 'run-2'],
  day: Array.from({ length: 14 }, (_, i) => iso(Date.now() - i * kDay).slice(0, 10)), hour: Array.from({ length: 24 }, (_, i) => iso(Date.now() - i * 3_600_000).slice(0, 13)),
}[by] ?? ['all']);
const sumOf = (group, requests) => ({ group, requests, input_tokens: requests * 900, output_tokens: requests * 480, cached_tokens: requests * 200, cache_write_tokens: 0, reasoning_tokens: requests * 60, usd_micros: requests * between(1500, 3000), reserved_tokens: 0, tool_calls: Math.round(requests / 7) });

function runOf(state, i) {
  const key = state.keys[1 + (i % 20)];
  const calls = i % 9 === 8 ? 1 : 3 + ((i * 7) % 40);
  return {
    run: i === 3 ? kMarkup : `run-${(1000 + i).toString(16)}`, key: key.name, tenant: key.tenant, user: key.user, agent: ['planner', 'researcher', 'writer', 'support'][i % 4], live: i < 6,
    first: iso(Date.now() - (i + 1) * 420_000 - calls * 9000), last: iso(Date.now() - i * 420_000), llm_calls: calls, tool_calls: calls * 2, tokens: calls * 3100, usd_micros: calls * 14_000,
    requests: calls, depth: 1 + (i % 4), flags: i % 7 === 2 ? ['repeats'] : i % 11 === 4 ? ['profile', 'destination'] : [],
  };
}
const runs = (state) => Array.from({ length: 140 }, (_, i) => runOf(state, i));

const policyYaml = `listen: 127.0.0.1:8080
admin:
  listen: 127.0.0.1:8081
  token: "***"
tiers:
  free: {}
  pro: { weight: 4 }
  enterprise: { weight: 16 }
limits:
  - name: requests
    per: caller
    meter: requests
    allow: { free: 20/1m, pro: 120/1m, enterprise: 2000/1m }
  - name: tokens
    per: caller
    meter: tokens
    allow: { free: 20k/1m, pro: 200k/1m, enterprise: 2M/1m }
  - name: spend
    per: tenant
    meter: usd
    allow: { free: 5/month, pro: 250/month, enterprise: 12000/month }
`;

export const calls = [
  ['GET', '/whoami', ({ caller }) => ({ ...caller, version: '0.1.0', config_version: version })],
  ['DELETE', '/session', ({ state, token }) => { state.tokens.delete(token); return { status: 204 }; }],
  ['GET', '/welcome', ({ state }) => ({
    first_run: state.firstRun, demo_key: 'weir_1aZ9kQ3vT7xY5bN2mL8pR4wC_x7Kd2M', listen: 'http://127.0.0.1:8080', model: 'sim', simulated: true, limit: { name: 'requests', allowed: 5, window: '1m' },
    curl: `curl http://127.0.0.1:8080/v1/chat/completions -H 'Authorization: Bearer weir_1aZ9kQ3vT7xY5bN2mL8pR4wC_x7Kd2M' -H 'Content-Type: application/json' -d '{"model":"sim","messages":[{"role":"user","content":"Hello"}]}'`,
    tries: state.tries,
  })],
  ['POST', '/try', ({ state, body }) => ({ answers: Array.from({ length: body.count }, () => {
    state.tries += 1;
    return state.tries % 8 > 5 || state.tries % 8 === 0
      ? { status: 429, ms: between(1, 3), tokens: null, usd_micros: null, retry_after: 41, refusal: { limit: 'requests', layer: 'rate', per: { caller: 'demo' }, meter: 'requests', allowed: 5, window: '1m', used: 5, reserved: 0, requested: 1, retry_after: 41.2, reset_at: iso(Date.now() + 41_200), also: [] }, sentence: 'The key demo sent 5 requests within a minute and may send 5; room for the next one comes in 41 s.' }
      : { status: 200, ms: between(18, 70), tokens: between(40, 160), usd_micros: between(20, 90), retry_after: null, refusal: null, sentence: null };
  }) })],
  ['GET', '/health', () => ({
    status: 'degraded', version: '0.1.0', config_version: version, policy_source: '/etc/weir/weir.yaml', started_at: iso(Date.now() - 3.2 * kDay), listen: 'http://127.0.0.1:8080', admin: 'http://127.0.0.1:8081', data: '/var/lib/weir',
    notes: [{ what: 'price of house-model', since: null, detail: 'No price is known for house-model.', do: 'Give it a `price` in weir.yaml.' }],
    problems: [{ what: 'provider', since: iso(Date.now() - 240_000), detail: 'claude answers 529 to most requests; its breaker is open and traffic goes to openai.', do: 'Nothing, unless it lasts: see the provider\'s status page.' }],
    counters: { subjects: 104_233, bytes: 61_000_000, open_reservations: 37 }, journal: { healthy: true, bytes_written: 912_000_000 }, ledger: { healthy: true, rows: 4_810_233, audit_rows: 91_200 }, workers: 2, open_connections: 311, requests_in_flight: 37,
    providers: models.map((model) => ({ provider: providerOf[model], model, state: model.startsWith('claude') ? 'open' : 'closed', until: model.startsWith('claude') ? iso(Date.now() + 24_000) : null })),
    events: { per_second: 212, dropped: 0, watchers: 1 }, alerts: { firing: 1 }, overrides: { count: 1, skipped: [{ kind: 'tier', name: 'trial', why: 'The file has no tier "trial" any more.' }] },
  })],
  ['POST', '/reload', () => ({ version, previous: version })],

  ['GET', '/keys', ({ state, query }) => {
    const text = (query.get('search') ?? '').toLowerCase();
    const status = query.get('status') ?? 'active';
    let list = state.keys.filter((key) => (status === 'all' || key.status === status) && (!text || `${key.name}\n${key.tenant}\n${key.user}`.toLowerCase().includes(text)) &&
      ['tenant', 'tier', 'kind'].every((name) => !query.get(name) || key[name] === query.get(name)));
    const sort = query.get('sort') ?? 'name';
    const by = { name: (a, b) => (a.name < b.name ? -1 : 1), created: (a, b) => (a.created_at < b.created_at ? 1 : -1), requests: (a, b) => b.last_24h.requests - a.last_24h.requests,
      tokens: (a, b) => b.last_24h.tokens - a.last_24h.tokens, usd: (a, b) => b.last_24h.usd_micros - a.last_24h.usd_micros }[sort];
    list = list.sort(by);
    const { part, next } = paged(list, query);
    return { keys: part.map(shown), total: list.length, next };
  }],
  ['POST', '/keys', ({ state, body }) => {
    if (find(state, body.name)) return problem(409, `There is a key named ${body.name}.`);
    const key = { tenant: 'default', user: '', tier: 'free', kind: 'agent', metadata: {}, ...body, status: 'active', created_at: iso(Date.now()), trust: 1, last_24h: { requests: 0, tokens: 0, usd_micros: 0, refused: 0 } };
    state.keys.push(key);
    state.live.send('changed', { what: 'keys', version });
    return { status: 201, body: { ...shown(key), key: `weir_${hex(24)}_${hex(6)}` } };
  }],
  ['GET', '/keys/{}', ({ state, names }) => { const key = find(state, names[0]); return key ? { body: shown(key), headers: { etag: shown(key).etag } } : problem(404, `There is no key named ${names[0]}.`); }],
  ['PATCH', '/keys/{}', ({ state, names, body, headers }) => {
    const key = find(state, names[0]);
    if (!key) return problem(404, `There is no key named ${names[0]}.`);
    if (headers['if-match'] && headers['if-match'] !== shown(key).etag) return problem(412, 'Somebody changed this key since you opened it.');
    if (body.tier && !tiersList.includes(body.tier)) return problem(400, `There is no tier ${body.tier}; there are: ${tiersList.join(', ')}.`);
    Object.assign(key, body);
    return { body: shown(key), headers: { etag: shown(key).etag } };
  }],
  ['DELETE', '/keys/{}', ({ state, names }) => { const key = find(state, names[0]); if (!key) return problem(404, 'No such key.'); key.status = 'revoked'; state.live.send('changed', { what: 'keys', version }); return { status: 204 }; }],
  ['GET', '/keys/{}/limits', ({ state, names }) => { const key = find(state, names[0]); return key ? { key: key.name, tier: key.tier, trust: key.trust, limits: limits.map((limit) => stateOf(limit, key)) } : problem(404, 'No such key.'); }],
  ['GET', '/tenants', ({ query }) => {
    const all = groupsOf({ keys: [] }, 'tenant').map((name, i) => ({ name, zone: i % 2 ? 'Europe/Berlin' : 'UTC', keys: 9000 - i * 900, requests: 900_000 - i * 91_000, tokens: 1_200_000_000 - i * 91_000_000, usd_micros: 4_200_000_000 - i * 600_000_000, source: 'file' }));
    const { part, next } = paged(all.filter((one) => one.name.includes(query.get('search') ?? '')), query);
    return { tenants: part, next };
  }],
  ['GET', '/tenants/{}', ({ names }) => ({ body: { name: names[0], zone: 'UTC', source: 'file', override: null }, headers: { etag: '"t1"' } })],
  ['PUT', '/tenants/{}', ({ names, body }) => ({ name: names[0], zone: body.zone, source: 'override', override: body })],
  ['DELETE', '/tenants/{}', () => ({ status: 204 })],
  ['GET', '/tiers', ({ state }) => ({ tiers: tiersList.map((name, i) => tierOf(state, name, i)) })],
  ['GET', '/tiers/{}', ({ state, names }) => ({ body: tierOf(state, names[0], 0), headers: { etag: '"t"' } })],
  ['PUT', '/tiers/{}', ({ state, names, body }) => ({ ...tierOf(state, names[0], 0), ...body, source: 'override' })],
  ['DELETE', '/tiers/{}', () => ({ status: 204 })],

  ['GET', '/limits', ({ state }) => ({ limits: limits.map((limit) => limitOf(state, limit)) })],
  ['GET', '/limits/{}', ({ state, names }) => { const limit = limits.find((one) => one.name === names[0]); return limit ? { body: limitOf(state, limit), headers: { etag: hash(limit) } } : problem(404, 'No such limit.'); }],
  ['PUT', '/limits/{}', ({ state, names, body }) => { state.overrides.push({ kind: 'limit', name: names[0], value: body, by: 'you', at: iso(Date.now()), etag: hash(body) }); return limitOf(state, limits.find((one) => one.name === names[0]) ?? limits[0]); }],
  ['DELETE', '/limits/{}', ({ state, names }) => { state.overrides = state.overrides.filter((one) => one.name !== names[0]); return { status: 204 }; }],
  ['GET', '/policy', ({ state }) => ({ body: { version, source: '/etc/weir/weir.yaml', loaded_at: iso(Date.now() - kDay), yaml: policyYaml, words: limits.map(wordsOf), overrides: state.overrides, skipped: [{ kind: 'tier', name: 'trial', why: 'The file has no tier "trial" any more.' }] }, headers: { etag: '"p1"' } })],
  ['GET', '/policy/export', ({ query }) => ({ type: 'application/yaml', body: query.get('what') === 'overrides' ? 'limits:\n  - name: tokens\n    allow: { pro: 200k/1m }\n' : policyYaml })],
  ['GET', '/policy/changes', ({ query }) => {
    const all = Array.from({ length: 60 }, (_, i) => ({ time: iso(Date.now() - i * 7_200_000), by: pick(['anna', 'ci', 'ops']), what: pick(['limit', 'tier', 'reload', 'key']), name: pick(['tokens', 'pro', 'acme-support-bot', kMarkup]), detail: 'allow.pro: 150k/1m → 200k/1m' }));
    const { part, next } = paged(all, query);
    return { changes: part, next };
  }],
  ['POST', '/policy/check', ({ body }) => (body.yaml.includes('bogus') ? { valid: false, diagnostics: [{ line: 3, column: 5, error: true, message: 'Unknown meter "bogus"; did you mean "tokens"?' }], words: [] } : { valid: true, diagnostics: [], words: limits.map(wordsOf) })],
  ['PUT', '/policy/draft', ({ body }) => (body.yaml.includes('bogus') ? problem(422, 'The draft is not valid.', { diagnostics: [{ line: 3, column: 5, error: true, message: 'Unknown meter "bogus".' }] }) : { version: hex(8), changed: ['limit tokens', 'limit requests'] })],
  ['GET', '/policy/shadow', ({ state }) => ({ limits: [{ limit: 'tenant-fair', would_refuse: 412, of: 91_022, keys: state.keys.slice(0, 6).map((key, i) => ({ key: key.name, count: 200 - i * 31 })) }] })],
  ['POST', '/policy/what-if', ({ state }) => { const id = hex(12); state.whatIf.set(id, Date.now()); return { status: 202, body: { id, state: 'running' } }; }],
  ['GET', '/policy/what-if/{}', ({ state, names }) => {
    const begun = state.whatIf.get(names[0]);
    if (!begun) return problem(404, 'There is no such question any more.');
    const progress = Math.min(1, (Date.now() - begun) / 1500);
    return { id: names[0], state: progress < 1 ? 'running' : 'done', progress, error: null, result: progress < 1 ? null : {
      rows: 91_022, from: iso(Date.now() - kDay), until: iso(Date.now()), current: { allowed: 88_301, degraded: 410, refused: 2311 }, draft: { allowed: 87_110, degraded: 398, refused: 3514 },
      limits: limits.slice(0, 4).map((limit, i) => ({ limit: limit.name, current: 900 - i * 200, draft: 1500 - i * 240 })),
      newly_refused: state.keys.slice(0, 5).map((key, i) => ({ key: key.name, limit: 'tokens', count: 420 - i * 70 })), newly_allowed: [{ key: 'demo', limit: 'requests', count: 12 }], note: 'Latencies are those of the recorded day.' } };
  }],
  ['DELETE', '/policy/what-if/{}', ({ state, names }) => { state.whatIf.delete(names[0]); return { status: 204 }; }],

  ['GET', '/usage', ({ state, query }) => {
    const all = Array.from({ length: 300 }, (_, i) => { const key = query.get('key') ? find(state, query.get('key')) ?? state.keys[0] : state.keys[i % 40]; const model = models[i % models.length]; return {
      time: iso(Date.now() - i * 40_000), request_id: hex(32), key: key.name, tenant: key.tenant, user: key.user, tier: key.tier, kind: key.kind, conversation: '', run: i % 3 ? '' : `run-${(1000 + i).toString(16)}`, agent: i % 3 ? '' : 'planner', model, provider: providerOf[model],
      route: '/v1/chat/completions', status: i % 23 ? 200 : 502, input_tokens: 900 + i, output_tokens: 300 + skewed(900), cached_tokens: 0, cache_write_tokens: 0, reasoning_tokens: 0, usd_micros: 1800 + i * 7, reserved_tokens: 1600, tool_calls: i % 5 ? 0 : 2, degraded: i % 17 ? '' : 'spend; model=gpt-4o-mini', attempts: 1, settled: 'usage', tools: i % 5 ? '' : 'search*2' }; });
    const { part, next } = paged(all, query);
    return { rows: part, next };
  }],
  ['GET', '/usage/sums', ({ state, query }) => {
    const sums = groupsOf(state, query.get('by')).slice(0, Number(query.get('top') ?? 50)).map((group, i) => sumOf(group, Math.round(90_000 / (i + 1))));
    const total = sumOf('total', 0);
    for (const sum of sums) for (const name of Object.keys(sum)) if (name !== 'group') total[name] += sum[name];
    return { sums, total };
  }],
  ['GET', '/usage/series', ({ state, query }) => series(query, query.get('by') ? groupsOf(state, query.get('by')).slice(0, Number(query.get('top') ?? 8)) : ['all'])],
  ['GET', '/spend/forecast', ({ query }) => {
    const days = { day: 1, week: 7, month: 30 }[query.get('period') ?? 'month'];
    return { period: { start: iso(Date.now() - days * 0.6 * kDay), end: iso(Date.now() + days * 0.4 * kDay), zone: 'UTC' }, spent_usd_micros: 3_812_400_000, forecast_usd_micros: 6_204_000_000, low_usd_micros: 5_830_000_000, high_usd_micros: 6_710_000_000, method: 'The same weekdays and hours of the last four weeks, scaled to this period.', days_seen: 28 };
  }],
  ['GET', '/audit', ({ state, query }) => {
    const since = instant(query.get('since'), Date.now() - kDay);
    const until = instant(query.get('until'), Date.now());
    const list = state.audit.filter((row) => ['event', 'layer', 'limit', 'key', 'user', 'tool', 'run'].every((name) => !query.get(name) || row[name] === query.get(name) || (query.get(name) === 'decisions' && row.event !== 'admin')) && Date.parse(row.time) >= since && Date.parse(row.time) <= until);
    const { part, next } = paged(list, query);
    return { rows: part, next };
  }],
  ['GET', '/audit/sums', ({ state, query }) => {
    const since = instant(query.get('since'), Date.now() - kDay);
    const sums = new Map();
    for (const row of state.audit) if (Date.parse(row.time) >= since) sums.set(row[query.get('by')], (sums.get(row[query.get('by')]) ?? 0) + row.count);
    return { sums: [...sums].map(([group, count]) => ({ group, count })).sort((a, b) => b.count - a.count) };
  }],

  ['GET', '/runs', ({ state, query }) => {
    const which = query.get('state') ?? 'all';
    const list = runs(state).filter((run) => (which === 'all' || run.live === (which === 'live')) && (query.get('flagged') !== 'true' || run.flags.length) && (query.get('single') !== 'false' || run.requests > 1 || run.flags.length) && ['key', 'agent'].every((name) => !query.get(name) || run[name] === query.get(name)));
    if (query.get('sort') === 'cost') list.sort((a, b) => Math.sign(b.flags.length) - Math.sign(a.flags.length) || b.usd_micros - a.usd_micros);
    const { part, next } = paged(list, query);
    return { runs: part, ranked_since: null, next };
  }],
  ['GET', '/runs/{}', ({ state, names }) => {
    const run = runs(state).find((one) => one.run === names[0]);
    if (!run) return problem(404, 'There is no such run.');
    const calls = Array.from({ length: run.llm_calls }, (_, i) => ({ time: iso(Date.parse(run.first) + i * 9000), request_id: hex(32), agent: ['planner', 'researcher', 'writer', kMarkup][i % 4], node: `n${i}`, parent: i === 0 ? null : `n${Math.floor((i - 1) / 3)}`, depth: Math.min(4, Math.ceil(Math.log2(i + 1))), model: models[i % 3], route: '/v1/chat/completions', status: i % 13 === 12 ? 429 : 200, tokens: 2000 + i * 170, usd_micros: 9000 + i * 800, tools: i % 2 ? 'search*2,send_email' : '', degraded: '' }));
    return { ...run, calls, evidence: run.flags.length ? [{ ...makeRefusal(state.keys, Date.now()), key: run.key, event: 'broken', layer: 'breaker', limit: 'repeats', run: run.run }] : [] };
  }],
  ['GET', '/breakers', ({ state }) => ({ breakers: state.breakers })],
  ['PUT', '/breakers/{}/{}', ({ state, names, body }) => { state.breakers.push({ kind: names[0], name: names[1], reason: body.reason ?? '', by: 'you', at: iso(Date.now()) }); return state.breakers.at(-1); }],
  ['DELETE', '/breakers/{}/{}', ({ state, names }) => { state.breakers = state.breakers.filter((one) => one.kind !== names[0] || one.name !== names[1]); return { status: 204 }; }],

  ['GET', '/live', ({ state, query }) => state.live.columns(Number(query.get('seconds') ?? 900))],
  ['GET', '/alerts', ({ query }) => ({
    rules: [{ name: 'budget-nearly-used', when: 'limit_ratio > 0.9', words: 'A limit is more than 90% used for 5 minutes.' }],
    alerts: [
      { id: 'a1', rule: 'spike', subject: 'acme-support-bot', state: 'firing', since: iso(Date.now() - 400_000), until: null, value: 412, threshold: 120, cause: 'loop', sentence: 'acme-support-bot sends 3.4 times what it usually sends at this hour; 61% of it is the same call.', sent: [{ target: 'ops', at: iso(Date.now() - 390_000), ok: true }] },
      { id: 'a2', rule: 'budget-nearly-used', subject: kMarkup, state: 'resolved', since: iso(Date.now() - 9_000_000), until: iso(Date.now() - 7_000_000), value: 0.94, threshold: 0.9, cause: 'outgrown_tier', sentence: `${kMarkup} has used 94% of its tokens for 5 minutes; it has outgrown its tier.`, sent: [] },
    ].filter((alert) => ['all', alert.state].includes(query.get('state') ?? 'all')),
    targets: [
      { name: 'ops', kind: 'slack', host: 'hooks.example.com', last_sent: iso(Date.now() - 390_000), last_error: null, waiting: 0 },
      { name: 'pager', kind: 'webhook', host: 'pager.example.com', last_sent: null, last_error: 'the target answered 500', waiting: 3 },
    ],
  })],
  ['POST', '/alerts/test', () => ({ results: [{ target: 'ops', ok: true, status: 200, detail: 'delivered in 120 ms' }] })],
];

function tierOf(state, name, i) {
  return { name, weight: 4 ** i, tools: { allow: [], deny: name === 'free' ? ['run_sql'] : [] }, keys: state.keys.filter((key) => key.tier === name).length, default: name === 'free', source: 'file',
    amounts: Object.fromEntries(limits.map((limit) => [limit.name, [`${limit.amounts[name]}/${limit.window ?? 'now'}`]])), etag: hash([name]) };
}
