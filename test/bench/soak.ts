// `npm run bench:soak -- --model RUN/model [--minutes 10]`: valid, broken and oversized requests in a jumble against `tunebook
// serve`, its memory watched, and SIGTERM in the middle of them at the end.
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
if (!values.model) throw new Error('Which model? --model runs/NAME/model, exported (tunebook export).');
const bodyLimit = 100_000;
const child = spawn(
  process.execPath,
  [
    path.join(root, 'lib/dist/cli/main.js'),
    ...['serve', path.resolve(values.model), '--port', '0', '--body-limit', String(bodyLimit)],
  ],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
let said = '';
child.stdout.on('data', (text) => (said += String(text)));
const exit = new Promise<number | null>((resolve) => child.on('close', resolve));
while (!/http\S+;/.test(said)) await pause(50);
const address = /(http\S+);/.exec(said)![1]!;

const sentences = (await sampleReviews(embeddedReviews())).map(({ text }) => text);
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
const broken = (): [string, string] => {
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
let ending = false;
let lost = 0;

async function client(): Promise<void> {
  while (!ending) {
    const dice = random();
    const kind = dice < 0.6 ? 'valid' : dice < 0.9 ? 'broken' : 'oversized';
    const [url, body] = { valid, broken, oversized }[kind]();
    try {
      const response = await fetch(address + url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
      await response.json();
      const name = `${kind} ${response.status}`;
      counts[name] = (counts[name] ?? 0) + 1;
      if (response.status >= 500 || (kind === 'valid' && response.status !== 200)) lost++;
    } catch (error) {
      // An oversized body may be cut off while it is still on its way.
      if (kind !== 'oversized') {
        lost++;
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
// What is under way now must be answered; nothing new is asked.
ending = true;
child.kill('SIGTERM');
await Promise.all(clients);
const status = await exit;
const late = memory.slice(Math.floor(memory.length / 2));
const mean = (list: number[]) => list.reduce((a, b) => a + b, 0) / list.length;
const [x, y] = [mean(late.map(({ minute }) => minute)), mean(late.map(({ megabytes }) => megabytes))];
const slope =
  late.reduce((sum, { minute, megabytes }) => sum + (minute - x) * (megabytes - y), 0) /
  late.reduce((sum, { minute }) => sum + (minute - x) ** 2, 0);
console.log(
  JSON.stringify(
    {
      minutes: Number(values.minutes),
      counts,
      lost,
      exitCode: status,
      megabytes: [memory[0], ...late.slice(-1)],
      slopeMegabytesPerMinute: slope,
    },
    null,
    2,
  ),
);
if (lost > 0 || status !== 0) process.exitCode = 1;
