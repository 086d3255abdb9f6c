// `weir serve` without a file: the link that it prints signs in once, tries the demo key for real, and shows the limit biting.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { ask, eventually, isFree, kBinary } from '../support/weir.mjs';

test('the first run, from the link to the refusal', async (t) => {
  // The built-in policy has fixed addresses.
  if (!await isFree(8080) || !await isFree(8081)) return t.skip('ports 8080 and 8081 are taken on this machine');
  const folder = await mkdtemp(path.join(os.tmpdir(), 'weir-first-'));
  const weir = spawn(kBinary, ['serve', '--data', path.join(folder, 'data')], { cwd: folder, env: { PATH: process.env.PATH } });
  let output = '';
  weir.stdout.on('data', (text) => { output += text; });
  const ended = new Promise((resolve) => { weir.on('close', resolve); });
  try {
    const link = await eventually(() => /dashboard (http:\/\/127\.0\.0\.1:8081\/#code=([0-9a-f]{48}))\n/.exec(output), 'the link');
    const call = (method, what, body, token) => ask(`http://127.0.0.1:8081/admin/v1${what}`, { method, body: body && JSON.stringify(body),
      headers: { ...(token && { authorization: `Bearer ${token}` }), ...(body && { 'content-type': 'application/json' }) } });
    const signedIn = await call('POST', '/session', { code: link[2] });
    assert.equal(signedIn.status, 200, signedIn.text);
    const { token } = JSON.parse(signedIn.text);
    assert.equal((await call('POST', '/session', { code: link[2] })).status, 401, 'once');
    const welcome = JSON.parse((await call('GET', '/welcome', undefined, token)).text);
    assert.equal(welcome.first_run, true);
    assert.ok(output.includes(`demo key ${welcome.demo_key}`) && output.includes(welcome.curl), output);
    assert.deepEqual([welcome.simulated, welcome.limit.allowed, welcome.limit.window], [true, 20, '1m']);
    const tried = JSON.parse((await call('POST', '/try', { count: 22 }, token)).text).answers;
    assert.deepEqual(tried.map((answer) => answer.status), [...Array(20).fill(200), 429, 429]);
    assert.ok(tried[0].tokens > 0 && tried[0].usd_micros > 0 && tried[0].ms > 0, JSON.stringify(tried[0]));
    assert.equal(tried[20].refusal.limit, welcome.limit.name);
    assert.ok(tried[20].retry_after > 0);
    assert.match(tried[20].sentence, /20/);
  } finally {
    weir.kill('SIGTERM');
    await ended;
    await rm(folder, { recursive: true, force: true });
  }
});
