// golden.mjs: writes src/tokens/testdata/golden.txt: texts on which npm tiktoken and gpt-tokenizer agree, with their ids.
// By hand, when a text is added: npm ci --ignore-scripts && node golden.mjs
// Format: "text " and the UTF-8 bytes in hexadecimal, then a line per encoding: its name and the ids.
import { mkdirSync, writeFileSync } from 'node:fs';
import { encodings, openGptTokenizer, openTiktoken } from './rivals.mjs';
import { randomFrom, randomText, specials } from './texts.mjs';

const prose = [
  'A gateway decides before a request is forwarded, and settles on what was really used.',
  'Die Straße führt über den Fluß; 1.234.567,89 € – «ungefähr» 3½ Meilen.\n\n\tEingerückt.\r\n',
  'Съешь ещё этих мягких французских булок, да выпей чаю. ПРОПИСНЫЕ и МиКс.',
  '東京都は日本の首都です。人口は約1400万人。\n한국어 문장도 있습니다. ภาษาไทยไม่มีช่องว่าง',
  'for (int i = 0; i < n; ++i) {\n    total += values[i] * 0x1F;  // sum\n}\n',
  '{"model":"gpt-4o","messages":[{"role":"user","content":"caf\\u00e9 \\ud83d\\ude00"}],"n":12345}',
  "I'm sure they'll say we've DON'T'D it's y'all'd'VE. HTTPServer XMLHttpRequest iPhone15Pro",
  'https://example.com/a/b?c=d&e=%20f#g\n- item\n* item\n1. one\n///\n//\r\n//',
];
const random = randomFrom(77);
const texts = [...prose, ...specials, ...Array.from({ length: 160 }, () => randomText(random))];
const tiktoken = {}, gpt = {};
for (const name of encodings) tiktoken[name] = await openTiktoken(name), gpt[name] = await openGptTokenizer(name);
const lines = ['# Made by bench/tokens/golden.mjs from npm tiktoken 1.0.22 and gpt-tokenizer 4.0.0, where they agree.'];
for (const text of texts) {
  const ids = encodings.map((name) => [...tiktoken[name](text)].join(' '));
  if (!encodings.every((name, i) => gpt[name](text).join(' ') === ids[i])) continue;
  lines.push(`text ${Buffer.from(text).toString('hex')}`, ...encodings.map((name, i) => `${name} ${ids[i]}`.trimEnd()));
}
const folder = new URL('../../src/tokens/testdata/', import.meta.url);
mkdirSync(folder, { recursive: true });
writeFileSync(new URL('golden.txt', folder), lines.join('\n') + '\n');
