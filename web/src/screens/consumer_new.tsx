// Makes a key and shows its secret, this once.
import { useState } from 'preact/hooks';
import { api } from '../api/calls';
import { ApiError } from '../api/client';
import type { CreatedKey, Tier } from '../api/types';
import { go, link } from '../app/router';
import { Button, CopyButton } from '../ui/button';
import { Dialog } from '../ui/dialog';
import { TextField } from '../ui/field';
import { ErrorBox, Notice } from '../ui/states';
import { KeyFields, metadataProblem, parseMetadata, type Fields } from './consumer_form';

export function NewKey({ tiers, onClose, onMade }: { tiers: Tier[]; onClose: () => void; onMade: () => void }) {
  const [name, setName] = useState('');
  const [fields, setFields] = useState<Fields>({ tenant: '', user: '', tier: '', kind: 'agent', metadata: '' });
  const [made, setMade] = useState<CreatedKey>();
  const [error, setError] = useState<ApiError>();
  const [busy, setBusy] = useState(false);
  const odd = name.trim() !== '' && !/^[\w.-]+$/.test(name.trim());
  const wrong = !name.trim() || odd || !!metadataProblem(fields.metadata);
  const create = async (event?: Event): Promise<void> => {
    event?.preventDefault();
    if (wrong) return;
    setBusy(true);
    setError(undefined);
    const { metadata, ...rest } = fields;
    const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== ''));
    try {
      setMade(await api.createKey({ name: name.trim(), ...given, ...(metadata.trim() ? { metadata: parseMetadata(metadata) } : {}) }));
      onMade();
    } catch (fault) {
      setError(fault instanceof ApiError ? fault : new ApiError(String(fault), 0));
    } finally {
      setBusy(false);
    }
  };
  if (made) {
    return (
      <Dialog title={`${made.name} is ready`} onClose={onClose} actions={<>
        <Button onClick={onClose}>Close</Button>
        <Button kind="primary" onClick={() => { onClose(); go(link('consumers', made.name)); }}>Show its limits</Button>
      </>}>
        <Notice tone="warn">Copy the key now. It is shown this once; only a hash of it is kept.</Notice>
        <div class="code"><code data-secret>{made.key}</code><CopyButton text={made.key} what="The key is copied" /></div>
      </Dialog>
    );
  }
  return (
    <Dialog title="New key" onClose={onClose} actions={<>
      <Button onClick={onClose}>Cancel</Button>
      <Button kind="primary" busy={busy} disabled={wrong} onClick={() => void create()}>Create key</Button>
    </>}>
      <form class="form" onSubmit={(event) => void create(event)}>
        <TextField label="Name" value={name} onInput={setName} required autofocus placeholder="support-bot" hint="What people call it: letters, digits, dots, dashes, underscores." error={odd ? 'Only letters, digits, dots, dashes and underscores.' : undefined} maxLength={64} />
        <KeyFields value={fields} onChange={setFields} tiers={tiers} />
        <button type="submit" class="hidden" tabIndex={-1}>Create</button>
      </form>
      {error && <ErrorBox error={error} />}
    </Dialog>
  );
}
