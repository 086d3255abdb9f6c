// What can be edited by form: a limit's amounts, mode and behaviour in trouble; a tier's amounts and weight. What was put over
// the file before is sent again, because a change replaces the whole of it.
import { api } from '../api/calls';
import type { Limit, Policy, Tier } from '../api/types';
import type { EditField, Editing } from './policy_edit';
import { withLimit } from './policy_yaml';

const amountsOf = (text: string): string[] => text.split(',').map((one) => one.trim()).filter(Boolean);
const written = (amounts: string[] | string | undefined): string => (Array.isArray(amounts) ? amounts.join(', ') : amounts ?? '');
const record = (value: unknown): Record<string, unknown> => (value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : {});
const kAmountHint = 'An amount a window: 200k/1m, 5/month, 10/s burst 50; several with commas. Empty: as default.';

// A limit's members as the fields say, those that differ from the limit now.
function limitMembers(fields: Record<string, string>, limit: Limit): Record<string, unknown> {
  const allow: Record<string, string[]> = {};
  for (const [name, text] of Object.entries(fields)) {
    if (name.startsWith('allow.') && amountsOf(text).length > 0) allow[name.slice(6)] = amountsOf(text);
  }
  const members: Record<string, unknown> = {};
  if (JSON.stringify(sorted(allow)) !== JSON.stringify(sorted(limit.allow))) members.allow = allow;
  if (fields.mode !== limit.mode) members.mode = fields.mode;
  if (fields.fail !== limit.fail) members.fail = fields.fail;
  return members;
}
const sorted = (allow: Record<string, string[] | string>): [string, string][] => Object.entries(allow).map(([name, amounts]): [string, string] => [name, written(amounts)]).sort(([a], [b]) => (a < b ? -1 : 1));

export function limitEditing(name: string, policy: Policy, tiers: Tier[]): Editing<Limit> {
  return {
    name,
    title: `Edit limit ${name}`,
    hint: kAmountHint,
    fields(limit) {
      const groups = [...new Set(['default', ...tiers.map((tier) => tier.name), ...Object.keys(limit.allow)])];
      return [
        ...groups.map((group): EditField => ({ name: `allow.${group}`, label: group === 'default' ? 'Everybody else (default)' : `Tier ${group}`, group: 'amount' })),
        { name: 'mode', label: 'Mode', group: 'other', options: [{ value: 'enforce', label: 'Enforce' }, { value: 'shadow', label: 'Shadow: only note' }] },
        { name: 'fail', label: 'When counters fail', group: 'other', options: [{ value: 'closed', label: 'Refuse (closed)' }, { value: 'open', label: 'Admit (open)' }, { value: 'local', label: 'Count here (local)' }] },
      ];
    },
    values(limit) {
      const values: Record<string, string> = { mode: limit.mode, fail: limit.fail };
      for (const group of ['default', ...tiers.map((tier) => tier.name), ...Object.keys(limit.allow)]) values[`allow.${group}`] = written(limit.allow[group]);
      return values;
    },
    draft: (fields, limit) => withLimit(policy.yaml, name, limitMembers(fields, limit)),
    read: () => api.limit(name),
    save: (fields, against) => api.putLimit(name, { ...record(against.value.override), ...limitMembers(fields, against.value) }, against.etag || against.value.etag),
  };
}

function tierAmounts(fields: Record<string, string>, tier: Tier): Record<string, string[] | null> {
  const amounts: Record<string, string[] | null> = {};
  for (const [field, text] of Object.entries(fields)) {
    const limit = field.startsWith('amounts.') ? field.slice(8) : '';
    if (limit && amountsOf(text).join(', ') !== written(tier.amounts[limit])) amounts[limit] = amountsOf(text).length > 0 ? amountsOf(text) : null;
  }
  return amounts;
}

export function tierEditing(name: string, policy: Policy, limits: Limit[]): Editing<Tier> {
  const names = limits.map((limit) => limit.name);
  return {
    name,
    title: `Edit tier ${name}`,
    hint: kAmountHint,
    fields: () => [
      ...names.map((limit): EditField => ({ name: `amounts.${limit}`, label: limit, group: 'amount' })),
      { name: 'weight', label: 'Weight', group: 'other', hint: 'Its share when all compete.' },
    ],
    values(tier) {
      const values: Record<string, string> = { weight: String(tier.weight) };
      for (const limit of names) values[`amounts.${limit}`] = written(tier.amounts[limit]);
      return values;
    },
    draft(fields, tier) {
      let yaml: string | null = policy.yaml;
      for (const [limit, amounts] of Object.entries(tierAmounts(fields, tier))) {
        const now = limits.find((one) => one.name === limit);
        if (yaml === null || !now) return null;
        const allow: Record<string, unknown> = { ...now.allow };
        if (amounts) allow[name] = amounts;
        else delete allow[name];
        yaml = withLimit(yaml, limit, { allow });
      }
      return yaml;
    },
    read: () => api.tier(name),
    save(fields, against) {
      const tier = against.value;
      const own = record(tier.override);
      const weight = Number(fields.weight);
      return api.putTier(name, {
        ...own,
        ...(weight !== tier.weight ? { weight } : {}),
        amounts: { ...record(own.amounts), ...tierAmounts(fields, tier) } as Record<string, string[]>,
      }, against.etag || tier.etag);
    },
  };
}
