import './app/theme';
import { render } from 'preact';
import { useEffect } from 'preact/hooks';
import './styles/tokens.css';
import './styles/base.css';
import './styles/parts.css';
import { session } from './api/client';
import { api } from './api/calls';
import { askWho, kLinkCode, me, signIn, signInNote, takeCode } from './app/me';
import { go, link, route, startRouter } from './app/router';
import { Shell } from './app/shell';
import { SignIn } from './app/sign_in';
import { useStore } from './app/store';

async function begin(code: string | null): Promise<void> {
  if (!code) return askWho();
  session.set(null);
  try {
    const who = await signIn({ code });
    // The link of a first run leads to the first steps.
    if (who.role === 'admin') {
      const welcome = await api.welcome().catch(() => null);
      if (welcome?.first_run) go(link('welcome'));
    }
    me.set(who);
  } catch (error) {
    signInNote.set(`The link did not work: it is good for once, and only for a while. ${(error as { status?: number }).status === 401 ? 'Start `weir serve` again for a new one, or paste a token.' : (error as Error).message}`);
    me.set('nobody');
    return;
  }
}

function App() {
  const who = useStore(me);
  useEffect(() => { document.title = typeof who === 'object' ? document.title : 'Sign in · Weir'; }, [who]);
  if (who === 'asking') return <main class="boot" aria-busy="true" />;
  return who === 'nobody' ? <SignIn /> : <Shell />;
}

const code = takeCode();
startRouter();
route.set({ ...route.get(), ...(code ? { screen: '', rest: [], query: new URLSearchParams() } : {}) });
if (code) me.set('asking');
const root = document.getElementById('app')!;
root.textContent = '';
render(<App />, root);
void begin(code);

// A fresh link pasted into this tab changes only the fragment.
addEventListener('hashchange', () => {
  if (kLinkCode.test(location.hash)) location.reload();
});
