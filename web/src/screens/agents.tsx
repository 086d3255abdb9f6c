// Agents: runs as trees, loops and anomalies with their evidence, kill switches.
import { useEffect } from 'preact/hooks';
import { api } from '../api/calls';
import { useLive, useLoad } from '../api/hooks';
import { setQuery } from '../app/router';
import type { ScreenProps } from '../app/screens';
import { Button } from '../ui/button';
import { breakerTitle, Evidence } from '../ui/evidence';
import { Filter } from '../ui/field';
import { PageHead, Panel } from '../ui/layout';
import { Empty, ErrorBox, Pending } from '../ui/states';
import { Pager, usePages } from '../ui/table';
import { Tabs } from '../ui/tabs';
import { Runs } from './agents_runs';
import { RunScreen } from './agents_run';
import { Switches, useSwitches } from './switches';
import '../styles/agents.css';
import '../styles/lists.css';

const kPage = 30;

export default function Agents({ route }: ScreenProps) {
  const name = route.rest[0];
  if (name !== undefined) return <RunScreen key={name} run={name} consumer={route.query.get('key') ?? undefined} />;
  return <All query={route.query} />;
}

function All({ query }: { query: URLSearchParams }) {
  const switches = useSwitches();
  const tab = query.get('tab') ?? 'runs';
  const thrown = switches.data?.breakers.length;
  return (
    <>
      <PageHead title="Agents" lead="What agents do: each run as a tree of calls, what looked like a loop or an anomaly, and what was stopped by hand." />
      <Tabs label="Show" value={tab} onChange={(value) => setQuery({ tab: value === 'runs' ? null : value })}
        tabs={[{ value: 'runs', label: 'Runs' }, { value: 'anomalies', label: 'Loops and anomalies' }, { value: 'switches', label: 'Kill switches', note: thrown ? String(thrown) : undefined }]}>
        {tab === 'runs' ? <Runs query={query} /> : tab === 'anomalies' ? <Anomalies query={query} /> : <Switches load={switches} />}
      </Tabs>
    </>
  );
}

const times = [{ value: '1h', label: 'Last hour' }, { value: '24h', label: 'Last 24 hours' }, { value: '7d', label: 'Last 7 days' }, { value: '30d', label: 'Last 30 days' }];
const breakers = ['repeats', 'tool_errors', 'failed_prompts', 'unlinked', 'runs', 'profile', 'killed'];

function Anomalies({ query }: { query: URLSearchParams }) {
  const filters = { layer: 'breaker', since: query.get('since') ?? '24h', limit: query.get('breaker') ?? '', event: query.get('event') ?? '' };
  const changed = JSON.stringify(filters);
  const pages = usePages();
  useEffect(() => pages.restart(), [changed]);
  const load = useLoad((signal) => api.audit({ ...filters, page_size: kPage, cursor: pages.cursor }, signal), [changed, pages.cursor]);
  useLive('decision', (event) => { if (event.layer === 'breaker' && pages.number === 1 && !load.loading) load.reload(); });
  const any = { value: '', label: 'Any' };
  return (
    <div class="stack">
      <div class="toolbar">
        <Filter label="Time" value={filters.since} onChange={(since) => setQuery({ since })} options={times} />
        <Filter label="What" value={filters.limit} onChange={(breaker) => setQuery({ breaker })} options={[any, ...breakers.map((value) => ({ value, label: breakerTitle(value) }))]} />
        <Filter label="Done" value={filters.event} onChange={(event) => setQuery({ event })} options={[any, { value: 'broken', label: 'Stopped' }, { value: 'warned', label: 'Warned only' }]} />
        <div class="actions"><Button icon="reload" onClick={load.reload}>Read again</Button></div>
      </div>
      <Panel flush>
        {load.error && load.data && <ErrorBox error={load.error} retry={load.reload} />}
        {!load.data ? <Pending of={load} lines={8} /> : load.data.rows.length === 0
          ? <Empty icon="check" title="No loop and no anomaly">{filters.limit || filters.event ? 'Nothing matches these filters in this time.' : 'Nothing looked like one in this time.'}</Empty>
          : <><Evidence rows={load.data.rows} /><Pager pages={pages} next={load.data.next} shown={load.data.rows.length} size={kPage} /></>}
      </Panel>
    </div>
  );
}
