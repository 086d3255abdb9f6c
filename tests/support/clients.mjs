// What the tests of every official client share: one weir before one mock, and the ledger rows of a key.
//
//   const rig = await startRig();
//   const key = await rig.weir.createKey('alice', { tier: 'closed' });
//   const row = await rig.row('alice');
//   await rig.close();
//
// Tiers: free (roomy), closed (one request an hour), cut (300 tokens an hour, and streams that top up by 8).
import assert from 'node:assert/strict';
import { startProvider } from '../mock/provider.mjs';
import { mockConfig, startWeir } from './weir.mjs';

export async function startRig(overrides = {}) {
  const provider = await startProvider();
  const weir = await startWeir(mockConfig(provider, {
    tiers: { free: { weight: 1 }, closed: { weight: 1 }, cut: { weight: 1 } },
    limits: [
      { name: 'requests', per: 'key', meter: 'requests', allow: { default: '10000/1h', closed: '1/1h' } },
      { name: 'tokens', per: 'key', meter: 'tokens', allow: { default: '10M/1h', cut: '300/1h' } },
    ],
    reservation: { trust_cap: 16, top_up: 8 },
    ...overrides,
  }));
  return {
    provider,
    weir,
    rows: (key, count = 1) => weir.usage((all) => all.filter((row) => row.key === key).length >= count)
      .then((all) => all.filter((row) => row.key === key)),
    async row(key) { return (await this.rows(key))[0]; },
    // What the provider saw of a model's calls.
    seen: (model) => provider.requests.filter((request) => request.model === model),
    // Nothing is held, and what was used stays within `limit`.
    async settledWithin(key, limit) {
      const tokens = await weir.limit(key, 'tokens');
      assert.equal(tokens.reserved, 0);
      assert.ok(tokens.used > 0 && tokens.used <= limit, `used ${tokens.used} of ${limit}`);
      return tokens.used;
    },
    async close() {
      await weir.stop();
      await provider.close();
      assert.ok(provider.requests.length > 0);
      for (const request of provider.requests) {
        const sent = JSON.stringify(request.rawHeaders) + request.url + request.body;
        assert.ok(!/weir_[0-9A-Za-z]{24}/.test(sent), "a key of Weir's went to the provider");
        assert.ok(sent.includes('upstream-'), "the provider's own credential did");
      }
    },
  };
}
