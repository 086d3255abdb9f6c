// Short notes at the edge of the page: toast('Saved'), toast('No answer', 'danger').
import { createStore, useStore } from '../app/store';

interface Note { id: number; text: string; tone: 'ok' | 'danger' }

const kMaxNotes = 4;
const notes = createStore<Note[]>([]);
let last = 0;

export function toast(text: string, tone: Note['tone'] = 'ok'): void {
  const id = ++last;
  notes.set([...notes.get(), { id, text, tone }].slice(-kMaxNotes));
  setTimeout(() => notes.set(notes.get().filter((note) => note.id !== id)), tone === 'danger' ? 8000 : 3500);
}

export function Toasts() {
  const shown = useStore(notes);
  return (
    <div class="toasts" role="status" aria-live="polite">
      {shown.map((note) => <div key={note.id} class={`toast ${note.tone}`}>{note.text}</div>)}
    </div>
  );
}
