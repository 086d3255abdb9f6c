// The checklist names tests. This one reads the page and looks for each of them, so that a test that is renamed or deleted
// takes its line of the page with it; and that no line of the list is missing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { kRoot } from '../support/weir.mjs';
import { kAnswerCases, kRequestCases } from './desync_cases.mjs';

const kLines = 33;
const read = (name) => readFileSync(path.join(kRoot, name), 'utf8');
const quoted = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

function exists({ file, name }) {
  let text;
  try { text = read(file); } catch { return false; }
  if (!file.endsWith('.cc')) return text.includes(`'${name.replaceAll("'", "\\'")}'`) || text.includes(`"${name}"`) || text.includes(`\`\${kStreams} ${name}\``);
  const [suite, test_] = name.split('.');
  return new RegExp(`(TEST|TEST_F|TEST_P|TYPED_TEST|RC_GTEST_PROP|RC_GTEST_FIXTURE_PROP)\\(\\s*${quoted(suite)},\\s*${quoted(test_)}\\s*[,)]`).test(text);
}

const named = (text) => [...text.matchAll(/`((?:src|tests|fuzz)\/[A-Za-z0-9_/.]+\.(?:cc|mjs)): ([^`]+)`/g)].map(([, file, name]) => ({ file, name }));

test('the check finds what is there and misses what is not', () => {
  assert.ok(exists({ file: 'src/gateway/reply_test.cc', name: 'RetryAfter.IsRoundedUpAndNeverZero' }));
  assert.ok(!exists({ file: 'src/gateway/reply_test.cc', name: 'RetryAfter.IsRoundedUpAndNever' }));
  assert.ok(!exists({ file: 'src/gateway/nothing_test.cc', name: 'RetryAfter.IsRoundedUpAndNeverZero' }));
  assert.ok(exists({ file: 'tests/e2e/bad_input.test.mjs', name: 'bad input' }));
  assert.ok(!exists({ file: 'tests/e2e/bad_input.test.mjs', name: 'bad' }));
});

for (const page of ['docs/proof/security-checklist.md', 'docs/compliance.md', 'SECURITY.md']) {
  test(`every test that ${page} names exists`, () => {
    const text = read(page);
    const all = named(text);
    assert.deepEqual(all.filter((item) => !exists(item)), []);
    const spans = [...text.matchAll(/`(?:src|tests|fuzz)\/[^`]*\.(?:cc|mjs): /g)].length;
    assert.equal(all.length, spans, 'each is read as a test');
  });
}

test('every line of the checklist has a test, or says why it has none', () => {
  const rows = read('docs/proof/security-checklist.md').split('\n').map((line) => /^\| (\d+) \| (.*) \| (.*) \| (.*) \|$/.exec(line)).filter(Boolean);
  assert.deepEqual(rows.map((row) => Number(row[1])), Array.from({ length: kLines }, (_, i) => i + 1));
  for (const [, number, , what, tests] of rows) {
    assert.ok(what.length > 20, `line ${number} says what Weir does`);
    assert.ok(named(tests).length > 0 || tests === '–', `line ${number} names a test`);
  }
});

test('the page counts the attacks that are played', () => {
  const text = read('docs/proof/security-checklist.md');
  assert.match(text, new RegExp(`\\b${kRequestCases.length} requests\\b`));
  assert.match(text, new RegExp(`\\b${kAnswerCases.length} answers\\b`));
  assert.equal(new Set(kRequestCases.map(([name]) => name)).size, kRequestCases.length, 'names of cases are unique');
});
