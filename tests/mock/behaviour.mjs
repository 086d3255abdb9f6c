// What the mock provider does with a request, read from the model's name after "mock-" (OpenAI), "mockc-" (Anthropic),
// "mockg-" (Gemini) or "mocko-" (Ollama), and from the header x-mock; several parts are joined by "+":
//   ok            answers
//   out=N         N output tokens (default 12, never more than the request's cap)
//   think=N       N more output tokens of reasoning that are reported, never shown
//   cached=N, written=N, hour=N   input tokens read from the cache, written to it, written for an hour (Anthropic)
//   429=S[xN]     refuses with 429 and retry-after S (the first N times; default always)
//   500[xN]       fails with 500 (the first N times)
//   503[xN]       fails with 503 (the first N times), with retry-after if `after=S` stands beside it
//   stall[xN]     sends nothing (the first N times)
//   stallmid      sends half of the stream and then nothing more
//   cut[xN]       sends half of the answer and destroys the connection (the first N times)
//   cutat=N       sends N bytes of the answer's body and destroys the connection
//   early         a stream ends before its usage and its end marker, the body in good order
//   errormid      half of a stream, then the dialect's error with status 200, and the end
//   nousage       leaves usage out
//   usage=N       reports N output tokens whatever was produced
//   negusage, hugeusage, textusage   output tokens that are negative, beyond 2^40, or a string
//   noout         usage without the output tokens
//   dupusage      usage stands there twice (a stream: in two events)
//   wrongusage    usage stands where it does not belong
//   slow=MS       MS between chunks of a stream
//   split         one byte per write
//   at=N          two writes, the first of N bytes
//   gzip          compresses the answer
//   nostream      answers whole although a stream was asked for
//   ctype         says text/plain of whatever it sends
//   empty, html, error200, deep   status 200, and: nothing, a page, the dialect's error, 200,000 nested arrays
//   badutf8       a byte that is not UTF-8 in the middle of the answer
//   hints         103 before the answer
//   trailers      trailer fields after it
//   comments      SSE comments, blank lines and retry fields between the events
//   crlf          ends lines with CRLF
//   nospace       no space after the colon of an SSE field
//   multiline     an SSE event's data spans lines
//   remreq=N, remtok=N, reset=S   the provider's own limit headers
export const kWords = ['the ', 'quiet ', 'river ', 'runs ', 'over ', 'a ', 'low ', 'wall ', 'of ', 'stone ', 'each ', 'day '];

// One token per word: exact, and never more than a bound made from bytes.
export function countTokens(value) {
  if (value === null || value === undefined) return 0;
  if (typeof value === 'string') return value.split(/\s+/).filter(Boolean).length;
  if (Array.isArray(value)) return value.reduce((sum, item) => sum + countTokens(item), 0);
  if (typeof value === 'object') return countTokens(value.content ?? value.text ?? value.parts ?? '');
  return 1;
}

export function parseBehaviour(model, header = '') {
  const behaviour = { out: 12 };
  const [, script = 'ok'] = /^mock[cgo]?-(.*)$/.exec(String(model)) ?? [];
  for (const part of `${script}+${header}`.split('+').filter(Boolean)) {
    const [, name, value, times] = /^([a-z0-9]+?)(?:=([0-9.]+))?(?:x([0-9]+))?$/.exec(part) ?? [null, part];
    behaviour[name] = value === undefined ? true : Number(value);
    if (times !== undefined) behaviour[`${name}Times`] = Number(times);
  }
  return behaviour;
}

export function words(count) {
  let text = '';
  for (let i = 0; i < count; i += 1) text += kWords[i % kWords.length];
  return text.trimEnd();
}

export const word = (i) => kWords[i % kWords.length];

// Words that are shown: the cap covers the hidden ones too.
export function shown(behaviour, ...caps) {
  const cap = caps.find((value) => typeof value === 'number' && value >= 0);
  return cap === undefined ? behaviour.out : Math.max(0, Math.min(behaviour.out, cap - (behaviour.think ?? 0)));
}

// The number that is reported for `output` tokens.
export function told(behaviour, output) {
  if (behaviour.noout) return undefined;
  if (behaviour.negusage) return -output;
  if (behaviour.hugeusage) return 2 ** 41;
  if (behaviour.textusage) return 'twelve';
  return behaviour.usage ?? output;
}

// Where usage goes: into `value` at `name`, into a member that nobody reads, twice, or nowhere.
export function withUsage(behaviour, value, name, usage) {
  if (behaviour.nousage) return value;
  if (behaviour.wrongusage) return { ...value, statistics: { [name]: usage } };
  return { ...value, [name]: usage };
}
