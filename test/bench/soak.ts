// `npm run bench:soak -- --model RUN/model [--minutes 10]`: sends a random mix of valid, malformed and oversized requests to
// `tunebook serve`, samples its memory, and sends SIGTERM at the end while requests are pending. Fails if a valid request or
// the shutdown fails.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { embeddedReviews } from '#lib/reviews/embedded.js';
import { sampleReviews } from '#lib/reviews/sample.js';
import { seededRandom } from '#lib/reviews/random.js';
import { root } from '../checkout.js';

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    minutes: { type: 'string', default: '10' },
    clients: { type: 'string', default: '16' },
  },
});
if (!values.model) throw new Error('Missing model. Pass an exported one (tunebook export): --model runs/NAME/model');
const bodyLimit = 100_000;
const child = spawn(
  process.execPath,
  [
    path.join(root, 'lib/dist/cli/main.js'),
    'serve',
    path.resolve(values.model),
    '--port',
    '0',
    '--body-limit',
    String(bodyLimit),
  ],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
let output = '';
child.stdout.on('data', (text) => (output += String(text)));
const exit = new Promise<number | null>((resolve) => child.on('close', resolve));
while (!/http\S+;/.test(output)) await pause(50);
const address = /(http\S+);/.exec(output)![1]!;

const sentences = (await sampleReviews(await embeddedReviews())).map(({ text }) => text);
const random = seededRandom(11);
const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)]!;
const valid = (): [string, string] => {
  const text = pick(sentences);
  return pick<() => [string, object]>([
    () => ['/model', { data: { sentence: text } }],
    () => ['/predict', { inputs: [text, pick(sentences)] }],
    () => ['/invocations', { dataframe_records: [{ text }] }],
    () => ['/v2/models/sentiment/infer', { inputs: [{ name: 't', shape: [1], datatype: 'BYTES', data: [text] }] }],
  ])().map((part) => (typeof part === 'string' ? part : JSON.stringify(part))) as [string, string];
};
const malformed = (): [string, string] => {
  const [url, body] = valid();
  const at = Math.floor(random() * body.length);
  return [
    url,
    pick([body.slice(0, at), `${body.slice(0, at)}\u0000${body.slice(at + 1)}`, '[]', '{"data":{"sentence":7}}']),
  ];
};
const oversized = (): [string, string] => ['/model', JSON.stringify({ data: { sentence: 'x'.repeat(bodyLimit) } })];

const counts: Record<string, number> = {};
const memory: { minute: number; megabytes: number }[] = [];
const started = performance.now();
const minutes = () => (performance.now() - started) / 60_000;
let stopping = false;
let failed = 0;

async function client(): Promise<void> {
  while (!stopping) {
    const draw = random();
    const kind = draw < 0.6 ? 'valid' : draw < 0.9 ? 'malformed' : 'oversized';
    const [url, body] = { valid, malformed, oversized }[kind]();
    try {
      const response = await fetch(address + url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
      await response.json();
      const name = `${kind} ${response.status}`;
      counts[name] = (counts[name] ?? 0) + 1;
      if (response.status >= 500 || (kind === 'valid' && response.status !== 200)) failed++;
    } catch (error) {
      // The server may close the connection while an oversized body is being sent.
      if (kind !== 'oversized') {
        failed++;
        console.error(kind, error);
      }
    }
  }
}
const clients = Array.from({ length: Number(values.clients) }, client);
while (minutes() < Number(values.minutes)) {
  await pause(5000);
  const resident = /VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${child.pid}/status`, 'utf8'))![1];
  memory.push({ minute: minutes(), megabytes: Number(resident) / 1024 });
}
// The pending requests must be answered; no new ones are sent.
stopping = true;
child.kill('SIGTERM');
await Promise.all(clients);
const exitCode = await exit;
const secondHalf = memory.slice(Math.floor(memory.length / 2));
const mean = (list: number[]) => list.reduce((a, b) => a + b, 0) / list.length;
const [x, y] = [mean(secondHalf.map(({ minute }) => minute)), mean(secondHalf.map(({ megabytes }) => megabytes))];
const slope =
  secondHalf.reduce((sum, { minute, megabytes }) => sum + (minute - x) * (megabytes - y), 0) /
  secondHalf.reduce((sum, { minute }) => sum + (minute - x) ** 2, 0);
console.log(
  JSON.stringify(
    {
      minutes: Number(values.minutes),
      counts,
      lost: failed,
      exitCode,
      megabytes: [memory[0], ...secondHalf.slice(-1)],
      slopeMegabytesPerMinute: slope,
    },
    null,
    2,
  ),
);
if (failed > 0 || exitCode !== 0) process.exitCode = 1;
