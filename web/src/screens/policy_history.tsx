// What changed, when and by whom; and what limits in mode shadow would have refused.
import { useEffect, useState } from 'preact/hooks';
import { api } from '../api/calls';
import { useLoad, useReloadOn } from '../api/hooks';
import type { PolicyChange } from '../api/types';
import { link } from '../app/router';
import { Filter } from '../ui/field';
import { count, percent, when } from '../ui/format';
import { Badge, Panel } from '../ui/layout';
import { Empty, ErrorBox, Pending } from '../ui/states';
import { Pager, Table, usePages } from '../ui/table';

const kPage = 30;
const times = [{ value: '24h', label: 'Last 24 hours' }, { value: '7d', label: 'Last 7 days' }, { value: '30d', label: 'Last 30 days' }, { value: '365d', label: 'Last year' }];

export function Changes() {
  const [since, setSince] = useState('30d');
  const pages = usePages();
  useEffect(() => pages.restart(), [since]);
  const load = useLoad((signal) => api.policyChanges({ since, page_size: kPage, cursor: pages.cursor }, signal), [since, pages.cursor]);
  useReloadOn(['policy'], load.reload);
  return (
    <div class="stack">
      <div class="toolbar"><Filter label="Time" value={since} onChange={setSince} options={times} /></div>
      <Panel flush>
        {load.error && load.data && <ErrorBox error={load.error} retry={load.reload} />}
        {!load.data ? <Pending of={load} lines={8} /> : load.data.changes.length === 0
          ? <Empty icon="policy" title="Nothing was changed in this time" />
          : (
            <>
              <ol class={`changes${load.loading ? ' table-wrap dim' : ''}`}>{load.data.changes.map((row, i) => <Change key={`${row.time}${row.what}${row.name}${i}`} of={row} />)}</ol>
              <Pager pages={pages} next={load.data.next} shown={load.data.changes.length} size={kPage} what="changes" />
            </>
          )}
      </Panel>
    </div>
  );
}

function Change({ of: row }: { of: PolicyChange }) {
  return (
    <li>
      <time class="muted" dateTime={row.time} title={row.time}>{when(row.time)}</time>
      <div class="change-what">
        <p><b>{row.by || 'somebody'}</b> <Badge>{row.what}</Badge> <b class="break">{row.name}</b></p>
        {row.detail && <p class="mono break muted">{row.detail}</p>}
      </div>
    </li>
  );
}

export function ShadowLimits() {
  const [since, setSince] = useState('24h');
  const load = useLoad((signal) => api.shadow({ since }, signal), [since]);
  const rows = load.data?.limits ?? [];
  return (
    <div class="stack">
      <div class="toolbar"><Filter label="Time" value={since} onChange={setSince} options={times} /></div>
      {load.error && load.data && <ErrorBox error={load.error} retry={load.reload} />}
      {!load.data ? <Panel><Pending of={load} lines={6} /></Panel> : rows.length === 0
        ? <Panel><Empty icon="check" title="No shadow limit would have refused anything">A limit with <code>mode: shadow</code> notes what it would have refused, and refuses nothing: a way to try it on real traffic.</Empty></Panel>
        : rows.map((row) => (
          <Panel key={row.limit} title={row.limit} note={`would have refused ${count(row.would_refuse)} of ${count(row.of)} requests (${percent(row.of > 0 ? row.would_refuse / row.of : 0, 2)})`} flush>
            {row.keys.length === 0 ? <p class="panel-note pad">Whose they were is not known.</p> : (
              <Table label={`Who ${row.limit} would have refused`} rows={row.keys} rowKey={(one) => one.key} columns={[
                { head: 'Consumer', grow: true, cell: (one) => <a href={link('consumers', one.key)}>{one.key}</a> },
                { head: 'Would have been refused', number: true, cell: (one) => count(one.count) },
                { head: 'Share', number: true, narrow: false, cell: (one) => percent(one.count / Math.max(1, row.would_refuse)) },
              ]} />
            )}
          </Panel>
        ))}
    </div>
  );
}
