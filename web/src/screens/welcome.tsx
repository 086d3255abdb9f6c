// First steps: the demo key, real traffic at the press of a button, the limit biting, and the refusal explained.
import { useState } from 'preact/hooks';
import { api } from '../api/calls';
import { ApiError } from '../api/client';
import { useLoad } from '../api/hooks';
import type { TryAnswer, Welcome as Facts } from '../api/types';
import { link } from '../app/router';
import type { ScreenProps } from '../app/screens';
import { Button, CopyButton } from '../ui/button';
import { count, duration, usd, windowWords } from '../ui/format';
import { Badge, PageHead, Panel } from '../ui/layout';
import { Empty, ErrorBox, Notice, Pending } from '../ui/states';
import '../styles/welcome.css';

const kMaxShown = 200;
const kMaxAtOnce = 50;

export default function Welcome(_: ScreenProps) {
  const load = useLoad((signal) => api.welcome(signal), []);
  const head = <PageHead title={load.data?.first_run ? 'Weir is running' : 'First steps'} lead="Send real requests, watch a limit bite, and read why." />;
  if (!load.data) return <>{head}<Pending of={load} /></>;
  return <>{head}<Steps of={load.data} /></>;
}

function Steps({ of: facts }: { of: Facts }) {
  const [answers, setAnswers] = useState<TryAnswer[]>([]);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError>();
  const { limit } = facts;
  const many = Math.min(kMaxAtOnce, Math.max(3, (limit?.allowed ?? kMaxAtOnce) + 2));
  const words = limit && `${count(limit.allowed)} ${limit.name} ${windowWords(limit.window)}`.trim();
  const send = async (number: number): Promise<void> => {
    setBusy(true);
    setError(undefined);
    try {
      const { answers: more } = await api.tryIt(number);
      setAnswers((old) => [...old, ...more].slice(-kMaxShown));
    } catch (fault) {
      setError(fault instanceof ApiError ? fault : new ApiError(String(fault), 0));
    } finally {
      setBusy(false);
    }
  };
  const refused = [...answers].reverse().find((answer) => answer.refusal !== null && answer.refusal !== undefined);
  if (!facts.demo_key) {
    return (
      <Panel>
        <Empty icon="welcome" title="There is no demo key here">
          This server was started with a data folder of its own, or restarted since: secrets of keys are shown only once. <a href={link('consumers')}>Make a key</a> and send it to <code>{facts.listen}</code>.
        </Empty>
      </Panel>
    );
  }
  return (
    <div class="steps">
      <section class="step">
        <span class="step-number" aria-hidden="true">1</span>
        <div class="step-body">
          <h2>This is your demo key</h2>
          <p class="lead">Programs use it in the place of a provider's key, with <code>{facts.listen}</code> as base URL.{words && <> Its tightest limit: {words}{limit.name === 'runs' && ' (a request by itself is a run of one)'}.</>}</p>
          <div class="code"><code>{facts.demo_key}</code><CopyButton text={facts.demo_key} what="The key is copied" /></div>
          <div class="code"><pre>{facts.curl}</pre><CopyButton text={facts.curl} label="Copy curl" what="The command is copied" /></div>
        </div>
      </section>
      <section class="step">
        <span class="step-number" aria-hidden="true">2</span>
        <div class="step-body">
          <h2>Try it</h2>
          <p class="lead">{facts.simulated
            ? <>Sends real chat requests with this key to <code>{facts.model}</code>, a model that Weir simulates. No provider is called; the dollars are counted as if one were.</>
            : <>The key's model, <code>{facts.model}</code>, is not simulated, so that nothing is sent from here: requests would cost money. Use the command above.</>}</p>
          <div class="row">
            <Button kind="primary" icon="play" busy={busy} disabled={!facts.simulated} onClick={() => void send(3)}>Try it: send 3</Button>
            <Button disabled={busy || !facts.simulated} onClick={() => void send(many)}>Send {many}{limit && limit.allowed < many ? ', until the limit bites' : ''}</Button>
          </div>
          {error && <ErrorBox error={error} />}
          {answers.length > 0 && <Answers of={answers} />}
        </div>
      </section>
      <section class="step">
        <span class="step-number" aria-hidden="true">3</span>
        <div class="step-body">
          <h2>Why it was refused</h2>
          {!refused
            ? <p class="lead">{answers.length === 0 ? 'Send a few requests first.' : `Nothing was refused yet. ${words ? `Send some more: the limit is ${words}.` : 'No limit counts requests here.'}`}</p>
            : <Explained of={refused} />}
        </div>
      </section>
    </div>
  );
}

function Answers({ of: answers }: { of: TryAnswer[] }) {
  const passed = answers.filter((answer) => answer.status < 400).length;
  return (
    <>
      <p class="tally" role="status"><b>{count(passed)}</b> answered, <b class={answers.length > passed ? 'tone-danger' : undefined}>{count(answers.length - passed)}</b> refused</p>
      <ol class="answers" tabIndex={0} aria-label="Answers">
        {answers.map((answer, i) => [answer, i] as const).reverse().map(([answer, i]) => (
          <li key={i}>
            <span class="muted">#{i + 1}</span><Badge tone={answer.status < 400 ? 'ok' : 'danger'}>{answer.status}</Badge>
            <span class="answer-text">{answer.status < 400
              ? `${count(answer.tokens)} tokens, ${usd(answer.usd_micros)}`
              : answer.sentence ?? 'refused'}</span>
            <span class="muted nowrap">{count(answer.ms)} ms</span>
          </li>
        ))}
      </ol>
    </>
  );
}

function Explained({ of: answer }: { of: TryAnswer }) {
  return (
    <>
      <Notice tone="danger">{answer.sentence ?? 'The request was refused.'}</Notice>
      <p class="lead">It was refused before anything was sent to a provider, and costs nothing. The program was told with status {answer.status}
        {answer.retry_after !== null && <>, when to come back (<code>Retry-After: {Math.max(1, Math.ceil(answer.retry_after))}</code>, in {duration(Math.ceil(answer.retry_after))})</>}, and why, in a form that code can read:</p>
      <details class="machine"><summary>What the program was sent</summary><div class="code"><pre>{JSON.stringify(answer.refusal, null, 2)}</pre></div></details>
      <div class="row next-steps">
        <a href={link('refusals')}>See it among all refusals</a>
        <a href={link('flow')}>See the traffic live</a>
        <a href={link('consumers')}>See the key and its limits</a>
        <a href={link('policy')}>See the policy in words</a>
      </div>
    </>
  );
}
