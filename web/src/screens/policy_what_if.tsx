// What if: a draft of the policy, checked while one types, replayed over the traffic of the last day, and put in force.
import { useEffect, useRef, useState } from 'preact/hooks';
import { api } from '../api/calls';
import { ApiError, type Tagged } from '../api/client';
import type { Policy, WhatIf } from '../api/types';
import { isAdmin } from '../app/me';
import { createStore, useStore } from '../app/store';
import { Button } from '../ui/button';
import { Confirm } from '../ui/dialog';
import { Filter } from '../ui/field';
import { count, percent } from '../ui/format';
import { Panel } from '../ui/layout';
import { ErrorBox, Notice } from '../ui/states';
import { toast } from '../ui/toast';
import { Diagnostics, YamlEditor, type YamlEditorHandle } from '../ui/yaml_editor';
import { useCheck } from './policy_check';
import { WhatIfTables } from './policy_result';

const kPollMs = 700;
const kMaxMisses = 5; // polls that went wrong in a row
// The draft, its base and what was found out outlive the screen: a look at another page costs nobody an hour's work.
const draft = createStore<{ yaml: string; base: string; etag: string } | null>(null);
const asked = createStore<{ id: string; yaml: string } | null>(null);
const found = createStore<{ yaml: string; answer: WhatIf } | null>(null);

const hours = [{ value: '1', label: 'the last hour' }, { value: '24', label: 'the last day' }, { value: '168', label: 'the last week' }];

// Lines that are not in the other text: enough to say how far a draft has gone.
function changedLines(from: string, to: string): number {
  const left = new Map<string, number>();
  for (const line of from.split('\n')) left.set(line, (left.get(line) ?? 0) + 1);
  let fresh = 0;
  for (const line of to.split('\n')) {
    const many = left.get(line) ?? 0;
    if (many > 0) left.set(line, many - 1);
    else fresh += 1;
  }
  return Math.max(fresh, [...left.values()].reduce((sum, many) => sum + many, 0));
}

