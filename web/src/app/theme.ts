// Light, dark, or what the system says; chosen once, kept in this browser.
import { createStore } from './store';

export type Choice = 'auto' | 'light' | 'dark';

const kName = 'weir.theme';
const system = matchMedia('(prefers-color-scheme: dark)');
const saved = localStorage.getItem(kName);
const choice = createStore<Choice>(saved === 'light' || saved === 'dark' ? saved : 'auto');
const dark = createStore(false);

function apply(): void {
  const is = choice.get() === 'auto' ? system.matches : choice.get() === 'dark';
  document.documentElement.dataset.theme = is ? 'dark' : 'light';
  dark.set(is);
}

apply();
system.addEventListener('change', apply);

export const theme = {
  choice,
  dark,
  set(value: Choice): void {
    if (value === 'auto') localStorage.removeItem(kName);
    else localStorage.setItem(kName, value);
    choice.set(value);
    apply();
  },
};
