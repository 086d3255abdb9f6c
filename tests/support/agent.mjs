// A small agent: it does what the model says, call by call, until an answer in words, a refusal, or `most` requests.
//
//   const run = await runAgent(weir, key, { prompt: 'Sort my mail', tools: ['lookup'], execute: (call) => 'result' });
//   run.last.status; run.executed; run.answers.map((answer) => answer.headers.get('x-weir-lineage'));
//
// Chat completions over fetch. `execute(call, answer)` may start further agents; `headers` go with every request.

export const toolList = (names) => names.map((name) => ({ type: 'function',
  function: { name, parameters: { type: 'object', properties: {} } } }));

// One request: {status, headers, body, text}.
export async function chat(weir, key, body, headers = {}, path = '/v1/chat/completions') {
  const started = performance.now();
  const response = await fetch(`${weir.url}${path}`, { method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify({ model: 'mock-agent', ...body }) });
  const text = await response.text();
  let parsed;
  try { parsed = JSON.parse(text); } catch { parsed = undefined; }
  return { status: response.status, headers: response.headers, text, body: parsed, ms: performance.now() - started };
}

// The machine part of a refusal.
export const refusalOf = (answer) => answer.body?.error?.weir ?? answer.body?.weir;

export const callsOf = (answer) => answer.body?.choices?.[0]?.message?.tool_calls ?? [];

export async function runAgent(weir, key, { prompt, tools = [], execute = () => 'done', headers = {}, most = 50, system }) {
  const messages = [...(system ? [{ role: 'system', content: system }] : []), { role: 'user', content: prompt }];
  const run = { answers: [], executed: [], messages };
  for (let i = 0; i < most; i += 1) {
    const answer = await chat(weir, key, { messages, tools: toolList(tools) }, headers);
    run.answers.push(answer);
    run.last = answer;
    const calls = answer.status === 200 ? callsOf(answer) : [];
    if (calls.length === 0) return run;
    messages.push(answer.body.choices[0].message);
    for (const call of calls) {
      const wanted = { id: call.id, name: call.function.name, arguments: JSON.parse(call.function.arguments) };
      run.executed.push(wanted);
      messages.push({ role: 'tool', tool_call_id: call.id, content: String(await execute(wanted, answer)) });
    }
  }
  return run;
}
