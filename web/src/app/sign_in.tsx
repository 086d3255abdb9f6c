// The sign-in screen: for those who come without the link that `weir serve` prints.
import { useState } from 'preact/hooks';
import { ApiError } from '../api/client';
import { Button } from '../ui/button';
import { TextField } from '../ui/field';
import { ErrorBox, Notice } from '../ui/states';
import { me, signIn, signInNote } from './me';
import { Brand, ThemeSwitch } from './shell';
import { useStore } from './store';
import '../styles/sign_in.css';

export function SignIn() {
  const note = useStore(signInNote);
  const [token, setToken] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError>();
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const text = token.trim();
    setError(undefined);
    if (!text) return setError(new ApiError('Paste a token first.', 0));
    setBusy(true);
    try {
      me.set(await signIn({ token: text }));
    } catch (fault) {
      const known = fault instanceof ApiError ? fault : new ApiError(String(fault), 0);
      setError(known.status === 401 || known.status === 403
        ? new ApiError('This token opens nothing: it is mistyped, was revoked or has expired.', known.status) : known);
    } finally {
      setBusy(false);
    }
  };
  return (
    <main class="sign-in">
      <div class="sign-in-card">
        <div class="row"><Brand /><div class="actions"><ThemeSwitch /></div></div>
        <h1>Sign in</h1>
        <p class="lead">Open the link that <code>weir serve</code> prints, or paste an admin token.</p>
        {note && !error && <Notice>{note}</Notice>}
        {error && <ErrorBox error={error} />}
        <form class="form" onSubmit={(event) => void submit(event)}>
          <TextField label="Token" type="password" mono value={token} onInput={setToken} autofocus placeholder="weiradmin_…"
            hint={<>Make one with <code>weir tokens create --name N --role viewer -c weir.yaml</code>. It stays in this tab only.</>} />
          <Button kind="primary" type="submit" busy={busy}>Sign in</Button>
        </form>
      </div>
    </main>
  );
}
