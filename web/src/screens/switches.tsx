// Kill switches: what is stopped now, by whom and why; throwing one, and taking it back. Both are asked about first.
import { useState } from 'preact/hooks';
import { api } from '../api/calls';
import { ApiError } from '../api/client';
import { useLoad, useReloadOn, type Load } from '../api/hooks';
import type { Breaker, BreakerKind, Breakers } from '../api/types';
import { isAdmin } from '../app/me';
import { link } from '../app/router';
import { Button } from '../ui/button';
import { Confirm, Dialog } from '../ui/dialog';
import { SelectField, TextField } from '../ui/field';
import { when } from '../ui/format';
import { Badge, Panel } from '../ui/layout';
import { Empty, ErrorBox, Notice, Pending } from '../ui/states';
import { toast } from '../ui/toast';

const kinds: { value: BreakerKind; label: string }[] = [
  { value: 'key', label: 'Key' }, { value: 'agent', label: 'Agent' }, { value: 'tool', label: 'Tool' }, { value: 'run', label: 'Run' },
];
const effects: Record<BreakerKind, string> = {
  key: 'Every request of this key is refused', agent: 'Every request of this agent is refused, whatever key it uses',
  tool: 'Calls of this tool are stopped, for everybody', run: 'Every further request of this run is refused, those of its sub-agents too',
};
const article = (kind: BreakerKind): string => (kind === 'agent' ? 'an agent' : `a ${kind}`);

export function useSwitches(): Load<Breakers> {
  const load = useLoad((signal) => api.breakers(signal), []);
  useReloadOn(['breakers'], load.reload);
  return load;
}

export function Switches({ load }: { load: Load<Breakers> }) {
  const [throwing, setThrowing] = useState(false);
  const [clearing, setClearing] = useState<Breaker>();
  const rows = load.data?.breakers ?? [];
  const clear = async ({ kind, name }: Breaker): Promise<void> => {
    await api.dropBreaker(kind, name).catch((fault: unknown) => {
      // Somebody cleared it already: that is what was wanted.
      if (!(fault instanceof ApiError) || fault.status !== 404) throw fault;
    });
    toast(`${name} may go on`);
    load.reload();
  };
  return (
    <>
      <Panel title="Kill switches" note="in force within a second, until somebody clears them" flush
        actions={isAdmin() && <Button kind="danger" icon="stop" onClick={() => setThrowing(true)}>Throw a switch</Button>}>
        {load.error && load.data && <ErrorBox error={load.error} retry={load.reload} />}
        {!load.data ? <Pending of={load} /> : rows.length === 0
          ? <Empty icon="check" title="Nothing is switched off">{isAdmin() ? 'A switch stops a key, an agent, a tool or a run at once.' : 'An admin can stop a key, an agent, a tool or a run at once.'}</Empty>
          : (
            <ul class="switches">
              {rows.map((row) => (
                <li key={`${row.kind} ${row.name}`}>
                  <div class="switch-what">
                    <p><Badge tone="danger">{row.kind}</Badge> <b class="break">{row.kind === 'key' ? <a href={link('consumers', row.name)}>{row.name}</a> : row.name}</b></p>
                    <p>{row.reason || <span class="muted">No reason was given.</span>}</p>
                    <p class="muted small">{[row.by && `by ${row.by}`, (row.since ?? row.at) && when(row.since ?? row.at)].filter(Boolean).join(', ')}</p>
                  </div>
                  {isAdmin() && <Button small onClick={() => setClearing(row)}>Clear</Button>}
                </li>
              ))}
            </ul>
          )}
      </Panel>
      {throwing && <ThrowSwitch onClose={() => setThrowing(false)} onDone={load.reload} />}
      {clearing && (
        <Confirm title={`Let ${clearing.kind} ${clearing.name} go on?`} action="Clear the switch" danger={false} onConfirm={() => clear(clearing)} onClose={() => setClearing(undefined)}>
          <p>Its requests are decided by its limits again, within a second.</p>
          {clearing.reason && <p>It was stopped because: {clearing.reason}</p>}
        </Confirm>
      )}
    </>
  );
}

// With `kind` and `name` these are fixed: "stop this run".
export function ThrowSwitch({ kind: fixed, name: given, onClose, onDone }: { kind?: BreakerKind; name?: string; onClose: () => void; onDone: () => void }) {
  const [kind, setKind] = useState<BreakerKind>(fixed ?? 'agent');
  const [name, setName] = useState(given ?? '');
  const [reason, setReason] = useState('');
  const [wrong, setWrong] = useState<{ name?: string; reason?: string }>({});
  const [sure, setSure] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError>();
  const look = (event?: Event): void => {
    event?.preventDefault();
    const found = { name: name.trim() ? undefined : `Which ${kind}?`, reason: reason.trim() ? undefined : 'Say why: those who find it stopped will ask.' };
    setWrong(found);
    if (!found.name && !found.reason) setSure(true);
  };
  const put = async (): Promise<void> => {
    setBusy(true);
    setError(undefined);
    try {
      await api.putBreaker(kind, name.trim(), reason.trim());
      toast(`${name.trim()} is stopped`);
      onDone();
      onClose();
    } catch (fault) {
      setError(fault instanceof ApiError ? fault : new ApiError(String(fault), 0));
      setBusy(false);
    }
  };
  if (sure) {
    return (
      <Dialog key="sure" title={`Stop ${kind} ${name.trim()}?`} onClose={onClose} actions={<>
        <Button onClick={() => { setSure(false); setError(undefined); }}>Back</Button>
        <Button kind="danger" busy={busy} icon="stop" onClick={() => void put()}>Stop it</Button>
      </>}>
        <Notice tone="warn">{effects[kind]}, within a second and until somebody clears the switch.</Notice>
        <p>Reason: {reason.trim()}</p>
        {error && <ErrorBox error={error} />}
      </Dialog>
    );
  }
  return (
    <Dialog key="form" title={given ? `Stop ${kind} ${given}` : 'Throw a kill switch'} onClose={onClose}
      actions={<><Button onClick={onClose}>Cancel</Button><Button kind="primary" onClick={look}>Go on</Button></>}>
      <form class="form" onSubmit={look}>
        {!fixed && <SelectField label="What to stop" value={kind} onChange={(value) => setKind(value as BreakerKind)} options={kinds} hint={`${effects[kind]}.`} />}
        {!given && <TextField label={`Name of the ${kind}`} value={name} onInput={(value) => { setName(value); setWrong({ ...wrong, name: undefined }); }} error={wrong.name} autofocus hint={kind === 'agent' ? 'As in X-Weir-Agent.' : `The whole name of ${article(kind)}.`} />}
        <TextField label="Reason" value={reason} onInput={(value) => { setReason(value); setWrong({ ...wrong, reason: undefined }); }} error={wrong.reason} autofocus={!!given} hint="Shown here, in refusals and in the audit." maxLength={200} />
        <button type="submit" class="hidden" tabIndex={-1}>Go on</button>
      </form>
    </Dialog>
  );
}
