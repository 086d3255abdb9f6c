// A text field whose settled value is part of the screen's address: what is typed counts after a moment, and links that
// change the address change the field.
import { useEffect, useState } from 'preact/hooks';
import { useSettled } from '../api/hooks';
import { setQuery } from './router';

export function useQueryText(query: URLSearchParams, name: string): [string, (text: string) => void] {
  const inAddress = query.get(name) ?? '';
  const [typed, setTyped] = useState(inAddress);
  const settled = useSettled(typed, 300).trim();
  useEffect(() => { if (settled !== inAddress) setQuery({ [name]: settled }); }, [settled]);
  useEffect(() => setTyped((old) => (old.trim() === inAddress ? old : inAddress)), [inAddress]);
  return [typed, setTyped];
}
