// On narrow screens the row of tabs scrolls: the chosen one is brought into view.
import { useEffect } from 'preact/hooks';

export function useTabInView(tab: string): void {
  useEffect(() => {
    document.querySelector('.tab-list [aria-selected="true"]')?.scrollIntoView({ block: 'nearest', inline: 'center' });
  }, [tab]);
}
