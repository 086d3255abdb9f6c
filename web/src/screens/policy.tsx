// Policy: what holds in words, what changed, what shadow limits would have done, and what a draft would do.
import { useState } from 'preact/hooks';
import { api } from '../api/calls';
import { ApiError } from '../api/client';
import { useInterval, useLoad, useReloadOn } from '../api/hooks';
import type { Policy } from '../api/types';
import { setQuery } from '../app/router';
import type { ScreenProps } from '../app/screens';
import { Button, CopyButton } from '../ui/button';
import { when } from '../ui/format';
import { PageHead, Panel } from '../ui/layout';
import { ErrorBox, Notice, Pending } from '../ui/states';
import { Tabs } from '../ui/tabs';
import { toast } from '../ui/toast';
import { Changes, ShadowLimits } from './policy_history';
import { Limits, Tiers, type Loads } from './policy_limits';
import { WhatIfPanel } from './policy_what_if';
import '../styles/policy.css';
import '../styles/lists.css';

const tabs = [
  { value: 'limits', label: 'Limits' }, { value: 'tiers', label: 'Tiers' }, { value: 'changes', label: 'Changes' }, { value: 'shadow', label: 'Shadow' },
  { value: 'what-if', label: 'What if' }, { value: 'file', label: 'As YAML' },
];

export default function PolicyScreen({ route }: ScreenProps) {
  const asked = route.query.get('tab') ?? '';
  const tab = tabs.some((one) => one.value === asked) ? asked : 'limits';
  const policy = useLoad((signal) => api.policy(signal), []);
  const limits = useLoad((signal) => api.limits(signal), []);
  const tiers = useLoad((signal) => api.tiers(signal), []);
  const reload = (): void => {
    policy.reload();
    limits.reload();
    tiers.reload();
  };
  useReloadOn(['policy'], reload);
  useInterval(() => { if (tab === 'limits' && !document.querySelector('dialog')) limits.reload(); }, 5000);
  const loads: Loads = { policy, limits, tiers, reload };
  const facts = policy.data?.value;
  return (
    <>
      <PageHead title="Policy" lead={facts
        ? <>Version <code>{facts.version}</code>, from <code class="break">{facts.source || 'the built-in policy'}</code>, in force since {when(facts.loaded_at)}.</>
        : 'What holds, in words.'} actions={facts && <Exports />} />
      {policy.error && <ErrorBox error={policy.error} retry={policy.reload} />}
      {facts && facts.skipped.length > 0 && <Skipped of={facts.skipped} />}
      <Tabs label="Show" tabs={tabs} value={tab} onChange={(value) => setQuery({ tab: value === 'limits' ? null : value })}>
        {tab === 'limits' ? <Limits loads={loads} />
          : tab === 'tiers' ? <Tiers loads={loads} />
            : tab === 'changes' ? <Changes />
              : tab === 'shadow' ? <ShadowLimits />
                : !policy.data ? <Panel><Pending of={policy} lines={8} /></Panel>
                  : tab === 'what-if' ? <WhatIfPanel policy={policy.data} onPut={reload} />
                    : <AsYaml of={policy.data.value} />}
      </Tabs>
    </>
  );
}

function Skipped({ of: skipped }: { of: Policy['skipped'] }) {
  return (
    <Notice tone="warn">
      <p>{skipped.length === 1 ? 'A change made here does' : `${skipped.length} changes made here do`} not fit the file any more and {skipped.length === 1 ? 'is' : 'are'} left out:</p>
      <ul>{skipped.map((one) => <li key={`${one.kind} ${one.name}`}>{one.kind} <b>{one.name}</b>: {one.why}</li>)}</ul>
    </Notice>
  );
}

function Exports() {
  const [busy, setBusy] = useState('');
  const save = async (what: 'effective' | 'overrides'): Promise<void> => {
    setBusy(what);
    try {
      const text = await api.exportPolicy(what);
      const url = URL.createObjectURL(new Blob([text], { type: 'application/yaml' }));
      const anchor = document.createElement('a');
      anchor.href = url;
      anchor.download = what === 'effective' ? 'weir.yaml' : 'weir-changes.yaml';
      anchor.click();
      setTimeout(() => URL.revokeObjectURL(url), 10_000);
    } catch (fault) {
      toast(fault instanceof ApiError ? fault.message : String(fault), 'danger');
    } finally {
      setBusy('');
    }
  };
  return (
    <>
      <Button small busy={busy === 'effective'} onClick={() => void save('effective')}>Export all as YAML</Button>
      <Button small busy={busy === 'overrides'} onClick={() => void save('overrides')}>Export changes only</Button>
    </>
  );
}

function AsYaml({ of: policy }: { of: Policy }) {
  return (
    <div class="stack">
      <Panel title="In words"><ul class="policy-words">{policy.words.map((words, i) => <li key={i}>{words}</li>)}</ul></Panel>
      <Panel title="In force" note="file and changes together; secrets are ***" flush actions={<CopyButton text={policy.yaml} />}>
        <pre class="yaml mono" tabIndex={0} aria-label="Policy in force, as YAML">{policy.yaml}</pre>
      </Panel>
    </div>
  );
}
