// What was stopped or warned about in an agent's doing, each with the sentence that explains it and what was seen.
import { useMemo, useState } from 'preact/hooks';
import { link } from '../app/router';
import type { AuditRow } from '../api/types';
import { alike, Each, nameOf, When } from './alike';
import { Button } from './button';
import { count } from './format';
import { Badge, toneOfEvent } from './layout';

// The breakers, as docs/agents.md has them.
export const kBreakerWords: Record<string, { title: string; words: string }> = {
  repeats: { title: 'Loop', words: 'The same call or the same prompt came again and again, or brought nothing new.' },
  tool_errors: { title: 'Failing tools', words: 'Turn after turn, all results of its tools were errors.' },
  failed_prompts: { title: 'Failing runs', words: 'Many runs of one caller failed within a minute.' },
  unlinked: { title: 'Repeats without a run', words: 'The same request came back outside of any run.' },
  runs: { title: 'Bound of the run', words: 'The run has reached one of its bounds: calls, tokens, dollars, depth or time.' },
  profile: { title: 'Unusual tool', words: 'It used a tool with side effects that runs of this task do not use.' },
  destination: { title: 'Unknown destination', words: 'A tool pointed at somewhere that the prompt does not name.' },
  killed: { title: 'Kill switch', words: 'An operator threw a switch.' },
};
export const breakerTitle = (name: string): string => kBreakerWords[name]?.title ?? name;

export function Flags({ of: flags }: { of: string[] }) {
  return <span class="flags">{flags.map((flag) => <Badge key={flag} tone="danger" title={kBreakerWords[flag]?.words ?? flag}>{breakerTitle(flag)}</Badge>)}</span>;
}

export function Evidence({ rows, linkRun = true, most = Infinity }: { rows: AuditRow[]; linkRun?: boolean; most?: number }) {
  const [all, setAll] = useState(false);
  const groups = useMemo(() => alike(rows), [rows]);
  const more = all ? 0 : groups.length - most;
  return (
    <>
    <ol class="evidence">
      {(more > 0 ? groups.slice(0, most) : groups).map((group) => [group, group[0]] as const).map(([group, row]) => (
        <li key={nameOf(group)}>
          <div class="evidence-head">
            <When of={group} />
            <Badge tone={toneOfEvent(row.event)}>{row.event}</Badge>
            <b title={kBreakerWords[row.limit]?.words}>{breakerTitle(row.limit)}</b>
          </div>
          <p>{row.sentence || kBreakerWords[row.limit]?.words || row.event}</p>
          {row.evidence && !row.sentence.includes(row.evidence) && <p class="evidence-seen"><span class="muted">Seen: </span><code>{row.evidence}</code></p>}
          <p class="evidence-links">
            {linkRun && row.run && <a href={link('agents', row.run, { key: row.key })}>run {row.run}</a>}
            {row.key && <a href={link('consumers', row.key)}>{row.key}</a>}
            {row.agent && <span>agent {row.agent}</span>}
            {row.tool && <span>tool {row.tool}</span>}
          </p>
          <Each of={group} />
        </li>
      ))}
    </ol>
    {more > 0 && <div class="pager"><span>{count(more)} more</span><Button small onClick={() => setAll(true)}>Show all {count(groups.length)}</Button></div>}
    </>
  );
}
