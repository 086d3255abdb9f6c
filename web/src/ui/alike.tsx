// Rows of the audit that say the same, as one: ×N, from–to, and each of them on demand.
//
//   alike(rows).map((group) => <li><When of={group} /> {group[0].sentence} <Each of={group} /></li>)
import type { AuditRow } from '../api/types';
import { count, when } from './format';
import { Badge } from './layout';

export type Alike = [AuditRow, ...AuditRow[]]; // newest first

const kApart = 60_000; // ms between two of one group, if another stands between them

// What has to be the same. Numbers are those of the moment; which run a breaker stopped is not.
function signature(row: AuditRow): string {
  const words = (row.sentence || row.evidence).replace(/\d+([.,]\d+)*/g, '#');
  return JSON.stringify([row.event, row.layer, row.limit, row.key, row.tool, row.layer === 'breaker' ? row.run : '', words]);
}

export function alike(rows: AuditRow[]): Alike[] {
  const groups: Alike[] = [];
  const open = new Map<string, Alike>();
  for (const row of rows) {
    const name = signature(row);
    const group = open.get(name);
    const apart = group ? Date.parse(group[group.length - 1]!.time) - Date.parse(row.time) : 0;
    if (group && (group === groups[groups.length - 1] || apart <= kApart)) {
      group.push(row);
      continue;
    }
    const made: Alike = [row];
    open.set(name, made);
    groups.push(made);
  }
  return groups;
}

// A name that stays while newer ones join.
export const nameOf = (group: Alike): string => `${group[group.length - 1]!.request_id}${group[group.length - 1]!.time}`;

export function When({ of: group }: { of: Alike }) {
  const [newest] = group;
  const oldest = group[group.length - 1]!;
  const times = group.reduce((sum, row) => sum + Math.max(1, row.count), 0);
  return (
    <>
      <time dateTime={newest.time} title={newest.time}>{group.length > 1 ? `${when(oldest.time)}–${when(newest.time)}` : when(newest.time)}</time>
      {times > 1 && <Badge title={group.length > 1 ? 'The same again and again, of one consumer and limit' : 'Rows of one second are summed beyond twenty'}>×{count(times)}</Badge>}
    </>
  );
}

export function Each({ of: group }: { of: Alike }) {
  if (group.length < 2) return null;
  return (
    <details class="each">
      <summary>Each of them</summary>
      <ol>{group.map((row, i) => <li key={i}><time dateTime={row.time} title={row.time}>{when(row.time)}</time> {row.sentence}{row.count > 1 && ` (×${count(row.count)})`}</li>)}</ol>
    </details>
  );
}
