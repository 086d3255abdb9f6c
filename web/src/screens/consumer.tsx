// One consumer: its limits with the time to their reset, its history, its refusals; edit and revoke.
import { useMemo, useState } from 'preact/hooks';
import { api } from '../api/calls';
import { useInterval, useLive, useLoad, useNow, useReloadOn } from '../api/hooks';
import type { Key, LimitState } from '../api/types';
import { isAdmin } from '../app/me';
import { link } from '../app/router';
import { Bar } from '../ui/bar';
import { Button, CopyButton } from '../ui/button';
import { Chart } from '../ui/chart';
import { Confirm } from '../ui/dialog';
import { count, percent, short, usd, usdMark, when } from '../ui/format';
import { Badge, Facts, PageHead, Panel, Stat, Stats, toneOfEvent } from '../ui/layout';
import { Empty, Notice, Pending } from '../ui/states';
import { Choice } from '../ui/tabs';
import { toast } from '../ui/toast';
import { EditKey } from './consumer_edit';
import { defaultTier } from './consumer_form';
import '../styles/flow.css';

export function Consumer({ name }: { name: string }) {
  const load = useLoad((signal) => api.key(name, signal), [name]);
  const [editing, setEditing] = useState(false);
  const [revoking, setRevoking] = useState(false);
  useReloadOn(['keys'], load.reload);
  useInterval(load.reload, 10_000);   // as often as refusals are added up
  const tiers = useLoad((signal) => api.tiers(signal), []);
  const back = { href: link('consumers'), label: 'Consumers' };
  const key = load.data?.value;
  if (!key) return <><PageHead title={name} back={back} /><Pending of={load} lines={6} /></>;
  const revoke = async (): Promise<void> => {
    await api.revokeKey(name);
    toast(`${name} is revoked`);
    load.reload();
  };
  const { requests, tokens, usd_micros: spent, refused } = key.last_24h;
  const tier = key.tier || defaultTier(tiers.data?.tiers);
  return (
    <>
      <PageHead back={back}
        title={<>{key.name} <Badge tone="accent" title={key.tier ? undefined : 'the default tier'}>{tier}</Badge><Badge>{key.kind}</Badge>{key.status === 'revoked' && <Badge tone="danger">revoked</Badge>}</>}
        actions={isAdmin() && key.status === 'active' && <>
          <Button icon="edit" onClick={() => setEditing(true)}>Edit</Button>
          <Button kind="danger" icon="stop" onClick={() => setRevoking(true)}>Revoke</Button>
        </>} />
      {key.status === 'revoked' && <Notice tone="danger">This key is revoked: every request that it sends is answered with 401.</Notice>}
      <Stats>
        <Stat label="Admitted, 24 h" value={count(requests)} title="requests that were admitted and settled" />
        <Stat label="Tokens, 24 h" value={short(tokens)} title={count(tokens)} />
        <Stat label="Spend, 24 h" value={usd(spent)} />
        <Stat label="Refused, 24 h" value={count(refused)} tone={refused > 0 && refused > requests * 0.1 ? 'danger' : undefined}
          note={requests + refused > 0 ? `${percent(refused / (requests + refused), 1)} of those asked` : undefined} />
        <Stat label="Trust" value={key.trust.toFixed(2)} tone={key.trust < 1 ? 'warn' : undefined} note={key.trust < 1 ? 'scales contextual limits' : 'full'} />
      </Stats>
      <div class="split">
        <Limits name={name} />
        <About of={key} tier={tier} known={!key.tier || !tiers.data || tiers.data.tiers.some(({ name: each }) => each === key.tier)} />
      </div>
      <History name={name} />
      <LastRefusals name={name} />
      {editing && <EditKey of={load.data!} onClose={() => setEditing(false)} onSaved={load.reload} />}
      {revoking && (
        <Confirm title={`Revoke ${name}?`} action="Revoke" onConfirm={revoke} onClose={() => setRevoking(false)}>
          <p>Its requests are answered with 401 within a second. This cannot be undone; what it used stays in the records.</p>
        </Confirm>
      )}
    </>
  );
}

// The name stands above the bar already.
const wordsOf = ({ name, words }: LimitState): string => (words.startsWith(`${name}: `) ? words.slice(name.length + 2) : words);

const byUse = (a: LimitState, b: LimitState): number => b.ratio - a.ratio;

function Limits({ name }: { name: string }) {
  const load = useLoad((signal) => api.keyLimits(name, signal), [name]);
  useInterval(load.reload, 3000);
  const now = useNow();
  return (
    <Panel title="Limits" note="for a plain request of this key, nearest to full first">
      {!load.data ? <Pending of={load} /> : load.data.limits.length === 0
        ? <Empty icon="policy" title="No limit holds for this key" />
        : (
          <div class="bars">
            {[...load.data.limits].sort(byUse).map((limit) => (
              <div key={`${limit.name}${limit.window ?? ''}`}>
                <Bar label={limit.name} window={limit.window} used={limit.used} reserved={limit.reserved} allowed={limit.allowed} meter={limit.meter}
                  resetAt={limit.reset_at} now={now} shadow={limit.shadow} />
                {limit.words && <p class="muted small">{wordsOf(limit)}</p>}
              </div>
            ))}
          </div>
        )}
    </Panel>
  );
}

