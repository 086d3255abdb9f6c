// The model of a power loss: what a program had synced is left, whatever other threads were syncing at the time.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, mkdir, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { Disk, makePowerFail } from './powerfail.mjs';

const run = promisify(execFile);
const kInodes = { '/r/d': 10, '/r/d/a': 11, '/r/d/b': 12 };

async function inFolder(use) {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'weir-power-'));
  try {
    await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

// What is left of /r/d after these records: 'C a' and 'M d' make something, 'W a text' writes, '1 B d' and '1 E d' are
// thread 1's sync.
function left(empty, ...records) {
  const disk = new Disk(empty);
  for (const line of records) {
    const [, thread, type, name, text] = /^(?:(\d) )?([CMWBEU]) (\S+)(?: (\S+))?$/.exec(line);
    const file = name === 'd' ? '/r/d' : `/r/d/${name}`;
    disk.apply({ type, inode: kInodes[file], number: Number(thread ?? 0), path: file, data: Buffer.from(text ?? '') });
  }
  disk.syncedNames.set('/r/d', 'directory');
  return disk.survivors({ root: '/r', data: '/r/d' }).map(([name, what]) => [path.basename(name), what.synced.toString()]);
}

test('a sync of a directory that began earlier and ended later takes no name back', () => inFolder((empty) => {
  const begun = ['M d', 'C a', '1 B d', 'C b', '2 B d'];
  assert.deepEqual(left(empty, ...begun, '1 E d').map(([name]) => name), ['a'], 'what came after its begin is not sure');
  assert.deepEqual(left(empty, ...begun, '1 E d', '2 E d').map(([name]) => name), ['a', 'b']);
  assert.deepEqual(left(empty, ...begun, '2 E d', '1 E d').map(([name]) => name), ['a', 'b']);
}));

test('a sync of a file that began earlier and ended later takes no bytes back', () => inFolder((empty) => {
  const begun = ['M d', 'C a', '1 B d', '1 E d', 'W a one', '1 B a', 'W a two', '2 B a'];
  assert.deepEqual(left(empty, ...begun, '1 E a'), [['a', 'one']]);
  assert.deepEqual(left(empty, ...begun, '2 E a', '1 E a'), [['a', 'two']]);
}));

test('a name whose deletion was not synced is there again, and one not synced is not', () => inFolder((empty) => {
  assert.deepEqual(left(empty, 'M d', 'C a', '1 B d', '1 E d', 'U a', 'C b').map(([name]) => name), ['a']);
}));

test('of a program, what it synced is left: also in a directory that has the inode of a deleted file', async (t) => {
  await inFolder(async (folder) => {
    const power = await makePowerFail(folder);
    if (!power) {
      t.skip('needs cc, and a binary without sanitizers');
      return;
    }
    const data = path.join(folder, 'data');
    await mkdir(data);
    power.begin();
    // Most file systems give a free inode to whoever comes next.
    await run(process.execPath, ['-e', `
      const fs = require('node:fs');
      const sync = (name, flags, text) => {
        const fd = fs.openSync(name, flags);
        if (text) fs.writeSync(fd, text, 0);
        fs.fsyncSync(fd);
        fs.closeSync(fd);
      };
      const data = process.argv[1];
      for (let i = 0; i < 20; i += 1) {
        sync(data + '/temporary', 'w', 'gone');
        fs.unlinkSync(data + '/temporary');
        const folder = data + '/folder' + i;
        fs.mkdirSync(folder);
        sync(data, 'r');
        sync(folder + '/kept', 'w', 'kept');
        sync(folder, 'r');
        sync(folder + '/lost', 'w', 'its name is not synced');
      }`, data], { env: { ...process.env, ...power.env } });
    power.lose(data);
    power.end();
    const names = (await readdir(data, { recursive: true })).sort();
    assert.deepEqual(names, Array.from({ length: 20 }, (_, i) => [`folder${i}`, `folder${i}/kept`]).flat().sort());
  });
});
