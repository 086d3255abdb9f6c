// The list of runs: what agents did. Flagged ones first, then the dearest; single requests on demand.
import { useEffect, useState } from 'preact/hooks';
import { api } from '../api/calls';
import { useInterval, useLoad, useSettled } from '../api/hooks';
import type { Run } from '../api/types';
import { link, setQuery } from '../app/router';
import { Button } from '../ui/button';
import { Flags } from '../ui/evidence';
import { Filter, Search } from '../ui/field';
import { ago, count, short, usd, when } from '../ui/format';
import { Badge, Panel } from '../ui/layout';
import { Empty, ErrorBox, Pending } from '../ui/states';
import { Pager, Table, usePages } from '../ui/table';

const kPage = 50;
const times = [{ value: '1h', label: 'Last hour' }, { value: '24h', label: 'Last 24 hours' }, { value: '7d', label: 'Last 7 days' }, { value: '30d', label: 'Last 30 days' }];

export function Runs({ query }: { query: URLSearchParams }) {
  const [key, setKey] = useState(query.get('key') ?? '');
  const settled = useSettled(key, 350);
  const filters = { since: query.get('since') ?? '24h', state: query.get('state') ?? 'all', flagged: query.get('flagged') ?? '', single: query.get('single') === 'true', sort: query.get('sort') ?? 'cost', agent: query.get('agent') ?? '', key: settled.trim() };
  const changed = JSON.stringify(filters);
  const pages = usePages();
  useEffect(() => setKey(query.get('key') ?? ''), [query.get('key')]);
  useEffect(() => {
    pages.restart();
    setQuery({ key: filters.key });
  }, [changed]);
  const load = useLoad((signal) => api.runs({ ...filters, page_size: kPage, cursor: pages.cursor }, signal), [changed, pages.cursor]);
  useInterval(() => { if (pages.number === 1) load.reload(); }, filters.sort === 'cost' ? 30_000 : 10_000);
  const agents = [...new Set((load.data?.runs ?? []).map((run) => run.agent).filter(Boolean))].sort();
  if (filters.agent && !agents.includes(filters.agent)) agents.unshift(filters.agent);
  const any = { value: '', label: 'Any' };
  const filtered = filters.key || filters.agent || filters.flagged || filters.state !== 'all';
  return (
    <div class="stack">
      <div class="toolbar">
        <Search label="Consumer" placeholder="Consumer, by its whole name" value={key} onInput={setKey} />
        <Filter label="Time" value={filters.since} onChange={(since) => setQuery({ since })} options={times} />
        <Filter label="State" value={filters.state === 'all' ? '' : filters.state} onChange={(state) => setQuery({ state })} options={[any, { value: 'live', label: 'Going on' }, { value: 'ended', label: 'Over' }]} />
        <Filter label="Agent" value={filters.agent} onChange={(agent) => setQuery({ agent })} options={[any, ...agents]} />
        <Button icon="warning" pressed={filters.flagged === 'true'} onClick={() => setQuery({ flagged: filters.flagged ? null : 'true' })}>Flagged only</Button>
        <Button pressed={filters.single} onClick={() => setQuery({ single: filters.single ? null : 'true' })}>Single requests too</Button>
      </div>
      <Panel flush>
        {load.error && load.data && <ErrorBox error={load.error} retry={load.reload} />}
        {!load.data ? <Pending of={load} lines={8} /> : load.data.runs.length === 0
          ? (
            <Empty icon="agents" title={filtered ? 'No run matches' : 'No agent was at work in this time'}>
              {filtered ? 'Nothing matches these filters in this time.' : <>Requests with <code>X-Weir-Run</code>, a session of MCP, or a conversation that goes on are runs by themselves.</>}
              {!filters.single && ' Runs of a single request without a flag are not shown.'}
            </Empty>
          )
          : (
            <>
              <Table label="Runs" rows={load.data.runs} rowKey={(run) => `${run.key} ${run.run}`} href={(run) => link('agents', run.run, { key: run.key })}
                sort={filters.sort} onSort={(sort) => setQuery({ sort: sort === 'cost' ? null : sort })} columns={columns} />
              {load.data.ranked_since && <p class="ranked">Of the newest 200,000 requests, since {when(load.data.ranked_since)}. Sorted by last use, or in a shorter time, you see the others.</p>}
              <Pager pages={pages} next={load.data.next} shown={load.data.runs.length} size={kPage} what="runs" />
            </>
          )}
      </Panel>
    </div>
  );
}

const columns = [
  { head: 'Run', grow: true, cell: (run: Run) => <><span class="break">{run.run}</span>{run.live && <> <Badge tone="ok">live</Badge></>}{run.flags.length > 0 && <> <Flags of={run.flags} /></>}</> },
  { head: 'Consumer', cell: (run: Run) => <a class="plain clip" title={run.key} href={link('consumers', run.key)}>{run.key}</a>, narrow: 'below' as const },
  { head: 'Agent', cell: (run: Run) => (run.agent ? <span class="clip" title={run.agent}>{run.agent}</span> : <span class="muted">–</span>), narrow: false },
  { head: 'Calls', number: true, narrow: 'below' as const, cell: (run: Run) => count(run.llm_calls) },
  { head: 'Tools', number: true, narrow: false, cell: (run: Run) => count(run.tool_calls) },
  { head: 'Depth', number: true, narrow: false, cell: (run: Run) => count(run.depth) },
  { head: 'Tokens', number: true, cell: (run: Run) => <span title={count(run.tokens)}>{short(run.tokens)}</span> },
  { head: 'Cost', sort: 'cost', number: true, cell: (run: Run) => usd(run.usd_micros) },
  { head: 'Last used', sort: 'last', number: true, narrow: 'below' as const, cell: (run: Run) => <span class="muted nowrap" title={run.last}>{ago(run.last)}</span> },
];
