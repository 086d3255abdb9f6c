// Every call of docs/admin-api.md, by name.
import { call, send, tagged, type Query, type Tagged } from './client';
import type * as T from './types';

const name = encodeURIComponent;
type Signal = AbortSignal | undefined;
const get = <R>(path: string, query?: Query, signal?: Signal): Promise<R> => call<R>(path, { query, signal });

export const api = {
  // session and server
  signIn: (code: string) => call<T.Session>('/session', { method: 'POST', body: { code }, token: null }),
  signInWith: (token: string) => call<T.Session>('/session', { method: 'POST', body: {}, token }),
  signOut: () => call<void>('/session', { method: 'DELETE' }),
  whoami: (signal?: Signal) => get<T.WhoAmI>('/whoami', {}, signal),
  welcome: (signal?: Signal) => get<T.Welcome>('/welcome', {}, signal),
  tryIt: (count: number, signal?: Signal) => call<{ answers: T.TryAnswer[] }>('/try', { method: 'POST', body: { count }, signal }),
  health: (signal?: Signal) => get<T.Health>('/health', {}, signal),
  reload: () => call<{ version: string; previous: string }>('/reload', { method: 'POST' }),

  // consumers
  keys: (query: Query, signal?: Signal) => get<T.Keys>('/keys', query, signal),
  key: (key: string, signal?: Signal): Promise<Tagged<T.Key>> => tagged<T.Key>(`/keys/${name(key)}`, { signal }),
  createKey: (key: T.NewKey) => call<T.CreatedKey>('/keys', { method: 'POST', body: key }),
  changeKey: (key: string, change: T.KeyChange, ifMatch?: string) =>
    call<T.Key>(`/keys/${name(key)}`, { method: 'PATCH', body: change, ifMatch }),
  revokeKey: (key: string, ifMatch?: string) => call<void>(`/keys/${name(key)}`, { method: 'DELETE', ifMatch }),
  keyLimits: (key: string, signal?: Signal) => get<T.KeyLimits>(`/keys/${name(key)}/limits`, {}, signal),
  tenants: (query: Query, signal?: Signal) => get<T.Tenants>('/tenants', query, signal),
  tenant: (tenant: string, signal?: Signal) => tagged<T.TenantSettings>(`/tenants/${name(tenant)}`, { signal }),
  putTenant: (tenant: string, zone: string, ifMatch?: string) =>
    call<T.TenantSettings>(`/tenants/${name(tenant)}`, { method: 'PUT', body: { zone }, ifMatch }),
  dropTenant: (tenant: string, ifMatch?: string) => call<void>(`/tenants/${name(tenant)}`, { method: 'DELETE', ifMatch }),
  tiers: (signal?: Signal) => get<{ tiers: T.Tier[] }>('/tiers', {}, signal),
  tier: (tier: string, signal?: Signal) => tagged<T.Tier>(`/tiers/${name(tier)}`, { signal }),
  putTier: (tier: string, change: T.TierChange, ifMatch?: string) =>
    call<T.Tier>(`/tiers/${name(tier)}`, { method: 'PUT', body: change, ifMatch }),
  dropTier: (tier: string, ifMatch?: string) => call<void>(`/tiers/${name(tier)}`, { method: 'DELETE', ifMatch }),

  // limits and policy
  limits: (signal?: Signal) => get<{ limits: T.Limit[] }>('/limits', {}, signal),
  limit: (limit: string, signal?: Signal) => tagged<T.Limit>(`/limits/${name(limit)}`, { signal }),
  putLimit: (limit: string, members: Record<string, unknown>, ifMatch?: string) =>
    call<T.Limit>(`/limits/${name(limit)}`, { method: 'PUT', body: members, ifMatch }),
  dropLimit: (limit: string, ifMatch?: string) => call<void>(`/limits/${name(limit)}`, { method: 'DELETE', ifMatch }),
  policy: (signal?: Signal) => tagged<T.Policy>('/policy', { signal }),
  exportPolicy: async (what: 'effective' | 'overrides') => (await send('/policy/export', { query: { what } })).text(),
  policyChanges: (query: Query, signal?: Signal) => get<T.PolicyChanges>('/policy/changes', query, signal),
  checkPolicy: (yaml: string, signal?: Signal) =>
    call<T.PolicyCheck>('/policy/check', { method: 'POST', body: { yaml }, signal }),
  putDraft: (yaml: string, ifMatch?: string) => call<T.DraftPut>('/policy/draft', { method: 'PUT', body: { yaml }, ifMatch }),
  shadow: (query: Query, signal?: Signal) => get<T.Shadow>('/policy/shadow', query, signal),
  startWhatIf: (yaml: string | undefined, hours: number) =>
    call<{ id: string; state: string }>('/policy/what-if', { method: 'POST', body: { yaml, hours } }),
  whatIf: (id: string, signal?: Signal) => get<T.WhatIf>(`/policy/what-if/${name(id)}`, {}, signal),
  dropWhatIf: (id: string) => call<void>(`/policy/what-if/${name(id)}`, { method: 'DELETE' }),

  // records
  usage: (query: Query, signal?: Signal) => get<T.Usage>('/usage', query, signal),
  usageSums: (query: Query, signal?: Signal) => get<T.UsageSums>('/usage/sums', query, signal),
  usageSeries: (query: Query, signal?: Signal) => get<T.UsageSeries>('/usage/series', query, signal),
  forecast: (query: Query, signal?: Signal) => get<T.Forecast>('/spend/forecast', query, signal),
  audit: (query: Query, signal?: Signal) => get<T.Audit>('/audit', query, signal),
  auditSums: (query: Query, signal?: Signal) => get<T.AuditSums>('/audit/sums', query, signal),

  // agents
  runs: (query: Query, signal?: Signal) => get<T.Runs>('/runs', query, signal),
  run: (run: string, key?: string, signal?: Signal) => get<T.RunDetail>(`/runs/${name(run)}`, { key }, signal),
  breakers: (signal?: Signal) => get<T.Breakers>('/breakers', {}, signal),
  putBreaker: (kind: T.BreakerKind, what: string, reason?: string) =>
    call<unknown>(`/breakers/${kind}/${name(what)}`, { method: 'PUT', body: reason ? { reason } : {} }),
  dropBreaker: (kind: T.BreakerKind, what: string) => call<unknown>(`/breakers/${kind}/${name(what)}`, { method: 'DELETE' }),

  // live and alerts
  live: (seconds: number, signal?: Signal) => get<T.Live>('/live', { seconds }, signal),
  alerts: (state: 'firing' | 'resolved' | 'all', signal?: Signal) => get<T.Alerts>('/alerts', { state }, signal),
  testAlerts: (target?: string) => call<T.AlertsTest>('/alerts/test', { method: 'POST', body: target ? { target } : {} }),
};
