// Which time is shown: a row of usual spans, or two days of one's own. The choice is part of the address (`span`, `from`, `to`).
//
//   const span = spanOf(route.query);     api.usageSums({ by, ...span.query })
//   <SpanPicker value={span} onChange={setQuery} />
import { useEffect, useId, useState } from 'preact/hooks';
import { Choice } from './tabs';
import { day } from './format';

const kDayMs = 86_400_000;
const kMaxDays = 400; // as the API
const usual = { '24h': 1, '7d': 7, '30d': 30, '90d': 90 } as const;

export interface Span {
  name: keyof typeof usual | 'own';
  from: string; // days, as 2026-11-26
  to: string;
  words: string;
  step: 'hour' | 'day';
  query: { since: string; until?: string };
}

export function isoDay(ms: number): string {
  const date = new Date(ms);
  const two = (n: number): string => String(n).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}
// Midnight of a day as the browser's clock has it.
const startOf = (text: string): Date | null => {
  const match = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text);
  if (!match) return null;
  const date = new Date(Number(match[1]), Number(match[2]) - 1, Number(match[3]));
  return Number.isNaN(date.getTime()) ? null : date;
};

export function spanOf(query: URLSearchParams, fallback: keyof typeof usual = '7d'): Span {
  const from = startOf(query.get('from') ?? '');
  const to = startOf(query.get('to') ?? '');
  if (query.get('span') === 'own' && from && to && from <= to && to.getTime() - from.getTime() <= kMaxDays * kDayMs) {
    const end = new Date(to.getFullYear(), to.getMonth(), to.getDate() + 1);
    const days = Math.round((end.getTime() - from.getTime()) / kDayMs);
    return {
      name: 'own', from: isoDay(from.getTime()), to: isoDay(to.getTime()), step: days <= 2 ? 'hour' : 'day',
      words: days === 1 ? day(from.getTime()) : `${day(from.getTime())} to ${day(to.getTime())}`,
      query: { since: from.toISOString(), until: new Date(Math.min(end.getTime(), Date.now())).toISOString() },
    };
  }
  const asked = query.get('span') ?? '';
  const name = asked in usual ? (asked as keyof typeof usual) : fallback;
  return {
    name, from: isoDay(Date.now() - usual[name] * kDayMs), to: isoDay(Date.now()), step: name === '24h' ? 'hour' : 'day',
    words: name === '24h' ? 'the last 24 hours' : `the last ${usual[name]} days`, query: { since: name },
  };
}

export function SpanPicker({ value, onChange }: { value: Span; onChange: (query: Record<string, string | null>) => void }) {
  const id = useId();
  const [own, setOwn] = useState(value.name === 'own');
  const [from, setFrom] = useState(value.from);
  const [to, setTo] = useState(value.to);
  useEffect(() => {
    setOwn(value.name === 'own');
    setFrom(value.from);
    setTo(value.to);
  }, [value.name, value.from, value.to]);
  const choose = (name: string): void => {
    if (name !== 'own') return onChange({ span: name, from: null, to: null });
    setOwn(true);
    onChange({ span: 'own', from, to });
  };
  const wrongOf = (first: string, last: string): string => {
    const [a, b] = [startOf(first), startOf(last)];
    if (!a || !b) return 'Two days are needed.';
    if (a > b) return 'The first day is after the last.';
    return b.getTime() - a.getTime() > kMaxDays * kDayMs ? `At most ${kMaxDays} days can be shown.` : '';
  };
  // What makes no sense stays here, with a word about it: the screen shows what it showed.
  const pick = (first: string, last: string): void => {
    setFrom(first);
    setTo(last);
    if (!wrongOf(first, last)) onChange({ span: 'own', from: first, to: last });
  };
  const wrong = own ? wrongOf(from, to) : '';
  return (
    <div class="span-picker">
      <Choice label="Time" value={own ? 'own' : value.name} onChange={choose}
        options={[...Object.keys(usual).map((name) => ({ value: name, label: name.replace('h', ' h').replace('d', ' d') })), { value: 'own', label: 'Days' }]} />
      {own && (
        <>
          <input type="date" aria-label="First day" value={from} max={to || isoDay(Date.now())} aria-invalid={!!wrong} aria-describedby={wrong ? id : undefined}
            onChange={(event) => pick(event.currentTarget.value, to)} />
          <span class="muted">to</span>
          <input type="date" aria-label="Last day" value={to} max={isoDay(Date.now())} aria-invalid={!!wrong} aria-describedby={wrong ? id : undefined}
            onChange={(event) => pick(from, event.currentTarget.value)} />
          {wrong && <span id={id} class="tone-danger small" role="alert">{wrong}</span>}
        </>
      )}
    </div>
  );
}
