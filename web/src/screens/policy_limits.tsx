// The limits that hold, in words, with how near to full they are; tiers; and what was put over the file, to be taken away.
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { api } from '../api/calls';
import { ApiError, type Tagged } from '../api/client';
import type { Load } from '../api/hooks';
import type { HotSubject, Limit, Override, Policy, Tier } from '../api/types';
import { isAdmin } from '../app/me';
import { link } from '../app/router';
import { MiniBar } from '../ui/bar';
import { Button } from '../ui/button';
import { Confirm } from '../ui/dialog';
import { ago, amount, count, when } from '../ui/format';
import { Badge, Panel } from '../ui/layout';
import { Empty, ErrorBox, Pending } from '../ui/states';
import { toast } from '../ui/toast';
import { EditDialog } from './policy_edit';
import { limitEditing, tierEditing } from './policy_editing';

export interface Loads { policy: Load<Tagged<Policy>>; limits: Load<{ limits: Limit[] }>; tiers: Load<{ tiers: Tier[] }>; reload: () => void }
interface Taking { kind: string; name: string; etag?: string }

// Of somebody else's newer change nothing is taken away unseen: the lists are read again, and a further press means what they show.
async function takeAway(what: Taking, reload: () => void): Promise<void> {
  const { kind, name, etag } = what;
  try {
    if (kind === 'limit') await api.dropLimit(name, etag);
    else if (kind === 'tier') await api.dropTier(name, etag);
    else await api.dropTenant(name, etag);
  } catch (fault) {
    if (!(fault instanceof ApiError)) throw fault;
    if (fault.stale) {
      what.etag = (kind === 'limit' ? await api.limit(name) : await api.tier(name)).etag;
      reload();
      throw new ApiError(`Somebody changed ${name} meanwhile, and nothing was taken away. Behind this is what holds now; press again to take that away.`, 412);
    }
    if (fault.status !== 404) throw fault;
  }
  toast(`${name} is as in the file again`);
  reload();
}

const byHeat = (a: Limit, b: Limit): number => b.utilisation.max - a.utilisation.max;

export function Limits({ loads }: { loads: Loads }) {
  const { limits, policy, tiers } = loads;
  const [editing, setEditing] = useState<Tagged<Limit>>();
  const [taking, setTaking] = useState<Taking>();
  const [error, setError] = useState<ApiError>();
  const edit = (name: string): void => {
    setError(undefined);
    api.limit(name).then(setEditing, (fault: unknown) => setError(fault instanceof ApiError ? fault : new ApiError(String(fault), 0)));
  };
  const all = limits.data?.limits;
  const ready = policy.data && tiers.data;
  return (
    <div class="stack">
      {(error ?? (limits.data && limits.error)) && <ErrorBox error={(error ?? limits.error)!} retry={limits.reload} />}
      <Panel title="Limits" note="nearest to full first; as full as they are now" flush>
        {!all ? <Pending of={limits} lines={8} /> : all.length === 0 ? <Empty icon="policy" title="There are no limits">Everything is admitted.</Empty> : (
          <ul class="limits">{[...all].sort(byHeat).map((limit) => <LimitRow key={limit.name} of={limit} onEdit={ready && isAdmin() ? () => edit(limit.name) : undefined}
            onTake={isAdmin() && limit.override !== null ? () => setTaking({ kind: 'limit', name: limit.name, etag: limit.etag }) : undefined} />)}</ul>
        )}
      </Panel>
      {policy.data && <Overrides of={policy.data.value.overrides} onTake={isAdmin() ? setTaking : undefined} />}
      {editing && ready && <EditDialog of={editing} what={limitEditing(editing.value.name, policy.data!.value, tiers.data!.tiers)} onClose={() => setEditing(undefined)} onSaved={loads.reload} />}
      {taking && <TakeAway what={taking} onClose={() => setTaking(undefined)} onDone={loads.reload} />}
    </div>
  );
}

export function TakeAway({ what, onClose, onDone }: { what: Taking; onClose: () => void; onDone: () => void }) {
  return (
    <Confirm title={`Take away what was changed of ${what.kind} ${what.name}?`} action="Take away" onClose={onClose} onConfirm={() => takeAway(what, onDone)}>
      <p>It will be as in the file again, within a second. If the file has no such {what.kind}, it is gone.</p>
    </Confirm>
  );
}

function LimitRow({ of: limit, onEdit, onTake }: { of: Limit; onEdit?: () => void; onTake?: () => void }) {
  const { hot, max } = limit.utilisation;
  return (
    <li class="limit">
      <div class="limit-head">
        <b class="break">{limit.name}</b>
        <Badge>{limit.layer}</Badge>
        {limit.mode === 'shadow' && <Badge tone="warn" title="It only notes what it would have refused">shadow</Badge>}
        {limit.override !== null && <Badge tone="accent" title="Something of it was changed here, over the file">changed here</Badge>}
        {limit.refused_1h > 0 && <a href={link('refusals', { limit: limit.name, since: '1h' })} class="small">{count(limit.refused_1h)} refused in an hour</a>}
        <span class="actions">
          {onTake && <Button small kind="quiet" onClick={onTake}>Take away</Button>}
          {onEdit && <Button small icon="edit" onClick={onEdit}>Edit<span class="hidden"> {limit.name}</span></Button>}
        </span>
      </div>
      <p class="limit-words">{limit.words.startsWith(`${limit.name}: `) ? limit.words.slice(limit.name.length + 2) : limit.words}</p>
      {hot.length > 0
        ? (
          <details>
            <summary><MiniBar ratio={max} /> <span class="muted">{hot.length === 1 ? 'of the one in use' : `of the fullest of ${count(hot.length)} in use`}</span></summary>
            <HotSubjects hot={hot} meter={limit.meter} />
          </details>
        )
        : <p class="muted small">Not in use now.</p>}
    </li>
  );
}

