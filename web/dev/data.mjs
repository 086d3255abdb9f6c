// Believable data for the fake admin API: consumers, tiers, limits, rows. The same numbers on every start.
let seed = 20240611;
export function random() {   // mulberry32
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
export const between = (low, high) => Math.floor(low + random() * (high - low + 1));
export const pick = (list) => list[Math.floor(random() * list.length)];
export const skewed = (top) => Math.floor(top * random() ** 6);
export const hex = (n) => Array.from({ length: n }, () => '0123456789abcdef'[between(0, 15)]).join('');
export const iso = (ms) => new Date(ms).toISOString();

export const kMarkup = '<img src=x onerror="document.title=\'hacked\'">';
export const tiersList = ['free', 'pro', 'enterprise', 'internal'];
export const models = ['gpt-4o-mini', 'gpt-4o', 'claude-sonnet-4-5', 'gemini-2.5-flash', 'llama3.1'];
export const providerOf = { 'gpt-4o-mini': 'openai', 'gpt-4o': 'openai', 'claude-sonnet-4-5': 'claude', 'gemini-2.5-flash': 'gemini', 'llama3.1': 'ollama' };
const tenantWords = ['acme', 'northwind', 'globex', 'initech', 'umbra', 'stark-labs', 'hooli', 'wayfair-lab', 'vandelay', 'contoso', 'aperture', 'tyrell'];
const firstNames = ['anna', 'ben', 'chen', 'dora', 'emil', 'fatima', 'goran', 'hana', 'igor', 'julia', 'kofi', 'lena', 'mei', 'noor', 'oskar', 'priya', 'quinn', 'rosa', 'sven', 'tara', 'uma', 'viktor', 'wanda', 'xenia', 'yusuf', 'zoe'];
const uses = ['support-bot', 'search', 'crm-sync', 'ide-plugin', 'batch-labels', 'mail-triage', 'voice', 'reports', 'docs-chat', 'qa-agent'];

export function makeKeys(many, now = Date.now()) {
  const keys = [];
  const add = (name, more) => keys.push({
    name, tenant: pick(tenantWords), user: '', tier: pick(tiersList), kind: 'agent', status: 'active', metadata: {},
    created_at: iso(now - between(0, 400) * 86_400_000 - between(0, 86_400_000)), trust: 1,
    last_24h: { requests: 0, tokens: 0, usd_micros: 0, refused: 0 }, ...more,
  });
  const used = (requests, refused = 0) => ({
    requests, tokens: requests * between(700, 2600), usd_micros: requests * between(300, 9000), refused,
  });
  add('demo', { tenant: 'default', tier: 'free', last_24h: used(42, 9) });
  add('acme-support-bot', { tenant: 'acme', tier: 'enterprise', kind: 'service', metadata: { team: 'Customer care', lineage: 'required' }, last_24h: used(48_210, 3120) });
  add('northwind-crm-sync', { tenant: 'northwind', tier: 'pro', kind: 'service', trust: 0.62, metadata: { requestsPerMinute: 240 }, last_24h: used(22_904, 811) });
  add('qa-agent-nightly', { tenant: 'globex', tier: 'pro', kind: 'agent', trust: 0.5, last_24h: used(9120, 1430) });
  add('markup-key', { tenant: kMarkup, user: '<script>document.title="hacked"</script>', tier: 'free', metadata: { note: kMarkup, '<b>bold</b>': '"><svg onload=alert(1)>' }, last_24h: used(310, 12) });
  for (let i = keys.length; i < many; ++i) {
    const person = random() < 0.7;
    const name = person ? `${pick(firstNames)}.${pick(firstNames)}-${i}` : `${pick(tenantWords)}-${pick(uses)}-${i}`;
    const requests = random() < 0.35 ? 0 : skewed(12_000);
    add(name, {
      user: person ? `${name.split('-')[0]}@example.com` : '', kind: person ? 'human' : pick(['service', 'agent']),
      tier: random() < 0.8 ? 'free' : pick(tiersList), status: random() < 0.03 ? 'revoked' : 'active',
      trust: random() < 0.03 ? between(50, 95) / 100 : 1, last_24h: used(requests, random() < 0.2 ? skewed(requests / 4 + 1) : 0),
    });
  }
  return keys;
}

export const limits = [
  { name: 'requests', layer: 'rate', meter: 'requests', window: '1m', per: ['caller'], amounts: { free: 20, pro: 120, enterprise: 2000, internal: 600 }, reset: 60 },
  { name: 'tokens', layer: 'budget', meter: 'tokens', window: '1m', per: ['caller'], amounts: { free: 20_000, pro: 200_000, enterprise: 2_000_000, internal: 500_000 }, reset: 60 },
  { name: 'daily-tokens', layer: 'budget', meter: 'tokens', window: 'day', per: ['caller'], amounts: { free: 400_000, pro: 8_000_000, enterprise: 120_000_000, internal: 20_000_000 }, reset: 40_000 },
  { name: 'spend', layer: 'budget', meter: 'usd', window: 'month', per: ['tenant'], amounts: { free: 5, pro: 250, enterprise: 12_000, internal: 900 }, reset: 900_000 },
  { name: 'tenant-fair', layer: 'budget', meter: 'tokens', window: '1m', per: ['tenant'], amounts: { free: 500_000, pro: 900_000, enterprise: 4_000_000, internal: 900_000 }, reset: 60, mode: 'shadow' },
  { name: 'concurrency', layer: 'rate', meter: 'concurrency', window: null, per: ['caller'], amounts: { free: 2, pro: 10, enterprise: 80, internal: 40 }, reset: null },
];

export function sentenceOf(row) {
  switch (row.layer === 'breaker' ? 'breaker' : row.limit) {
    case 'breaker':
      return `${row.key} made the same call ${row.used} times within 5 minutes (${row.evidence}); the breaker "${row.limit}" opened for ${row.retry_after} s.`;
    case 'spend':
      return `Tenant ${row.per.tenant} has spent $${row.used} of $${row.allowed} this month; this request would have cost about $${row.requested}.`;
    case 'requests':
      return `${row.key} sent ${row.used} requests within a minute and may send ${row.allowed}; room for the next one comes in ${row.retry_after} s.`;
    case 'concurrency':
      return `${row.key} has ${row.used} requests in flight and may have ${row.allowed}.`;
    default:
      return `${row.key} has used ${row.used} and holds ${row.reserved} of its ${row.allowed} tokens a minute; this request asked for ${row.requested} more. It fits in ${row.retry_after} s.`;
  }
}

export function makeRefusal(keys, time, version = 'c0ffee12') {
  const key = random() < 0.1 ? keys[4] ?? keys[0] : pick(keys.slice(0, 60));
  const limit = pick(['requests', 'requests', 'requests', 'tokens', 'tokens', 'daily-tokens', 'spend', 'concurrency', 'repeats', 'tool_errors']);
  const layer = limits.find((one) => one.name === limit)?.layer ?? 'breaker';
  const amount = limits.find((one) => one.name === limit)?.amounts[key.tier] ?? 5;
  const used = limit === 'spend' ? (amount * 0.998).toFixed(2) : Math.floor(amount * (0.96 + random() * 0.04));
  const row = {
    time: iso(time), request_id: hex(32), key: key.name, event: layer === 'breaker' ? 'broken' : 'refused', layer, limit,
    per: limit === 'spend' ? { tenant: key.tenant } : { caller: key.name }, used, reserved: limit.includes('tokens') ? Math.floor(amount * 0.02) : 0,
    requested: limit.includes('tokens') ? between(900, 4000) : limit === 'spend' ? '0.04' : 1, allowed: amount,
    retry_after: limit === 'spend' ? between(40_000, 900_000) : layer === 'breaker' ? 30 : between(1, 58), count: random() < 0.06 ? between(21, 400) : 1,
    evidence: layer === 'breaker' ? pick(['search_orders {"id":"A-1041"}', 'send_email failed 5 times: 550 mailbox unavailable', kMarkup]) : '',
    config_version: version, user: key.user, tool: layer === 'breaker' ? pick(['search_orders', 'send_email', 'run_sql']) : '',
    run: random() < 0.5 ? `run-${hex(8)}` : '', agent: random() < 0.5 ? pick(['planner', 'researcher', 'writer']) : '',
  };
  return { ...row, sentence: sentenceOf(row) };
}
