// Alerts: what fires and why, what is watched for, where it is sent, and whether that works.
import { useState } from 'preact/hooks';
import { api } from '../api/calls';
import { ApiError } from '../api/client';
import { useInterval, useLive, useLoad } from '../api/hooks';
import type { Alert, Alerts, AlertsTest } from '../api/types';
import { isAdmin } from '../app/me';
import { Button } from '../ui/button';
import { ago, count, when } from '../ui/format';
import { Badge, Panel } from '../ui/layout';
import { Empty, ErrorBox, Pending } from '../ui/states';
import { Choice } from '../ui/tabs';

type State = 'firing' | 'resolved' | 'all';
const causes: Record<Alert['cause'], string> = {
  loop: 'a loop', injection: 'an injection pattern', outgrown_tier: 'has outgrown its tier', provider: 'a provider', config: 'the configuration', unknown: 'cause not known',
};
const kShown = 20;

export function AlertsPanel() {
  const [state, setState] = useState<State>('firing');
  const [all, setAll] = useState(false);
  const load = useLoad((signal) => api.alerts(state, signal), [state]);
  useLive('alert', load.reload);
  useInterval(load.reload, 15_000);
  const alerts = load.data?.alerts ?? [];
  return (
    <>
      <Panel title="Alerts" flush actions={<Choice label="State" value={state} onChange={(value) => setState(value as State)}
        options={[{ value: 'firing', label: 'Firing' }, { value: 'resolved', label: 'Over' }, { value: 'all', label: 'All' }]} />}>
        {load.error && load.data && <ErrorBox error={load.error} retry={load.reload} />}
        {!load.data ? <Pending of={load} /> : alerts.length === 0
          ? <Empty icon="bell" title={state === 'firing' ? 'No alert is firing' : 'There are none'}>{load.data.rules.length === 0 && <>No rule watches for anything: see <code>alerts:</code> in the policy file.</>}</Empty>
          : <ul class="problems">{alerts.slice(0, all ? undefined : kShown).map((alert) => <Row key={alert.id} of={alert} />)}</ul>}
        {alerts.length > kShown && !all && <div class="pager"><span>{count(alerts.length - kShown)} more</span><Button small onClick={() => setAll(true)}>Show all</Button></div>}
      </Panel>
      {load.data && (
        <div class="grid-2">
          <Panel title="What is watched for" flush>
            {load.data.rules.length === 0 ? <Empty icon="bell" title="No rules">Rules are in <code>alerts:</code> of the policy file.</Empty> : (
              <ul class="problems">{load.data.rules.map((rule) => <li key={rule.name}><p><b>{rule.name}</b></p><p class="muted">{rule.words || rule.when}</p></li>)}</ul>
            )}
          </Panel>
          <Targets of={load.data.targets} />
        </div>
      )}
    </>
  );
}

function Row({ of: alert }: { of: Alert }) {
  const failed = alert.sent.filter((one) => !one.ok).length;
  return (
    <li>
      <p class="problem-head">
        <Badge tone={alert.state === 'firing' ? 'danger' : 'neutral'}>{alert.state === 'firing' ? 'firing' : 'over'}</Badge>
        <b>{alert.rule}</b>
        <Badge tone="warn" title="The likely cause">{causes[alert.cause] ?? alert.cause}</Badge>
        <span class="muted small" title={alert.since}>{alert.until ? `${when(alert.since)} to ${when(alert.until)}` : `since ${when(alert.since)}`}</span>
      </p>
      <p>{alert.sentence}</p>
      <p class="muted small">
        {alert.subject && <>Of <span class="break">{alert.subject}</span>. </>}
        {alert.sent.length === 0 ? 'Sent to nobody.' : failed > 0
          ? <span class="tone-danger">Did not reach {alert.sent.filter((one) => !one.ok).map((one) => one.target).join(', ')}.</span>
          : <>Sent to {[...new Set(alert.sent.map((one) => one.target))].join(', ')}, {ago(alert.sent[alert.sent.length - 1]!.at)}.</>}
      </p>
    </li>
  );
}

function Targets({ of: targets }: { of: Alerts['targets'] }) {
  const [busy, setBusy] = useState<string>();
  const [results, setResults] = useState<AlertsTest['results']>([]);
  const [error, setError] = useState<ApiError>();
  const test = async (target?: string): Promise<void> => {
    setBusy(target ?? '');
    setError(undefined);
    setResults([]);
    try {
      setResults((await api.testAlerts(target)).results);
    } catch (fault) {
      setError(fault instanceof ApiError ? fault : new ApiError(String(fault), 0));
    } finally {
      setBusy(undefined);
    }
  };
  return (
    <Panel title="Where alerts are sent" flush actions={isAdmin() && targets.length > 1 && <Button small busy={busy === ''} disabled={busy !== undefined} onClick={() => void test()}>Test all</Button>}>
      {targets.length === 0 ? <Empty icon="bell" title="Nowhere">Targets are in <code>alerts:</code> of the policy file.</Empty> : (
        <ul class="switches">
          {targets.map((target) => {
            const result = results.find((one) => one.target === target.name);
            return (
              <li key={target.name}>
                <div class="switch-what">
                  <p><b>{target.name}</b> <Badge>{target.kind}</Badge></p>
                  <p class="muted small">{target.host}, {target.last_sent ? `last sent ${ago(target.last_sent)}` : 'nothing sent yet'}{target.waiting > 0 && `, ${count(target.waiting)} waiting`}</p>
                  {target.last_error && <p class="tone-danger small">{target.last_error}</p>}
                  <div role="status">{result && <p class={`small ${result.ok ? 'tone-ok' : 'tone-danger'}`}>{result.ok ? 'The test arrived' : 'The test did not arrive'}{result.status ? ` (${result.status})` : ''}: {result.detail}</p>}</div>
                </div>
                {isAdmin() && <Button small icon="bell" busy={busy === target.name} disabled={busy !== undefined} onClick={() => void test(target.name)}>Send a test<span class="hidden"> to {target.name}</span></Button>}
              </li>
            );
          })}
        </ul>
      )}
      {error && <ErrorBox error={error} />}
    </Panel>
  );
}