function HotSubjects({ hot, meter }: { hot: HotSubject[]; meter: string }) {
  const words = (per: Record<string, string>): ComponentChildren => Object.entries(per).map(([name, value], i) => (
    <span key={name}>{i > 0 && ', '}<span class="muted">{name} </span>{name === 'caller' || name === 'key' ? <a href={link('consumers', value)}>{value}</a> : value}</span>
  ));
  return (
    <div class="table-wrap" tabIndex={0} role="region" aria-label="Nearest to full">
      <table class="table">
        <thead><tr><th scope="col" class="grow">Who</th><th scope="col">Full</th><th scope="col" class="number wide-only">Used</th><th scope="col" class="number wide-only">Allowed</th><th scope="col" class="number wide-only">Seen</th></tr></thead>
        <tbody>
          {hot.slice(0, 20).map((one, i) => (
            <tr key={i}><td>{Object.keys(one.per).length === 0 ? 'all together' : words(one.per)}</td><td><MiniBar ratio={one.ratio} /></td><td class="number wide-only">{amount(one.used, meter)}</td><td class="number wide-only">{amount(one.allowed, meter)}</td><td class="number wide-only muted">{ago(one.at)}</td></tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Overrides({ of: rows, onTake }: { of: Override[]; onTake?: (what: Taking) => void }) {
  return (
    <Panel title="Changed here" note="over the file, kept through restarts" flush>
      {rows.length === 0 ? <Empty icon="check" title="Everything is as in the file" /> : (
        <ul class="switches">
          {rows.map((row) => (
            <li key={`${row.kind} ${row.name}`}>
              <div class="switch-what">
                <p><Badge tone="accent">{row.kind}</Badge> <b class="break">{row.name}</b></p>
                <p class="mono break">{typeof row.value === 'string' ? row.value : JSON.stringify(row.value)}</p>
                <p class="muted small">by {row.by || 'somebody'}, <span title={row.at}>{when(row.at)}</span></p>
              </div>
              {onTake && <Button small onClick={() => onTake({ kind: row.kind, name: row.name })}>Take away</Button>}
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

export function Tiers({ loads }: { loads: Loads }) {
  const { tiers, limits, policy } = loads;
  const [editing, setEditing] = useState<Tagged<Tier>>();
  const [taking, setTaking] = useState<Taking>();
  const [error, setError] = useState<ApiError>();
  const edit = (name: string): void => {
    setError(undefined);
    api.tier(name).then(setEditing, (fault: unknown) => setError(fault instanceof ApiError ? fault : new ApiError(String(fault), 0)));
  };
  if (!tiers.data || !limits.data) return <Panel><Pending of={tiers.error ? tiers : limits} lines={6} /></Panel>;
  const names = limits.data.limits.map((limit) => limit.name);
  return (
    <div class="stack">
      {error && <ErrorBox error={error} />}
      <div class="tiers">
        {tiers.data.tiers.map((tier) => (
          <Panel key={tier.name} title={tier.name} note={`${count(tier.keys)} ${tier.keys === 1 ? 'key' : 'keys'}, weight ${tier.weight}`} flush actions={<>
            {tier.default && <Badge title="Keys without a tier have this one">default</Badge>}
            {tier.source === 'override' && <Badge tone="accent">changed here</Badge>}
            {isAdmin() && tier.source === 'override' && <Button small kind="quiet" onClick={() => setTaking({ kind: 'tier', name: tier.name, etag: tier.etag })}>Take away</Button>}
            {isAdmin() && policy.data && <Button small icon="edit" onClick={() => edit(tier.name)}>Edit<span class="hidden"> tier {tier.name}</span></Button>}
          </>}>
            <dl class="amounts">
              {names.map((name) => <div key={name}><dt class="break">{name}</dt><dd>{tier.amounts[name]?.join(', ') ?? <span class="muted">unlimited</span>}</dd></div>)}
              {tier.tools.allow.length > 0 && <div><dt>tools allowed</dt><dd>{tier.tools.allow.join(', ')}</dd></div>}
              {tier.tools.deny.length > 0 && <div><dt>tools denied</dt><dd>{tier.tools.deny.join(', ')}</dd></div>}
            </dl>
          </Panel>
        ))}
      </div>
      {editing && policy.data && <EditDialog of={editing} what={tierEditing(editing.value.name, policy.data.value, limits.data.limits)} onClose={() => setEditing(undefined)} onSaved={loads.reload} />}
      {taking && <TakeAway what={taking} onClose={() => setTaking(undefined)} onDone={loads.reload} />}
    </div>
  );
}
