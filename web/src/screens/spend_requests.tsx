// The requests that a sum is made of, newest first.
import { useEffect } from 'preact/hooks';
import { api } from '../api/calls';
import type { Query } from '../api/client';
import { useLoad } from '../api/hooks';
import type { UsageRow } from '../api/types';
import { link } from '../app/router';
import { count, short, usd, when } from '../ui/format';
import { Badge } from '../ui/layout';
import { Empty, ErrorBox, Pending } from '../ui/states';
import { Pager, Table, usePages } from '../ui/table';

const kPage = 50;

// `changed` tells one question from another: `until` of a running range is always now.
export function Requests({ asked, changed }: { asked: Query; changed: string }) {
  const pages = usePages();
  useEffect(() => pages.restart(), [changed]);
  const load = useLoad((signal) => api.usage({ ...asked, page_size: kPage, cursor: pages.cursor }, signal), [changed, pages.cursor]);
  if (!load.data) return <Pending of={load} lines={6} />;
  return (
    <>
      {load.error && <ErrorBox error={load.error} retry={load.reload} />}
      {load.data.rows.length === 0
        ? <Empty icon="spend" title="No request was settled in this time" />
        : <Table label="Requests, newest first" rows={load.data.rows} rowKey={(row) => row.request_id} dim={load.loading} columns={columns} />}
      <Pager pages={pages} next={load.data.next} shown={load.data.rows.length} size={kPage} what="requests" />
    </>
  );
}

const columns = [
  { head: 'Time', grow: true, cell: (row: UsageRow) => <><span class="nowrap" title={`${row.time}, ${row.request_id}`}>{when(row.time)}</span>{row.status >= 400 && <> <Badge tone="danger">{row.status}</Badge></>}{row.degraded && <> <Badge tone="warn" title={row.degraded}>degraded</Badge></>}</> },
  { head: 'Key', narrow: 'below' as const, cell: (row: UsageRow) => (row.key ? <a class="clip" title={row.key} href={link('consumers', row.key)}>{row.key}</a> : null) },
  { head: 'User', narrow: 'below' as const, cell: (row: UsageRow) => (row.user ? <span class="clip" title={row.user}>{row.user}</span> : null) },
  { head: 'Model', narrow: 'below' as const, cell: (row: UsageRow) => (row.model ? <span class="clip" title={row.model}>{row.model}</span> : null) },
  { head: 'Run', narrow: 'below' as const, cell: (row: UsageRow) => (row.run ? <a class="clip" title={row.run} href={link('agents', row.run, { key: row.key })}>{row.run}</a> : null) },
  { head: 'Tokens', number: true, cell: (row: UsageRow) => <span title={`${count(row.input_tokens)} in, ${count(row.output_tokens)} out`}>{short(row.input_tokens + row.output_tokens)}</span> },
  { head: 'Spend', number: true, cell: (row: UsageRow) => <span title={`${count(row.usd_micros)} micro-dollars`}>{usd(row.usd_micros)}</span> },
];
