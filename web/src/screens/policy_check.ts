// Tries a draft by /policy/check once it has not changed for a moment.
//
//   const check = useCheck(yaml);     check.state: 'none' | 'checking' | 'valid' | 'invalid' | 'failed'
import { useEffect, useState } from 'preact/hooks';
import { api } from '../api/calls';
import { ApiError } from '../api/client';
import { useSettled } from '../api/hooks';
import type { Diagnostic } from '../api/types';

export interface Check { state: 'none' | 'checking' | 'valid' | 'invalid' | 'failed'; diagnostics: Diagnostic[]; words: string[]; error?: ApiError }

const kNone: Check = { state: 'none', diagnostics: [], words: [] };

export function useCheck(yaml: string | null, ms = 450): Check {
  const settled = useSettled(yaml, ms);
  const [check, setCheck] = useState<Check>(kNone);
  useEffect(() => {
    if (settled === null) return setCheck(kNone);
    const control = new AbortController();
    setCheck((old) => ({ ...old, state: 'checking' }));
    api.checkPolicy(settled, control.signal).then(
      (answer) => { if (!control.signal.aborted) setCheck({ state: answer.valid ? 'valid' : 'invalid', diagnostics: answer.diagnostics, words: answer.words }); },
      (fault: unknown) => {
        if (!control.signal.aborted) setCheck({ ...kNone, state: 'failed', error: fault instanceof ApiError ? fault : new ApiError(String(fault), 0) });
      },
    );
    return () => control.abort();
  }, [settled]);
  return settled === yaml ? check : { ...check, state: yaml === null ? 'none' : 'checking' };
}
