// What can happen to the machine under a process: a small file system, files that may not grow, few descriptors, a ledger
// that another process has locked.
//
//   const disk = await smallDisk('8m');      // {folder, fill(), free(), close()}; undefined where it may not be mounted
//   const release = await lockLedger(path.join(weir.data, 'weir.db'));      // undefined without the sqlite3 command
//   await setLimit(weir.process.pid, 'nofile', '64:');      // the soft limit
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export const setLimit = (pid, name, value) => run('prlimit', ['--pid', String(pid), `--${name}=${value}`]);

export async function smallDisk(size) {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'weir-small-'));
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder]);
  } catch {
    await rm(folder, { recursive: true });
    return undefined;
  }
  const ballast = path.join(folder, 'ballast');
  return {
    folder,
    fill: () => assert.rejects(writeFile(ballast, Buffer.alloc(64 << 20)), { code: 'ENOSPC' }),
    free: () => rm(ballast),
    close: () => run('umount', ['-l', folder]).then(() => rm(folder, { recursive: true })),
  };
}

// Another process holds the write lock until release().
export async function lockLedger(file) {
  const holder = spawn('sqlite3', [file], { stdio: ['pipe', 'pipe', 'inherit'] });
  const failed = new Promise((resolve) => { holder.on('error', () => resolve(undefined)); });
  const locked = new Promise((resolve) => { holder.stdout.once('data', () => resolve(true)); });
  holder.stdin.on('error', () => {});
  holder.stdin.write(".timeout 10000\nBEGIN EXCLUSIVE;\nSELECT 'locked';\n");
  if (!await Promise.race([failed, locked])) return undefined;
  const gone = new Promise((resolve) => { holder.on('close', resolve); });
  return async () => { holder.stdin.end('ROLLBACK;\n'); await gone; };
}
