// Who is signed in.
import { session } from '../api/client';
import { api } from '../api/calls';
import { stopLive } from '../api/events';
import type { WhoAmI } from '../api/types';
import { createStore } from './store';

export type Me = WhoAmI | 'asking' | 'nobody';

export const me = createStore<Me>(session.token ? 'asking' : 'nobody');
// Why the sign-in screen is shown, if there is something to say.
export const signInNote = createStore<string>('');

export function isAdmin(): boolean {
  const now = me.get();
  return typeof now === 'object' && now.role === 'admin';
}

session.onEnd(() => {
  stopLive();
  signInNote.set('Your session has ended. Sign in again.');
  me.set('nobody');
});

export async function askWho(): Promise<void> {
  if (!session.token) {
    me.set('nobody');
    return;
  }
  try {
    me.set(await api.whoami());
  } catch (error) {
    signInNote.set((error as Error).message);
    me.set('nobody');
  }
}

// Who that is. The caller says when the dashboard is to be shown, by me.set().
export async function signIn(by: { code: string } | { token: string }): Promise<WhoAmI> {
  const made = 'code' in by ? await api.signIn(by.code) : await api.signInWith(by.token);
  session.set(made.token);
  signInNote.set('');
  return api.whoami();
}

export async function signOut(): Promise<void> {
  await api.signOut().catch(() => undefined);
  session.set(null);
  stopLive();
  signInNote.set('You are signed out.');
  me.set('nobody');
}

// The one-time code of the link that `weir serve` prints: `/#code=…`. Taken out of the address bar before anything else, so
// that neither history nor a copied address keeps it.
export const kLinkCode = /^#\/?(?:[a-z-]*\?)?code=([^&]+)/;

export function takeCode(): string | null {
  const found = kLinkCode.exec(location.hash);
  if (!found) return null;
  history.replaceState(null, '', `${location.pathname}#/`);
  try {
    return decodeURIComponent(found[1]!);
  } catch {
    return found[1]!;
  }
}
