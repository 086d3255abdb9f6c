// The provider's production book: what was really produced for each request, whoever got how much of it. A request is
// known by its mark, a word "mark-…" anywhere in its body, or in the header x-mark.
//
//   const provider = await startProvider({ book: new ProductionBook() });
//   provider.book.of('mark-7');   // [{model, status, input, sent, whole, said, aborted, open}], one entry per attempt
//
// `sent`: output tokens that were written before the connection ended; `whole`: {input, output} of an answer that was
// sent to its end; `said`: {input, output} as its usage told them, undefined where that is missing or no number. With a
// book the provider forgets requests once they are answered, so that it can be asked millions of times.
const kMark = /\bmark-[0-9a-z.-]*[0-9a-z]/;

export const markOf = (text) => kMark.exec(text)?.[0];

// The usage that an answer reports: undefined if it reports none that can be believed. Embeddings have no output, and
// nothing to tell of it.
export function saidUsage(behaviour, { input = 0, hidden }, output) {
  if (behaviour.nousage || behaviour.wrongusage || behaviour.negusage) return undefined;
  if (hidden === undefined) return { input, output: 0 };
  if (behaviour.noout || behaviour.hugeusage || behaviour.textusage) return undefined;
  return { input, output: behaviour.usage ?? output };
}

export class ProductionBook {
  constructor() {
    this.attempts = new Map();   // mark: entries
    this.unmarked = 0;
    this.open = 0;
  }

  // Called once for each request that arrived; the entry is complete when `response` is closed.
  begin(seen, response) {
    const mark = markOf(seen.header('x-mark') ?? seen.body.toString('latin1'));
    if (mark === undefined) {
      this.unmarked += 1;
      return;
    }
    const entry = { open: true, model: undefined, status: 0, input: 0, sent: 0, whole: undefined, said: undefined, aborted: false };
    if (!this.attempts.has(mark)) this.attempts.set(mark, []);
    this.attempts.get(mark).push(entry);
    this.open += 1;
    response.on('close', () => {
      this.open -= 1;
      Object.assign(entry, { open: false, model: seen.model, status: response.headersSent ? response.statusCode : 0,
        sent: seen.output, whole: seen.produced, said: seen.said, aborted: seen.aborted });
    });
  }

  // One call of a tool, executed.
  executed(mark, name) {
    if (!this.attempts.has(mark)) this.attempts.set(mark, []);
    this.attempts.get(mark).push({ open: false, tool: name, status: 200 });
  }

  of(mark) { return this.attempts.get(mark) ?? []; }
}
