// Buttons. <Button kind="primary" icon="plus" busy={saving} onClick={…}>New key</Button>
import type { ComponentChildren, JSX } from 'preact';
import { useState } from 'preact/hooks';
import { Icon, type IconName } from './icons';
import { toast } from './toast';

interface ButtonProps {
  kind?: 'primary' | 'plain' | 'danger' | 'quiet';
  small?: boolean;
  icon?: IconName;
  busy?: boolean;
  disabled?: boolean;
  type?: 'button' | 'submit';
  title?: string;
  pressed?: boolean;
  onClick?: (event: JSX.TargetedMouseEvent<HTMLButtonElement>) => void;
  children?: ComponentChildren;
}

export function Button({ kind = 'plain', small, icon, busy, disabled, type = 'button', title, pressed, onClick, children }: ButtonProps) {
  return (
    <button type={type} class={`button ${kind}${small ? ' small' : ''}`} disabled={disabled || busy} title={title}
      aria-busy={busy} aria-pressed={pressed} onClick={onClick}>
      {busy ? <span class="spinner" aria-hidden="true" /> : icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

// A button of an icon only; `label` is what screen readers and the title say.
export function IconButton({ icon, label, pressed, onClick }: {
  icon: IconName; label: string; pressed?: boolean; onClick: () => void;
}) {
  return (
    <button type="button" class="button icon-only quiet" aria-label={label} title={label} aria-pressed={pressed} onClick={onClick}>
      <Icon name={icon} size={18} />
    </button>
  );
}

async function copy(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Pages that were not loaded over TLS or from localhost have no clipboard of their own.
  const area = document.createElement('textarea');
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  if (!done) throw new Error('copying was refused');
}

export function CopyButton({ text, label = 'Copy', what = 'Copied' }: { text: string; label?: string; what?: string }) {
  const [done, setDone] = useState(false);
  const press = (): void => {
    copy(text).then(
      () => {
        setDone(true);
        toast(what);
        setTimeout(() => setDone(false), 1500);
      },
      () => toast('The browser refused to copy. Select the text and copy it by hand.', 'danger'),
    );
  };
  return <Button small icon={done ? 'check' : 'copy'} onClick={press}>{done ? 'Copied' : label}</Button>;
}
