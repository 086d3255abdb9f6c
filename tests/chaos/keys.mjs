// Keys by the hundred thousand: written into the store in one transaction, in the form that `weir keys create` gives them.
//
//   const keys = await importKeys(weir, 100_000);       // weir is running; they hold within a second
import { createHmac, randomBytes } from 'node:crypto';
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';

const kDigits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const kSecretAt = 192;       // in the file of secrets, 32 bytes long
const kPrimes = [0x9e3779b185ebca87n, 0xc2b2ae3d27d4eb4fn, 0x165667b19e3779f9n, 0x85ebca77c2b2ae63n, 0x27d4eb2f165667c5n];
const kMask = (1n << 64n) - 1n;

const rotated = (value, by) => ((value << by) | (value >> (64n - by))) & kMask;

// XXH64 of 24 bytes, seed 0: the checksum at a key's end is made from it.
function xxh64(bytes) {
  let hash = (kPrimes[4] + BigInt(bytes.length)) & kMask;
  for (let at = 0; at < bytes.length; at += 8) {
    const lane = rotated((bytes.readBigUInt64LE(at) * kPrimes[1]) & kMask, 31n) * kPrimes[0] & kMask;
    hash = (rotated(hash ^ lane, 27n) * kPrimes[0] + kPrimes[3]) & kMask;
  }
  hash = (hash ^ (hash >> 33n)) * kPrimes[1] & kMask;
  hash = (hash ^ (hash >> 29n)) * kPrimes[2] & kMask;
  return hash ^ (hash >> 32n);
}

function makeKey() {
  const body = Array.from(randomBytes(24), (byte) => kDigits[byte % 62]).join('');
  let rest = xxh64(Buffer.from(body));
  let checksum = '';
  for (let i = 0; i < 6; i += 1) {
    checksum += kDigits[Number(rest % 62n)];
    rest /= 62n;
  }
  return `weir_${body}_${checksum}`;
}

export async function importKeys(weir, count, name = 'crowd') {
  const secret = (await readFile(path.join(weir.data, 'secret'))).subarray(kSecretAt, kSecretAt + 32);
  const keys = Array.from({ length: count }, makeKey);
  const values = keys.map((key, i) => `('${name}-${i}',x'${createHmac('sha256', secret).update(key).digest('hex')}','','','',0,0,'{}',0)`);
  const store = spawn('sqlite3', ['-bail', path.join(weir.data, 'weir.db')], { stdio: ['pipe', 'inherit', 'inherit'] });
  const done = new Promise((resolve, reject) => {
    store.on('error', reject);
    store.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`sqlite3 ended with ${code}`))));
  });
  store.stdin.write('.timeout 20000\nBEGIN IMMEDIATE;\n');
  for (let at = 0; at < values.length; at += 500) {
    store.stdin.write(`INSERT INTO consumers (name,key_hash,tenant,user,tier,kind,status,metadata,created_at) VALUES ${
      values.slice(at, at + 500).join(',')};\n`);
  }
  store.stdin.end('COMMIT;\n');
  await done;
  return keys;
}
