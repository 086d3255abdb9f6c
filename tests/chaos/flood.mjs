// A flood of one request, from a compiled client (wrk), so that the client is not what is measured.
//
//   const result = await flood(world.weir, key, { seconds: 3, model: 'mock-out=1', connections: 16 });
//   result.requests; result.refused;      // undefined where wrk is not installed
//
// Every connection sends its next request as soon as it has an answer: retries as hard as can be.
import { spawn } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

const script = (key, model, prompt) => `
wrk.method = "POST"
wrk.path = "/v1/chat/completions"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer ${key}"
wrk.body = [[${JSON.stringify({ model, max_tokens: 20, messages: [{ role: 'user', content: prompt }] })}]]
`;

let floods = 0;

export async function flood(weir, key, { seconds = 2, model = 'mock-out=1', prompt = 'the flood '.repeat(80), connections = 16 } = {}) {
  const file = path.join(weir.folder, `flood-${floods += 1}.lua`);
  await writeFile(file, script(key, model, prompt));
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '-s', file, weir.url];
  const output = await new Promise((resolve) => {
    const wrk = spawn('wrk', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    wrk.stdout.on('data', (bytes) => { text += bytes; });
    wrk.on('error', () => resolve(undefined));
    wrk.on('close', () => resolve(text));
  });
  await rm(file);
  if (output === undefined) return undefined;
  const number = (pattern) => Number(pattern.exec(output)?.[1] ?? 0);
  return { requests: number(/(\d+) requests in/), refused: number(/Non-2xx or 3xx responses: (\d+)/), output };
}
