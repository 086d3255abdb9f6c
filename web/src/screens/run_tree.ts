// The calls of a run as a tree of the agents that made them.
//
//   const roots = buildTree(run.calls);      flatten(roots, open) -> rows, each with its level
//
// Calls of one node are one branch; a node whose parent is not among the calls is a root. Pure.
import type { RunCall } from '../api/types';

export interface Sums { calls: number; tools: number; tokens: number; usd_micros: number; failed: number }
export interface Branch { id: string; agent: string; calls: RunCall[]; children: Branch[]; own: Sums; whole: Sums }
export interface TreeRow { kind: 'branch' | 'call'; id: string; level: number; branch: Branch; call?: RunCall; more: boolean }

const none = (): Sums => ({ calls: 0, tools: 0, tokens: 0, usd_micros: 0, failed: 0 });

// "search*2,send_email" is three calls of two tools.
export function toolCount(tools: string): number {
  return tools.split(',').filter(Boolean).reduce((sum, one) => sum + (Number(/\*(\d+)$/.exec(one)?.[1]) || 1), 0);
}

function add(to: Sums, from: Sums): void {
  for (const name of Object.keys(to) as (keyof Sums)[]) to[name] += from[name];
}

export function buildTree(calls: RunCall[]): Branch[] {
  const branches = new Map<string, Branch>();
  const parents = new Map<string, string>();
  for (const call of [...calls].sort((a, b) => (a.time < b.time ? -1 : 1))) {
    const id = call.node || `${call.depth} ${call.agent}`;
    let branch = branches.get(id);
    if (!branch) {
      branch = { id, agent: call.agent, calls: [], children: [], own: none(), whole: none() };
      branches.set(id, branch);
      if (call.parent && call.parent !== id) parents.set(id, call.parent);
    }
    branch.calls.push(call);
    add(branch.own, { calls: 1, tools: toolCount(call.tools), tokens: call.tokens, usd_micros: call.usd_micros, failed: call.status >= 400 ? 1 : 0 });
  }
  const roots: Branch[] = [];
  for (const [id, branch] of branches) {
    // What calls itself its own ancestor would never be reached: it becomes a root.
    const seen = new Set([id]);
    let at = parents.get(id);
    while (at !== undefined && branches.has(at) && !seen.has(at)) {
      seen.add(at);
      at = parents.get(at);
    }
    const parent = at !== undefined && seen.has(at) ? undefined : branches.get(parents.get(id) ?? '');
    if (parent) parent.children.push(branch);
    else roots.push(branch);
  }
  // Children first, without recursion: runs may be deep.
  const order: Branch[] = [];
  const stack = [...roots];
  for (let branch = stack.pop(); branch; branch = stack.pop()) {
    order.push(branch);
    stack.push(...branch.children);
  }
  for (const branch of order.reverse()) {
    add(branch.whole, branch.own);
    for (const child of branch.children) add(branch.whole, child.whole);
  }
  return roots;
}

export function flatten(roots: Branch[], open: (id: string) => boolean): TreeRow[] {
  const rows: TreeRow[] = [];
  const stack = [...roots].reverse().map((branch) => ({ branch, level: 1 }));
  for (let next = stack.pop(); next; next = stack.pop()) {
    const { branch, level } = next;
    const more = branch.children.length > 0 || branch.calls.length > 1;
    rows.push({ kind: 'branch', id: branch.id, level, branch, more });
    if (!more || !open(branch.id)) continue;
    if (branch.calls.length > 1) {
      for (const call of branch.calls) rows.push({ kind: 'call', id: `${branch.id} ${call.request_id}`, level: level + 1, branch, call, more: false });
    }
    for (const child of [...branch.children].reverse()) stack.push({ branch: child, level: level + 1 });
  }
  return rows;
}
