// The parts of a screen: head, panels, tiles of numbers, facts, badges.
import type { ComponentChildren } from 'preact';
import { Icon } from './icons';
import { useId } from 'preact/hooks';

export function PageHead({ title, lead, back, actions, children }: {
  title: ComponentChildren; lead?: ComponentChildren; back?: { href: string; label: string }; actions?: ComponentChildren; children?: ComponentChildren;
}) {
  return (
    <header class="page-head">
      {back && <a class="back" href={back.href}><Icon name="left" size={14} />{back.label}</a>}
      <div class="page-title">
        <h1 tabIndex={-1}>{title}</h1>
        {actions && <div class="actions">{actions}</div>}
      </div>
      {lead && <p class="lead">{lead}</p>}
      {children}
    </header>
  );
}

export function Panel({ title, note, actions, flush, children }: {
  title?: string; note?: ComponentChildren; actions?: ComponentChildren; flush?: boolean; children: ComponentChildren;
}) {
  const id = useId();
  return (
    <section class={`panel${flush ? ' flush' : ''}`} aria-labelledby={title ? id : undefined}>
      {title && (
        <header class="panel-head">
          <h2 id={id}>{title}</h2>
          {note && <span class="panel-note">{note}</span>}
          {actions && <div class="actions">{actions}</div>}
        </header>
      )}
      <div class="panel-body">{children}</div>
    </section>
  );
}

export function Stats({ children }: { children: ComponentChildren }) {
  return <dl class="stats">{children}</dl>;
}

export function Stat({ label, value, unit, note, tone, title }: {
  label: string; value: ComponentChildren; unit?: string; note?: ComponentChildren; tone?: 'danger' | 'warn' | 'ok'; title?: string;
}) {
  return (
    <div class={`stat${tone ? ` ${tone}` : ''}`} title={title}>
      <dt>{label}</dt>
      <dd><span class="stat-value">{value}</span>{unit && <span class="stat-unit">{unit}</span>}{note && <span class="stat-note">{note}</span>}</dd>
    </div>
  );
}

// Names and values: <Facts of={[['Tenant', key.tenant], …]} />
export function Facts({ of }: { of: [string, ComponentChildren][] }) {
  return <dl class="facts">{of.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}</dl>;
}

export type Tone = 'neutral' | 'accent' | 'danger' | 'warn' | 'ok';

export function Badge({ tone = 'neutral', children, title }: { tone?: Tone; children: ComponentChildren; title?: string }) {
  return <span class={`badge ${tone}`} title={title}>{children}</span>;
}

// The colour of what happened to a request.
export function toneOfEvent(event: string): Tone {
  if (event === 'refused' || event === 'broken') return 'danger';
  if (event === 'warned' || event === 'stripped' || event === 'degraded' || event === 'trust') return 'warn';
  return event === 'admin' ? 'accent' : 'neutral';
}
