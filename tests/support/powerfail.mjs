// What a power loss leaves of a data folder: exactly what was synced, by the log of powerfail.c.
//
//   const power = await makePowerFail(weir.folder);   // undefined: this machine cannot preload into the binary
//   weir.env = power.env;
//   power.begin();  await weir.start();  …  await weir.kill();
//   power.lose(weir.data);                            // bytes and names that were not synced are gone
//   power.begin();  await weir.start();
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { kRoot, runWeir } from './weir.mjs';

const run = promisify(execFile);
const kHead = 25;

function* records(bytes) {
  for (let at = 0; at + kHead <= bytes.length;) {
    const pathSize = bytes.readUInt32LE(at + 17);
    const dataSize = bytes.readUInt32LE(at + 21);
    const end = at + kHead + pathSize + dataSize;
    if (end > bytes.length) return;      // the process was killed in the middle of it
    yield {
      type: String.fromCharCode(bytes[at]), inode: Number(bytes.readBigUInt64LE(at + 1)), number: Number(bytes.readBigUInt64LE(at + 9)),
      path: bytes.toString('utf8', at + kHead, at + kHead + pathSize), data: bytes.subarray(at + kHead + pathSize, end),
    };
    at = end;
  }
}

class File {
  constructor(content = Buffer.alloc(0)) { this.now = this.synced = content; }

  write(offset, data) {
    const next = Buffer.alloc(Math.max(this.now.length, offset + data.length));
    this.now.copy(next);
    data.copy(next, offset);
    this.now = next;                     // a new buffer each time: `synced` may be the old one
  }

  truncate(length) {
    const next = Buffer.alloc(length);
    this.now.copy(next, 0, 0, Math.min(length, this.now.length));
    this.now = next;
  }
}

// Names and contents, as they are and as they were synced. A name is a File or 'directory'.
export class Disk {
  constructor(folder) {
    this.names = new Map();
    this.inodes = new Map();
    this.syncing = new Map();            // by thread
    this.syncs = 0;                      // begun so far
    this.newest = new Map();             // by File, or path of a directory: the sync that holds there
    this.scan(folder);
    this.syncedNames = new Map(this.names);
  }

  scan(folder) {
    for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
      const name = path.join(folder, entry.name);
      if (entry.isDirectory()) {
        this.names.set(name, 'directory');
        this.scan(name);
      } else {
        const file = new File(fs.readFileSync(name));
        this.names.set(name, file);
        this.inodes.set(fs.statSync(name).ino, file);
      }
    }
  }

  apply(record) {
    const file = this.inodes.get(record.inode);
    const to = record.data.toString();
    switch (record.type) {
      case 'C': this.names.set(record.path, new File()); this.inodes.set(record.inode, this.names.get(record.path)); break;
      case 'M':
        this.names.set(record.path, 'directory');
        this.inodes.delete(record.inode);       // it may have been a file's that is gone
        break;
      case 'W': file?.write(record.number, record.data); break;
      case 'T': file?.truncate(record.number); break;
      case 'L': this.names.set(to, this.names.get(record.path)); break;
      case 'R': this.names.set(to, this.names.get(record.path)); this.names.delete(record.path); break;
      case 'U': this.names.delete(record.path); break;
      case 'B':
        this.syncs += 1;
        this.syncing.set(record.number, { order: this.syncs, content: file?.now, names: new Map(this.names) });
        break;
      case 'E': this.synced(record, file, this.syncing.get(record.number)); break;
      default: throw new Error(`unknown record ${record.type}`);
    }
  }

  // What holds is what was there when the sync began. Of syncs that overlap, in several threads, one that began earlier
  // may end later: it takes nothing back.
  synced(record, file, begun) {
    const what = file ?? record.path;
    if (begun.order < (this.newest.get(what) ?? 0)) return;
    this.newest.set(what, begun.order);
    if (file) {
      file.synced = begun.content;
      return;
    }
    const here = (name) => path.dirname(name) === record.path;
    for (const name of [...this.syncedNames.keys()].filter(here)) this.syncedNames.delete(name);
    for (const [name, now] of begun.names) if (here(name)) this.syncedNames.set(name, now);
  }

  // A file is there if its name and all folders above it are.
  survivors(folder) {
    const alive = (name) => name === folder.root || (this.syncedNames.has(name) && alive(path.dirname(name)));
    return [...this.syncedNames].filter(([name, what]) => what !== 'directory' && name.startsWith(`${folder.data}/`) && alive(name));
  }
}

class PowerFail {
  constructor(folder, library) {
    this.folder = folder;
    this.log = `${folder}.powerfail`;
    this.env = { LD_PRELOAD: library, WEIR_POWERFAIL_ROOT: folder, WEIR_POWERFAIL_LOG: this.log };
  }

  // From here on; all that is there now is taken for synced.
  begin() {
    fs.writeFileSync(this.log, '');
    this.disk = new Disk(this.folder);
  }

  // The folder `data` becomes what the machine would have after the power came back: so many files.
  lose(data) {
    for (const record of records(fs.readFileSync(this.log))) this.disk.apply(record);
    const kept = this.disk.survivors({ root: this.folder, data });
    fs.rmSync(data, { recursive: true, force: true });
    for (const [name, file] of kept) {
      fs.mkdirSync(path.dirname(name), { recursive: true, mode: 0o700 });
      fs.writeFileSync(name, file.synced, { mode: 0o600 });
    }
    return kept.length;
  }

  end() { fs.rmSync(this.log, { force: true }); }
}

export async function makePowerFail(folder) {
  const library = `${folder}/powerfail.so`;
  try {
    await run('cc', ['-O1', '-shared', '-fPIC', '-o', library, path.join(kRoot, 'tests/support/powerfail.c'), '-ldl', '-lpthread']);
  } catch {
    return undefined;
  }
  const power = new PowerFail(folder, library);
  // A sanitizer's runtime insists on being loaded first.
  const probe = await runWeir(['version'], { env: power.env });
  return probe.code === 0 ? power : undefined;
}
