// A folder of one test file's own: there at once, gone after its last test.
//
//   const { folder, file } = useFolder('replay');
//   const trace = await file('trace.csv', text);   // its path
import { mkdtempSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';

export function useFolder(name) {
  const folder = mkdtempSync(path.join(os.tmpdir(), `weir-${name}-`));
  after(() => rm(folder, { recursive: true, force: true }));
  return {
    folder,
    async file(what, text) {
      const full = path.join(folder, what);
      await writeFile(full, text);
      return full;
    },
  };
}
