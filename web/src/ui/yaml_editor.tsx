// A text area for YAML: line numbers, lines with faults marked, and a way to jump to them.
//
//   const editor = useRef<YamlEditorHandle>(null);
//   <YamlEditor label="Draft" value={yaml} onInput={setYaml} faults={diagnostics} handle={editor} />     editor.current?.goTo(3, 5)
import type { MutableRef } from 'preact/hooks';
import { useEffect, useId, useMemo, useRef } from 'preact/hooks';
import type { Diagnostic } from '../api/types';

export interface YamlEditorHandle { goTo: (line: number, column: number) => void }

export function YamlEditor({ label, value, onInput, faults = [], handle, rows = 22 }: {
  label: string; value: string; onInput: (value: string) => void; faults?: Diagnostic[]; handle?: MutableRef<YamlEditorHandle | null>; rows?: number;
}) {
  const area = useRef<HTMLTextAreaElement>(null);
  const gutter = useRef<HTMLDivElement>(null);
  const id = useId();
  const lines = useMemo(() => value.split('\n').length, [value]);
  const wrong = new Map(faults.map((fault) => [fault.line, fault.error]));
  useEffect(() => {
    if (!handle) return;
    handle.current = {
      goTo(line, column) {
        const element = area.current;
        if (!element) return;
        const all = element.value.split('\n');
        const at = all.slice(0, Math.max(0, line - 1)).reduce((sum, one) => sum + one.length + 1, 0);
        const from = Math.min(element.value.length, at + Math.max(0, column - 1));
        element.focus();
        element.setSelectionRange(from, Math.max(from, Math.min(element.value.length, at + (all[line - 1] ?? '').length)));
        element.scrollTop = Math.max(0, (line - 4) * Number.parseFloat(getComputedStyle(element).lineHeight));
      },
    };
  }, [handle]);
  return (
    <div class="yaml-editor">
      <div ref={gutter} class="yaml-gutter" aria-hidden="true">
        {Array.from({ length: lines }, (_, i) => <span key={i} class={wrong.has(i + 1) ? (wrong.get(i + 1) ? 'wrong' : 'warn') : undefined}>{i + 1}</span>)}
      </div>
      <textarea ref={area} id={id} class="mono" rows={rows} aria-label={label} aria-invalid={faults.some((fault) => fault.error)} value={value} spellcheck={false} autocomplete="off"
        wrap="off" onInput={(event) => onInput(event.currentTarget.value)}
        onScroll={(event) => { if (gutter.current) gutter.current.scrollTop = event.currentTarget.scrollTop; }} />
    </div>
  );
}

// What is wrong with it; a press goes there.
export function Diagnostics({ of, goTo }: { of: Diagnostic[]; goTo?: (line: number, column: number) => void }) {
  return (
    <ul class="faults">
      {of.map((fault, i) => (
        <li key={i} class={fault.error ? 'tone-danger' : 'tone-warn'}>
          {goTo && fault.line > 0
            ? <button type="button" class="fault-at mono" onClick={() => goTo(fault.line, fault.column)}>line {fault.line}</button>
            : fault.line > 0 && <span class="fault-at mono">line {fault.line}</span>}
          <span>{fault.message}</span>
        </li>
      ))}
    </ul>
  );
}
