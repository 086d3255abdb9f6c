// Refusals: each with the sentence that explains it, by layer, limit, consumer and time.
import { useEffect, useState } from 'preact/hooks';
import { api } from '../api/calls';
import { useLive, useLoad } from '../api/hooks';
import { useQueryText } from '../app/query_text';
import { link, setQuery } from '../app/router';
import type { ScreenProps } from '../app/screens';
import { alike, Each, nameOf, When, type Alike } from '../ui/alike';
import { Button, IconButton } from '../ui/button';
import { Filter, Search } from '../ui/field';
import { count, duration } from '../ui/format';
import { Badge, Facts, PageHead, Panel, toneOfEvent } from '../ui/layout';
import { Empty, ErrorBox, Pending } from '../ui/states';
import { Pager, usePages } from '../ui/table';
import '../styles/refusals.css';

const kPage = 50;
const layers = ['breaker', 'rate', 'budget', 'tool', 'plan'];
const events = [{ value: 'decisions', label: 'Any' }, 'refused', 'broken', 'warned', 'degraded', 'stripped', 'trust', { value: 'admin', label: 'changes by people' }];
const requestId = /^req_[0-9a-f]{32}$/;   // as in X-Weir-Request-Id; anything else is a consumer's name
const times = [{ value: '1h', label: 'Last hour' }, { value: '24h', label: 'Last 24 hours' }, { value: '7d', label: 'Last 7 days' }, { value: '30d', label: 'Last 30 days' }];

export default function Refusals({ route }: ScreenProps) {
  const { query } = route;
  const [key, setKey] = useQueryText(query, 'key');
  const asked = query.get('key') ?? '';
  const isRequest = requestId.test(asked);
  const filters = {
    since: query.get('since') ?? '24h', event: query.get('event') ?? 'decisions', layer: query.get('layer') ?? '', limit: query.get('limit') ?? '',
    key: isRequest ? '' : asked, request_id: isRequest ? asked : '', run: query.get('run') ?? '', tool: query.get('tool') ?? '', user: query.get('user') ?? '',
  };
  const changed = JSON.stringify(filters);
  const pages = usePages();
  const [fresh, setFresh] = useState(0);
  useEffect(() => {
    pages.restart();
    setFresh(0);
  }, [changed]);
  const rows = useLoad((signal) => api.audit({ ...filters, page_size: kPage, cursor: pages.cursor }, signal), [changed, pages.cursor]);
  const limits = useLoad((signal) => api.auditSums({ by: 'limit', event: 'decisions', since: filters.since }, signal), [filters.since]);
  useLive('decision', (event) => {
    const fits = (['layer', 'limit', 'key', 'request_id', 'run'] as const).every((name) => !filters[name] || event[name] === filters[name]);
    if (fits && (filters.event === 'decisions' || event.what === filters.event)) setFresh((n) => n + 1);
  });
  const again = (): void => {
    setFresh(0);
    pages.restart();
    rows.reload();
    limits.reload();
  };
  const any = { value: '', label: 'Any' };
  const names = limits.data?.sums.map((sum) => sum.group).filter(Boolean) ?? [];
  if (filters.limit && !names.includes(filters.limit)) names.unshift(filters.limit);
  const narrowed = asked || filters.limit || filters.layer || filters.event !== 'decisions' || filters.run || filters.tool || filters.user;
  const chips = (['run', 'tool', 'user'] as const).filter((name) => filters[name]);
  return (
    <>
      <PageHead title="Refusals" lead="What was refused, broken, warned about or cut down, and why, in a sentence each."
        actions={<Button icon="reload" onClick={again}>{fresh > 0 ? `Show ${count(fresh)} new` : 'Read again'}</Button>} />
      <div class="toolbar">
        <Search label="Consumer" placeholder="Consumer or request id, whole" value={key} onInput={setKey} />
        <Filter label="Time" neutral="24h" value={filters.since} onChange={(since) => setQuery({ since })} options={times} />
        <Filter label="What" neutral="decisions" value={filters.event} onChange={(event) => setQuery({ event })} options={events} />
        <Filter label="Layer" value={filters.layer} onChange={(layer) => setQuery({ layer })} options={[any, ...layers]} />
        <Filter label="Limit" value={filters.limit} onChange={(limit) => setQuery({ limit })} options={[any, ...names]} />
        {chips.map((name) => (
          <span key={name} class="chip"><span>{name} {filters[name]}</span><IconButton icon="close" label={`Not only ${name} ${filters[name]}`} onClick={() => setQuery({ [name]: null })} /></span>
        ))}
      </div>
      <div class="split">
        <Panel flush>
          {rows.error && rows.data && <ErrorBox error={rows.error} retry={rows.reload} />}
          {!rows.data ? <Pending of={rows} lines={8} /> : rows.data.rows.length === 0
            ? <Empty icon="check" title={isRequest ? 'Not found' : 'Nothing was refused'}>{isRequest ? 'No refusal of this time has this id. Those beyond 20 a second are summed under the first one’s.' : narrowed ? 'Nothing matches these filters in this time.' : 'All requests of this time fitted into their limits.'}</Empty>
            : (
              <>
                <ol class={`refusals${rows.loading ? ' table-wrap dim' : ''}`}>{alike(rows.data.rows).map((group) => <Row key={nameOf(group)} of={group} />)}</ol>
                <Pager pages={pages} next={rows.data.next} shown={rows.data.rows.length} size={kPage} />
              </>
            )}
        </Panel>
        <Panel title="By limit" note={times.find((time) => time.value === filters.since)?.label.toLowerCase()} flush>
          {!limits.data ? <Pending of={limits} /> : <Sums sums={limits.data.sums} chosen={filters.limit} />}
        </Panel>
      </div>
    </>
  );
}

