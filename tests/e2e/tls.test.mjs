// TLS to upstreams: a provider whose certificate is signed by the configured `ca:` is called, any other is not.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { startProvider } from '../mock/provider.mjs';
import { authority, certificate } from '../support/certificates.mjs';
import { mockConfig, startWeir } from '../support/weir.mjs';

let folder;
let provider;
let wrongName;
let weir;
let key;

// As the mock takes them: texts.
function pairOf(ca, name, names) {
  const files = certificate(folder, name, { ca, names });
  return { key: readFileSync(files.key), cert: readFileSync(files.cert) };
}

before(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'weir-tls-'));
  const good = authority(folder, 'good-ca');
  const other = authority(folder, 'other-ca');
  provider = await startProvider({ tls: pairOf(good, 'server') });
  wrongName = await startProvider({ tls: pairOf(good, 'elsewhere', 'DNS:elsewhere.example') });
  const priced = (name) => ({ provider: name, price: { input: 1, output: 1 } });
  weir = await startWeir(mockConfig(provider, {
    providers: {
      trusted: { dialect: 'openai', url: provider.url, key: 'k', ca: good.file },
      byname: { dialect: 'openai', url: `https://localhost:${provider.port}`, key: 'k', ca: good.file },
      untrusted: { dialect: 'openai', url: provider.url, key: 'k', ca: other.file },
      system: { dialect: 'openai', url: provider.url, key: 'k' },
      misnamed: { dialect: 'openai', url: wrongName.url, key: 'k', ca: good.file },
    },
    models: {
      'mock-trusted': priced('trusted'), 'mock-byname': priced('byname'), 'mock-untrusted': priced('untrusted'),
      'mock-system': priced('system'), 'mock-misnamed': priced('misnamed') },
  }));
  key = await weir.createKey('tls');
});
after(async () => {
  await weir?.stop();
  await provider?.close();
  await wrongName?.close();
  rmSync(folder, { recursive: true, force: true });
});

const call = (model, stream = false) => fetch(`${weir.url}/v1/chat/completions`, { method: 'POST',
  body: JSON.stringify({ model, stream, messages: [{ role: 'user', content: 'one two' }] }),
  headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' } });

test('a certificate signed by the configured authority is accepted, by address and by name', async () => {
  for (const model of ['mock-trusted', 'mock-byname']) {
    const response = await call(model);
    assert.equal(response.status, 200, model);
    assert.equal((await response.json()).usage.completion_tokens, 12);
    assert.match(await (await call(model, true)).text(), /\[DONE\]/);
  }
});

test('TLS connections are reused', async () => {
  const before = provider.connections;
  for (let i = 0; i < 10; i += 1) await (await call('mock-trusted')).json();
  assert.ok(provider.connections - before <= 2, `${provider.connections - before} new connections`);
});

test('another authority, the system store, or a wrong name: refused, nothing sent', async () => {
  for (const model of ['mock-untrusted', 'mock-system', 'mock-misnamed']) {
    const before = provider.requests.length + wrongName.requests.length;
    const response = await call(model);
    assert.equal(response.status, 502, model);
    const body = await response.json();
    assert.ok(body.error.message);
    assert.equal(provider.requests.length + wrongName.requests.length, before);
  }
});
