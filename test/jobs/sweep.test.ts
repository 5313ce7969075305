// `tunebook sweep`: all combinations, resuming after an interruption, and the best with its standard deviation.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import type { FinetuneMetrics } from '#lib/runs/metrics.js';
import { RunFolder } from '#lib/runs/run-folder.js';
import { readDimension } from '#lib/jobs/search-space.js';
import { combinationsOf, spreadOf, type SweepResult } from '#lib/jobs/sweep.js';
import { readJournal } from '#lib/runs/journal.js';
import { assertFailed } from '../failure.js';
import { starsFlags, waitForOutput, start, tunebook, writeStarsCsv, writeTinyModel } from '../cli/command.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-runs-'));
after(() => fs.rmSync(folder, { recursive: true }));
writeTinyModel(path.join(folder, 'model'));
writeStarsCsv(path.join(folder, 'stars.csv'), 120);
const options = { cwd: folder };
const sweep = (...more: string[]) => [
  'sweep',
  ...starsFlags('stars.csv'),
  '--model',
  'model',
  '--max-length',
  '32',
  '--batch-size',
  '8',
  '--early-stopping-patience',
  '0',
  ...more,
];

test('combinations vary the first setting slowest; results have a mean and a standard deviation', () => {
  const names = combinationsOf({ learningRate: ['1e-5', '3e-5'], seed: ['1', '2'] }).map(({ name }) => name);
  assert.deepEqual(names, [
    'learning-rate-1e-5_seed-1',
    'learning-rate-1e-5_seed-2',
    'learning-rate-3e-5_seed-1',
    'learning-rate-3e-5_seed-2',
  ]);
  assert.deepEqual(spreadOf([0.5, 1]), { mean: 0.75, deviation: Math.sqrt(0.125) });
  assert.deepEqual([spreadOf([0.5]), spreadOf([])], [{ mean: 0.5, deviation: null }, null]);
});

test('values of a flag are separated by commas; class weights are separated where a class occurs again', () => {
  assert.deepEqual(readDimension('learningRate', '1e-5, 3e-5'), ['1e-5', '3e-5']);
  assert.deepEqual(readDimension('labelMapping', '1,2 -> a; 3 -> b'), ['1,2 -> a; 3 -> b']);
  assert.deepEqual(readDimension('classWeights', 'none,balanced,a=1,b=2,b=4, b=8 ,a=2'), [
    'none',
    'balanced',
    'a=1,b=2',
    'b=4',
    'b=8,a=2',
  ]);
});

test('an interrupted sweep is resumed; the best is reported with its standard deviation over seeds', async () => {
  const argv = sweep('--lr', '1e-6,5e-3', '--seed', '1,2', '--epochs', '6', '--save-steps', '2');
  const { child, ended } = start(argv, options);
  await waitForOutput(child, /\[2\/4\][\s\S]*step \d/);
  child.kill('SIGTERM');
  const first = await ended;
  assert.equal(first.status, 143, first.stderr);
  const [sweepFolder] = /tunebook sweep --resume (\S+)/.exec(first.stdout)!.slice(1);
  assert.match(sweepFolder!, /^runs\/sweep-/);
  const run = (name: string) => new RunFolder(path.join(folder, sweepFolder!, name));
  assert.equal(run('learning-rate-0.000001_seed-1').isRun, false, 'the folder is named by the value as given');
  assert.equal(run('learning-rate-1e-6_seed-1').state, 'completed');
  assert.equal(run('learning-rate-1e-6_seed-2').state, 'interrupted');

  const second = await tunebook(['sweep', '--resume'], options);
  assert.equal(second.status, 0, second.stderr);
  assert.doesNotMatch(second.stdout, /\[1\/4\]/, 'finished runs are not repeated');
  assert.match(second.stdout, /Resuming from .*learning-rate-1e-6_seed-2\/checkpoints\/checkpoint-/);
  const starts = readJournal(run('learning-rate-1e-6_seed-2').folder).filter(({ kind }) => kind === 'start');
  assert.equal(starts.length, 2);
  const result = JSON.parse(fs.readFileSync(path.join(folder, sweepFolder!, 'result.json'), 'utf8')) as SweepResult;
  const accuracies = [1, 2].map(
    (seed) => run(`learning-rate-5e-3_seed-${seed}`).read<FinetuneMetrics>('metrics.json')!.test.accuracy,
  );
  assert.deepEqual(result.best!.values, { learningRate: '5e-3' });
  assert.deepEqual(result.best!.test, spreadOf(accuracies));
  assert.match(
    second.stdout,
    /Best by validation accuracy: learningRate 5e-3\. Its test accuracy: \d+\.\d % ± \d+\.\d \(mean and standard deviation of 2 seeds\)\./,
  );
  const none = await tunebook(['sweep', '--resume'], options);
  assertFailed(none, 2, 'RunError', 'RUN_NOT_FOUND', 'runs/');
  const listed = await tunebook(['runs'], options);
  assert.equal(listed.stdout.match(/learning-rate-/g)!.length, 4, 'the runs of the sweep are listed');
});

test('a failing run does not affect the others', async () => {
  const { status, stdout } = await tunebook(
    sweep('--freeze', '1,9', '--max-steps', '2', '--run-folder', 'fails', '--json'),
    options,
  );
  assert.equal(status, 1);
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { kind: string });
  const { kind, runs, best } = lines.at(-1) as unknown as SweepResult & { kind: string };
  assert.equal(kind, 'sweep');
  assert.deepEqual(
    runs.map(({ state }) => state),
    ['completed', 'failed'],
  );
  assert.match(runs[1]!.message!, /freeze is 9/);
  assert.deepEqual(best!.values, { freeze: '1' });
});

test('invalid settings are rejected before any run', async () => {
  const rejects = async (name: string, code: string, value: string, ...argv: string[]) =>
    assertFailed(await tunebook(argv, options), 2, name, code, value);
  await rejects('SettingsError', 'SETTING_MISSING', '--lr 1e-5,3e-5,5e-5', ...sweep());
  await rejects('SettingsError', 'SETTING_INVALID', "--learning-rate is '7'", ...sweep('--lr', '1e-5,7'));
  await rejects('SettingsError', 'SETTING_REPEATED', '--seed', ...sweep('--seed', '1,1'));
  await rejects('SettingsError', 'SETTING_INVALID', '--save-steps', ...sweep('--save-steps', '1,2'));
  await rejects('RunError', 'RUN_EXISTS', 'fails', ...sweep('--seed', '1,2', '--run-folder', 'fails'));
  await rejects('RunError', 'RUN_SETTINGS_CHANGED', '--freeze 1,9', ...sweep('--seed', '1,2', '--resume', 'fails'));
  await rejects('RunError', 'RUN_NOT_A_RUN', 'sweep.json', 'sweep', '--resume', 'model');
  await rejects('FileError', 'FILE_NOT_FOUND', 'none.csv', ...sweep('--dataset', 'none.csv', '--seed', '1,2'));
  assert.deepEqual(
    fs.readdirSync(path.join(folder, 'runs')).filter((name) => name.startsWith('sweep-')).length,
    1,
    'a sweep without a trained run leaves no files',
  );
});
