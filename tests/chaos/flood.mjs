// A flood of requests from a compiled client (wrk), so that the client is not what is measured.
//
//   const result = await flood(weir, [key], { seconds: 3, model: 'mock-out=1', connections: 16 });
//   result.requests; result.refused;      // undefined where wrk is not installed
//
// Every connection sends its next request as soon as it has an answer: retries as hard as can be. Of several keys each
// request takes the next, beginning with number `from`; with `conversations` each names one that no other has. It ends
// after `seconds`, or earlier once `most` requests were answered.
import { spawn } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

const script = (file, { model, prompt, conversations, from, most }) => `
local keys, count, answered = {}, ${from}, 0
for line in io.lines("${file}.keys") do keys[#keys + 1] = line end
local body = [[${JSON.stringify({ model, max_tokens: 20, messages: [{ role: 'user', content: prompt }] })}]]
local headers = { ["Content-Type"] = "application/json", ["Authorization"] = "Bearer " .. keys[1] }
local same
request = function()
  if same then return same end
  headers["Authorization"] = "Bearer " .. keys[count % #keys + 1]
  if ${conversations} then headers["X-Weir-Conversation"] = "flood-" .. count end
  count = count + 1
  local bytes = wrk.format("POST", "/v1/chat/completions", headers, body)
  if #keys == 1 and not ${conversations} then same = bytes end
  return bytes
end
${most === Infinity ? '' : `response = function()
  answered = answered + 1
  if answered == ${most} then wrk.thread:stop() end
end
`}`;

let floods = 0;

export async function flood(weir, keys, { seconds = 2, model = 'mock-out=1', prompt = 'the flood '.repeat(80), connections = 16,
  conversations = false, from = 0, most = Infinity } = {}) {
  const file = path.join(weir.folder, `flood-${floods += 1}`);
  await writeFile(`${file}.keys`, `${keys.join('\n')}\n`);
  await writeFile(`${file}.lua`, script(file, { model, prompt, conversations, from, most }));
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '-s', `${file}.lua`, weir.url];
  const output = await new Promise((resolve) => {
    const wrk = spawn('wrk', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    wrk.stdout.on('data', (bytes) => { text += bytes; });
    wrk.on('error', () => resolve(undefined));
    wrk.on('close', () => resolve(text));
  });
  await Promise.all([rm(`${file}.lua`), rm(`${file}.keys`)]);
  if (output === undefined) return undefined;
  const number = (pattern) => Number(pattern.exec(output)?.[1] ?? 0);
  return { requests: number(/(\d+) requests in/), refused: number(/Non-2xx or 3xx responses: (\d+)/), output };
}
