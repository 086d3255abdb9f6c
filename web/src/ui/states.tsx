// What stands where data is missing: on its way, none, or an error in words.
import type { ComponentChildren } from 'preact';
import type { ApiError } from '../api/client';
import type { Load } from '../api/hooks';
import { Button } from './button';
import { Icon, type IconName } from './icons';

export function Empty({ icon = 'info', title, children }: { icon?: IconName; title: string; children?: ComponentChildren }) {
  return (
    <div class="state">
      <Icon name={icon} size={22} />
      <p class="state-title">{title}</p>
      {children && <div class="state-text">{children}</div>}
    </div>
  );
}

export function Loading({ lines = 4 }: { lines?: number }) {
  return (
    <div class="loading" role="status">
      <span class="hidden">Loading</span>
      {Array.from({ length: lines }, (_, i) => <div key={i} class={`skeleton s${i % 4}`} />)}
    </div>
  );
}

export function ErrorBox({ error, retry }: { error: ApiError; retry?: () => void }) {
  return (
    <div class="notice danger" role="alert">
      <Icon name="warning" />
      <div>
        <p>{error.message}</p>
        {error.diagnostics.length > 0 && (
          <ul class="diagnostics">
            {error.diagnostics.map((d, i) => <li key={i}><span class="mono">{d.line}:{d.column}</span> {d.message}</li>)}
          </ul>
        )}
      </div>
      {retry && <Button small onClick={retry}>Try again</Button>}
    </div>
  );
}

export function Notice({ tone = 'info', children }: { tone?: 'info' | 'warn' | 'danger' | 'ok'; children: ComponentChildren }) {
  const icon: IconName = tone === 'ok' ? 'check' : tone === 'info' ? 'info' : 'warning';
  return <div class={`notice ${tone}`} role={tone === 'danger' ? 'alert' : undefined}><Icon name={icon} /><div>{children}</div></div>;
}

// Stands in for a screen or panel until there is data: <Pending of={load} />
export function Pending({ of, lines }: { of: Load<unknown>; lines?: number }) {
  return of.error ? <ErrorBox error={of.error} retry={of.reload} /> : <Loading lines={lines} />;
}
