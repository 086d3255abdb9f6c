// How full a limit is: used (solid) and held (hatched) of what is allowed, and when there is more room.
import { amount, duration, percent, windowWords } from './format';

export function Bar({ label, used, reserved = 0, allowed, meter, resetAt, now, shadow, window }: {
  label: string; used: number; reserved?: number; allowed: number; meter: string; resetAt?: string | null; now?: number;
  shadow?: boolean; window?: string | null;
}) {
  const share = allowed > 0 ? (used + reserved) / allowed : used + reserved > 0 ? 1 : 0;
  const tone = share >= 1 ? 'full' : share >= 0.8 ? 'high' : 'fine';
  const wide = (part: number): string => `${Math.min(100, Math.max(0, allowed > 0 ? (part / allowed) * 100 : 0)).toFixed(2)}%`;
  const left = resetAt && now ? Math.max(0, (new Date(resetAt).getTime() - now) / 1000) : null;
  const whole = /^[a-z]+$/.test(window ?? '');   // a calendar's period; all others give back bit by bit
  return (
    <div class={`bar ${tone}`}>
      <div class="bar-head">
        <span class="bar-name">{label}{window && <span class="bar-window"> {windowWords(window)}</span>}{shadow && <span class="tag">shadow</span>}</span>
        <span class="bar-numbers"><b>{amount(used, meter)}</b>{reserved > 0 && <span title="held by requests in flight"> + {amount(reserved, meter)}</span>} of {amount(allowed, meter)}</span>
      </div>
      <div class="bar-track" role="meter" aria-label={label} aria-valuemin={0} aria-valuemax={100}
        aria-valuenow={Math.min(100, Math.round(share * 100))} aria-valuetext={`${percent(share)} of ${amount(allowed, meter)}${meter === 'usd' ? '' : ` ${meter}`}`}>
        <div class="bar-used" style={{ width: wide(used) }} />
        {reserved > 0 && <div class="bar-held" style={{ width: wide(reserved) }} />}
      </div>
      <div class="bar-foot">
        <span>{percent(share)} used</span>
        <span>{left === null ? '' : left > 0 ? `${whole ? 'resets' : 'more room'} in ${duration(Math.ceil(left))}` : whole ? 'resets now' : 'more room now'}</span>
      </div>
    </div>
  );
}

// A share without words: for table cells.
export function MiniBar({ ratio, label }: { ratio: number; label?: string }) {
  const tone = ratio >= 1 ? 'full' : ratio >= 0.8 ? 'high' : 'fine';
  return (
    <span class={`mini-bar ${tone}`} title={label ?? percent(ratio)}>
      <span class="mini-track"><span style={{ width: `${Math.min(100, Math.max(0, ratio * 100)).toFixed(1)}%` }} /></span>
      <span class="mini-text">{percent(ratio)}</span>
    </span>
  );
}
