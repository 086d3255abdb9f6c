// The members of a key that people change, as a form.
import type { KeyChange, Tier } from '../api/types';
import { AreaField, SelectField, TextField } from '../ui/field';

export interface Fields { tenant: string; user: string; tier: string; kind: string; metadata: string }

export function fieldsOf(key: { tenant: string; user: string; tier: string; kind: string; metadata: Record<string, unknown> }): Fields {
  return { tenant: key.tenant, user: key.user, tier: key.tier, kind: key.kind, metadata: JSON.stringify(key.metadata, null, 2) };
}

// What is wrong with the text of metadata; empty if nothing.
export function metadataProblem(text: string): string {
  if (text.trim() === '') return '';
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === 'object' && !Array.isArray(value) ? '' : 'Metadata is an object: { "name": value }.';
  } catch (error) {
    return `This is not JSON: ${(error as Error).message}`;
  }
}

export function parseMetadata(text: string): Record<string, unknown> {
  return text.trim() === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
}

// Only what differs.
export function changeOf(before: Fields, now: Fields): KeyChange {
  const change: KeyChange = {};
  for (const name of ['tenant', 'user', 'tier', 'kind'] as const) if (before[name] !== now[name]) change[name] = now[name];
  const [old, next] = [parseMetadata(before.metadata), parseMetadata(now.metadata)];
  if (JSON.stringify(old) !== JSON.stringify(next)) change.metadata = next;
  return change;
}

// The tier of keys that name none.
export function defaultTier(tiers: Tier[] | undefined): string {
  return tiers?.find((tier) => tier.default)?.name ?? 'default';
}

export function KeyFields({ value, onChange, tiers }: { value: Fields; onChange: (value: Fields) => void; tiers: Tier[] }) {
  const set = (name: keyof Fields) => (text: string) => onChange({ ...value, [name]: text });
  const names = tiers.map((tier) => tier.name);
  if (value.tier && !names.includes(value.tier)) names.unshift(value.tier);
  return (
    <>
      <div class="form-grid">
        <SelectField label="Tier" value={value.tier} onChange={set('tier')} options={[{ value: '', label: `Default (${defaultTier(tiers)})` }, ...names]} />
        <SelectField label="Kind" value={value.kind} onChange={set('kind')} options={[{ value: 'agent', label: 'Agent: a program' }, { value: 'human', label: 'Human: a person' }, { value: 'service', label: 'Service: speaks for users' }]} />
        <TextField label="Tenant" value={value.tenant} onInput={set('tenant')} maxLength={200} />
        <TextField label="User" value={value.user} onInput={set('user')} maxLength={200} />
      </div>
      <AreaField label="Metadata and overrides" value={value.metadata} onInput={set('metadata')} rows={6} error={metadataProblem(value.metadata)}
        hint="JSON. Limits that say {metadata.requestsPerMinute} take their amount from here." />
    </>
  );
}