function Sums({ sums, chosen }: { sums: { group: string; count: number }[]; chosen: string }) {
  const top = Math.max(1, ...sums.map((sum) => sum.count));
  if (sums.length === 0) return <Empty icon="check" title="None" />;
  return (
    <ul class="sums">
      {sums.slice(0, 12).map((sum) => (
        <li key={sum.group}>
          <button type="button" aria-pressed={sum.group === chosen} onClick={() => setQuery({ limit: sum.group === chosen ? null : sum.group })}>
            <span class="sum-name">{sum.group || 'no limit'}</span><span>{count(sum.count)}</span>
            <span class="sum-track" aria-hidden="true"><span style={{ width: `${((sum.count / top) * 100).toFixed(1)}%` }} /></span>
          </button>
        </li>
      ))}
    </ul>
  );
}

const shown = (value: number | string | null): string => (value === null || value === '' ? '–' : typeof value === 'number' ? count(value) : value);

function Row({ of: group }: { of: Alike }) {
  const [row] = group;
  return (
    <li>
      <div class="refusal-head">
        <When of={group} />
        <Badge tone={toneOfEvent(row.event)}>{row.event}</Badge>
        {row.layer && <span class="muted">{row.layer}</span>}
      </div>
      <p class="refusal-sentence">{row.sentence || row.evidence || `${row.event} by ${row.limit}`}</p>
      <div class="refusal-links">
        {row.key && <a href={link('consumers', row.key)}>{row.key}</a>}
        {row.limit && <a href={link('refusals', { limit: row.limit })}>{row.limit}</a>}
        {row.run && <a href={link('agents', row.run, { key: row.key })}>run {row.run}</a>}
        {row.tool && <span>tool {row.tool}</span>}
        <details>
          <summary>Numbers</summary>
          <Facts of={[
            ['Allowed', shown(row.allowed)], ['Used', shown(row.used)], ['Held', shown(row.reserved)], ['Asked for', shown(row.requested)],
            ['Wait', row.retry_after === null ? (row.event === 'refused' ? 'never fits' : '–') : duration(Math.ceil(row.retry_after))], ['Counted per', Object.entries(row.per ?? {}).map(([name, value]) => `${name} ${value}`).join(', ') || '–'],
            ...(row.evidence ? [['Evidence', row.evidence] as [string, string]] : []),
            ['User', row.user || '–'], ['Agent', row.agent || '–'], ['Request', <span class="mono">{row.request_id || '–'}</span>], ['Policy', <span class="mono">{row.config_version || '–'}</span>],
          ]} />
        </details>
      </div>
      <Each of={group} />
    </li>
  );
}
