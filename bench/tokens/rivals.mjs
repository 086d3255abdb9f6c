// The two public packages, and our program behind a pipe.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
export const encodings = ['o200k_base', 'cl100k_base', 'p50k_base', 'r50k_base'];

export async function openTiktoken(name) {
  const { Tiktoken } = require('tiktoken/lite');
  const ranks = JSON.parse(readFileSync(require.resolve(`tiktoken/encoders/${name}.json`), 'utf8'));
  const encoder = new Tiktoken(ranks.bpe_ranks, ranks.special_tokens, ranks.pat_str);
  return (text) => encoder.encode_ordinary(text);
}

export async function openGptTokenizer(name) {
  const { encode } = await import(`gpt-tokenizer/encoding/${name}`);
  const plain = { allowedSpecial: new Set(), disallowedSpecial: new Set() };
  return (text) => encode(text, plain);
}

export class Ours {
  constructor(program) {
    this.child = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }
  async line() {
    const { value, done } = await this.lines.next();
    if (done) throw new Error('tokens_compare ended');
    return value;
  }
  async load(texts) {
    const parts = [Buffer.from(`load ${texts.length}\n`)];
    for (const text of texts) {
      const bytes = Buffer.from(text), size = Buffer.alloc(4);
      size.writeUInt32LE(bytes.length);
      parts.push(size, bytes);
    }
    this.child.stdin.write(Buffer.concat(parts));
    await this.line();
    this.loaded = texts.length;
  }
  async ids(name) {
    this.child.stdin.write(`ids ${name}\n`);
    const all = [];
    for (let i = 0; i < this.loaded; ++i) all.push(await this.line());
    return all;
  }
  async counts(name) {
    this.child.stdin.write(`counts ${name}\n`);
    const all = [];
    for (let i = 0; i < this.loaded; ++i) all.push((await this.line()).split(' ').map(Number));
    return all;
  }
  async time(name, rounds) {
    this.child.stdin.write(`time ${name} ${rounds}\n`);
    const [ns, tokens] = (await this.line()).split(' ').map(Number);
    return { ns, tokens };
  }
  close() { this.child.stdin.end(); }
}
