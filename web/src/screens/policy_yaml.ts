// Changes members of a limit within the YAML that GET /policy shows, so that a change can be tried by /policy/check before it
// is saved. It knows the form that the server writes (limits as a list, a member a line or a block); of anything else it
// keeps its hands off and returns null: then the server's answer to the change itself has to do.
//
//   withLimit(yaml, 'tokens', { allow: { pro: ['200k/1m'] } })
//
// Pure.
const kMaxDepth = 16;

// A value in flow style, on one line.
export function flow(value: unknown, depth = 0): string {
  if (depth > kMaxDepth) return 'null';
  if (Array.isArray(value)) return `[${value.map((one) => flow(one, depth + 1)).join(', ')}]`;
  if (value !== null && typeof value === 'object') {
    return `{ ${Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}: ${flow(one, depth + 1)}`).join(', ')} }`;
  }
  return JSON.stringify(value ?? null);
}

const indentOf = (line: string): number => line.length - line.trimStart().length;
const blank = (line: string): boolean => /^\s*(#.*)?$/.test(line);
const unquoted = (text: string): string => text.replace(/\s+#.*$/, '').trim().replace(/^(["'])(.*)\1$/, '$2');

// Where the items of the list `limits` begin, and where it ends.
function itemsOf(lines: string[]): { starts: number[]; end: number; indent: number } | null {
  const head = lines.findIndex((line) => /^limits:\s*(#.*)?$/.test(line));
  if (head < 0) return null;
  const starts: number[] = [];
  let indent = -1;
  let end = head + 1;
  for (let i = head + 1; i < lines.length; ++i) {
    const line = lines[i]!;
    if (blank(line)) continue;
    const here = indentOf(line);
    const item = line.trimStart().startsWith('- ');
    if (here === 0 && !item) break;
    if (indent < 0) indent = here;
    if (here < indent) break;
    if (here === indent) {
      if (!item) break;
      starts.push(i);
    }
    end = i + 1;
  }
  return starts.length > 0 ? { starts, end, indent } : null;
}

export function withLimit(yaml: string, name: string, members: Record<string, unknown>): string | null {
  const lines = yaml.split('\n');
  const list = itemsOf(lines);
  if (!list) return null;
  const deep = list.indent + 2;
  for (const [i, start] of list.starts.entries()) {
    const end = list.starts[i + 1] ?? list.end;
    const block = [' '.repeat(deep) + lines[start]!.slice(deep), ...lines.slice(start + 1, end)];
    const own = block.find((line) => indentOf(line) === deep && /^name:/.test(line.trimStart()));
    if (!own || unquoted(own.slice(own.indexOf(':') + 1)) !== name) continue;
    let rest = block;
    for (const member of Object.keys(members)) rest = without(rest, member, deep);
    const added = Object.entries(members).filter(([, value]) => value !== undefined && value !== null).map(([member, value]) => `${' '.repeat(deep)}${member}: ${flow(value)}`);
    const all = [...rest.filter((line) => !blank(line)), ...added];
    all[0] = `${' '.repeat(list.indent)}- ${all[0]!.trimStart()}`;
    return [...lines.slice(0, start), ...all, ...lines.slice(end)].join('\n');
  }
  return null;
}

function without(block: string[], member: string, deep: number): string[] {
  const at = block.findIndex((line) => indentOf(line) === deep && line.trimStart().startsWith(`${member}:`));
  if (at < 0) return block;
  let end = at + 1;
  while (end < block.length && (blank(block[end]!) || indentOf(block[end]!) > deep || (indentOf(block[end]!) === deep && block[end]!.trimStart().startsWith('- ')))) ++end;
  return [...block.slice(0, at), ...block.slice(end)];
}
