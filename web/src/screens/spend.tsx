// Spend: whose it was and of what, over a time one chooses; and where the period is going to end.
import { useMemo } from 'preact/hooks';
import { api } from '../api/calls';
import { useLoad } from '../api/hooks';
import type { UsageSum } from '../api/types';
import { link, setQuery } from '../app/router';
import type { ScreenProps } from '../app/screens';
import { IconButton } from '../ui/button';
import { Chart, type ChartSeries } from '../ui/chart';
import { count, day, percent, short, usd, usdMark } from '../ui/format';
import { PageHead, Panel, Stat, Stats } from '../ui/layout';
import { SpanPicker, spanOf } from '../ui/span';
import { Empty, ErrorBox, Pending } from '../ui/states';
import { Choice } from '../ui/tabs';
import { ForecastPanel } from './spend_forecast';
import { Requests } from './spend_requests';
import '../styles/spend.css';
import '../styles/lists.css';

const bys = [
  { value: 'tenant', label: 'Tenant' }, { value: 'user', label: 'User' }, { value: 'key', label: 'Key' }, { value: 'model', label: 'Model' },
  { value: 'day', label: 'Day' }, { value: 'request', label: 'Every request' },
];
const meters = { usd_micros: usd, tokens: short, requests: short };
type Meter = keyof typeof meters;
const filters = ['tenant', 'user', 'key', 'model'] as const;
// What a row opens into: the first that is not chosen yet, in the end the requests themselves.
const next: Record<string, string[]> = { tenant: ['user', 'key', 'model'], user: ['key', 'model'], key: ['model'], model: ['key'], day: ['key', 'model'] };
const kRows = 50;

const tokensOf = (sum: UsageSum): number => sum.input_tokens + sum.output_tokens;
// As the groups of days are written: midnight UTC.
const dayOf = (group: string): string => (/^\d{4}-\d\d-\d\d$/.test(group) ? day(`${group}T00:00:00`) : group);

export default function Spend({ route }: ScreenProps) {
  const { query } = route;
  const span = spanOf(query, '30d');
  const by = bys.some((one) => one.value === query.get('by')) ? query.get('by')! : 'tenant';
  const meter = (query.get('meter') ?? '') in meters ? (query.get('meter') as Meter) : 'usd_micros';
  const only = Object.fromEntries(filters.map((name) => [name, query.get(name) ?? '']));
  const without = (query.get('without') ?? '').split(',').filter((name) => (filters as readonly string[]).includes(name));
  const narrow = { ...only, without: without.join(','), ...span.query };
  const asked = JSON.stringify([span.query.since, span.query.until && span.to, span.name, by, only, without]);
  const sums = useLoad((signal) => api.usageSums({ ...narrow, by: by === 'request' ? 'day' : by, top: kRows }, signal), [asked]);
  const series = useLoad((signal) => api.usageSeries({ ...narrow, by: by === 'day' || by === 'request' ? undefined : by, step: span.step, top: 7 }, signal), [asked]);
  const chart = useMemo(() => ({
    times: (series.data?.times ?? []).map((time) => Date.parse(time) / 1000),
    series: (series.data?.series ?? []).map((one, i): ChartSeries => ({ name: nameOf(one.group, by), values: one[meter], color: one.group === 'other' ? 'muted' : i })),
  }), [series.data, meter]);
  const total = sums.data?.total;

  const into = (group: string): void => {
    const further = next[by]!.find((name) => !only[name] && !without.includes(name)) ?? 'request';
    if (by === 'day') setQuery({ span: 'own', from: group, to: group, by: further });
    else if (group === '') setQuery({ without: [...without, by].join(','), by: further });
    else setQuery({ [by]: group, by: further });
  };
  return (
    <>
      <PageHead title="Spend" lead="Dollars, tokens and requests by whose they were. A row opens what it is made of." />
      <div class="toolbar">
        <SpanPicker value={span} onChange={setQuery} />
        {filters.filter((name) => only[name]).map((name) => (
          <span key={name} class="chip"><span>{name} {only[name]}</span><IconButton icon="close" label={`Not only ${name} ${only[name]}`} onClick={() => setQuery({ [name]: null })} /></span>
        ))}
        {without.map((name) => (
          <span key={name} class="chip"><span>no {name}</span><IconButton icon="close" label={`Not only what has no ${name}`} onClick={() => setQuery({ without: without.filter((one) => one !== name).join(',') })} /></span>
        ))}
      </div>
      <div class="spend-top">
        <Stats>
          <Stat label="Spent" value={total ? usd(total.usd_micros) : '–'} note={`in ${span.words}`} />
          <Stat label="Requests admitted" value={short(total?.requests)} title={count(total?.requests)} />
          <Stat label="Tokens" value={total ? short(tokensOf(total)) : '–'} note={total && tokensOf(total) > 0 ? `${percent(total.output_tokens / tokensOf(total))} output` : undefined} />
          <Stat label="Per request" value={total && total.requests > 0 ? usd(total.usd_micros / total.requests) : '–'} />
        </Stats>
        <ForecastPanel tenant={only.tenant!} note={only.user || only.model || only.key || without.length > 0 ? `of ${only.tenant ? 'the whole tenant' : 'all tenants'}` : ''} />
      </div>
      <Panel title={meter === 'usd_micros' ? 'Spend' : meter === 'tokens' ? 'Tokens' : 'Requests'} note={`${span.step === 'hour' ? 'per hour' : 'per day'}, ${span.words}`} actions={<>
        <Choice label="What" value={meter} onChange={(value) => setQuery({ meter: value === 'usd_micros' ? null : value })}
          options={[{ value: 'usd_micros', label: 'Spend' }, { value: 'tokens', label: 'Tokens' }, { value: 'requests', label: 'Requests' }]} />
      </>}>
        {series.error && series.data && <ErrorBox error={series.error} retry={series.reload} />}
        {!series.data ? <Pending of={series} lines={6} /> : chart.series.length === 0 || chart.times.length === 0
          ? <Empty icon="spend" title="Nothing was used in this time" />
          : <Chart key={`${by} ${span.step}`} label={`${meter === 'usd_micros' ? 'Spend' : meter} by ${by}`} times={chart.times} series={chart.series} format={meters[meter]} mark={meter === 'usd_micros' ? usdMark : undefined} step={span.step} stacked bars={chart.times.length <= 120} height={240} />}
      </Panel>
      <Panel title={by === 'request' ? 'Every request' : `Total by ${by}`} note={by === 'request' ? `newest first, ${span.words}` : span.words} flush actions={<Choice label="By" value={by} onChange={(value) => setQuery({ by: value })} options={bys} />}>
        {sums.error && sums.data && <ErrorBox error={sums.error} retry={sums.reload} />}
        {by === 'request' ? <Requests asked={narrow} changed={asked} /> : !sums.data ? <Pending of={sums} lines={6} /> : sums.data.sums.length === 0
          ? <Empty icon="spend" title="Nothing was used in this time">{without.length > 0 || filters.some((name) => only[name]) ? 'Take a filter away, or look at a longer time.' : 'Spend appears here once requests are settled.'}</Empty>
          : <Sums sums={sums.data.sums} total={sums.data.total} by={by} dim={sums.loading} into={into} />}
      </Panel>
    </>
  );
}

