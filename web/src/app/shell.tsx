// The frame around the screens: navigation, state of the live stream, theme, who is signed in.
import type { ComponentType } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { liveState, type LiveState } from '../api/events';
import { useLive } from '../api/hooks';
import { IconButton } from '../ui/button';
import { Dialog } from '../ui/dialog';
import { Icon } from '../ui/icons';
import { Empty, ErrorBox, Loading } from '../ui/states';
import { Toasts, toast } from '../ui/toast';
import { ApiError } from '../api/client';
import { isAdmin, me, signOut } from './me';
import { link, route, type Route } from './router';
import { screens, type ScreenProps } from './screens';
import { useStore } from './store';
import { theme, type Choice } from './theme';
import logo from './weir.svg';

const kStateWords: Record<LiveState, string> = { off: 'Not live', connecting: 'Connecting', live: 'Live', waiting: 'Reconnecting' };

export function Brand() {
  return <a class="brand" href="#/"><img src={logo} alt="" />Weir</a>;
}

export function LinkState() {
  const state = useStore(liveState);
  return <span class={`link-state ${state}`} role="status" data-live={state}>{kStateWords[state]}</span>;
}

export function ThemeSwitch() {
  const choice = useStore(theme.choice);
  const order: Choice[] = ['auto', 'light', 'dark'];
  const next = order[(order.indexOf(choice) + 1) % order.length]!;
  const names: Record<Choice, string> = { auto: 'as the system', light: 'light', dark: 'dark' };
  return (
    <IconButton icon={choice === 'auto' ? 'auto' : choice === 'light' ? 'sun' : 'moon'}
      label={`Colours: ${names[choice]}. Change to ${names[next]}`} onClick={() => theme.set(next)} />
  );
}

function Navigation({ now, onGo }: { now: string; onGo?: () => void }) {
  return (
    <nav class="nav" aria-label="Screens">
      {screens.filter((screen) => !screen.hidden || (screen.name === 'welcome' && isAdmin())).map((screen) => (
        <a key={screen.name} href={link(screen.name)} aria-current={screen.name === now ? 'page' : undefined} onClick={onGo}>
          <Icon name={screen.icon} size={17} />{screen.title}
        </a>
      ))}
    </nav>
  );
}

function SideFoot() {
  const who = useStore(me);
  if (typeof who === 'string') return null;
  return (
    <div class="side-foot">
      <LinkState />
      <div class="who">
        <span class="who-name" title={`${who.name}, ${who.role}`}><b>{who.name}</b>{who.role === 'admin' ? 'Admin' : 'Viewer'}</span>
        <ThemeSwitch />
        <IconButton icon="out" label="Sign out" onClick={() => void signOut()} />
      </div>
    </div>
  );
}

// Holds the last screen until the next one is loaded, so that nothing flickers.
function CurrentScreen({ at }: { at: Route }) {
  const screen = screens.find((one) => one.name === (at.screen || 'flow'));
  const [shown, setShown] = useState<{ name: string; Body: ComponentType<ScreenProps> }>();
  const [failed, setFailed] = useState(false);
  const main = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!screen) return;
    let over = false;
    setFailed(false);
    document.title = `${screen.title} · Weir`;
    screen.load().then(
      (module) => { if (!over) setShown({ name: screen.name, Body: module.default }); },
      () => { if (!over) setFailed(true); },
    );
    return () => { over = true; };
  }, [screen]);
  const place = `${at.screen}/${at.rest.join('/')}`;
  // A new page begins at its top and, for keyboards and screen readers, at its heading; the first one as the browser does.
  const lastPlace = useRef(place);
  useEffect(() => {
    if (lastPlace.current === place || shown?.name !== screen?.name) return;
    lastPlace.current = place;
    scrollTo(0, 0);
    main.current?.querySelector<HTMLElement>('h1')?.focus({ preventScroll: true });
  }, [place, shown?.name]);
  let body;
  if (!screen) body = <Empty icon="search" title="There is no such page"><a href="#/">Go to the flow</a></Empty>;
  else if (failed) body = <ErrorBox error={new ApiError('This page could not be loaded. The server may have been updated; load the page again.', 0)} retry={() => location.reload()} />;
  else if (shown?.name === screen.name) body = <shown.Body key={place} route={at} />;
  else body = <Loading />;
  return <div ref={main} class="content">{body}</div>;
}

export function Shell() {
  const at = useStore(route);
  const [menu, setMenu] = useState(false);
  useLive('alert', (alert) => toast(`${alert.state === 'firing' ? 'Alert' : 'Over'}: ${alert.sentence}`, alert.state === 'firing' ? 'danger' : 'ok'));
  const now = at.screen || 'flow';
  return (
    <div class="shell">
      <a class="skip" href="#main" onClick={(event) => { event.preventDefault(); document.querySelector<HTMLElement>('main h1')?.focus(); }}>Skip to the content</a>
      <aside class="side"><Brand /><Navigation now={now} /><SideFoot /></aside>
      <header class="topbar">
        <Brand /><LinkState />
        <IconButton icon="menu" label="Menu" onClick={() => setMenu(true)} />
      </header>
      <main id="main" class="main"><CurrentScreen at={at} /></main>
      {menu && (
        <Dialog title="Weir" side onClose={() => setMenu(false)}>
          <Navigation now={now} onGo={() => setMenu(false)} />
          <SideFoot />
        </Dialog>
      )}
      <Toasts />
    </div>
  );
}
