// The answers of the admin API, as docs/admin-api.md has them.

export type Role = 'viewer' | 'admin';

export interface Session { token: string; role: Role; name: string; expires_at: string | null }
export interface WhoAmI { name: string; role: Role; expires_at: string | null; version: string; config_version: string }

export interface Welcome {
  first_run: boolean;
  demo_key: string | null;
  listen: string;
  curl: string;
  model: string;
  simulated: boolean;
  limit: { name: string; allowed: number; window: string | null } | null;
}
export interface TryAnswer {
  status: number;
  ms: number;
  tokens: number | null;
  usd_micros: number | null;
  retry_after: number | null;
  refusal: unknown;
  sentence: string | null;
}

export interface Diagnostic { line: number; column: number; error: boolean; message: string }
export interface Problem {
  type?: string;
  title?: string;
  status?: number;
  detail?: string;
  diagnostics?: Diagnostic[];
}

export interface Health {
  status: 'ok' | 'degraded' | 'draining';
  version: string;
  config_version: string;
  policy_source: string;
  started_at: string;
  listen: string;
  admin: string;
  data: string;
  problems: { what: string; since: string | null; detail: string; do: string }[];
  notes: Health['problems'];
  counters: { subjects: number; bytes: number; open_reservations: number };
  journal: { healthy: boolean; bytes_written: number };
  ledger: { healthy: boolean; rows: number; audit_rows: number };
  workers: number;
  open_connections: number;
  requests_in_flight: number;
  providers: { provider: string; model: string; state: 'closed' | 'half_open' | 'open'; until: string | null }[];
  events: { per_second: number; dropped: number; watchers: number };
  alerts: { firing: number };
  overrides: { count: number; skipped: Skipped[] };
}
export interface Skipped { kind: string; name: string; why: string }

// --- consumers ---------------------------------------------------------------------------------------------------------
export type KeyStatus = 'active' | 'revoked';
export type KeySort = 'name' | 'created' | 'requests' | 'tokens' | 'usd';
export interface Key {
  name: string;
  tenant: string;
  user: string;
  tier: string;
  kind: string;
  status: KeyStatus;
  metadata: Record<string, unknown>;
  created_at: string;
  etag: string;
  trust: number;
  last_24h: { requests: number; tokens: number; usd_micros: number; refused: number };
}
export interface KeyChange { tenant?: string; user?: string; tier?: string; kind?: string; metadata?: Record<string, unknown> }
export interface NewKey extends KeyChange { name: string }
export interface CreatedKey extends Key { key: string }
export interface Keys { keys: Key[]; total: number; next: string | null }

export interface LimitState {
  name: string;
  layer: string;
  meter: string;
  window: string | null;
  allowed: number;
  used: number;
  reserved: number;
  remaining: number;
  ratio: number;
  reset_at: string | null;
  shadow: boolean;
  words: string;
}
export interface KeyLimits { key: string; tier: string; trust: number; limits: LimitState[] }

export interface Tenant { name: string; zone: string; keys: number; requests: number; tokens: number; usd_micros: number; source: string }
export interface Tenants { tenants: Tenant[]; next: string | null }
export interface TenantSettings { name: string; zone: string; source: string; override: unknown }
export interface Tier {
  name: string;
  weight: number;
  tools: { allow: string[]; deny: string[] };
  keys: number;
  default: boolean;
  source: 'file' | 'built-in' | 'override';
  amounts: Record<string, string[]>;
  override?: { weight?: number; tools?: unknown; amounts?: Record<string, unknown> } | null;
  etag: string;
}
export interface TierChange { weight?: number; tools?: { allow?: string[]; deny?: string[] }; amounts?: Record<string, string[]> }

// --- limits and policy -------------------------------------------------------------------------------------------------
export interface HotSubject { per: Record<string, string>; ratio: number; used: number; allowed: number; at: string }
export interface Limit {
  name: string;
  per: string[];
  meter: string;
  match: Record<string, unknown>;
  allow: Record<string, string[]>;
  layer: string;
  mode: string;
  on_exceed: unknown;
  fail: string;
  words: string;
  source: string;
  override: unknown;
  etag: string;
  refused_1h: number;
  utilisation: { max: number; hot: HotSubject[] };
}
export interface Override { kind: string; name: string; value: unknown; by: string; at: string; etag: string }
export interface Policy {
  version: string;
  source: string;
  loaded_at: string;
  yaml: string;
  words: string[];
  overrides: Override[];
  skipped: Skipped[];
}
export interface PolicyChange { time: string; by: string; what: string; name: string; detail: string }
export interface PolicyChanges { changes: PolicyChange[]; next: string | null }
export interface PolicyCheck { valid: boolean; diagnostics: Diagnostic[]; words: string[] }
export interface DraftPut { version: string; changed: string[] }
export interface Shadow { limits: { limit: string; would_refuse: number; of: number; keys: { key: string; count: number }[] }[] }

export interface WhatIfCounts { allowed: number; degraded: number; refused: number }
export interface WhatIfResult {
  rows: number;
  from: string;
  until: string;
  current: WhatIfCounts;
  draft: WhatIfCounts;
  limits: { limit: string; current: number; draft: number }[];
  newly_refused: { key: string; limit: string; count: number }[];
  newly_allowed: { key: string; limit: string; count: number }[];
  note: string | null;
}
export interface WhatIf {
  id: string;
  state: 'running' | 'done' | 'failed';
  progress: number;
  error: string | null;
  result: WhatIfResult | null;
}

