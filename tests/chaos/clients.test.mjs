// Clients that leave at the worst moment.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import net from 'node:net';
import { test } from 'node:test';
import { connect, post } from '../support/raw.mjs';
import { eventually, mockConfig, startWeir } from '../support/weir.mjs';

// A server whose queue of connections holds one and is full: the next one waits until `take` makes room. `taken`
// resolves to the number of bytes that its client sent before it left.
const kListener = `
import socket, sys
s = socket.socket()
s.bind(('127.0.0.1', 0))
s.listen(0)
print(s.getsockname()[1], flush=True)
sys.stdin.readline()
first, _ = s.accept()
second, _ = s.accept()
print('connected', flush=True)
sys.stdin.readline()
print(len(second.recv(1 << 20)), flush=True)
`;

async function fullListener() {
  const child = spawn('python3', ['-c', kListener], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = [];
  let rest = '';
  child.stdout.on('data', (bytes) => {
    const parts = (rest + bytes).split('\n');
    rest = parts.pop();
    lines.push(...parts);
  });
  const line = () => eventually(() => lines.shift(), 'a line of the listener');
  const port = Number(await line());
  const filler = net.connect(port, '127.0.0.1');
  await new Promise((resolve) => { filler.once('connect', resolve); });
  return { port, line, next: () => child.stdin.write('\n'), close: () => { filler.destroy(); child.kill(); } };
}

test('a client that leaves as the provider takes the connection, before a byte was sent: nothing is charged', async () => {
  const listener = await fullListener();
  const config = mockConfig({ url: `http://127.0.0.1:${listener.port}` }, { workers: 1 });
  config.providers.openai.timeouts = { connect: '15s' };
  const weir = await startWeir(config);
  try {
    const key = await weir.createKey('gone');
    const client = await connect(weir.port);
    client.send(post('/v1/chat/completions', key, { model: 'mock-out=5', max_tokens: 500, messages: [{ role: 'user', content: 'gone' }] }));
    await eventually(async () => await weir.metric(/^weir_open_reservations /) === 1, 'it is admitted');
    // Both happen while the process is not looking: it hears of them in one turn.
    weir.signal('SIGSTOP');
    listener.next();
    assert.equal(await listener.line(), 'connected');
    await new Promise((resolve) => { client.socket.once('close', resolve).destroy(); });
    weir.signal('SIGCONT');
    const [row] = await weir.usage((rows) => rows.length === 1);
    listener.next();
    assert.equal(await listener.line(), '0', 'no byte reached the provider');
    assert.deepEqual([row.settled, row.input_tokens, row.output_tokens, row.usd_micros], ['none', 0, 0, 0], JSON.stringify(row));
  } finally {
    weir.signal('SIGCONT');
    await weir.stop();
    listener.close();
  }
});
