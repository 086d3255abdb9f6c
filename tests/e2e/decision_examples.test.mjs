// The examples of examples/decision, as they are, against a real server.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { kRoot, startWeir } from '../support/weir.mjs';

const examples = path.join(kRoot, 'examples/decision');

function run(program, args, env) {
  return new Promise((resolve) => {
    execFile(program, args, { env: { PATH: process.env.PATH, ...env }, timeout: 60_000 }, (error, stdout, stderr) => {
      resolve({ code: error ? error.code : 0, stdout, stderr });
    });
  });
}

// Runs `example(env)` for a caller with room and for one without.
async function tryOut(example) {
  const weir = await startWeir({ limits: [
    { name: 'tokens', per: 'key', meter: 'tokens', allow: { default: '10000/1h', free: '500/1h', pro: '10000/1h' } }] });
  try {
    const key = await weir.createKey('rich', { tier: 'pro' });
    const done = await example({ WEIR_URL: weir.url, WEIR_KEY: key });
    assert.equal(done.code, 0, done.stderr);
    const { answer, usd, settled } = JSON.parse(done.stdout);
    assert.match(answer, /haiku/);
    assert.deepEqual([usd, settled], [0.00632, 'usage']);
    const limit = (await weir.me(key)).limits[0];
    assert.deepEqual([limit.used, limit.reserved], [1292, 0]);
    const refused = await example({ WEIR_URL: weir.url, WEIR_KEY: await weir.createKey('poor') });
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, /admit: 4\d\d .*tokens/);
  } finally {
    await weir.stop();
  }
}

test('weir_decision.py', () => tryOut((env) => run('python3', [path.join(examples, 'weir_decision.py')], env)));

test('weir-decision.ts: has no type errors, and runs', async () => {
  const ts = createRequire(path.join(kRoot, 'tests/clients/package.json'))('typescript');
  const file = path.join(examples, 'weir-decision.ts');
  const options = { strict: true, noEmit: true, types: [], target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext,
    moduleDetection: ts.ModuleDetectionKind.Force, lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'] };
  const faults = ts.getPreEmitDiagnostics(ts.createProgram([file], options));
  assert.deepEqual(faults.map((fault) => ts.flattenDiagnosticMessageText(fault.messageText, '\n')), []);
  const folder = await mkdtemp(path.join(os.tmpdir(), 'weir-ts-'));
  try {
    const script = path.join(folder, 'weir-decision.mjs');
    await writeFile(script, ts.transpileModule(await readFile(file, 'utf8'), { compilerOptions: { ...options, noEmit: false } }).outputText);
    await tryOut((env) => run(process.execPath, [script], env));
  } finally {
    await rm(folder, { recursive: true });
  }
});
