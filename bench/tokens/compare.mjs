// compare.mjs PROGRAM [DATA]: PROGRAM is tokens_compare; DATA a folder with transcripts_*.jsonl.
// 1. Ids and counts, whole and in pieces, against npm tiktoken and gpt-tokenizer: every text of the transcripts and
//    10,000 random strings per encoding. Where the two disagree, ours must be tiktoken's.
// 2. Speed on the transcripts, the rounds of the rivals alternating: processor time, the best round counts.
// JSON lines on stdout, a table on stderr; exit 1 if any text differs.
import { Ours, encodings, openGptTokenizer, openTiktoken } from './rivals.mjs';
import { randomFrom, randomText, specials, transcriptTexts } from './texts.mjs';

const [program, data = '../shared/data'] = process.argv.slice(2);
const ours = new Ours(program);
const transcripts = transcriptTexts(data);
if (transcripts.length === 0) console.error(`no transcripts_*.jsonl in ${data}: random strings only`);
let wrong = 0;

const random = randomFrom(20_251);
const strings = [...specials, ...Array.from({ length: 10_000 }, () => randomText(random))];
for (const name of encodings) {
  const tiktoken = await openTiktoken(name), gpt = await openGptTokenizer(name);
  for (const [what, texts] of [['transcripts', [...new Set(transcripts)]], ['random', strings]]) {
    await ours.load(texts);
    const ids = await ours.ids(name), counts = await ours.counts(name);
    let agree = 0, different = 0;
    texts.forEach((text, i) => {
      const theirs = tiktoken(text), count = theirs.length, line = theirs.join(' ');
      if (gpt(text).join(' ') === line) ++agree;
      if (ids[i] === line && counts[i][0] === count && counts[i][1] === count) return;
      if (++different <= 5) console.error(`${name} differs on ${JSON.stringify(text).slice(0, 200)}\n  tiktoken ${line.slice(0, 200)}\n  ours     ${ids[i].slice(0, 200)} (${counts[i]})`);
    });
    wrong += different;
    console.log(JSON.stringify({ bench: 'tokens', check: what, encoding: name, texts: texts.length, rivals_agree: agree, different }));
    console.error(`${name.padEnd(12)} ${what.padEnd(12)} ${texts.length} texts, rivals agree on ${agree}, ours differs from tiktoken on ${different}`);
  }
}

const bytes = transcripts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
if (bytes > 0) {
  await ours.load(transcripts);
  for (const name of encodings) {
    const tiktoken = await openTiktoken(name), gpt = await openGptTokenizer(name);
    const best = { ours: Infinity, tiktoken: Infinity, gpt_tokenizer: Infinity };
    const timed = (encode) => {
      const begin = process.cpuUsage();
      for (const text of transcripts) encode(text);
      const { user, system } = process.cpuUsage(begin);
      return (user + system) * 1000;
    };
    for (let round = 0; round < 5; ++round) {
      best.ours = Math.min(best.ours, (await ours.time(name, 1)).ns);
      if (round < 3) best.tiktoken = Math.min(best.tiktoken, timed(tiktoken));
      if (round < 3) best.gpt_tokenizer = Math.min(best.gpt_tokenizer, timed(gpt));
    }
    const speed = Object.fromEntries(Object.entries(best).map(([who, ns]) => [`${who}_mb_s`, +(bytes * 1000 / ns).toFixed(1)]));
    console.log(JSON.stringify({ bench: 'tokens', speed: 'transcripts', encoding: name, bytes, ...speed }));
    console.error(`${name.padEnd(12)} ours ${speed.ours_mb_s} MB/s, tiktoken ${speed.tiktoken_mb_s}, gpt-tokenizer ${speed.gpt_tokenizer_mb_s}: ${(speed.ours_mb_s / speed.tiktoken_mb_s).toFixed(1)} times tiktoken`);
  }
}
ours.close();
process.exitCode = wrong > 0 ? 1 : 0;
