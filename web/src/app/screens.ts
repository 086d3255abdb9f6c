// The screens: each is a chunk of its own, loaded when it is first shown.
import type { ComponentType } from 'preact';
import type { IconName } from '../ui/icons';
import type { Route } from './router';

export interface ScreenProps { route: Route }
export interface Screen {
  name: string;
  title: string;
  icon: IconName;
  load: () => Promise<{ default: ComponentType<ScreenProps> }>;
  hidden?: boolean; // not in the navigation
}

export const screens: Screen[] = [
  { name: 'flow', title: 'Flow', icon: 'flow', load: () => import('../screens/flow') },
  { name: 'consumers', title: 'Consumers', icon: 'consumers', load: () => import('../screens/consumers') },
  { name: 'refusals', title: 'Refusals', icon: 'refusals', load: () => import('../screens/refusals') },
  { name: 'agents', title: 'Agents', icon: 'agents', load: () => import('../screens/agents') },
  { name: 'spend', title: 'Spend', icon: 'spend', load: () => import('../screens/spend') },
  { name: 'policy', title: 'Policy', icon: 'policy', load: () => import('../screens/policy') },
  { name: 'health', title: 'Health', icon: 'health', load: () => import('../screens/health') },
  { name: 'welcome', title: 'First steps', icon: 'welcome', load: () => import('../screens/welcome'), hidden: true },
];
