// Health: in one sentence whether all is well; what is not, and what to do; providers, records, alerts, version.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { api } from '../api/calls';
import { ApiError } from '../api/client';
import { useInterval, useLoad, useLive, useNow } from '../api/hooks';
import type { Health } from '../api/types';
import { isAdmin } from '../app/me';
import { link } from '../app/router';
import type { ScreenProps } from '../app/screens';
import { Button } from '../ui/button';
import { Confirm } from '../ui/dialog';
import { ago, bytes, count, duration, when } from '../ui/format';
import { Icon } from '../ui/icons';
import { Badge, Facts, PageHead, Panel, type Tone } from '../ui/layout';
import { Empty, ErrorBox, Notice, Pending } from '../ui/states';
import { Table } from '../ui/table';
import { toast } from '../ui/toast';
import { AlertsPanel } from './health_alerts';
import '../styles/health.css';
import '../styles/lists.css';

export default function HealthScreen(_: ScreenProps) {
  const load = useLoad((signal) => api.health(signal), []);
  useInterval(load.reload, 5000);
  useLive('alert', load.reload);
  const [reloading, setReloading] = useState(false);
  const health = load.data;
  const gone = load.error?.status === 0;
  return (
    <>
      <PageHead title="Health" actions={isAdmin() && health && <Button icon="reload" onClick={() => setReloading(true)}>Read the policy again</Button>} />
      {load.error && health && <ErrorBox error={load.error} retry={load.reload} />}
      {!health ? <Pending of={load} lines={8} /> : (
        <>
          <Verdict of={health} gone={gone} />
          {health.problems.length > 0 && <Problems title="What is wrong, and what to do" tone="danger" of={health.problems} />}
          {health.notes.length > 0 && <Problems title="Good to know" tone="neutral" of={health.notes} />}
          {health.overrides.skipped.length > 0 && (
            <Notice tone="warn">
              <p>Left out, because the file has no place for {health.overrides.skipped.length === 1 ? 'it' : 'them'} any more. <a href={link('policy')}>See the policy</a></p>
              <ul>{health.overrides.skipped.map((one) => <li key={`${one.kind} ${one.name}`}>{one.kind} <b>{one.name}</b>: {one.why}</li>)}</ul>
            </Notice>
          )}
          <AlertsPanel />
          <div class="grid-2">
            <Providers of={health.providers} />
            <Records of={health} />
          </div>
          <Server of={health} />
        </>
      )}
      {reloading && <Reload onClose={() => setReloading(false)} onDone={load.reload} />}
    </>
  );
}

function sentence(health: Health): { tone: 'ok' | 'warn' | 'danger'; words: string } {
  const many = health.problems.length;
  const firing = health.alerts.firing;
  const alerts = firing > 0 ? ` ${count(firing)} ${firing === 1 ? 'alert is' : 'alerts are'} firing.` : '';
  if (health.status === 'draining') return { tone: 'warn', words: 'This server is going down: it finishes what it has and takes no new requests.' };
  if (health.status === 'degraded' || many > 0) {
    return { tone: many > 0 && health.status === 'degraded' ? 'danger' : 'warn', words: `Requests are decided, but ${many === 1 ? 'one thing is' : many > 1 ? `${count(many)} things are` : 'something is'} wrong.${alerts}` };
  }
  return { tone: firing > 0 ? 'warn' : 'ok', words: firing > 0 ? `Everything works.${alerts}` : 'Everything works: requests are decided, records are kept, all providers answer.' };
}

function Verdict({ of: health, gone }: { of: Health; gone: boolean }) {
  const { tone, words } = gone ? { tone: 'danger' as const, words: 'The server does not answer; this is what it said last.' } : sentence(health);
  return (
    <div class={`verdict ${tone}`} role="status">
      <Icon name={tone === 'ok' ? 'check' : 'warning'} size={22} />
      <div>
        <p class="verdict-words">{words}</p>
        <p class="verdict-more">{count(health.requests_in_flight)} requests in flight, {count(health.open_connections)} connections, up for {duration((Date.now() - Date.parse(health.started_at)) / 1000)}.</p>
      </div>
    </div>
  );
}

