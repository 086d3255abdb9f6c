// What the tests run, by folder of src/, and which lines of some folders nothing runs.
//   node report.mjs FILE.lcov UNCOVERED.txt FOLDER…
// Prints the table (Markdown) and writes the uncovered lines of the FOLDERs with their text. Code that only tests use
// is left out. Of a template or an inline function one instance that runs is enough.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const testOnly = /_test\.|\/test_|_test_|_(fixture|fakes|support)\.h$|\/(power_disk|reference_model|fake_[a-z_]+)\.h$/;
const [lcov, uncoveredFile, ...folders] = process.argv.slice(2);

// { name → { lines: line → count, functions: line → count, branches: "line,block,branch" → count } }
const files = new Map();
const most = (map, key, count) => map.set(key, Math.max(map.get(key) ?? 0, count));
let file = null;
let starts = new Map();
for (const line of readFileSync(lcov, 'utf8').split('\n')) {
  const colon = line.indexOf(':');
  const kind = line.slice(0, colon);
  const rest = line.slice(colon + 1).split(',');
  if (kind === 'SF') {
    const name = line.slice(colon + 1).replace(/^.*?\/((src|include)\/)/, '$1');
    starts = new Map();
    file = null;
    if (!/^(src|include)\//.test(name) || testOnly.test(name)) continue;
    if (!files.has(name)) files.set(name, { lines: new Map(), functions: new Map(), branches: new Map() });
    file = files.get(name);
  } else if (file === null) {
    continue;
  } else if (kind === 'FN') {
    starts.set(rest.slice(1).join(','), Number(rest[0]));
  } else if (kind === 'FNDA') {
    most(file.functions, starts.get(rest.slice(1).join(',')), Number(rest[0]));
  } else if (kind === 'DA') {
    most(file.lines, Number(rest[0]), Number(rest[1]));
  } else if (kind === 'BRDA') {
    most(file.branches, rest.slice(0, 3).join(','), rest[3] === '-' ? 0 : Number(rest[3]));
  }
}

// A brace after what always leaves is a line to the compiler and to nobody else.
for (const [name, { lines }] of files) {
  if (!existsSync(name)) continue;
  const source = readFileSync(name, 'utf8').split('\n');
  for (const [line, count] of lines) {
    if (count === 0 && /^\s*[})\];]*\s*$/.test(source[line - 1] ?? '')) lines.delete(line);
  }
}

const folderOf = (name) => name.split('/').slice(0, 2).join('/');
const sums = new Map();
for (const [name, { lines, functions, branches }] of files) {
  for (const folder of [folderOf(name), 'all']) {
    if (!sums.has(folder)) sums.set(folder, Array.from({ length: 6 }, () => 0));
    const sum = sums.get(folder);
    [lines, functions, branches].forEach((map, i) => {
      sum[2 * i] += [...map.values()].filter((count) => count > 0).length;
      sum[2 * i + 1] += map.size;
    });
  }
}
const share = (hit, of) => (of === 0 ? '-' : `${((100 * hit) / of).toFixed(1)}% (${of - hit} of ${of} not)`);
console.log('| folder | lines | functions | branches |\n|---|---|---|---|');
for (const folder of [...sums.keys()].filter((name) => name !== 'all').sort().concat('all')) {
  const s = sums.get(folder) ?? [0, 0, 0, 0, 0, 0];
  console.log(`| ${folder} | ${share(s[0], s[1])} | ${share(s[2], s[3])} | ${share(s[4], s[5])} |`);
}

let text = '';
for (const name of [...files.keys()].filter((each) => folders.includes(folderOf(each))).sort()) {
  const source = existsSync(name) ? readFileSync(name, 'utf8').split('\n') : [];
  const cold = [...files.get(name).lines].filter(([, count]) => count === 0).map(([line]) => line).sort((a, b) => a - b);
  cold.forEach((line, i) => {
    if (i === 0) text += `${name}\n`;
    if (i > 0 && cold[i - 1] !== line - 1) text += '      …\n';
    text += `${String(line).padStart(5)} ${source[line - 1] ?? ''}\n`;
  });
}
writeFileSync(uncoveredFile, text);
