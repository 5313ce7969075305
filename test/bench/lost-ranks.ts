/**
 * `npm run bench:lost-ranks -- [--times 10]`: fine-tunes on the embedded reviews with two ranks. Each time, one rank is
 * killed or stopped at a random moment; then the run is resumed. Prints how long the other rank took to end, and compares
 * the finished run with an uninterrupted one.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { RunFolder } from '#lib/runs/run-folder.js';
import type { FinetuneMetrics } from '#lib/runs/metrics.js';
import { percentInterval } from '#lib/figures/format.js';
import { readJournal, recordsOf } from '#lib/runs/journal.js';
import { main, startRanks } from '../distributed/ranks.js';

const { values: options } = parseArgs({ options: { times: { type: 'string', default: '10' } } });
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-lost-ranks-'));
const finetune = (run: string) => ({
  argv: [
    main,
    'finetune',
    '--source',
    'embedded',
    '--rows',
    '1200',
    '--epochs',
    '3',
    '--save-steps',
    '10',
    '--early-stopping-patience',
    '0',
    '--cluster-timeout',
    '60',
    '--run-folder',
    path.join(folder, run),
    '--resume',
  ],
});
const twoRanks = (run: string) => [finetune(run), finetune(run)];
const stepsOf = (run: string) =>
  recordsOf(readJournal(path.join(folder, run))).map(({ step, loss }) => ({ step, loss }));
const accuracyOf = (run: string) => {
  const { test } = new RunFolder(path.join(folder, run)).read<FinetuneMetrics>('metrics.json')!;
  return `${(100 * test.accuracy).toFixed(1)} % (${percentInterval(test.interval)})`;
};

const uninterrupted = await startRanks(twoRanks('uninterrupted'), { timeout: 900 });
if (uninterrupted.some((rank) => rank!.code !== 0))
  throw new Error(uninterrupted.map((rank) => rank!.output).join('\n'));
let longest = 0;
for (let trial = 1; trial <= Number(options.times); trial++) {
  const rank = Math.floor(2 * Math.random());
  const signal = trial % 2 ? 'SIGKILL' : 'SIGSTOP';
  // Up to 12 s after all ranks have joined, so before or during training. Before they have joined, `--cluster-timeout` ends
  // the other rank.
  const delay = Math.round(12_000 * Math.random());
  const results = await startRanks(twoRanks('interrupted'), {
    timeout: 900,
    signals: [
      { rank, signal, after: '\nRun ', delay },
      // A scheduler kills a rank whose job has ended; a stopped rank cannot end itself.
      ...(signal === 'SIGSTOP' ? [{ rank, signal: 'SIGKILL' as const, after: 'was lost' }] : []),
    ],
  });
  const other = results[1 - rank]!;
  const seconds = other.secondsSinceSignals[0] ?? 0;
  longest = Math.max(longest, seconds);
  const isNamed = new RegExp(`rank ${rank} \\(.*was lost`).test(other.output);
  console.log(
    `${trial}: ${signal} of rank ${rank} ${(delay / 1000).toFixed(1)} s after the start, at step ${stepsOf('interrupted').length}: the other rank ended ${seconds.toFixed(1)} s later with ${other.code}, ${isNamed ? 'naming the lost rank' : `WITHOUT NAMING THE LOST RANK:\n${other.output}`}`,
  );
}
const last = await startRanks(twoRanks('interrupted'), { timeout: 900 });
if (last.some((rank) => rank!.code !== 0)) throw new Error(last.map((rank) => rank!.output).join('\n'));
const [expected, actual] = [stepsOf('uninterrupted'), stepsOf('interrupted')];
const maxDifference = Math.max(...expected.map(({ loss }, i) => Math.abs(loss - (actual[i]?.loss ?? Infinity))));
console.log(
  `longest time to end ${longest.toFixed(1)} s; ${actual.length} of ${expected.length} steps; maximum loss difference ${maxDifference.toExponential(1)}; ` +
    `accuracy ${accuracyOf('interrupted')}, uninterrupted ${accuracyOf('uninterrupted')}`,
);
fs.rmSync(folder, { recursive: true });
