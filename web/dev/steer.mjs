// What the fake admin API answers to those who steer: limits, tiers and overrides that really change, drafts that are checked
// by their text, replays with progress, kill switches. Looked up before the calls of calls.mjs; handlers are of the same kind.
import { createHash } from 'node:crypto';
import { hex, iso, limits as kLimits, makeRefusal, sentenceOf, tiersList, kMarkup } from './data.mjs';
import { calls, problem } from './calls.mjs';

const etagOf = (value) => `"${createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16)}"`;
const kReplayMs = 1200;
const amountText = (limit, amount) => (limit.window ? `${amount}/${limit.window}` : String(amount));

function setup(state) {
  if (state.steer) return state.steer;
  state.steer = { overrides: new Map([['limit tokens', { kind: 'limit', name: 'tokens', value: { allow: { free: ['20000/1m'], pro: ['200000/1m'], enterprise: ['2000000/1m'] } }, by: 'anna', at: iso(Date.now() - 5 * 3_600_000) }]]), changes: [], shown: 0 };
  return state.steer;
}
const fileLimit = (limit) => ({ name: limit.name, per: limit.per, meter: limit.meter, match: {}, allow: Object.fromEntries(Object.entries(limit.amounts).map(([tier, amount]) => [tier, [amountText(limit, amount)]])), layer: limit.layer, mode: limit.mode ?? 'enforce', on_exceed: 'refuse', degrade: [], fail: 'closed' });
const wordsOf = (limit) => `${limit.name}: ${Object.entries(limit.allow).map(([tier, amounts]) => `for ${tier === 'default' ? 'everybody else' : `tier ${tier}`} ${amounts.join(' and ')}`).join(', ')} ${limit.meter}; per ${limit.per.join(' and ')}`;

function effective(state, limit) {
  const { overrides } = setup(state);
  const own = overrides.get(`limit ${limit.name}`)?.value ?? null;
  const value = { ...fileLimit(limit), ...own };
  for (const tier of tiersList) {
    const amounts = overrides.get(`tier ${tier}`)?.value.amounts?.[limit.name];
    if (amounts) value.allow = { ...value.allow, [tier]: amounts };
  }
  return { ...value, override: own };
}
function shown(state, limit) {
  const value = effective(state, limit);
  const heat = { requests: 0.64, tokens: 0.97, 'daily-tokens': 0.41, spend: 1, 'tenant-fair': 0.82, concurrency: 0 }[limit.name] ?? 0.3;
  const names = [...state.keys.slice(0, 9).map((key) => key.name)];
  return {
    ...value, words: wordsOf(value), source: value.override ? 'override' : 'file', etag: etagOf(value), refused_1h: Math.round(heat * 260),
    utilisation: { max: heat, hot: heat === 0 ? [] : names.map((name, i) => ({ per: limit.per[0] === 'tenant' ? { tenant: i === 2 ? kMarkup : ['acme', 'northwind', 'globex', 'hooli'][i % 4] } : { caller: name }, ratio: heat * (1 - i * 0.09), used: limit.amounts.pro * heat * (1 - i * 0.09), allowed: limit.amounts.pro, at: iso(Date.now() - i * 9000) })) },
  };
}
function tier(state, name) {
  const { overrides } = setup(state);
  const own = overrides.get(`tier ${name}`)?.value ?? null;
  const value = { name, weight: own?.weight ?? 4 ** tiersList.indexOf(name), tools: { allow: [], deny: name === 'free' ? ['run_sql', 'delete_*'] : [] }, default: name === 'free', amounts: Object.fromEntries(kLimits.map((limit) => [limit.name, effective(state, limit).allow[name]]).filter(([, amounts]) => amounts)), override: own, source: own ? 'override' : 'file' };
  return { ...value, keys: state.keys.filter((key) => key.tier === name).length, etag: etagOf(value) };
}
function yamlOf(state) {
  const lines = ['listen: 127.0.0.1:8080', 'admin:', '  listen: 127.0.0.1:8081', 'tiers:', ...tiersList.map((name) => `  ${name}: { weight: ${tier(state, name).weight} }`), 'limits:'];
  for (const limit of kLimits) {
    const value = effective(state, limit);
    lines.push(`  - name: ${value.name}`, `    per: [${value.per.join(', ')}]`, `    meter: ${value.meter}`, '    allow:');
    for (const [name, amounts] of Object.entries(value.allow)) lines.push(`      ${name}: ${amounts.length === 1 ? amounts[0] : `[${amounts.join(', ')}]`}`);
    if (value.mode !== 'enforce') lines.push(`    mode: ${value.mode}`);
  }
  return `${lines.join('\n')}\n`;
}
const version = (state) => createHash('sha256').update(yamlOf(state)).digest('hex').slice(0, 8);

