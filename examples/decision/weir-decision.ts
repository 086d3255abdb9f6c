// Asks Weir before spending, settles what was used: WEIR_URL and WEIR_KEY in the environment, any runtime with fetch.
type Usage = { input_tokens?: number; output_tokens?: number; cached_tokens?: number; usd?: number; [meter: string]: number | undefined };
type Admitted = { id: string; decision: 'allow' | 'degrade'; degrade?: { model?: string; max_tokens?: number; keep_messages?: number } };
type Settled = { id: string; settled: 'usage' | 'none' | 'expired'; usd_micros: number };

const env: Record<string, string | undefined> = (globalThis as any).process?.env ?? {};
const url = env.WEIR_URL ?? 'http://127.0.0.1:8080';

async function call<Answer>(name: 'admit' | 'settle' | 'cancel', body: object): Promise<Answer> {
  const response = await fetch(`${url}/weir/v1/${name}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${env.WEIR_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${name}: ${response.status} ${answer.detail}`);
  return answer as Answer;
}

async function work(model: string): Promise<{ text: string; usage: Usage }> {
  return { text: `a haiku by ${model}`, usage: { input_tokens: 880, output_tokens: 412 } };
}

const hold = await call<Admitted>('admit', { model: 'gpt-4o', estimate: { input_tokens: 900, output_tokens: 500 }, hold: '60s' });
const done = await work(hold.degrade?.model ?? 'gpt-4o').catch(async (error) => {
  await call('cancel', { id: hold.id });   // nothing was used: everything is given back
  throw error;
});
const settled = await call<Settled>('settle', { id: hold.id, usage: done.usage });   // may be repeated until it succeeds
console.log(JSON.stringify({ answer: done.text, usd: settled.usd_micros / 1e6, settled: settled.settled }));
