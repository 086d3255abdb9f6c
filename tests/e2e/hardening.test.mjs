// The release binary's own defences, the systemd unit, the container file, and a server that runs as nobody in particular.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { ask, eventually, kBinary, kRoot } from '../support/weir.mjs';

const read = (...args) => execFileSync(args[0], args.slice(1), { encoding: 'utf8', maxBuffer: 64 << 20 });
const has = (tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status === 0;
// Sanitizers and debug builds have other defences.
const release = path.basename(path.dirname(kBinary)) === 'release' || path.basename(path.dirname(kBinary)) === 'bench';
const onlyRelease = release ? {} : { skip: `${kBinary} is not the release build` };

test('the binary: PIE, full RELRO, no executable stack, no text relocations', onlyRelease, () => {
  const header = read('readelf', '-hW', kBinary);
  assert.match(header, /Type:\s+DYN \(Position-Independent Executable file\)/);
  const segments = read('readelf', '-lW', kBinary);
  assert.match(segments, /GNU_RELRO/);
  assert.match(/^\s*GNU_STACK.*$/m.exec(segments)[0], /\sRW\s/);
  for (const line of segments.split('\n').filter((text) => /^\s*LOAD/.test(text))) assert.doesNotMatch(line, /\sR?WE\s/, 'no memory is both written and run');
  const dynamic = read('readelf', '-dW', kBinary);
  assert.match(dynamic, /\(FLAGS_1\).*NOW.*PIE|\(FLAGS_1\).*PIE/);
  assert.match(dynamic, /BIND_NOW|\(FLAGS_1\).*NOW/);
  assert.doesNotMatch(dynamic, /TEXTREL|\(RPATH\)|\(RUNPATH\)/);
});

test('the binary: stack canaries, checked copies, branch targets, checked containers', onlyRelease, () => {
  const symbols = read('readelf', '-W', '--dyn-syms', kBinary);
  assert.match(symbols, /__stack_chk_fail/);
  assert.match(symbols, /__(memcpy|memset|memmove|snprintf|read|recv)_chk/, '_FORTIFY_SOURCE');
  assert.match(symbols, /__glibcxx_assert_fail|_ZSt21__glibcxx_assert_fail/, '_GLIBCXX_ASSERTIONS');
  if (process.arch !== 'x64') return;
  const notes = read('readelf', '-nW', kBinary);
  const code = read('sh', '-c', `objdump -d --no-show-raw-insn --section=.text ${kBinary} | grep -m 1000 -c endbr64`);
  assert.ok(Number(code) >= 1000, `${code} branch targets`);
  assert.match(notes, /x86 feature: .*SHSTK/);
});

// What the file says must be true of this binary, so that nobody edits one without the other.
test('the systemd unit is valid, sandboxed, and fits the binary', (t) => {
  const text = readFileSync(path.join(kRoot, 'examples/weir.service'), 'utf8');
  const value = (name) => new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1];
  const drain = Number(/`drain` \| `(\d+)s`/.exec(readFileSync(path.join(kRoot, 'docs/configuration.md'), 'utf8'))[1]);
  assert.ok(Number(value('TimeoutStopSec')) > drain, 'the drain fits');
  assert.match(value('ExecReload'), /kill -HUP \$MAINPID/);
  assert.equal(value('Type'), 'exec', 'the server notifies nobody');
  for (const [name, wanted] of [['NoNewPrivileges', 'yes'], ['ProtectSystem', 'strict'], ['MemoryDenyWriteExecute', 'yes'], ['CapabilityBoundingSet', ''],
    ['UMask', '0077'], ['DynamicUser', 'yes'], ['PrivateTmp', 'yes'], ['PrivateDevices', 'yes']]) assert.equal(value(name), wanted, name);
  assert.equal(value('SystemCallFilter'), '@system-service');
  if (!has('systemd-analyze')) return t.diagnostic('systemd-analyze is not installed: the unit was not verified');
  const folder = mkdtempSync(path.join(os.tmpdir(), 'weir-unit-'));
  try {
    const unit = path.join(folder, 'weir.service');
    writeFileSync(unit, text.replaceAll('/usr/local/bin/weir', kBinary));
    const verified = spawnSync('systemd-analyze', ['verify', '--man=no', unit], { encoding: 'utf8' });
    assert.equal(verified.status, 0, verified.stderr);
    assert.doesNotMatch(verified.stderr, /weir\.service/, 'not even a warning');
    const judged = spawnSync('systemd-analyze', ['security', '--offline=true', '--threshold=15', unit], { encoding: 'utf8' });
    assert.equal(judged.status, 0, judged.stdout.split('\n').slice(-3).join('\n'));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the container runs as a user of its own', () => {
  const text = readFileSync(path.join(kRoot, 'Dockerfile'), 'utf8');
  const users = [...text.matchAll(/^USER (\S+)$/gm)].map((match) => match[1]);
  assert.match(users.at(-1), /^[1-9]\d*(:[1-9]\d*)?$/, 'a number, so that runAsNonRoot can tell');
  assert.ok(text.lastIndexOf('USER ') < text.indexOf('ENTRYPOINT'));
  assert.doesNotMatch(text.slice(text.lastIndexOf('USER ')), /^RUN/m);
});

// The command that makes `weir` run as nobody without any privilege; as ourselves when we have none to drop.
function unprivileged(folder) {
  if (process.getuid() !== 0) return [];
  chownSync(folder, 65534, 65534);
  return ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--no-new-privs', '--bounding-set=-all', '--inh-caps=-all'];
}

// The server itself: a tracer around it keeps signals for itself.
function innermost(pid) {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
  return children.length === 0 ? pid : innermost(Number(children[0]));
}

async function serveAsNobody(wrap, probe) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'weir-nobody-'));
  chmodSync(folder, 0o700);
  const file = path.join(folder, 'weir.yaml');
  writeFileSync(file, JSON.stringify({ listen: '127.0.0.1:0', admin: { listen: '127.0.0.1:0' }, data: path.join(folder, 'data'), workers: 2 }));
  chmodSync(file, 0o644);
  const command = [...unprivileged(folder), ...wrap(folder), kBinary, 'serve', '-c', file];
  const child = spawn(command[0], command.slice(1), { cwd: folder, env: { PATH: process.env.PATH }, umask: 0o022 });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => { output += text; });
  const exited = new Promise((resolve) => { child.on('close', (code, signal) => resolve({ code, signal })); });
  let server = child.pid;
  try {
    const url = await eventually(() => {
      if (child.exitCode !== null) throw new Error(output);
      return /listening on (\S+)/.exec(output)?.[1];
    }, `an address in ${output}`);
    server = innermost(child.pid);
    await probe({ folder, url, pid: server });
    process.kill(server, 'SIGTERM');
    assert.deepEqual(await exited, { code: 0, signal: null }, output);
    server = 0;
  } finally {
    if (server !== 0) process.kill(server, 'SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

async function useIt(url) {
  await eventually(async () => (await ask(`${url}/readyz`)).status === 200, 'ready');
  assert.equal((await ask(`${url}/v1/models`)).status, 401);
}

test('it runs as a normal user without capabilities; its files and its memory are its own', async () => {
  await serveAsNobody(() => [], async ({ folder, url, pid }) => {
    await useIt(url);
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    assert.match(status, /^CapEff:\s+0+$/m);
    const modes = read('find', path.join(folder, 'data'), '-printf', '%m %y %P\\n').trim().split('\n');
    assert.ok(modes.length >= 4);
    for (const line of modes) assert.match(line, /^\d00 /, `others may not read: ${line}`);
    // A process that may not dump core belongs to root under /proc: nobody else of this user can read its memory.
    if (release && process.getuid() === 0) assert.equal(statSync(`/proc/${pid}/environ`).uid, 0, 'core dumps are off');
  });
});

test('it asks the kernel for nothing that the unit forbids', onlyRelease, async (t) => {
  if (!has('strace') || !has('systemd-analyze')) return t.skip('needs strace and systemd-analyze');
  const list = (name) => {
    const members = read('systemd-analyze', 'syscall-filter', name).split('\n').map((line) => line.trim()).filter((line) => line && !line.startsWith('#'));
    return members.slice(1).flatMap((member) => (member.startsWith('@') ? list(member) : [member]));
  };
  const forbidden = new Set([...list('@privileged'), ...list('@resources')]);
  const allowed = new Set(list('@system-service').filter((name) => !forbidden.has(name)));
  assert.ok(allowed.size > 150);
  let used = [];
  await serveAsNobody((folder) => ['strace', '-f', '-qq', '-o', path.join(folder, 'calls'), '-e', 'signal=none'], async ({ folder, url }) => {
    await useIt(url);
    await eventually(() => {
      used = [...new Set([...readFileSync(path.join(folder, 'calls'), 'utf8').matchAll(/^\d+\s+(?:<\.\.\. )?(\w+)(?:\(| resumed)/gm)].map((match) => match[1]))];
      return used.length > 25;
    }, 'system calls');
  });
  // What strace itself does before the program starts is its own; the program begins with execve.
  assert.deepEqual(used.filter((name) => !allowed.has(name) && name !== 'execve'), []);
});