export function WhatIfPanel({ policy, onPut }: { policy: Tagged<Policy>; onPut: () => void }) {
  const mine = useStore(draft);
  const yaml = mine?.yaml ?? policy.value.yaml;
  const base = mine ?? { yaml: policy.value.yaml, base: policy.value.yaml, etag: policy.etag };
  const moved = mine !== null && mine.base !== policy.value.yaml;
  const [span, setSpan] = useState('24');
  const [error, setError] = useState<ApiError>();
  const [busy, setBusy] = useState(false);
  const [putting, setPutting] = useState(false);
  const running = useRunning(setError);
  const result = useStore(found);
  const editor = useRef<YamlEditorHandle | null>(null);
  const check = useCheck(yaml);
  const lines = changedLines(base.base, yaml);
  const set = (next: string): void => {
    setError(undefined);
    draft.set(next === policy.value.yaml ? null : { ...base, yaml: next });
  };
  const replay = async (): Promise<void> => {
    setBusy(true);
    setError(undefined);
    try {
      const begun = await api.startWhatIf(yaml, Number(span));
      asked.set({ id: begun.id, yaml });
    } catch (fault) {
      setError(fault instanceof ApiError ? fault : new ApiError(String(fault), 0));
    } finally {
      setBusy(false);
    }
  };
  const put = async (): Promise<void> => {
    const done = await api.putDraft(yaml, base.etag).catch((fault: unknown) => {
      if (fault instanceof ApiError && fault.stale) throw new ApiError('The policy was changed since you began this draft, and nothing of yours was put in force. Begin again from what holds now, or copy your changes over.', 412);
      throw fault;
    });
    toast(done.changed.length > 0 ? `In force: ${done.changed.join(', ')}` : 'Nothing was different: nothing changed');
    draft.set(null);
    found.set(null);
    onPut();
  };
  return (
    <div class="stack">
      {moved && (
        <Notice tone="warn">
          <p>The policy was changed since you began this draft; it is compared with what holds now, and cannot be put in force over it.</p>
          <Button small onClick={() => draft.set(null)}>Begin again from what holds now</Button>
        </Notice>
      )}
      <Panel title="Draft" note={lines === 0 ? 'as in force; edit limits and tiers' : `${count(lines)} ${lines === 1 ? 'line' : 'lines'} changed`} flush
        actions={mine && <Button small kind="quiet" onClick={() => { draft.set(null); setError(undefined); }}>Discard the draft</Button>}>
        <YamlEditor label="Draft of the policy" value={yaml} onInput={set} faults={check.diagnostics} handle={editor} />
        <div class="draft-foot">
          <div class="draft-state" role="status">
            {check.state === 'checking' && <span class="muted">Checking…</span>}
            {check.state === 'valid' && <span class="tone-ok">Valid{check.diagnostics.length > 0 && `, with ${count(check.diagnostics.length)} ${check.diagnostics.length === 1 ? 'warning' : 'warnings'}`}</span>}
            {check.state === 'invalid' && <span class="tone-danger">Not valid: {count(check.diagnostics.length)} {check.diagnostics.length === 1 ? 'fault' : 'faults'}</span>}
            {check.state === 'failed' && <span class="tone-danger">It could not be checked: {check.error?.message}</span>}
          </div>
          <div class="actions">
            <Filter label="Replay" value={span} onChange={setSpan} options={hours} />
            <Button icon="play" kind="primary" busy={busy} disabled={running !== null || check.state === 'invalid'} onClick={() => void replay()}>Replay it</Button>
            {isAdmin() && <Button disabled={lines === 0 || check.state !== 'valid' || moved} onClick={() => setPutting(true)}>Put in force</Button>}
          </div>
        </div>
        {check.diagnostics.length > 0 && <div class="draft-faults"><Diagnostics of={check.diagnostics} goTo={(line, column) => editor.current?.goTo(line, column)} /></div>}
        {check.state === 'valid' && check.words.length > 0 && (
          <details class="draft-words"><summary>The draft in words</summary><ul>{check.words.map((words, i) => <li key={i}>{words}</li>)}</ul></details>
        )}
      </Panel>
      {error && <ErrorBox error={error} />}
      {running && (
        <Panel title="Replaying">
          <div class="progress">
            <div class="bar-track" role="progressbar" aria-label="Replay" aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round(running.progress * 100)}><div class="bar-used" style={{ width: `${(running.progress * 100).toFixed(1)}%` }} /></div>
            <span>{percent(running.progress)}</span>
            <Button small onClick={() => { void api.dropWhatIf(running.id).catch(() => undefined); asked.set(null); }}>Stop</Button>
          </div>
          <p class="muted small">Recorded requests are decided again, in their own time, by what holds now and by the draft. Nothing is sent to anybody.</p>
        </Panel>
      )}
      {result?.answer.result && <WhatIfTables of={result.answer.result} stale={result.yaml !== yaml} />}
      {putting && (
        <Confirm title="Put this draft in force?" action="Put in force" onConfirm={put} onClose={() => setPutting(false)}>
          <p>Its limits and tiers hold within a second, over the file, until somebody changes or takes them away. Counters go on from where they are.</p>
          {result?.yaml === yaml ? null : <Notice tone="warn">This draft was not replayed: what it would refuse is not known.</Notice>}
        </Confirm>
      )}
    </div>
  );
}

// The replay that is on its way, if one is; asks again until it is over.
function useRunning(fail: (error: ApiError | undefined) => void): { id: string; progress: number } | null {
  const now = useStore(asked);
  const [progress, setProgress] = useState(0);
  useEffect(() => {
    if (!now) return;
    setProgress(0);
    let over = false;
    let misses = 0;
    let timer: ReturnType<typeof setTimeout>;
    const look = async (): Promise<void> => {
      try {
        const answer = await api.whatIf(now.id);
        if (over) return;
        misses = 0;
        setProgress(answer.progress);
        if (answer.state === 'running') {
          timer = setTimeout(() => void look(), kPollMs);
          return;
        }
        if (answer.state === 'failed') fail(new ApiError(answer.error ?? 'The replay failed.', 0));
        else found.set({ yaml: now.yaml, answer });
        asked.set(null);
      } catch (fault) {
        if (over) return;
        const known = fault instanceof ApiError ? fault : new ApiError(String(fault), 0);
        if (known.status === 0 && ++misses < kMaxMisses) {
          timer = setTimeout(() => void look(), kPollMs * 2);
          return;
        }
        fail(known);
        asked.set(null);
      }
    };
    void look();
    return () => { over = true; clearTimeout(timer); };
  }, [now]);
  return now && { id: now.id, progress };
}
