// The check of the books itself: each way in which a ledger could be wrong is found.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProductionBook } from '../mock/book.mjs';
import { startProvider } from '../mock/provider.mjs';
import { eventually } from '../support/weir.mjs';
import { checkRows } from './balance.mjs';

const answered = { open: false, model: 'mock-out=5', status: 200, input: 0, sent: 5, whole: { input: 4, output: 5 }, said: { input: 4, output: 5 } };
const cut = { open: false, model: 'mock-out=30+cut', status: 200, input: 0, sent: 15, whole: undefined, said: undefined };
const failed = { open: false, model: 'mock-500', status: 500, input: 0, sent: 0, whole: undefined, said: undefined };
const seen = { cap: 50, delivered: 0, whole: false };
const row = { conversation: 'mark-1', request_id: 'req_1', key: 'k', model: 'mock-out=5', status: 200, attempts: 1, input_tokens: 4,
  output_tokens: 5, usd_micros: 14, reserved_tokens: 60, settled: 'usage' };

// One request, its attempts at the provider, and what the ledger says of it.
function check(entries, rows, client = {}) {
  const book = new ProductionBook();
  if (entries.length > 0) book.attempts.set('mark-1', entries);
  return checkRows({ book, calls: new Map([['mark-1', { ...seen, ...client }]]), unread: false }, rows);
}

test('books that balance', () => {
  assert.equal(check([answered], [row], { whole: true, id: 'req_1' }).charged, 9);
  check([cut], [{ ...row, settled: 'counted', output_tokens: 15 }], { delivered: 14 });
  check([cut], [{ ...row, settled: 'expired', output_tokens: 56 }]);
  check([failed], [{ ...row, settled: 'none', input_tokens: 0, output_tokens: 0, usd_micros: 0 }]);
  check([], [{ ...row, settled: 'none', input_tokens: 0, output_tokens: 0, usd_micros: 0 }]);
  check([answered, answered], [{ ...row, attempts: 2, input_tokens: 8, output_tokens: 20, usd_micros: 48 }]);
});

const kWrong = [
  ['a request without a row', [answered], []],
  ['a request with two rows', [answered], [row, { ...row, request_id: 'req_2' }]],
  ['one id twice', [answered], [row, { ...row, conversation: 'mark-2' }]],
  ['a row of nobody', [answered], [row, { ...row, conversation: 'mark-2', request_id: 'req_2' }]],
  ['usage that differs by a token', [answered], [{ ...row, output_tokens: 6 }]],
  ['money that differs by a micro-dollar', [answered], [{ ...row, usd_micros: 13 }]],
  ['usage that nobody told', [cut], [row]],
  ['free, though it was produced', [cut], [{ ...row, settled: 'none', input_tokens: 0, output_tokens: 0, usd_micros: 0 }]],
  ['a charge that calls itself none', [failed], [{ ...row, settled: 'none' }]],
  ['a charge without a call', [], [{ ...row, settled: 'counted' }]],
  ['less than its client was given', [cut], [{ ...row, settled: 'counted', output_tokens: 13 }], { delivered: 14 }],
  ['more than was held', [cut], [{ ...row, settled: 'counted', output_tokens: 51 }]],
  ['expired, though it was answered whole', [answered], [{ ...row, settled: 'expired' }], { whole: true }],
  ['expired for less than its client was given', [cut], [{ ...row, settled: 'expired', reserved_tokens: 13 }], { delivered: 14 }],
  ['answered, and no row', [], [], { whole: true }],
  ['another id than its client was told', [answered], [row], { id: 'req_9' }],
];

for (const [name, entries, rows, client] of kWrong) {
  test(`found: ${name}`, () => { assert.throws(() => check(entries, rows, client), assert.AssertionError); });
}

test('the provider writes down what it produced, how far it came, and what it said', async () => {
  const provider = await startProvider({ book: new ProductionBook() });
  try {
    const ask = async (model, mark, body = {}) => {
      const response = await fetch(`${provider.url}/v1/chat/completions`, { method: 'POST',
        body: JSON.stringify({ model, messages: [{ role: 'user', content: `one two ${mark}` }], ...body }) });
      return response.text().catch(() => 'broken');
    };
    await ask('mock-out=5', 'mark-a');
    await ask('mock-out=30+cut', 'mark-b', { stream: true });
    await ask('mock-out=5+usage=9', 'mark-c');
    await ask('mock-out=5+negusage', 'mark-d');
    await ask('mock-500', 'mark-e');
    const of = (mark) => provider.book.of(mark).map(({ status, sent, whole, said }) => ({ status, sent, whole, said }));
    assert.deepEqual(of('mark-a'), [{ status: 200, sent: 5, whole: { input: 3, output: 5 }, said: { input: 3, output: 5 } }]);
    const [half] = of('mark-b');
    assert.ok(half.sent > 10 && half.sent < 20 && !half.whole && !half.said, JSON.stringify(half));
    assert.deepEqual(of('mark-c')[0].said, { input: 3, output: 9 });
    assert.deepEqual(of('mark-d').map(({ whole, said }) => [whole, said]), [[{ input: 3, output: 5 }, undefined]]);
    assert.deepEqual(of('mark-e'), [{ status: 500, sent: 0, whole: undefined, said: undefined }]);
    // Cut after the usage was told and before the answer had its end.
    const left = new AbortController();
    const told = await fetch(`${provider.url}/v1/chat/completions`, { method: 'POST', signal: left.signal, body: JSON.stringify({
      model: 'mock-out=2+slow=400', stream: true, stream_options: { include_usage: true }, messages: [{ role: 'user', content: 'one two mark-f' }] }) });
    let text = '';
    for await (const bytes of told.body) {
      text += Buffer.from(bytes).toString();
      if (text.includes('"usage":{')) break;
    }
    left.abort();
    await eventually(() => !provider.book.of('mark-f')[0].open, 'the provider saw that it was left');
    assert.deepEqual(of('mark-f'), [{ status: 200, sent: 2, whole: undefined, said: { input: 3, output: 2 } }]);
    assert.equal(provider.requests.length, 0, 'bodies are forgotten');
  } finally {
    await provider.close();
  }
});
