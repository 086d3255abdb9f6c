// A modal dialog: the browser's own <dialog>, which keeps the focus inside, closes with Escape and gives the focus back.
//
//   {open && <Dialog title="Revoke alice?" onClose={() => setOpen(false)} actions={<Button …/>}>…</Dialog>}
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { ApiError } from '../api/client';
import { Button, IconButton } from './button';
import { ErrorBox } from './states';

export function Dialog({ title, onClose, actions, wide, side, children }: {
  title: string; onClose: () => void; actions?: ComponentChildren; wide?: boolean; side?: boolean; children: ComponentChildren;
}) {
  const element = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = element.current!;
    const before = document.activeElement as HTMLElement | null;
    dialog.showModal();
    const keep = (event: KeyboardEvent): void => {
      if (event.key !== 'Tab') return;
      const all = [...dialog.querySelectorAll<HTMLElement>('a[href],button:not(:disabled),input:not(:disabled),select:not(:disabled),textarea:not(:disabled),[tabindex="0"]')];
      const first = all[0];
      const last = all[all.length - 1];
      const from = event.shiftKey ? first : last;
      if (document.activeElement === from || !dialog.contains(document.activeElement)) {
        event.preventDefault();
        (event.shiftKey ? last : first)?.focus();
      }
    };
    dialog.addEventListener('keydown', keep);
    return () => {
      dialog.removeEventListener('keydown', keep);
      dialog.close();
      before?.focus?.();
    };
  }, []);
  return (
    <dialog ref={element} class={`dialog${wide ? ' wide' : ''}${side ? ' drawer' : ''}`} aria-labelledby={id}
      onCancel={(event) => { event.preventDefault(); onClose(); }}
      onMouseDown={(event) => { if (event.target === element.current) onClose(); }}>
      <div class="dialog-box">
        <header><h2 id={id}>{title}</h2><IconButton icon="close" label="Close" onClick={onClose} /></header>
        <div class="dialog-body">{children}</div>
        {actions && <footer>{actions}</footer>}
      </div>
    </dialog>
  );
}

// Asks before something that cannot be taken back; stays open with the error if it did not work.
export function Confirm({ title, action, danger = true, onConfirm, onClose, children }: {
  title: string; action: string; danger?: boolean; onConfirm: () => Promise<unknown>; onClose: () => void; children: ComponentChildren;
}) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError>();
  const confirm = async (): Promise<void> => {
    setBusy(true);
    setError(undefined);
    try {
      await onConfirm();
      onClose();
    } catch (fault) {
      setError(fault instanceof ApiError ? fault : new ApiError(String(fault), 0));
      setBusy(false);
    }
  };
  return (
    <Dialog title={title} onClose={onClose}
      actions={<><Button onClick={onClose}>Cancel</Button><Button kind={danger ? 'danger' : 'primary'} busy={busy} onClick={() => void confirm()}>{action}</Button></>}>
      {children}
      {error && <ErrorBox error={error} />}
    </Dialog>
  );
}
