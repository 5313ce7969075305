/**
 * `npm run bench:lost-ranks -- [--times 10]`: two ranks of a fine-tuning on the embedded reviews, one of which is killed or
 * frozen at a random moment, again and again, each time gone on with until the run is through. Tells how long all took to end,
 * and compares the run with one that was left alone.
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
    ...[main, 'finetune', '--source', 'embedded', '--rows', '1200', '--epochs', '3', '--save-steps', '10'],
    ...[
      '--early-stopping-patience',
      '0',
      '--cluster-timeout',
      '60',
      '--run-folder',
      path.join(folder, run),
      '--resume',
    ],
  ],
});
const both = (run: string) => [finetune(run), finetune(run)];
const stepsOf = (run: string) =>
  recordsOf(readJournal(path.join(folder, run))).map(({ step, loss }) => ({ step, loss }));
const accuracyOf = (run: string) => {
  const { test } = new RunFolder(path.join(folder, run)).read<FinetuneMetrics>('metrics.json')!;
  return `${(100 * test.accuracy).toFixed(1)} % (${percentInterval(test.interval)})`;
};

const whole = await startRanks(both('whole'), { timeout: 900 });
if (whole.some((rank) => rank!.code !== 0)) throw new Error(whole.map((rank) => rank!.output).join('\n'));
let longest = 0;
for (let time = 1; time <= Number(options.times); time++) {
  const rank = Math.floor(2 * Math.random());
  const signal = time % 2 ? 'SIGKILL' : 'SIGSTOP';
  // From the moment when all have joined to some way into training; before it `--cluster-timeout` is what ends the others.
  const delay = Math.round(12_000 * Math.random());
  const results = await startRanks(both('struck'), {
    timeout: 900,
    blows: [
      { rank, signal, after: '\nRun ', delay },
      // What a scheduler does to a rank whose job is over; a frozen one can do nothing itself.
      ...(signal === 'SIGSTOP' ? [{ rank, signal: 'SIGKILL' as const, after: 'was lost' }] : []),
    ],
  });
  const other = results[1 - rank]!;
  const seconds = other.sinceBlows[0] ?? 0;
  longest = Math.max(longest, seconds);
  const named = new RegExp(`rank ${rank} \\(.*was lost`).test(other.output);
  console.log(
    `${time}: ${signal} of rank ${rank} ${(delay / 1000).toFixed(1)} s after the start, at step ${stepsOf('struck').length}: the other ended ${seconds.toFixed(1)} s later with ${other.code}, ${named ? 'naming it' : `SAYING\n${other.output}`}`,
  );
}
const last = await startRanks(both('struck'), { timeout: 900 });
if (last.some((rank) => rank!.code !== 0)) throw new Error(last.map((rank) => rank!.output).join('\n'));
const [a, b] = [stepsOf('whole'), stepsOf('struck')];
const apart = Math.max(...a.map(({ loss }, i) => Math.abs(loss - (b[i]?.loss ?? Infinity))));
console.log(
  `longest end ${longest.toFixed(1)} s; ${b.length} of ${a.length} steps; losses differ by ${apart.toExponential(1)}; ` +
    `accuracy ${accuracyOf('struck')}, left alone ${accuracyOf('whole')}`,
);
fs.rmSync(folder, { recursive: true });
