// Where the period is going to end: what is spent, what is to be expected, the range it will most likely lie in, and how one
// knows.
import { useState } from 'preact/hooks';
import { api } from '../api/calls';
import { useLoad } from '../api/hooks';
import type { Forecast } from '../api/types';
import { count, day, percent, usd } from '../ui/format';
import { Panel } from '../ui/layout';
import { ErrorBox, Pending } from '../ui/states';
import { Choice } from '../ui/tabs';

const periods = [{ value: 'day', label: 'Day' }, { value: 'week', label: 'Week' }, { value: 'month', label: 'Month' }];

// How the server writes it: "mean rate; less than a day was seen".
const sentence = (text: string): string => (text ? `${text[0]!.toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}` : '');

export function ForecastPanel({ tenant, note }: { tenant: string; note: string }) {
  const [period, setPeriod] = useState('month');
  const load = useLoad((signal) => api.forecast({ period, tenant }, signal), [period, tenant]);
  return (
    <Panel title="Forecast" note={[tenant && `for ${tenant}`, note].filter(Boolean).join(', ') || undefined} actions={<Choice label="Period" value={period} onChange={setPeriod} options={periods} />}>
      {load.error && load.data && <ErrorBox error={load.error} retry={load.reload} />}
      {!load.data ? <Pending of={load} lines={3} /> : <Words of={load.data} period={period} />}
    </Panel>
  );
}

function Words({ of: forecast, period }: { of: Forecast; period: string }) {
  const { spent_usd_micros: spent, forecast_usd_micros: expected, low_usd_micros: low, high_usd_micros: high } = forecast;
  const begin = Date.parse(forecast.period.start);
  const end = Date.parse(forecast.period.end);
  const over = Math.min(1, Math.max(0, (Date.now() - begin) / Math.max(1, end - begin)));
  const seen = `${count(forecast.days_seen)} ${forecast.days_seen === 1 ? 'day' : 'days'}`;
  const until = period === 'day' ? 'By midnight' : `By the end of ${day(end - 1)}`;
  const range = low !== null && high !== null;
  if (expected === null) {
    return (
      <div class="forecast">
        <p class="forecast-main"><b>{usd(spent)}</b> spent so far</p>
        <p class="muted">No forecast yet: {forecast.method}.</p>
      </div>
    );
  }
  const wide = Math.max(high ?? 0, expected, spent, 1);
  const at = (value: number): string => `${((value / wide) * 100).toFixed(2)}%`;
  return (
    <div class="forecast">
      <p class="forecast-main"><b>{usd(expected)}</b> expected</p>
      <div class="forecast-track" role="img" aria-label={`${usd(spent)} spent of ${usd(expected)} expected${range ? `, between ${usd(low)} and ${usd(high)}` : ''}`}>
        {range && <span class="forecast-range" style={{ left: at(low!), width: at(Math.max(0, high! - low!)) }} />}
        <span class="forecast-spent" style={{ width: at(spent) }} />
        <span class="forecast-mark" style={{ left: at(expected) }} />
      </div>
      <p>{until} about {usd(expected)}{range && <>, most likely between {usd(low)} and {usd(high)}</>}. {usd(spent)} is spent, {percent(over)} of the {period} is over.</p>
      <p class="muted small">{sentence(forecast.method)} Seen: {seen}. Times are those of {forecast.period.zone}.</p>
    </div>
  );
}
