// What the draft would have done to recorded traffic, beside what the policy in force does to it.
import type { WhatIfCounts, WhatIfResult } from '../api/types';
import { link } from '../app/router';
import { count, percent, range } from '../ui/format';
import { Panel } from '../ui/layout';
import { Empty, Notice } from '../ui/states';
import { Table } from '../ui/table';

const kRows = 50;

function Change({ from, to, bad = true }: { from: number; to: number; bad?: boolean }) {
  const by = to - from;
  if (by === 0) return <span class="muted">same</span>;
  return <span class={by > 0 === bad ? 'tone-danger' : 'tone-ok'}>{by > 0 ? '+' : '−'}{count(Math.abs(by))}</span>;
}

const outcomes: { name: keyof WhatIfCounts; label: string; bad: boolean }[] = [
  { name: 'allowed', label: 'Allowed', bad: false }, { name: 'degraded', label: 'Degraded', bad: true }, { name: 'refused', label: 'Refused', bad: true },
];

export function WhatIfTables({ of: result, stale }: { of: WhatIfResult; stale: boolean }) {
  const by = result.draft.refused - result.current.refused;
  const share = (n: number): string => percent(result.rows > 0 ? n / result.rows : 0, 2);
  const nothing = result.rows === 0;
  return (
    <>
      <Panel title="What would have been different" note={`${count(result.rows)} requests, ${range(result.from, result.until)}`} flush>
        <div class="result-words">
          {stale && <Notice tone="warn">The draft was changed since: replay it again.</Notice>}
          <p class="result-main">{nothing ? 'Nothing was recorded in this time: there is nothing to compare.' : by === 0 && result.newly_refused.length === 0
            ? 'The draft decides as the policy in force does.'
            : by > 0 ? <>The draft refuses <b class="tone-danger">{count(by)} more</b> of {count(result.rows)} requests.</>
              : by < 0 ? <>The draft refuses <b class="tone-ok">{count(-by)} fewer</b> of {count(result.rows)} requests.</>
                : <>As many are refused, but others.</>}</p>
          {result.note && <p class="muted small">{result.note}</p>}
        </div>
        {!nothing && (
          <Table label="Outcomes" rows={outcomes} rowKey={(row) => row.name} columns={[
            { head: 'Outcome', grow: true, cell: (row) => row.label },
            { head: 'In force', number: true, cell: (row) => <>{count(result.current[row.name])} <span class="muted wide-only-inline">{share(result.current[row.name])}</span></> },
            { head: 'Draft', number: true, cell: (row) => <>{count(result.draft[row.name])} <span class="muted wide-only-inline">{share(result.draft[row.name])}</span></> },
            { head: 'Change', number: true, cell: (row) => <Change from={result.current[row.name]} to={result.draft[row.name]} bad={row.bad} /> },
          ]} />
        )}
      </Panel>
      {!nothing && (
        <>
          <Panel title="Refused by limit" flush>
            {result.limits.length === 0 ? <Empty icon="check" title="No limit refuses anything" /> : (
              <Table label="Refused by limit" rows={result.limits} rowKey={(row) => row.limit} columns={[
                { head: 'Limit', grow: true, cell: (row) => row.limit },
                { head: 'In force', number: true, cell: (row) => count(row.current) },
                { head: 'Draft', number: true, cell: (row) => count(row.draft) },
                { head: 'Change', number: true, cell: (row) => <Change from={row.current} to={row.draft} /> },
              ]} />
            )}
          </Panel>
          <div class="grid-2">
            <Newly title="Newly refused" rows={result.newly_refused} none="Nobody is refused who was not" />
            <Newly title="Newly allowed" rows={result.newly_allowed} none="Nobody is allowed who was not" />
          </div>
        </>
      )}
    </>
  );
}

function Newly({ title, rows, none }: { title: string; rows: WhatIfResult['newly_refused']; none: string }) {
  return (
    <Panel title={title} flush>
      {rows.length === 0 ? <Empty icon="check" title={none} /> : (
        <>
          <Table label={title} rows={rows.slice(0, kRows)} rowKey={(row) => `${row.key} ${row.limit}`} columns={[
            { head: 'Consumer', grow: true, cell: (row) => <a href={link('consumers', row.key)}>{row.key}</a> },
            { head: 'Limit', cell: (row) => row.limit },
            { head: 'Requests', number: true, cell: (row) => count(row.count) },
          ]} />
          {rows.length > kRows && <p class="panel-note pad">and {count(rows.length - kRows)} more</p>}
        </>
      )}
    </Panel>
  );
}
