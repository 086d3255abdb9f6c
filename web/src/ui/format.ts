// Numbers, money and times as the dashboard writes them. Nothing here rounds what somebody has to act on: full values are
// shown in titles and tables.
const plain = new Intl.NumberFormat('en-US', { maximumFractionDigits: 2 });
const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

export const kNone = '–';

export function count(value: number | null | undefined): string {
  return value === null || value === undefined || !Number.isFinite(value) ? kNone : whole.format(value);
}

export function number(value: number | null | undefined): string {
  return value === null || value === undefined || !Number.isFinite(value) ? kNone : plain.format(value);
}

// 1234567 -> "1.23M": for axes, tiles and tables where the order of magnitude is the message.
export function short(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return kNone;
  const size = Math.abs(value);
  const unit = size >= 1e12 ? [1e12, 'T'] : size >= 1e9 ? [1e9, 'B'] : size >= 1e6 ? [1e6, 'M'] : size >= 1e4 ? [1e3, 'k'] : null;
  if (!unit) return size < 10 && !Number.isInteger(value) ? value.toFixed(size < 0.1 ? 3 : 2) : whole.format(value);
  const scaled = value / (unit[0] as number);
  return `${scaled.toFixed(Math.abs(scaled) >= 100 ? 0 : Math.abs(scaled) >= 10 ? 1 : 2)}${unit[1]}`;
}

// Micro-dollars: "$12.40", "$0.0042", "$0".
export function usd(micros: number | null | undefined): string {
  if (micros === null || micros === undefined || !Number.isFinite(micros)) return kNone;
  const dollars = micros / 1e6;
  const size = Math.abs(dollars);
  if (size === 0) return '$0';
  const sign = dollars < 0 ? '-' : '';
  if (size >= 100_000) return `${sign}$${short(size)}`;
  if (size >= 0.01) return `${sign}$${size.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
  return `${sign}$${size.toFixed(size < 0.0001 ? 6 : 4)}`;
}

// A mark on an axis, with the digits that tell it from the next: "$0.025", "$0.050".
export function usdMark(micros: number, step: number): string {
  let digits = 0;
  for (let scaled = step / 1e6; digits < 6 && Math.abs(scaled - Math.round(scaled)) > 1e-6; scaled *= 10) ++digits;
  if (micros === 0 || digits <= 2) return usd(micros);
  return `$${(micros / 1e6).toFixed(digits)}`;
}

// An amount of a limit, in the limit's own meter.
export function amount(value: number | null | undefined, meter: string): string {
  if (meter === 'usd') return value === null || value === undefined ? kNone : usd(value * 1e6);
  return short(value);
}

export function percent(ratio: number | null | undefined, digits = 0): string {
  if (ratio === null || ratio === undefined || !Number.isFinite(ratio)) return kNone;
  return `${(ratio * 100).toFixed(digits)}%`;
}

// Seconds: "42 s", "3 min 5 s", "2 h 10 min", "4 d 3 h".
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return kNone;
  if (seconds < 0) return '0 s';
  if (seconds < 10 && seconds !== Math.round(seconds)) return `${seconds.toFixed(1)} s`;
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return s % 60 && s < 600 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${Math.round(s / 60)} min`;
  if (s < 86400) {
    const minutes = Math.round((s % 3600) / 60);
    return minutes && minutes < 60 ? `${Math.floor(s / 3600)} h ${minutes} min` : `${Math.round(s / 3600)} h`;
  }
  const hours = Math.round((s % 86400) / 3600);
  return hours && hours < 24 ? `${Math.floor(s / 86400)} d ${hours} h` : `${Math.round(s / 86400)} d`;
}

export function bytes(value: number): string {
  if (value < 1024) return `${value} B`;
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  let size = value / 1024;
  let i = 0;
  for (; size >= 1024 && i < units.length - 1; ++i) size /= 1024;
  return `${size.toFixed(size < 10 ? 1 : 0)} ${units[i]}`;
}

// The window of a limit as the API labels it: "per minute", "per 15 minutes", "per day", "refilled at 10/s".
export function windowWords(label: string | null | undefined): string {
  if (!label) return '';
  if (label.includes('/')) return `refilled at ${label}`;
  const [, number, letter] = /^(\d+)([smhdw])$/.exec(label) ?? [];
  if (!number || !letter) return `per ${label}`;
  const unit = { s: 'second', m: 'minute', h: 'hour', d: 'day', w: 'week' }[letter]!;
  return number === '1' ? `per ${unit}` : `per ${number} ${unit}s`;
}

const two = (n: number): string => String(n).padStart(2, '0');
const kMonths = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

// Local time of day: "14:03:22".
export function clock(instant: string | number | null | undefined): string {
  if (instant === null || instant === undefined) return kNone;
  const date = new Date(instant);
  if (Number.isNaN(date.getTime())) return kNone;
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

export function day(instant: string | number): string {
  const date = new Date(instant);
  return Number.isNaN(date.getTime()) ? kNone : `${date.getDate()} ${kMonths[date.getMonth()]}`;
}

// Local date and time; today's only as time of day, unless the day is asked for.
export function when(instant: string | number | null | undefined, now = Date.now(), dated = false): string {
  if (instant === null || instant === undefined || instant === '') return kNone;
  const date = new Date(instant);
  if (Number.isNaN(date.getTime())) return kNone;
  const today = new Date(now);
  if (!dated && date.toDateString() === today.toDateString()) return clock(instant);
  const year = date.getFullYear() === today.getFullYear() ? '' : ` ${date.getFullYear()}`;
  return `${day(instant)}${year}, ${two(date.getHours())}:${two(date.getMinutes())}`;
}

// Of two days both ends say theirs, today too.
export function range(from: string, until: string): string {
  const dated = new Date(from).toDateString() !== new Date(until).toDateString();
  return `${when(from, Date.now(), dated)} to ${when(until, Date.now(), dated)}`;
}

// "3 min ago", "in 2 h"; for titles use the instant itself.
export function ago(instant: string | number | null | undefined, now = Date.now()): string {
  if (instant === null || instant === undefined || instant === '') return kNone;
  const at = new Date(instant).getTime();
  if (Number.isNaN(at)) return kNone;
  const seconds = (now - at) / 1000;
  if (Math.abs(seconds) < 5) return 'now';
  return seconds > 0 ? `${duration(Math.round(seconds))} ago` : `in ${duration(Math.round(-seconds))}`;
}