function nameOf(group: string, by: string): string {
  if (group === '') return `no ${by}`;
  return by === 'day' ? dayOf(group) : group;
}

function Sums({ sums, total, by, dim, into }: { sums: UsageSum[]; total: UsageSum; by: string; dim: boolean; into: (group: string) => void }) {
  const shareOf = (micros: number): number => (total.usd_micros > 0 ? micros / total.usd_micros : 0);
  const rows = by === 'day' ? [...sums].sort((a, b) => (a.group < b.group ? 1 : -1)) : sums;
  return (
    <div class={`table-wrap${dim ? ' dim' : ''}`} tabIndex={0} role="region" aria-label={`Spend by ${by}`}>
      <table class="table spend-table">
        <thead>
          <tr>
            <th scope="col" class="grow">{bys.find((one) => one.value === by)?.label}</th><th scope="col" class="number">Spend</th><th scope="col" class="number wide-only">Share</th>
            <th scope="col" class="number">Admitted</th><th scope="col" class="number wide-only">Input</th><th scope="col" class="number wide-only">Output</th><th scope="col" class="number wide-only">Cached</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((sum) => (
            <tr key={sum.group}>
              <td>
                {sum.group === 'other'
                  ? <span class="muted">all others</span>
                  : <button type="button" class="into" onClick={() => into(sum.group)}>{nameOf(sum.group, by)}</button>}
                {by === 'key' && sum.group !== '' && sum.group !== 'other' && <a class="spend-page" href={link('consumers', sum.group)}>consumer<span class="hidden"> {sum.group}</span></a>}
              </td>
              <td class="number" title={`${count(sum.usd_micros)} micro-dollars`}>{usd(sum.usd_micros)}</td>
              <td class="number wide-only"><span class="spend-share"><span class="spend-track" aria-hidden="true"><span style={{ width: `${(shareOf(sum.usd_micros) * 100).toFixed(1)}%` }} /></span><span class="share-text">{percent(shareOf(sum.usd_micros), 1)}</span></span></td>
              <td class="number">{count(sum.requests)}</td>
              <td class="number wide-only" title={count(sum.input_tokens)}>{short(sum.input_tokens)}</td>
              <td class="number wide-only" title={count(sum.output_tokens)}>{short(sum.output_tokens)}</td>
              <td class="number wide-only" title={count(sum.cached_tokens)}>{short(sum.cached_tokens)}</td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">Total</th><td class="number">{usd(total.usd_micros)}</td><td class="number wide-only">100%</td><td class="number">{count(total.requests)}</td>
            <td class="number wide-only">{short(total.input_tokens)}</td><td class="number wide-only">{short(total.output_tokens)}</td><td class="number wide-only">{short(total.cached_tokens)}</td>
          </tr>
        </tfoot>
      </table>
    </div>
  );
}
