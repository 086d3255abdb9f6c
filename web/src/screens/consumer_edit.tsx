// Edits a key. Whoever saves second is told what the first one changed, and decides.
import { useState } from 'preact/hooks';
import { api } from '../api/calls';
import { ApiError, type Tagged } from '../api/client';
import { useLoad } from '../api/hooks';
import type { Key } from '../api/types';
import { Button } from '../ui/button';
import { Dialog } from '../ui/dialog';
import { ErrorBox, Notice } from '../ui/states';
import { toast } from '../ui/toast';
import { changeOf, fieldsOf, KeyFields, metadataProblem, type Fields } from './consumer_form';

const labels: Record<keyof Fields, string> = { tenant: 'Tenant', user: 'User', tier: 'Tier', kind: 'Kind', metadata: 'Metadata' };

export function EditKey({ of, onClose, onSaved }: { of: Tagged<Key>; onClose: () => void; onSaved: () => void }) {
  const [base, setBase] = useState(of);
  const [fields, setFields] = useState(fieldsOf(of.value));
  const [conflict, setConflict] = useState<Tagged<Key>>();
  const [error, setError] = useState<ApiError>();
  const [busy, setBusy] = useState(false);
  const tiers = useLoad((signal) => api.tiers(signal), []);
  const name = of.value.name;

  const save = async (against: Tagged<Key>): Promise<void> => {
    if (metadataProblem(fields.metadata)) return;
    const change = changeOf(fieldsOf(against.value), fields);
    if (Object.keys(change).length === 0) return onClose();
    setBusy(true);
    setError(undefined);
    try {
      await api.changeKey(name, change, against.etag || against.value.etag);
      toast(`${name} is changed`);
      onSaved();
      onClose();
    } catch (fault) {
      const known = fault instanceof ApiError ? fault : new ApiError(String(fault), 0);
      if (known.stale) setConflict(await api.key(name).catch(() => undefined));
      else setError(known);
      setBusy(false);
    }
  };
  if (conflict) {
    const theirs = fieldsOf(conflict.value);
    const mine = fields;
    const before = fieldsOf(base.value);
    const rows = (Object.keys(labels) as (keyof Fields)[]).filter((field) => theirs[field] !== mine[field] || theirs[field] !== before[field]);
    const keepTheirs = (): void => {
      setBase(conflict);
      setFields(theirs);
      setConflict(undefined);
      onSaved();
    };
    return (
      <Dialog title={`${name} was changed by somebody else`} wide onClose={onClose} actions={<>
        <Button onClick={keepTheirs}>Take theirs and go on editing</Button>
        <Button kind="danger" busy={busy} onClick={() => { setBase(conflict); void save(conflict); }}>Save mine over theirs</Button>
      </>}>
        <Notice tone="warn">While you were editing, this key was saved from elsewhere. Nothing of yours is saved yet.</Notice>
        <div class="table-wrap" tabIndex={0} role="region" aria-label="What differs">
          <table class="table">
            <thead><tr><th scope="col">Member</th><th scope="col">When you began</th><th scope="col">Theirs, now in force</th><th scope="col">Yours</th></tr></thead>
            <tbody>{rows.map((field) => <tr key={field}><td>{labels[field]}</td><td class="mono">{before[field] || '–'}</td><td class="mono">{theirs[field] || '–'}</td><td class="mono">{mine[field] || '–'}</td></tr>)}</tbody>
          </table>
        </div>
        {error && <ErrorBox error={error} />}
      </Dialog>
    );
  }
  return (
    <Dialog title={`Edit ${name}`} onClose={onClose} actions={<>
      <Button onClick={onClose}>Cancel</Button>
      <Button kind="primary" busy={busy} disabled={!!metadataProblem(fields.metadata)} onClick={() => void save(base)}>Save</Button>
    </>}>
      <div class="form"><KeyFields value={fields} onChange={setFields} tiers={tiers.data?.tiers ?? []} /></div>
      {error && <ErrorBox error={error} />}
    </Dialog>
  );
}