// `known`: the policy has the key's tier.
function About({ of: key, tier, known }: { of: Key; tier: string; known: boolean }) {
  const json = JSON.stringify(key.metadata, null, 2);
  return (
    <Panel title="About">
      <div class="stack-small">
        <Facts of={[
          ['Tenant', key.tenant ? <a href={link('consumers', { tenant: key.tenant })}>{key.tenant}</a> : '–'], ['User', key.user || '–'],
          ['Tier', known ? key.tier || `${tier} (by default)` : `${key.tier} (not in the policy: it gets the amounts of all others)`], ['Kind', key.kind],
          ['Created', <span title={key.created_at}>{when(key.created_at)}</span>], ['Runs', <a href={link('agents', { key: key.name })}>Show runs</a>],
        ]} />
        <div>
          <div class="row"><h3>Metadata</h3>{json !== '{}' && <div class="actions"><CopyButton text={json} /></div>}</div>
          {json === '{}' ? <p class="muted">None. Limits and breakers can read members of it, such as <code>{'{metadata.requestsPerMinute}'}</code>.</p> : <pre class="json mono">{json}</pre>}
        </div>
      </div>
    </Panel>
  );
}

const spans = { '24h': { since: '24h', step: 'hour' }, '7d': { since: '7d', step: 'hour' }, '30d': { since: '30d', step: 'day' } } as const;
const meters = { requests: count, tokens: short, usd_micros: usd };

function History({ name }: { name: string }) {
  const [span, setSpan] = useState<keyof typeof spans>('24h');
  const [meter, setMeter] = useState<keyof typeof meters>('requests');
  const { since, step } = spans[span];
  const load = useLoad((signal) => api.usageSeries({ key: name, since, step }, signal), [name, span]);
  useInterval(load.reload, 10_000);
  const chart = useMemo(() => {
    const all = load.data?.series[0];
    const times = (load.data?.times ?? []).map((time) => new Date(time).getTime() / 1000);
    const none = times.map(() => 0);
    const series = meter === 'requests'
      ? [{ name: 'admitted', values: all?.requests ?? none, color: 0 }, { name: 'refused', values: all?.refused ?? none, color: 'danger' as const }]
      : [{ name: meter === 'tokens' ? 'tokens' : 'spend', values: all?.[meter] ?? none, color: 0 }];
    return { times, series };
  }, [load.data, meter]);
  return (
    <Panel title="History" actions={<>
      <Choice label="What" value={meter} onChange={(value) => setMeter(value as keyof typeof meters)}
        options={[{ value: 'requests', label: 'Requests' }, { value: 'tokens', label: 'Tokens' }, { value: 'usd_micros', label: 'Spend' }]} />
      <Choice label="How far back" value={span} onChange={(value) => setSpan(value as keyof typeof spans)}
        options={[{ value: '24h', label: '24 h' }, { value: '7d', label: '7 d' }, { value: '30d', label: '30 d' }]} />
    </>}>
      {!load.data ? <Pending of={load} /> : <Chart label={`History of ${name}`} times={chart.times} series={chart.series} format={meters[meter]} mark={meter === 'usd_micros' ? usdMark : undefined} step={step} bars={chart.times.length < 80} whole={meter !== 'usd_micros'} stacked />}
    </Panel>
  );
}

function LastRefusals({ name }: { name: string }) {
  const load = useLoad((signal) => api.audit({ key: name, since: '7d', event: 'decisions', page_size: 6 }, signal), [name]);
  useLive('decision', (event) => { if (event.key === name) load.reload(); });
  return (
    <Panel title="Last refusals and warnings" note="7 days" actions={<a href={link('refusals', { key: name, since: '7d' })}>All of them</a>} flush>
      {!load.data ? <Pending of={load} /> : load.data.rows.length === 0
        ? <Empty icon="check" title="Nothing was refused in seven days" />
        : (
          <ol class="events whole">
            {load.data.rows.map((row, i) => (
              <li key={`${row.request_id}${i}`}>
                <time class="muted" dateTime={row.time} title={row.time}>{when(row.time)}</time>
                <div class="event-text"><p>{row.sentence}</p><p class="event-meta"><Badge tone={toneOfEvent(row.event)}>{row.event}</Badge><span>{row.limit}</span></p></div>
              </li>
            ))}
          </ol>
        )}
    </Panel>
  );
}
