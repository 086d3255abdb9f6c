// The dialog that edits amounts of a limit or a tier: checked while one types, told who was faster, and saved as an override.
import { useState } from 'preact/hooks';
import { ApiError, type Tagged } from '../api/client';
import { Button } from '../ui/button';
import { Conflict } from '../ui/conflict';
import { Dialog } from '../ui/dialog';
import { SelectField, TextField, type Option } from '../ui/field';
import { ErrorBox, Notice } from '../ui/states';
import { toast } from '../ui/toast';
import { Diagnostics } from '../ui/yaml_editor';
import { useCheck } from './policy_check';

export interface EditField { name: string; label: string; group: 'amount' | 'other'; options?: Option[]; hint?: string }
export interface Editing<T> {
  name: string;
  title: string;
  hint: string;
  fields: (value: T) => EditField[];
  values: (value: T) => Record<string, string>;
  draft: (fields: Record<string, string>, value: T) => string | null; // the whole policy with the change, if it can be made here
  read: () => Promise<Tagged<T>>;
  save: (fields: Record<string, string>, against: Tagged<T>) => Promise<unknown>;
}

export function EditDialog<T>({ of, what, onClose, onSaved }: { of: Tagged<T>; what: Editing<T>; onClose: () => void; onSaved: () => void }) {
  const [base, setBase] = useState(of);
  const [fields, setFields] = useState(() => what.values(of.value));
  const [conflict, setConflict] = useState<Tagged<T>>();
  const [error, setError] = useState<ApiError>();
  const [busy, setBusy] = useState(false);
  const before = what.values(base.value);
  const changed = Object.keys(fields).some((name) => (fields[name] ?? '').trim() !== (before[name] ?? ''));
  const check = useCheck(changed ? what.draft(fields, base.value) : null);
  const shape = what.fields(base.value);
  const save = async (against: Tagged<T>): Promise<void> => {
    setBusy(true);
    setError(undefined);
    try {
      await what.save(fields, against);
      toast(`${what.name} is changed; it holds within a second`);
      onSaved();
      onClose();
    } catch (fault) {
      const known = fault instanceof ApiError ? fault : new ApiError(String(fault), 0);
      const theirs = known.stale ? await what.read().catch(() => undefined) : undefined;
      if (theirs) setConflict(theirs);
      else {
        setConflict(undefined);
        setError(known);
      }
      setBusy(false);
    }
  };
  if (conflict) {
    return (
      <Conflict title={`${what.name} was changed by somebody else`} members={shape} before={before} theirs={what.values(conflict.value)} mine={fields} busy={busy} onClose={onClose}
        onTheirs={() => { setBase(conflict); setFields(what.values(conflict.value)); setConflict(undefined); onSaved(); }}
        onMine={() => { setBase(conflict); void save(conflict); }} />
    );
  }
  const set = (name: string) => (value: string): void => { setFields({ ...fields, [name]: value }); setError(undefined); };
  return (
    <Dialog title={what.title} onClose={onClose} actions={<>
      <Button onClick={onClose}>Cancel</Button>
      <Button kind="primary" busy={busy} disabled={!changed || check.state === 'invalid' || check.state === 'checking'} onClick={() => void save(base)}>Save</Button>
    </>}>
      <form class="form" onSubmit={(event) => { event.preventDefault(); if (changed && check.state !== 'invalid' && check.state !== 'checking') void save(base); }}>
        <div class="form-grid">
          {shape.map((field) => (field.options
            ? <SelectField key={field.name} label={field.label} value={fields[field.name] ?? ''} onChange={set(field.name)} options={field.options} hint={field.hint} />
            : <TextField key={field.name} label={field.label} value={fields[field.name] ?? ''} onInput={set(field.name)} mono hint={field.hint} placeholder={field.group !== 'amount' ? undefined : field.name === 'allow.default' ? 'not limited' : 'as default'} />))}
        </div>
        <p class="field-note">{what.hint}</p>
        <button type="submit" class="hidden" tabIndex={-1}>Save</button>
      </form>
      <div role="status">
        {check.state === 'checking' && <p class="muted">Checking…</p>}
        {check.state === 'valid' && <Notice tone="ok">Valid: the policy can be put in force this way.</Notice>}
        {check.state === 'invalid' && <Notice tone="warn"><p>The policy would not be valid this way:</p><Diagnostics of={check.diagnostics.map((fault) => ({ ...fault, line: 0 }))} /></Notice>}
      </div>
      {error && <ErrorBox error={error} />}
    </Dialog>
  );
}
