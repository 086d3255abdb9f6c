// node pack.mjs DIST OUT: compresses every file of DIST into OUT.bin, and writes OUT.inc, one line of C++ per file.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';

const kTypes = {
  '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml',
};
const [, , dist, out] = process.argv;

function filesOf(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    (entry.isDirectory() ? filesOf(path.join(folder, entry.name)) : [path.join(folder, entry.name)])).sort();
}

const packed = [];
const lines = [];
let offset = 0;
for (const file of filesOf(dist)) {
  const type = kTypes[path.extname(file)];
  if (!type) throw new Error(`${file}: pack.mjs knows no content type for it`);
  const name = `/${path.relative(dist, file)}`;
  const text = readFileSync(file);
  const gzip = gzipSync(text, { level: 9 });
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 24);
  lines.push(`{"${name === '/index.html' ? '/' : name}", "${type}", "${hash}", ${offset}, ${gzip.length}},`);
  packed.push(gzip);
  offset += gzip.length;
}
writeFileSync(`${out}.bin`, Buffer.concat(packed));
writeFileSync(`${out}.inc`, `${lines.join('\n')}\n`);
