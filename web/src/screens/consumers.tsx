// Consumers: who may send what. The list, and one of them (#/consumers/NAME).
import { useEffect, useState } from 'preact/hooks';
import { api } from '../api/calls';
import { useLoad, useReloadOn } from '../api/hooks';
import type { Key } from '../api/types';
import { isAdmin } from '../app/me';
import { useQueryText } from '../app/query_text';
import { link, setQuery } from '../app/router';
import type { ScreenProps } from '../app/screens';
import { Button, IconButton } from '../ui/button';
import { Filter, Search } from '../ui/field';
import { count, short, usd, when } from '../ui/format';
import { Badge, PageHead, Panel } from '../ui/layout';
import { Empty, ErrorBox, Pending } from '../ui/states';
import { Pager, Table, usePages } from '../ui/table';
import { Consumer } from './consumer';
import { defaultTier } from './consumer_form';
import { NewKey } from './consumer_new';
import '../styles/lists.css';

const kPage = 50;
const kinds = ['agent', 'human', 'service'];

export default function Consumers({ route }: ScreenProps) {
  const name = route.rest[0];
  return name === undefined ? <List query={route.query} /> : <Consumer key={name} name={name} />;
}

function List({ query }: { query: URLSearchParams }) {
  const [search, setSearch] = useQueryText(query, 'search');
  const [creating, setCreating] = useState(false);
  const filters = {
    search: query.get('search') ?? '', tenant: query.get('tenant') ?? '', tier: query.get('tier') ?? '', kind: query.get('kind') ?? '',
    status: query.get('status') ?? 'active', sort: query.get('sort') ?? 'requests',
  };
  const narrowed = filters.search || filters.tier || filters.kind || filters.tenant || filters.status !== 'active';
  const pages = usePages();
  const changed = JSON.stringify(filters);
  useEffect(() => pages.restart(), [changed]);
  const keys = useLoad((signal) => api.keys({ ...filters, page_size: kPage, cursor: pages.cursor }, signal), [changed, pages.cursor]);
  const tiers = useLoad((signal) => api.tiers(signal), []);
  useReloadOn(['keys', 'policy'], keys.reload);
  const any = [{ value: '', label: 'Any' }];
  const columns = columnsOf(defaultTier(tiers.data?.tiers));
  return (
    <>
      <PageHead title="Consumers" lead="Every key that may send requests: whose it is, what it used in the last 24 hours."
        actions={isAdmin() && <Button kind="primary" icon="plus" onClick={() => setCreating(true)}>New key</Button>} />
      <div class="toolbar">
        <Search label="Search consumers" placeholder="Name, tenant or user" value={search} onInput={setSearch} />
        <Filter label="Tier" value={filters.tier} onChange={(tier) => setQuery({ tier })}
          options={[...any, ...(tiers.data?.tiers.map((tier) => tier.name) ?? (filters.tier ? [filters.tier] : []))]} />
        <Filter label="Kind" value={filters.kind} onChange={(kind) => setQuery({ kind })} options={[...any, ...kinds]} />
        <Filter label="Status" value={filters.status === 'active' ? '' : filters.status} onChange={(status) => setQuery({ status })}
          options={[{ value: '', label: 'Active' }, { value: 'revoked', label: 'Revoked' }, { value: 'all', label: 'All' }]} />
        {filters.tenant && (
          <span class="chip"><span>Tenant {filters.tenant}</span><IconButton icon="close" label={`Show all tenants, not only ${filters.tenant}`} onClick={() => setQuery({ tenant: null })} /></span>
        )}
      </div>
      <Panel flush>
        {keys.error && keys.data && <ErrorBox error={keys.error} retry={keys.reload} />}
        {!keys.data ? <Pending of={keys} lines={8} /> : keys.data.keys.length === 0
          ? (
            <Empty icon="consumers" title={narrowed ? 'No consumer matches' : 'There are no consumers yet'}>
              {filters.search ? `Nothing has “${filters.search}” in its name, tenant or user.` : narrowed ? 'No key fits these filters.' : isAdmin() ? 'Make a key for each program or person that sends requests.' : 'An admin can make keys.'}
            </Empty>
          )
          : (
            <>
              <Table label="Consumers" rows={keys.data.keys} rowKey={(key) => key.name} href={(key) => link('consumers', key.name)} dim={keys.loading}
                sort={filters.sort} onSort={(sort) => setQuery({ sort })} columns={columns} />
              <Pager pages={pages} next={keys.data.next} shown={keys.data.keys.length} total={keys.data.total} size={kPage} what="consumers" />
            </>
          )}
      </Panel>
      {creating && <NewKey tiers={tiers.data?.tiers ?? []} onClose={() => setCreating(false)} onMade={keys.reload} />}
    </>
  );
}

const columnsOf = (tierOfMost: string) => [
  { head: 'Key', sort: 'name', grow: true, cell: (key: Key) => <>{key.name}{key.status === 'revoked' && <> <Badge tone="danger">revoked</Badge></>}{key.trust < 1 && <> <Badge tone="warn" title="Some of its limits are scaled by trust">trust {key.trust.toFixed(2)}</Badge></>}</> },
  { head: 'Tenant', cell: (key: Key) => key.tenant ? <a class="plain clip" title={key.tenant} href={link('consumers', { tenant: key.tenant })}>{key.tenant}</a> : <span class="muted">–</span>, narrow: false },
  { head: 'Tier', cell: (key: Key) => <Badge title={key.tier ? undefined : 'the default tier'}>{key.tier || tierOfMost}</Badge> },
  { head: 'Kind', cell: (key: Key) => <span class="muted">{key.kind}</span>, narrow: false },
  { head: 'Admitted', sort: 'requests', number: true, cell: (key: Key) => count(key.last_24h.requests) },
  { head: 'Tokens', sort: 'tokens', number: true, narrow: 'below' as const, cell: (key: Key) => short(key.last_24h.tokens) },
  { head: 'Spend', sort: 'usd', number: true, narrow: 'below' as const, cell: (key: Key) => usd(key.last_24h.usd_micros) },
  { head: 'Refused', number: true, narrow: 'below' as const, cell: (key: Key) => (key.last_24h.refused ? <span class="tone-danger">{count(key.last_24h.refused)}</span> : <span class="muted">0</span>) },
  { head: 'Created', sort: 'created', number: true, narrow: false, cell: (key: Key) => <span class="muted">{when(key.created_at)}</span> },
];
