// A table with sorting and paging by the server.
//
//   <Table label="Keys" rows={keys} rowKey={(k) => k.name} columns={[{ head: 'Key', cell: (k) => k.name }, …]} />
//   <Pager pages={pages} next={data.next} shown={data.keys.length} total={data.total} />
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { Button } from './button';
import { Icon } from './icons';
import { count } from './format';

export interface Column<Row> {
  head: string;
  cell: (row: Row) => ComponentChildren;
  number?: boolean; // right-aligned, tabular figures
  narrow?: boolean | 'below'; // also on narrow screens (default true); below: as a line below the first cell, unless null
  sort?: string; // name of the sort, if the server knows it
  grow?: boolean; // takes the room that is left
  hideHead?: boolean;
}

export function Table<Row>({ label, rows, columns, rowKey, href, sort, onSort, dim, foot }: {
  label: string; rows: Row[]; columns: Column<Row>[]; rowKey: (row: Row) => string; href?: (row: Row) => string;
  sort?: string; onSort?: (sort: string) => void; dim?: boolean; foot?: ComponentChildren;
}) {
  const of = (column: Column<Row>): string =>
    [column.number && 'number', (column.narrow ?? true) !== true && 'wide-only', column.grow && 'grow'].filter(Boolean).join(' ');
  const below = columns.filter((column) => column.narrow === 'below');
  return (
    <div class={`table-wrap${dim ? ' dim' : ''}`} tabIndex={0} role="region" aria-label={label}>
      <table class="table">
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.head} scope="col" class={of(column)}
                aria-sort={column.sort && sort === column.sort ? (column.sort === 'name' ? 'ascending' : 'descending') : undefined}>
                {column.sort && onSort
                  ? <button type="button" class="sort" onClick={() => onSort(column.sort!)}>{column.head}
                    {sort === column.sort && <Icon name={column.sort === 'name' ? 'up' : 'down'} size={12} />}</button>
                  : <span class={column.hideHead ? 'hidden' : undefined}>{column.head}</span>}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={rowKey(row)} class={href ? 'link-row' : undefined}
              onClick={href ? (event) => {
                const target = event.target as HTMLElement;
                if (!target.closest('a,button,input') && !getSelection()?.toString()) location.hash = href(row);
              } : undefined}>
              {columns.map((column, i) => (
                <td key={column.head} class={of(column)}>
                  {href && i === 0 ? <a href={href(row)}>{column.cell(row)}</a> : column.cell(row)}
                  {i === 0 && below.length > 0 && <div class="below">{below.map((other) => [other, other.cell(row)] as const).map(([other, cell]) => cell !== null && <span key={other.head}><span class="muted">{other.head}</span> {cell}</span>)}</div>}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
        {foot && <tfoot>{foot}</tfoot>}
      </table>
    </div>
  );
}

// Pages by cursor: where one is, and the cursors of the pages before.
export interface Pages { cursor: string; number: number; forward: (next: string) => void; back: () => void; restart: () => void }

export function usePages(): Pages {
  const [stack, setStack] = useState<string[]>(['']);
  return {
    cursor: stack[stack.length - 1] ?? '',
    number: stack.length,
    forward: (next) => setStack((all) => [...all, next]),
    back: () => setStack((all) => (all.length > 1 ? all.slice(0, -1) : all)),
    restart: () => setStack((all) => (all.length > 1 ? [''] : all)),
  };
}

export function Pager({ pages, next, shown, total, size, what = 'rows' }: {
  pages: Pages; next: string | null; shown: number; total?: number; size: number; what?: string;
}) {
  const first = (pages.number - 1) * size + 1;
  if (pages.number === 1 && next === null && total === undefined) return null;
  return (
    <nav class="pager" aria-label="Pages">
      <span>{shown === 0 ? `No ${what}` : `${count(first)}–${count(first + shown - 1)}`}{total !== undefined && shown > 0 && ` of ${count(total)}`}</span>
      <span class="pager-buttons">
        <Button small icon="left" disabled={pages.number === 1} onClick={pages.back}>Previous</Button>
        <Button small disabled={next === null} onClick={() => next !== null && pages.forward(next)}>Next<Icon name="right" /></Button>
      </span>
    </nav>
  );
}
