// `tunebook compare`: the paired comparison of two runs, and errors for a run of adapt, changed reviews and a missing run.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import type { FinetuneMetrics } from '#lib/runs/metrics.js';
import type { PairedComparison } from '#lib/runs/paired-comparison.js';
import { RunFolder } from '#lib/runs/run-folder.js';
import { assertFailed } from '../failure.js';
import { finetuneTiny, tunebook, writeStarsCsv, writeTinyModel } from '../cli/command.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-compare-'));
after(() => fs.rmSync(folder, { recursive: true }));
const inFolder = (...names: string[]) => path.join(folder, ...names);
writeTinyModel(inFolder('model'));
writeStarsCsv(inFolder('stars.csv'));

const finetune = async (run: string, ...flags: string[]) => {
  const { status, stderr } = await tunebook(finetuneTiny(folder, run, '--early-stopping-patience', '0', ...flags));
  assert.equal(status, 0, stderr);
};
const compare = (...argv: string[]) => tunebook(['compare', ...argv], { cwd: folder });
const accuracyOf = (run: string) => new RunFolder(inFolder(run)).read<FinetuneMetrics>('metrics.json')!.test.accuracy;

test('two runs are compared on their common test reviews; a run of adapt, changed reviews and a missing run are errors', async () => {
  await finetune('short', '--max-steps', '1');
  await finetune('long', '--max-steps', '60');
  await finetune('other-seed', '--max-steps', '1', '--seed', '7');

  const { status, stdout, stderr } = await compare('long', 'short', '--json');
  assert.equal(status, 0, stderr);
  const result = JSON.parse(stdout) as PairedComparison;
  const { both, onlyFirst, onlySecond, none } = result.counts;
  assert.deepEqual(result.accuracies, [accuracyOf('long'), accuracyOf('short')]);
  assert.equal(both + onlyFirst + onlySecond + none, result.reviews);
  assert.equal(result.reviews, 40);
  assert.ok(result.difference > 0.2, String(result.difference));
  assert.ok(Math.abs(result.difference - (onlyFirst - onlySecond) / result.reviews) < 1e-12);
  assert.ok(result.interval.low > 0 && result.interval.low < result.difference && result.pValue < 0.01);
  const printed = await compare('long', 'short');
  assert.match(printed.stdout, /^McNemar test +p = \S+, significant at the 5 % level$/m);

  const same = JSON.parse((await compare('long', 'long', '--json')).stdout) as PairedComparison;
  assert.deepEqual([same.difference, same.pValue, same.interval], [0, 1, { low: 0, high: 0 }]);
  // With another seed, the test sets share some reviews only.
  const shared = JSON.parse((await compare('long', 'other-seed', '--json')).stdout) as PairedComparison;
  assert.ok(shared.reviews > 0 && shared.reviews < 40, String(shared.reviews));

  const settings = new RunFolder(inFolder('short'));
  settings.write('settings.json', { ...settings.settings!, command: 'adapt' });
  assertFailed(await compare('long', 'short'), 2, 'RunError', 'RUNS_NOT_COMPARABLE', 'short');
  // One label of the same number of rows.
  fs.writeFileSync(inFolder('stars.csv'), fs.readFileSync(inFolder('stars.csv'), 'utf8').replace(/^1,/m, '5,'));
  assertFailed(await compare('long', 'other-seed'), 2, 'RunError', 'RUNS_NOT_COMPARABLE', 'have changed');
  assertFailed(await compare('long', 'none'), 2, 'RunError', 'RUN_NOT_FOUND', 'none');
});
