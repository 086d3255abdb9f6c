// Texts for the comparison: what the transcripts hold, and strings drawn from many corners of Unicode.
import { readFileSync, readdirSync, existsSync } from 'node:fs';
import { join } from 'node:path';

// Every message content and every tool call's arguments.
export function transcriptTexts(folder) {
  const texts = [];
  if (!existsSync(folder)) return texts;
  for (const name of readdirSync(folder).filter((n) => /^transcripts_.*\.jsonl$/.test(n)).sort()) {
    for (const line of readFileSync(join(folder, name), 'utf8').split('\n')) {
      if (!line) continue;
      for (const message of JSON.parse(line).messages ?? []) collect(message, texts);
    }
  }
  return texts;
}

function collect(message, texts) {
  const add = (value) => {
    if (typeof value === 'string') texts.push(value.toWellFormed?.() ?? Buffer.from(value).toString());
    else if (value !== null && value !== undefined) texts.push(JSON.stringify(value));
  };
  if (Array.isArray(message.content)) for (const part of message.content) add(part.text ?? part);
  else add(message.content);
  for (const call of message.tool_calls ?? []) add(call.function?.arguments ?? call.args ?? call.arguments);
}

// mulberry32: the same strings in every run.
export function randomFrom(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const alphabets = [
  ' \n\r\t  \n\u00a0\u3000\u2028\u0085\u000b', 'abcxyz', 'ABCXYZ', '0123456789', '.,;:!?/\\(){}[]<>#@-_=+*&%$"`~|',
  "'s't're've'm'll'd'S'T'RE'Ve'LL'D'\u017f", 'äöüßéèñçÄÖÜÉ', 'абвгдАБВГД', '\u4e2d\u6587\u5b57\u7b26', 'かなカナ한국어', 'עבריתعربي',
  '\u0301\u0308\u20dd\u0903', 'ǅǈǋᾈ', 'ʰʲˠªº', '²³¼½Ⅷ٣४', '😀👩‍💻🇩🇪🏽', '\u200b\u200d\ufeff\u00ad', 'ＡＢｃ１２', '𝐀𝐛𝟏𐐀𐐨',
].map((s) => [...s]);

export function randomText(random) {
  const length = 1 + Math.floor(random() ** 3 * 120);
  const kind = random();
  let text = '';
  while (text.length < length) {
    if (kind < 0.1) {
      const point = Math.floor(random() * (random() < 0.5 ? 0x3000 : 0x30000));
      if (point < 0xd800 || point > 0xdfff) text += String.fromCodePoint(point);
      continue;
    }
    const alphabet = alphabets[Math.floor(random() * alphabets.length)];
    for (let run = 1 + Math.floor(random() ** 2 * (kind > 0.9 ? 60 : 6)); run > 0; --run) {
      text += alphabet[Math.floor(random() * alphabet.length)];
    }
  }
  return text;
}

export const specials = [
  '', ' ', '<|endoftext|>', '<|fim_prefix|> x <|endofprompt|>', '\n \n', '  \n\n  x', 'a\n  ', "it's I'LL WE'VE", 'ABC中D', 'MMa\u0301B',
  ' '.repeat(300), '\n'.repeat(300), 'a'.repeat(700), 'A'.repeat(700), 'ab'.repeat(400), '7'.repeat(500), '!'.repeat(500),
  'é'.repeat(400), '中'.repeat(300), '- '.repeat(300), '='.repeat(1000), 'The'.repeat(300), '\t'.repeat(300) + 'x',
];