// Amounts that no policy would take, and words that are not of it.
function faultsOf(yaml) {
  const faults = [];
  for (const [i, line] of yaml.split('\n').entries()) {
    const column = line.search(/bogus|lots/) + 1;
    if (column > 0) faults.push({ line: i + 1, column, error: true, message: line.includes('lots') ? '"lots" is no amount; write one such as 200k/1m' : 'Unknown meter "bogus"; did you mean "tokens"?' });
    if (line.includes('odd')) faults.push({ line: i + 1, column: line.indexOf('odd') + 1, error: false, message: 'This is odd, but allowed.' });
  }
  return faults;
}
const stale = (headers, etag) => (headers['if-match'] && headers['if-match'] !== etag ? problem(412, 'It was changed since you read it.') : null);

function change(state, kind, name, value, by) {
  const { overrides, changes } = setup(state);
  if (value === null) overrides.delete(`${kind} ${name}`);
  else overrides.set(`${kind} ${name}`, { kind, name, value, by, at: iso(Date.now()) });
  changes.unshift({ time: iso(Date.now()), by, what: value === null ? `${kind}s delete` : `${kind}s put`, name, detail: JSON.stringify(value) });
  state.live.send('changed', { what: 'policy', version: version(state) });
}
const findLimit = (name) => kLimits.find((one) => one.name === name);
const withEtag = (value) => ({ body: value, headers: { etag: value.etag } });

function replay(state, begun) {
  const progress = Math.min(1, (Date.now() - begun.at) / kReplayMs);
  if (begun.yaml?.includes('odd')) return { progress, state: 'failed', error: 'The recorded traffic could not be read.', result: null };
  if (progress < 1) return { progress, state: 'running', error: null, result: null };
  const same = begun.yaml === yamlOf(state);
  const current = { allowed: 88_301, degraded: 410, refused: 2311 };
  return { progress, state: 'done', error: null, result: {
    rows: 91_022, from: iso(Date.now() - begun.hours * 3_600_000), until: iso(Date.now()), current, draft: same ? current : { allowed: 87_110, degraded: 398, refused: 3514 },
    limits: kLimits.slice(0, 4).map((limit, i) => ({ limit: limit.name, current: 900 - i * 200, draft: same ? 900 - i * 200 : [1500, 1260, 500, 254][i] })),
    newly_refused: same ? [] : state.keys.slice(0, 5).map((key, i) => ({ key: key.name, limit: 'tokens', count: 420 - i * 70 })), newly_allowed: same ? [] : [{ key: 'demo', limit: 'requests', count: 12 }],
    note: 'Refused requests are replayed as far as the audit knows them; the metadata of 12 keys was used, as it is now.' } };
}

