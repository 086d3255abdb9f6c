// One run: what it used, what was wrong with it and how one knows, and its calls as a tree.
import { useState } from 'preact/hooks';
import { api } from '../api/calls';
import { useInterval, useLoad } from '../api/hooks';
import { isAdmin } from '../app/me';
import { link } from '../app/router';
import { Button } from '../ui/button';
import { Evidence, Flags, kBreakerWords } from '../ui/evidence';
import { count, duration, short, usd, when } from '../ui/format';
import { Badge, Facts, PageHead, Panel, Stat, Stats } from '../ui/layout';
import { Empty, ErrorBox, Pending } from '../ui/states';
import { RunTree } from './run_tree_view';
import { ThrowSwitch, useSwitches } from './switches';

export function RunScreen({ run: name, consumer }: { run: string; consumer?: string }) {
  const load = useLoad((signal) => api.run(name, consumer, signal), [name, consumer]);
  const switches = useSwitches();
  const [stopping, setStopping] = useState(false);
  const run = load.data;
  useInterval(() => { if (run?.live) load.reload(); }, 5000);
  const back = { href: link('agents'), label: 'Agents' };
  if (!run) {
    if (load.error?.status === 404) {
      return <><PageHead title={name} back={back} /><Panel><Empty icon="search" title="There is no such run">{load.error.message} Records that are purged take their runs with them.</Empty></Panel></>;
    }
    return <><PageHead title={name} back={back} /><Pending of={load} lines={8} /></>;
  }
  const stopped = switches.data?.breakers.find((one) => one.kind === 'run' && one.name === name);
  return (
    <>
      <PageHead back={back} title={<><span class="break">Run {run.run}</span>{run.live ? <Badge tone="ok">live</Badge> : <Badge>over</Badge>}{stopped && <Badge tone="danger" title={stopped.reason}>stopped</Badge>}<Flags of={run.flags} /></>}
        lead={<>By <a href={link('consumers', run.key)}>{run.key}</a>{run.agent && <> as agent {run.agent}</>}, {when(run.first)} to {when(run.last)}.</>}
        actions={isAdmin() && !stopped && <Button kind="danger" icon="stop" onClick={() => setStopping(true)}>Stop this run</Button>} />
      {load.error && <ErrorBox error={load.error} retry={load.reload} />}
      <Stats>
        <Stat label="Cost" value={usd(run.usd_micros)} />
        <Stat label="Tokens" value={short(run.tokens)} title={count(run.tokens)} />
        <Stat label="Model calls" value={count(run.llm_calls)} />
        <Stat label="Tool calls" value={count(run.tool_calls)} />
        <Stat label="Depth" value={count(run.depth)} note={run.depth === 1 ? 'level' : 'levels'} />
        <Stat label="Took" value={duration(Math.max(0, (Date.parse(run.last) - Date.parse(run.first)) / 1000))} />
      </Stats>
      {run.evidence.length > 0
        ? <Panel title="What was wrong" note={[...new Set(run.flags.map((flag) => kBreakerWords[flag]?.words).filter(Boolean))].join(' ')} flush><Evidence rows={run.evidence} linkRun={false} most={5} /></Panel>
        : run.flags.length > 0 && (
          <Panel title="What was wrong">
            <Facts of={run.flags.map((flag) => [kBreakerWords[flag]?.title ?? flag, kBreakerWords[flag]?.words ?? 'Flagged.'])} />
          </Panel>
        )}
      <RunTree calls={run.calls} />
      {stopping && <ThrowSwitch kind="run" name={name} onClose={() => setStopping(false)} onDone={switches.reload} />}
    </>
  );
}
