// A run's calls as a tree in a table: who called whom, and what each branch used.
import { useMemo, useState } from 'preact/hooks';
import type { RunCall } from '../api/types';
import { Button } from '../ui/button';
import { clock, count, percent, short, usd } from '../ui/format';
import { Icon } from '../ui/icons';
import { Badge, Panel } from '../ui/layout';
import { Empty } from '../ui/states';
import { buildTree, flatten, toolCount, type Branch, type TreeRow } from './run_tree';

const kOpenAtFirst = 60; // branches that begin open
const kRowsAtOnce = 300;
const kMaxIndent = 8;

function branchesOf(roots: Branch[]): string[] {
  const ids: string[] = [];
  const queue = [...roots];
  for (let i = 0; i < queue.length; ++i) {
    const branch = queue[i]!;
    if (branch.children.length > 0 || branch.calls.length > 1) ids.push(branch.id);
    queue.push(...branch.children);
  }
  return ids;
}

export function RunTree({ calls }: { calls: RunCall[] }) {
  const roots = useMemo(() => buildTree(calls), [calls]);
  const all = useMemo(() => branchesOf(roots), [roots]);
  const [changed, setChanged] = useState<Record<string, boolean>>({});
  const [room, setRoom] = useState(kRowsAtOnce);
  const first = useMemo(() => new Set(all.slice(0, kOpenAtFirst)), [all]);
  const isOpen = (id: string): boolean => changed[id] ?? first.has(id);
  const rows = flatten(roots, isOpen);
  const total = roots.reduce((sum, root) => sum + root.whole.usd_micros, 0);
  const every = (open: boolean): void => setChanged(Object.fromEntries(all.map((id) => [id, open])));
  if (calls.length === 0) return <Panel title="Calls"><Empty icon="tree" title="No calls are recorded">They appear once their answers are settled.</Empty></Panel>;
  return (
    <Panel title="Calls" note={`${count(calls.length)} by ${count(all.length > 0 ? new Set(calls.map((call) => call.agent)).size : 1)} ${new Set(calls.map((call) => call.agent)).size === 1 ? 'agent' : 'agents'}; numbers include what is below`} flush
      actions={all.length > 0 && <><Button small onClick={() => every(true)}>Open all</Button><Button small onClick={() => every(false)}>Close all</Button></>}>
      <div class="table-wrap" tabIndex={0} role="region" aria-label="Calls as a tree">
        <table class="table tree">
          <thead>
            <tr>
              <th scope="col">Agent</th><th scope="col" class="wide-only">Model</th><th scope="col" class="wide-only">Tools</th>
              <th scope="col" class="number wide-only">Calls</th><th scope="col" class="number">Tokens</th><th scope="col" class="number">Cost</th><th scope="col" class="number wide-only">Share</th>
            </tr>
          </thead>
          <tbody>{rows.slice(0, room).map((row) => <Line key={row.id} row={row} total={total} open={isOpen(row.id)} toggle={() => setChanged({ ...changed, [row.id]: !isOpen(row.id) })} />)}</tbody>
        </table>
      </div>
      {rows.length > room && <div class="pager"><span>{count(rows.length - room)} more rows</span><Button small onClick={() => setRoom(room + kRowsAtOnce)}>Show more</Button></div>}
    </Panel>
  );
}

function Line({ row, total, open, toggle }: { row: TreeRow; total: number; open: boolean; toggle: () => void }) {
  const { branch, level } = row;
  const call = row.call ?? (branch.calls.length === 1 ? branch.calls[0] : undefined);
  const sums = row.kind === 'call' ? { calls: 1, tools: toolCount(call!.tools), tokens: call!.tokens, usd_micros: call!.usd_micros, failed: call!.status >= 400 ? 1 : 0 } : branch.whole;
  const models = [...new Set(branch.calls.map((one) => one.model))];
  const name = row.kind === 'call' ? clock(call!.time) : branch.agent || 'no name';
  const share = total > 0 ? sums.usd_micros / total : 0;
  const own = row.kind === 'branch' && branch.children.length > 0;
  return (
    <tr class={row.kind === 'call' ? 'tree-call' : undefined}>
      <td>
        <span class={`tree-cell level-${Math.min(level, kMaxIndent)}`}>
          {row.more
            ? <button type="button" class="tree-toggle" aria-expanded={open} aria-label={`What is below ${name}`} onClick={toggle}><Icon name={open ? 'down' : 'right'} size={14} /></button>
            : <span class="tree-dot" aria-hidden="true" />}
          <span class="tree-name">
            <span class={row.kind === 'call' ? 'muted' : 'strong'}><span class="hidden">Level {level}: </span>{name}</span>
            {row.kind === 'branch' && <span class="muted small">{clock(branch.calls[0]!.time)}</span>}
            {call && call.status >= 400 && <Badge tone="danger">{call.status}</Badge>}
            {!call && branch.own.failed > 0 && <Badge tone="danger">{count(branch.own.failed)} failed</Badge>}
            {call?.degraded && <Badge tone="warn" title={call.degraded}>degraded</Badge>}
          </span>
        </span>
      </td>
      <td class="wide-only"><span class="clip" title={models.join(', ')}>{call ? call.model : models.length <= 2 ? models.join(', ') : `${count(models.length)} models`}</span></td>
      <td class="wide-only">{call ? <Tools of={call.tools} /> : sums.tools > 0 ? <span class="muted">{count(sums.tools)} calls</span> : ''}</td>
      <td class="number wide-only">{count(sums.calls)}</td>
      <td class="number" title={own ? `${count(branch.own.tokens)} by itself` : undefined}>{short(sums.tokens)}</td>
      <td class="number" title={own ? `${usd(branch.own.usd_micros)} by itself` : undefined}>{usd(sums.usd_micros)}</td>
      <td class="number wide-only"><span class="share"><span class="share-track" aria-hidden="true"><span style={{ width: `${(share * 100).toFixed(1)}%` }} /></span><span class="share-text">{percent(share)}</span></span></td>
    </tr>
  );
}

function Tools({ of: tools }: { of: string }) {
  return <span class="tools">{tools.split(',').filter(Boolean).slice(0, 8).map((tool) => <code key={tool}>{tool.replace(/\*(\d+)$/, ' ×$1')}</code>)}</span>;
}