// --- records -----------------------------------------------------------------------------------------------------------
export interface UsageAmounts {
  input_tokens: number;
  output_tokens: number;
  cached_tokens: number;
  cache_write_tokens: number;
  reasoning_tokens: number;
  usd_micros: number;
  reserved_tokens: number;
  tool_calls: number;
}
export interface UsageRow extends UsageAmounts {
  time: string;
  request_id: string;
  key: string;
  tenant: string;
  user: string;
  tier: string;
  kind: string;
  conversation: string;
  run: string;
  agent: string;
  model: string;
  provider: string;
  route: string;
  status: number;
  degraded: string;
  attempts: number;
  settled: string;
  tools: string;
}
export interface Usage { rows: UsageRow[]; next: string | null }
export interface UsageSum extends UsageAmounts {
  group: string;
  requests: number;
}
export interface UsageSums { sums: UsageSum[]; total: UsageSum }
export interface Series { group: string; requests: number[]; tokens: number[]; usd_micros: number[]; refused: number[] }
export interface UsageSeries { step: 'hour' | 'day'; times: string[]; series: Series[] }
export interface Forecast {
  period: { start: string; end: string; zone: string };
  spent_usd_micros: number;
  forecast_usd_micros: number | null;
  low_usd_micros: number | null;
  high_usd_micros: number | null;
  method: string;
  days_seen: number;
}
export interface AuditRow {
  time: string;
  request_id: string;
  key: string;
  event: string;
  layer: string;
  limit: string;
  per: Record<string, string>;
  used: number | string | null;
  reserved: number | string | null;
  requested: number | string | null;
  allowed: number | string | null;
  retry_after: number | null;
  count: number;
  evidence: string;
  config_version: string;
  user: string;
  tool: string;
  run: string;
  agent: string;
  sentence: string;
}
export interface Audit { rows: AuditRow[]; next: string | null }
export interface AuditSums { sums: { group: string; count: number }[] }

// --- agents ------------------------------------------------------------------------------------------------------------
export interface Run {
  run: string;
  key: string;
  tenant: string;
  user: string;
  agent: string;
  live: boolean;
  first: string;
  last: string;
  llm_calls: number;
  tool_calls: number;
  tokens: number;
  usd_micros: number;
  requests: number;
  depth: number;
  flags: string[];
}
export interface Runs { runs: Run[]; ranked_since: string | null; next: string | null }
export interface RunCall {
  time: string;
  request_id: string;
  agent: string;
  node: string;
  parent: string | null;
  depth: number;
  model: string;
  route: string;
  status: number;
  tokens: number;
  usd_micros: number;
  tools: string;
  degraded: string;
}
export interface RunDetail extends Run { calls: RunCall[]; evidence: AuditRow[] }
export type BreakerKind = 'key' | 'agent' | 'tool' | 'run';
export interface Breaker { kind: BreakerKind; name: string; reason: string; by?: string; since?: string; at?: string }
export interface Breakers { breakers: Breaker[] }

// --- live --------------------------------------------------------------------------------------------------------------
export interface Columns { requests: number[]; refused: number[]; tokens: number[]; usd_micros: number[] }
export interface Live extends Columns {
  now: string;
  step_s: number;
  times: string[];
  by_tier: Record<string, Columns>;
  by_model: Record<string, Columns>;
  by_layer: Record<string, number[]>;
  in_flight: number;
  top_keys: { key: string; requests: number; tokens: number; usd_micros: number; refused: number }[];
}
export interface Numbers { requests: number; refused: number; tokens: number; usd_micros: number }
export interface Tick extends Numbers {
  time: string;
  in_flight: number;
  by_tier: Record<string, Numbers>;
  by_model: Record<string, Numbers>;
  by_layer: Record<string, number>;
}
export interface DecisionEvent {
  time: string;
  what: 'admitted' | 'settled' | 'refused' | 'broken' | 'warned' | 'degraded' | 'stripped';
  request_id: string;
  key: string;
  tenant: string;
  user: string;
  tier: string;
  kind: string;
  model: string;
  provider: string;
  route: string;
  agent: string;
  run: string;
  layer: string;
  limit: string;
  tokens: number;
  usd_micros: number;
  retry_after: number | null;
  status: number;
  sentence: string | null;
}
export interface Sampled { shown: number; of: number }
export interface Changed { what: 'keys' | 'policy' | 'breakers'; version: string }

// --- alerts ------------------------------------------------------------------------------------------------------------
export interface Alert {
  id: string;
  rule: string;
  subject: string;
  state: 'firing' | 'resolved';
  since: string;
  until: string | null;
  value: number;
  threshold: number;
  cause: 'loop' | 'injection' | 'outgrown_tier' | 'provider' | 'config' | 'unknown';
  sentence: string;
  sent: { target: string; at: string; ok: boolean }[];
}
export interface Alerts {
  rules: { name: string; when: string; words: string }[];
  alerts: Alert[];
  targets: { name: string; kind: string; host: string; last_sent: string | null; last_error: string | null; waiting: number }[];
}
export interface AlertsTest { results: { target: string; ok: boolean; status: number | null; detail: string }[] }
