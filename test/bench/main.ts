// `npm run bench`: Tunebook and PyTorch on the same work in one run, taking turns; medians and their ratio.
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { root } from '../checkout.js';
import { batch, rounds, steps, tokens } from './work.js';

const environment = path.join(root, '.tunebook/pytorch');
const python = path.join(environment, 'bin/python');

/** PyTorch's CPU build in an environment of its own; TUNEBOOK_BENCH_PYTHON names one that is there already. */
function findPyTorch(): string {
  const named = process.env['TUNEBOOK_BENCH_PYTHON'];
  if (named) return named;
  if (!fs.existsSync(path.join(environment, 'whole'))) {
    console.log('Setting up PyTorch in an environment of its own …');
    for (const [command, argv] of [
      [process.env['TUNEBOOK_PYTHON'] ?? 'python3', ['-m', 'venv', '--clear', environment]],
      [python, ['-m', 'pip', 'install', '--quiet', '-r', path.join(root, 'test/bench/requirements.txt')]],
    ] as const)
      if (spawnSync(command, argv, { stdio: 'inherit' }).status !== 0)
        throw new Error('PyTorch could not be installed; see above.');
    fs.writeFileSync(path.join(environment, 'whole'), '');
  }
  return python;
}

/** A side that waits for its turn. */
function startSide(command: string, argv: string[]) {
  const child = spawn(command, argv, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async turn(): Promise<number> {
      child.stdin.write('\n');
      const line = await lines.next();
      if (line.done) throw new Error(`${command} ended before its turn was over.`);
      return Number(line.value);
    },
    end: () => child.stdin.end(),
  };
}

const median = (values: number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;
const sides = {
  Tunebook: startSide(process.execPath, [path.join(root, 'test/dist/bench/tunebook.js')]),
  PyTorch: startSide(findPyTorch(), [
    path.join(root, 'test/bench/pytorch.py'),
    String(batch),
    String(tokens),
    String(steps),
  ]),
};
const rates: Record<keyof typeof sides, number[]> = { Tunebook: [], PyTorch: [] };
console.log(
  `DistilBERT-base's size, ${batch} x ${tokens} tokens, dropout on, float32, eager; ${os.cpus()[0]?.model}, ${os.availableParallelism()} cores`,
);
for (let round = 0; round < rounds; round++)
  for (const name of round % 2 ? (['PyTorch', 'Tunebook'] as const) : (['Tunebook', 'PyTorch'] as const)) {
    const rate = await sides[name].turn();
    rates[name].push(rate);
    console.log(`  ${name.padEnd(8)} ${rate.toFixed(2)} samples/s`);
  }
for (const side of Object.values(sides)) side.end();
const [tunebook, pytorch] = [median(rates.Tunebook), median(rates.PyTorch)];
console.log(
  `median: Tunebook ${tunebook.toFixed(2)}, PyTorch ${pytorch.toFixed(2)} samples/s; ratio ${(tunebook / pytorch).toFixed(2)}`,
);
