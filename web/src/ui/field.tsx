// Form fields: label, control, and what is wrong or helpful below.
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { Icon } from './icons';

interface Common { label: string; hint?: ComponentChildren; error?: string; hideLabel?: boolean }

function Frame({ id, label, hint, error, hideLabel, children }: Common & { id: string; children: ComponentChildren }) {
  return (
    <div class={`field${error ? ' wrong' : ''}`}>
      <label for={id} class={hideLabel ? 'hidden' : undefined}>{label}</label>
      {children}
      {(error || hint) && <p id={`${id}-note`} class="field-note">{error || hint}</p>}
    </div>
  );
}

const noteOf = (id: string, props: Common): string | undefined => (props.error || props.hint ? `${id}-note` : undefined);

export function TextField(props: Common & {
  value: string; onInput: (value: string) => void; type?: 'text' | 'password' | 'number'; placeholder?: string; required?: boolean;
  autofocus?: boolean; list?: string[]; mono?: boolean; maxLength?: number; disabled?: boolean;
}) {
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => { if (props.autofocus) input.current?.focus(); }, []);
  return (
    <Frame id={id} {...props}>
      <input ref={input} id={id} type={props.type ?? 'text'} class={props.mono ? 'mono' : undefined} value={props.value}
        placeholder={props.placeholder} required={props.required} maxLength={props.maxLength} disabled={props.disabled}
        list={props.list ? `${id}-list` : undefined} autocomplete="off" spellcheck={false} aria-invalid={!!props.error}
        aria-describedby={noteOf(id, props)} onInput={(event) => props.onInput(event.currentTarget.value)} />
      {props.list && <datalist id={`${id}-list`}>{props.list.map((value) => <option key={value} value={value} />)}</datalist>}
    </Frame>
  );
}

export function AreaField(props: Common & {
  value: string; onInput: (value: string) => void; rows?: number; placeholder?: string; disabled?: boolean;
}) {
  const id = useId();
  return (
    <Frame id={id} {...props}>
      <textarea id={id} class="mono" rows={props.rows ?? 6} value={props.value} placeholder={props.placeholder} spellcheck={false}
        disabled={props.disabled} aria-invalid={!!props.error} aria-describedby={noteOf(id, props)}
        onInput={(event) => props.onInput(event.currentTarget.value)} />
    </Frame>
  );
}

export interface Option { value: string; label: string }

export function SelectField(props: Common & { value: string; onChange: (value: string) => void; options: (Option | string)[]; disabled?: boolean }) {
  const id = useId();
  return (
    <Frame id={id} {...props}>
      <select id={id} value={props.value} disabled={props.disabled} aria-describedby={noteOf(id, props)}
        onChange={(event) => props.onChange(event.currentTarget.value)}>
        {props.options.map((option) => {
          const { value, label } = typeof option === 'string' ? { value: option, label: option } : option;
          return <option key={value} value={value} selected={value === props.value}>{label}</option>;
        })}
      </select>
    </Frame>
  );
}

// The page's search box; `/` puts the cursor into the first one.
export function Search({ label, value, onInput, placeholder }: {
  label: string; value: string; onInput: (value: string) => void; placeholder?: string;
}) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      const target = event.target as HTMLElement;
      if (event.key !== '/' || event.ctrlKey || event.metaKey || /^(input|textarea|select)$/i.test(target.tagName)) return;
      event.preventDefault();
      input.current?.focus();
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, []);
  return (
    <div class="search">
      <Icon name="search" />
      <input ref={input} type="search" aria-label={label} placeholder={placeholder ?? label} value={value} autocomplete="off"
        spellcheck={false} onInput={(event) => onInput(event.currentTarget.value)}
        onKeyDown={(event) => { if (event.key === 'Escape' && value) { event.preventDefault(); onInput(''); } }} />
      <kbd aria-hidden="true">/</kbd>
    </div>
  );
}

// A filter of a toolbar: small select with its label inside.
// `neutral`: the value that filters nothing.
export function Filter({ label, value, onChange, options, neutral = '' }: {
  label: string; value: string; onChange: (value: string) => void; options: (Option | string)[]; neutral?: string;
}) {
  const id = useId();
  return (
    <div class={`filter${value !== neutral ? ' set' : ''}`}>
      <label for={id}>{label}</label>
      <select id={id} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {options.map((option) => {
          const { value: its, label: text } = typeof option === 'string' ? { value: option, label: option } : option;
          return <option key={its} value={its} selected={its === value}>{text}</option>;
        })}
      </select>
    </div>
  );
}
