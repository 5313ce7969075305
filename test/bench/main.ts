// `npm run bench`: Tunebook and PyTorch on the same work in one run, taking turns; medians and their ratio.
import { spawn } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { bestPrecision, type Precision } from 'tunebook/tensorflow/precision.js';
import { root } from '../checkout.js';
import { findPyTorch } from './pytorch-environment.js';
import { batch, rounds, steps, tokens, workFile, writeWork } from './work.js';

/** A side that waits for its turn; resolves when it is ready, so that no side's start is in another's time. */
async function startSide(command: string, argv: string[]) {
  const child = spawn(command, argv, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const line = await lines.next();
    if (line.done) throw new Error(`${command} ended before its turn was over.`);
    return line.value;
  };
  await next();
  return {
    async turn(): Promise<number> {
      child.stdin.write('\n');
      return Number(await next());
    },
    end: () => child.stdin.end(),
  };
}

const median = (values: number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;
await writeWork();
const python = findPyTorch();
const tunebook = (precision: Precision) =>
  startSide(process.execPath, [path.join(root, 'test/dist/bench/tunebook.js'), precision]);
const pytorch = (optimizer: string, precision: Precision) =>
  startSide(python, [
    path.join(root, 'test/bench/pytorch.py'),
    workFile,
    String(batch),
    String(steps),
    optimizer,
    precision,
  ]);
const sides = {
  'Tunebook float32': await tunebook('float32'),
  'PyTorch float32, fused AdamW': await pytorch('fused', 'float32'),
  'PyTorch float32, default AdamW': await pytorch('default', 'float32'),
  ...(bestPrecision() === 'bfloat16' && {
    'Tunebook bfloat16': await tunebook('bfloat16'),
    'PyTorch bfloat16, fused AdamW': await pytorch('fused', 'bfloat16'),
  }),
};
type Name = keyof typeof sides;
const names = Object.keys(sides) as Name[];
const rates = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, number[]>;
console.log(
  `Training DistilBERT-base's size, ${batch} x ${tokens} tokens, dropout on, eager; ${os.cpus()[0]?.model}, ${os.availableParallelism()} cores; samples/s`,
);
for (let round = 0; round < rounds; round++)
  for (const name of round % 2 ? [...names].reverse() : names) {
    const rate = await sides[name]!.turn();
    rates[name].push(rate);
    console.log(`  ${name.padEnd(32)} ${rate.toFixed(2)}`);
  }
for (const name of names) sides[name]!.end();
const own = (name: Name) =>
  median(rates[name.includes('bfloat16') ? ('Tunebook bfloat16' as Name) : 'Tunebook float32']);
for (const name of names)
  console.log(
    `median: ${name.padEnd(32)} ${median(rates[name]).toFixed(2)}` +
      (name.startsWith('PyTorch') ? `, Tunebook is ${(own(name) / median(rates[name])).toFixed(2)} times that` : ''),
  );