function Problems({ title, tone, of: problems }: { title: string; tone: Tone; of: Health['problems'] }) {
  return (
    <Panel title={title} flush>
      <ul class="problems">
        {problems.map((problem, i) => (
          <li key={`${problem.what}${i}`}>
            <p class="problem-head"><Badge tone={tone}>{problem.what}</Badge>{problem.since && <span class="muted small" title={problem.since}>for {duration((Date.now() - Date.parse(problem.since)) / 1000)}</span>}</p>
            <p>{problem.detail}</p>
            {problem.do && <p class="problem-do"><b>To do:</b> {problem.do}</p>}
          </li>
        ))}
      </ul>
    </Panel>
  );
}

const states: Record<string, { tone: Tone; words: string }> = {
  closed: { tone: 'ok', words: 'answers' }, half_open: { tone: 'warn', words: 'being tried' }, open: { tone: 'danger', words: 'breaker open' },
};
const order = ['open', 'half_open', 'closed'];

function Providers({ of: providers }: { of: Health['providers'] }) {
  const now = useNow();
  const rows = [...providers].sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state));
  return (
    <Panel title="Providers" note="a breaker opens when a model keeps failing; its traffic goes to fallbacks" flush>
      {rows.length === 0 ? <Empty icon="info" title="No provider was asked yet" /> : (
        <Table label="Providers" rows={rows} rowKey={(row) => `${row.provider} ${row.model}`} columns={[
          { head: 'Provider', cell: (row) => row.provider },
          { head: 'Model', grow: true, cell: (row) => row.model },
          { head: 'State', cell: (row) => <><Badge tone={states[row.state]?.tone}>{states[row.state]?.words ?? row.state}</Badge>{row.until && Date.parse(row.until) > now && <span class="muted small nowrap"> tried in {duration(Math.ceil((Date.parse(row.until) - now) / 1000))}</span>}</> },
        ]} />
      )}
    </Panel>
  );
}

function Records({ of: health }: { of: Health }) {
  const good = (healthy: boolean, words: string): JSX.Element => <><Badge tone={healthy ? 'ok' : 'danger'}>{healthy ? 'well' : 'not well'}</Badge> <span>{words}</span></>;
  const { counters, journal, ledger, events } = health;
  return (
    <Panel title="Records and counters">
      <Facts of={[
        ['Journal', good(journal.healthy, `${bytes(journal.bytes_written)} written`)],
        ['Ledger', good(ledger.healthy, `${count(ledger.rows)} rows`)],
        ['Audit', `${count(ledger.audit_rows)} rows`],
        ['Counters', `${count(counters.subjects)} subjects, ${bytes(counters.bytes)}`],
        ['Held', `${count(counters.open_reservations)} open reservations`],
        ['Events', events.dropped > 0 ? <span class="tone-warn">{count(events.per_second)} a second, {count(events.dropped)} dropped</span> : `${count(events.per_second)} a second, none dropped`],
        ['Watchers', count(events.watchers)],
        ['Changes over the file', <a href={link('policy')}>{count(health.overrides.count)}</a>],
      ]} />
    </Panel>
  );
}

function Server({ of: health }: { of: Health }) {
  return (
    <Panel title="This server">
      <Facts of={[
        ['Version', health.version], ['Policy', <code>{health.config_version}</code>], ['Read from', health.policy_source || 'built in'],
        ['Started', <span title={health.started_at}>{when(health.started_at)} ({ago(health.started_at)})</span>],
        ['Requests go to', <code>{health.listen}</code>], ['Admin', <code>{health.admin}</code>], ['Data', <code>{health.data}</code>], ['Workers', count(health.workers)],
      ]} />
    </Panel>
  );
}

function Reload({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const reload = async (): Promise<void> => {
    try {
      const { version, previous } = await api.reload();
      toast(version === previous ? 'The file is as it was' : `Policy ${version} is in force`);
      onDone();
    } catch (fault) {
      if (fault instanceof ApiError && fault.status === 422) throw new ApiError(`${fault.message} The policy that was in force stays.`, 422, fault.diagnostics);
      throw fault;
    }
  };
  return (
    <Confirm title="Read the policy file again?" action="Read it" danger={false} onConfirm={reload} onClose={onClose}>
      <p>If the file is valid, it is in force within a second, with what was changed here over it. If not, everything stays as it is.</p>
    </Confirm>
  );
}
