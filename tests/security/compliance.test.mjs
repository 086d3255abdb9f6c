// docs/compliance.md is not prose: every command in it is run, as it stands, against a server that has traffic.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { readFileSync } from 'node:fs';
import { mkdir, symlink } from 'node:fs/promises';
import path from 'node:path';
import { startProvider } from '../mock/provider.mjs';
import { kBinary, kDeadlineMs, kRoot, mockConfig, prepareWeir } from '../support/weir.mjs';

let provider;
let weir;

before(async () => {
  provider = await startProvider();
  weir = await prepareWeir();
  await weir.writeConfig({ ...mockConfig(provider, {
    limits: [{ name: 'requests', per: 'key', meter: 'requests', allow: '3/1h' }, { name: 'spend', per: 'caller', meter: 'usd', allow: '10/day', fail: 'closed' }],
  }), data: './weir-data' });
  weir.data = path.join(weir.folder, 'weir-data');
  await weir.start();
  const keys = {};
  for (const name of ['alice', 'carol', 'mallory']) keys[name] = await weir.createKey(name, { tenant: 'acme', user: `${name}@example.com` });
  for (const [name, calls] of [['alice', 5], ['carol', 2], ['mallory', 1]]) {
    for (let i = 0; i < calls; i += 1) {
      await fetch(`${weir.url}/v1/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${keys[name]}`, 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'mock-ok', messages: [{ role: 'user', content: `words of the prompt ${i}` }] }) });
    }
  }
  assert.equal((await weir.command('keys', 'revoke', 'mallory')).code, 0);
  await weir.usage((rows) => rows.length === 6, 'what was admitted is booked');
  await weir.audit((rows) => rows.filter((row) => row.event === 'refused').length === 2, 'what was refused is in the audit');
  await mkdir(path.join(weir.folder, 'bin'));
  await symlink(kBinary, path.join(weir.folder, 'bin/weir'));
});
after(async () => {
  await weir?.stop();
  await provider?.close();
});

// [{line, command, shows: [text], hides: [text]}] of every ```sh block.
function commands() {
  const found = [];
  let inside = false;
  readFileSync(path.join(kRoot, 'docs/compliance.md'), 'utf8').split('\n').forEach((text, i) => {
    if (text.startsWith('```')) inside = text === '```sh';
    else if (!inside) return;
    else if (text.startsWith('# ')) {
      const [, what, part] = /^# (shows|hides): ?(.*)$/.exec(text) ?? assert.fail(`line ${i + 1}: ${text}`);
      found.at(-1)[what].push(part);
    } else found.push({ line: i + 1, command: text, shows: [], hides: [] });
  });
  return found;
}

function run(command) {
  return new Promise((resolve) => {
    execFile('bash', ['-o', 'pipefail', '-c', command], { cwd: weir.folder, timeout: kDeadlineMs, env: { HOME: process.env.HOME, TZ: 'UTC',
      PATH: `${weir.folder}/bin:${process.env.PATH}`, ADMIN: weir.admin, WEIR_ADMIN_TOKEN: weir.adminToken } },
    (error, stdout, stderr) => resolve({ code: error ? error.code ?? 1 : 0, stdout, stderr }));
  });
}

test('what the page shows an auditor is true of a server with traffic', async () => {
  const all = commands();
  assert.ok(all.length >= 25, `${all.length} commands`);
  for (const { line, command, shows, hides } of all) {
    assert.ok(shows.length + hides.length > 0, `line ${line}: says what it shows`);
    const { code, stdout, stderr } = await run(command);
    assert.equal(code, 0, `line ${line}: ${command}\n${stdout}${stderr}`);
    for (const text of shows) assert.ok(stdout.includes(text), `line ${line}: ${command}\nshows ${text}:\n${stdout}${stderr}`);
    for (const text of hides) assert.ok(stdout.length > 0 && !stdout.includes(text), `line ${line}: ${command}\nhides ${text}:\n${stdout}`);
  }
});

test('a purge that names nobody, or asks for a list too, is refused and deletes nothing', async () => {
  const before = (await weir.rows('usage')).length;
  for (const args of [['--purge'], ['--purge', '--user', ''], ['--user', 'alice@example.com'], ['--purge', '--by', 'user', '--user', 'alice@example.com'],
    ['--purge', '--since', '1h', '--tenant', 'acme']]) {
    const { code, stderr } = await weir.command('usage', ...args);
    assert.equal(code, 2, args.join(' '));
    assert.ok(stderr.trim().length > 0, 'says why');
  }
  assert.equal((await weir.rows('usage')).length, before);
});