export const steerCalls = [
  ['GET', '/limits', ({ state }) => ({ limits: kLimits.map((limit) => shown(state, limit)) })],
  ['GET', '/limits/{}', ({ state, names }) => (findLimit(names[0]) ? withEtag(shown(state, findLimit(names[0]))) : problem(404, `There is no limit named ${names[0]}.`))],
  ['PUT', '/limits/{}', ({ state, names, body, headers, caller }) => {
    const limit = findLimit(names[0]);
    if (!limit) return problem(422, 'A new limit needs a meter.', { diagnostics: [] });
    const late = stale(headers, shown(state, limit).etag);
    if (late) return late;
    if (JSON.stringify(body).includes('lots')) return problem(422, 'The policy would not be valid this way.', { diagnostics: [{ line: 0, column: 0, error: true, message: '"lots" is no amount' }] });
    change(state, 'limit', names[0], body, caller.name);
    return withEtag(shown(state, limit));
  }],
  ['DELETE', '/limits/{}', ({ state, names, headers, caller }) => {
    const limit = findLimit(names[0]);
    if (!limit || !setup(state).overrides.has(`limit ${names[0]}`)) return problem(404, `Nothing is changed over the file's limit ${names[0]}.`);
    const late = stale(headers, shown(state, limit).etag);
    if (late) return late;
    change(state, 'limit', names[0], null, caller.name);
    return { status: 204 };
  }],
  ['GET', '/tiers', ({ state }) => ({ tiers: tiersList.map((name) => tier(state, name)) })],
  ['GET', '/tiers/{}', ({ state, names }) => (tiersList.includes(names[0]) ? withEtag(tier(state, names[0])) : problem(404, `There is no tier named ${names[0]}.`))],
  ['PUT', '/tiers/{}', ({ state, names, body, headers, caller }) => {
    const late = stale(headers, tier(state, names[0]).etag);
    if (late) return late;
    change(state, 'tier', names[0], body, caller.name);
    return withEtag(tier(state, names[0]));
  }],
  ['DELETE', '/tiers/{}', ({ state, names, headers, caller }) => {
    const late = stale(headers, tier(state, names[0]).etag);
    if (late) return late;
    change(state, 'tier', names[0], null, caller.name);
    return { status: 204 };
  }],
  ['GET', '/policy', ({ state }) => ({ body: {
    version: version(state), source: '/etc/weir/weir.yaml', loaded_at: iso(Date.now() - 86_400_000), yaml: yamlOf(state), words: kLimits.map((limit) => wordsOf(effective(state, limit))),
    overrides: [...setup(state).overrides.values()].map((one) => ({ ...one, etag: etagOf(one.value) })), skipped: [{ kind: 'tier', name: 'trial', why: 'The file has no tier "trial" any more.' }],
  }, headers: { etag: etagOf(version(state)) } })],
  ['GET', '/policy/changes', ({ state, query }) => {
    const old = ['anna', 'ci', 'ops'].flatMap((by, i) => Array.from({ length: 14 }, (_, n) => ({ time: iso(Date.now() - (n * 3 + i + 1) * 7_200_000), by, what: ['limits put', 'tiers put', 'limits delete'][(n + i) % 3], name: ['tokens', 'pro', 'requests', kMarkup][(n + i) % 4], detail: n % 3 === 2 ? 'as in the file' : '{"allow":{"pro":["200k/1m"]}}' })));
    const all = [...setup(state).changes, ...old.sort((a, b) => (a.time < b.time ? 1 : -1))];
    const from = Number(query.get('cursor') || 0);
    const size = Number(query.get('page_size') ?? 100);
    return { changes: all.slice(from, from + size), next: from + size < all.length ? String(from + size) : null };
  }],
  ['POST', '/policy/check', ({ body }) => {
    const diagnostics = faultsOf(body.yaml);
    const valid = !diagnostics.some((fault) => fault.error);
    return { valid, diagnostics, words: valid ? kLimits.map((limit) => wordsOf(fileLimit(limit))) : [] };
  }],
  ['PUT', '/policy/draft', ({ state, body, headers, caller }) => {
    const late = stale(headers, etagOf(version(state)));
    if (late) return late;
    const diagnostics = faultsOf(body.yaml);
    if (diagnostics.some((fault) => fault.error)) return problem(422, 'The draft is not valid; nothing was changed.', { diagnostics });
    change(state, 'limit', 'requests', { allow: { free: ['10/1m'], pro: ['60/1m'] } }, caller.name);
    return { version: version(state), changed: ['limit requests'] };
  }],
  ['POST', '/policy/what-if', ({ state, body }) => {
    if ([...state.whatIf.values()].some((one) => Date.now() - one.at < kReplayMs)) return { ...problem(429, 'Another replay is running. Try again when it is over.'), headers: { 'retry-after': '2' } };
    const id = hex(12);
    state.whatIf.set(id, { at: Date.now(), yaml: body.yaml, hours: body.hours });
    return { status: 202, body: { id, state: 'running' } };
  }],
  ['GET', '/policy/what-if/{}', ({ state, names }) => {
    const begun = state.whatIf.get(names[0]);
    return begun ? { id: names[0], ...replay(state, begun) } : problem(404, 'There is no such replay (any more).');
  }],
  ['GET', '/runs/{}', (call) => {
    const run = calls.find(([method, pattern]) => method === 'GET' && pattern === '/runs/{}')[2](call);
    if (run.status === 404 || run.flags.length === 0) return run;
    // Stopped again and again after the first warning.
    const many = run.flags.flatMap((limit) => Array.from({ length: 70 }, (_, i) => ({ limit, time: Date.parse(run.last) - i * 2000, event: i === 69 ? 'warned' : 'broken', retry_after: 30 + (i % 20) })));
    const rows = many.map(({ limit, time, event, retry_after }) => ({ ...makeRefusal(call.state.keys, time), key: run.key, user: run.user, event, layer: 'breaker', limit, per: { caller: run.key }, run: run.run, agent: run.agent, tool: 'search_orders', used: 5, allowed: 5, retry_after, count: 1, evidence: 'search_orders {"id":"A-1041"}' }));
    return { ...run, evidence: rows.map((row) => ({ ...row, sentence: sentenceOf(row) })) };
  }],
  ['PUT', '/breakers/{}/{}', ({ state, names, body, caller }) => {
    const [kind, name] = names;
    if (kind === 'key' && !state.keys.some((key) => key.name === name)) return problem(404, `There is no key named ${name}.`);
    const made = { kind, name, reason: body.reason ?? '', by: caller.name, since: iso(Date.now()) };
    state.breakers = [made, ...state.breakers.filter((one) => one.kind !== kind || one.name !== name)];
    state.live.send('changed', { what: 'breakers', version: '' });
    return made;
  }],
  ['DELETE', '/breakers/{}/{}', ({ state, names }) => {
    const before = state.breakers.length;
    state.breakers = state.breakers.filter((one) => one.kind !== names[0] || one.name !== names[1]);
    state.live.send('changed', { what: 'breakers', version: '' });
    return state.breakers.length < before ? { status: 204 } : problem(404, `No kill switch is set for ${names[0]} ${names[1]}.`);
  }],
  ['POST', '/alerts/test', ({ body }) => {
    const all = [{ target: 'ops', ok: true, status: 200, detail: 'delivered in 120 ms' }, { target: 'pager', ok: false, status: 500, detail: 'the target answered 500 to three tries' }];
    return { results: all.filter((one) => !body.target || one.target === body.target) };
  }],
];
