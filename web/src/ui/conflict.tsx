// Somebody saved in the meantime: what it was, what is in force now, what one wanted. Nobody overwrites unseen.
import { Button } from './button';
import { Dialog } from './dialog';
import { Notice } from './states';

export function Conflict({ title, members, before, theirs, mine, busy, onTheirs, onMine, onClose }: {
  title: string; members: { name: string; label: string }[]; before: Record<string, string>; theirs: Record<string, string>; mine: Record<string, string>;
  busy?: boolean; onTheirs: () => void; onMine: () => void; onClose: () => void;
}) {
  const rows = members.filter(({ name }) => theirs[name] !== mine[name] || theirs[name] !== before[name]);
  return (
    <Dialog title={title} wide onClose={onClose} actions={<>
      <Button onClick={onTheirs}>Take theirs and go on editing</Button>
      <Button kind="danger" busy={busy} onClick={onMine}>Save mine over theirs</Button>
    </>}>
      <Notice tone="warn">While you were editing, this was saved from elsewhere. Nothing of yours is saved yet.</Notice>
      <div class="table-wrap" tabIndex={0} role="region" aria-label="What differs">
        <table class="table">
          <thead><tr><th scope="col">Member</th><th scope="col">When you began</th><th scope="col">Theirs, now in force</th><th scope="col">Yours</th></tr></thead>
          <tbody>{rows.map(({ name, label }) => <tr key={name}><td>{label}</td><td class="mono">{before[name] || '–'}</td><td class="mono">{theirs[name] || '–'}</td><td class="mono">{mine[name] || '–'}</td></tr>)}</tbody>
        </table>
      </div>
    </Dialog>
  );
}
