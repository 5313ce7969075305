// `tunebook sweep` with sampled values: pruning, resuming, a timeout, parallel runs, and what is rejected before any run.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { Command } from 'commander';
import { normalizeFlags } from '#lib/cli/settings-flags.js';
import { addSweepFlags } from '#lib/cli/sweep.js';
import { planSweep, type SweepFlags } from '#lib/cli/sweep-plan.js';
import { fitsIntoMemory } from '#lib/cli/sweep-runs.js';
import { RunError, SettingsError } from '#lib/errors.js';
import { reasonToPrune } from '#lib/jobs/pruner.js';
import { runToResume } from '#lib/jobs/resume.js';
import { sampleRun, type Sweep, type SweepResult } from '#lib/jobs/sweep.js';
import { RunProgress, Trials } from '#lib/jobs/trials.js';
import type { RunEnvironment } from '#lib/runs/environment.js';
import { openJournal, readJournal, type JournalContent } from '#lib/runs/journal.js';
import { RunFolder } from '#lib/runs/run-folder.js';
import { assertFailed, failure } from '../failure.js';
import { start, starsFlags, tunebook, waitForOutput, writeStarsCsv, writeTinyModel } from '../cli/command.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-sampled-'));
after(() => fs.rmSync(folder, { recursive: true }));
writeTinyModel(path.join(folder, 'model'));
writeStarsCsv(path.join(folder, 'stars.csv'), 120);
const options = { cwd: folder };
const inFolder = (name: string) => new RunFolder(path.join(folder, name));
const sweep = (...more: string[]) => [
  ...['sweep', ...starsFlags('stars.csv'), '--model', 'model', '--max-length', '32', '--batch-size', '8'],
  ...['--early-stopping-patience', '0', '--max-steps', '18', '--eval-steps', '6', ...more],
];
const readSweep = (name: string) => inFolder(name).read<Sweep>('sweep.json')!;
const readResult = (name: string) => inFolder(name).read<SweepResult>('result.json')!;

test('an interrupted sweep is resumed; values and pruned runs follow from the trials before', async () => {
  const argv = sweep('--sampler', 'tpe', '--trials', '4', '--pruner', 'asha', '--run-folder', 'tpe');
  const flags = ['--lr', '1e-6..1e-2', '--warmup-steps', '0..0.5', '--lr-scheduler-type', 'linear,constant'];
  const { child, ended } = start([...argv, ...flags], options);
  await waitForOutput(child, /\[3\/4\][\s\S]*step \d/);
  child.kill('SIGTERM');
  const first = await ended;
  assert.equal(first.status, 143, first.stderr);
  assert.match(first.stdout, /Interrupted\. Resume with: npx tunebook sweep --resume tpe/);
  assert.equal(readSweep('tpe').runs.length, 3);

  const { status, stdout, stderr } = await tunebook(['sweep', '--resume', 'tpe'], options);
  assert.equal(status, 0, stderr);
  assert.doesNotMatch(stdout, /\[1\/4\]/, 'finished runs are not repeated');
  const stored = readSweep('tpe');
  const trials = new Trials(inFolder('tpe')).read(stored.runs);
  const result = readResult('tpe');
  const states = result.runs.map(({ state }) => state);
  assert.deepEqual(
    states,
    trials.map(({ state }) => state),
  );
  assert.ok(states.includes('pruned') && states.includes('completed'), states.join());
  for (const [i, run] of stored.runs.entries()) {
    const before = trials.slice(0, i);
    assert.deepEqual(
      run,
      sampleRun({ ...stored, runs: stored.runs.slice(0, i) }, before),
      `trial ${i} of the resumed sweep`,
    );
    const { evaluations, state } = trials[i]!;
    // A run is not judged by its last evaluation, with which it ends anyway.
    const reached = [1, 2].find((k) => reasonToPrune(stored.pruner, evaluations.slice(0, k), before));
    assert.equal(state === 'pruned' ? evaluations.length : undefined, reached, `trial ${i} is ${state}`);
  }
  const values = trials.flatMap(({ value }) => value ?? []);
  assert.equal(result.best!.validation!.mean, Math.max(...values));
  const pruned = result.runs.find(({ state }) => state === 'pruned')!;
  assert.equal(pruned.metrics, null);
  assert.match(stdout, new RegExp(`^${pruned.name} .* pruned`, 'm'));

  const again = await tunebook(['finetune', '--resume', `tpe/${pruned.name}`], options);
  assertFailed(again, 2, 'RunError', 'RUN_PRUNED', pruned.name);
  const newest = () => runToResume('finetune', true, inFolder('tpe').folder);
  assert.throws(
    newest,
    failure(RunError, 'RUN_NOT_FOUND'),
    'a pruned run with a checkpoint is not the newest unfinished one',
  );
});

test('after the timeout no run starts; the sweep is continued with more trials', async () => {
  const argv = ['--sampler', 'random', '--lr', '1e-4..1e-2', '--run-folder', 'timeout'];
  const late = await tunebook(sweep(...argv, '--trials', '4', '--timeout', '1'), options);
  assert.equal(late.status, 0, late.stderr);
  assert.match(late.stdout, /Timeout: 3 runs were not started\. Continue with: .* --resume timeout/);
  assert.deepEqual(
    readResult('timeout').runs.map(({ state }) => state),
    ['completed'],
  );
  // Enough memory for two is not certain on a small machine: then one runs after the other.
  const parallel = ['--trials', '3', '--parallel', '2', '--json'];
  const { status, stdout, stderr } = await tunebook(['sweep', '--resume', 'timeout', ...parallel], options);
  assert.equal(status, 0, stderr);
  const lines = stdout.trim().split('\n');
  const entries = lines.map((line) => JSON.parse(line) as { kind: string; run?: string });
  assert.equal(entries.at(-1)!.kind, 'sweep');
  assert.deepEqual(new Set(entries.slice(0, -1).map(({ run }) => run)), new Set(['trial-1', 'trial-2']));
  assert.match(stderr, /^\[trial-2\] step 1\/18/m);
  for (const name of ['trial-1', 'trial-2']) {
    const { threads } = inFolder(`timeout/${name}`).read<RunEnvironment>('environment.json')!.device;
    assert.equal(threads, Math.max(1, Math.floor(os.availableParallelism() / 2)));
    assert.equal(readJournal(inFolder(`timeout/${name}`).folder).at(-1)!.kind, 'end');
  }
  const changed = sweep(...argv, '--trials', '3', '--resume', '--pruner', 'asha');
  assertFailed(await tunebook(changed, options), 2, 'RunError', 'RUN_SETTINGS_CHANGED', '--sampler random');
});

test('a signal stops all parallel runs, which are resumed', async () => {
  const argv = sweep(
    '--lr',
    '1e-3,2e-3',
    '--max-steps',
    '-1',
    '--epochs',
    '200',
    '--parallel',
    '2',
    '--run-folder',
    'both',
  );
  const { child, ended } = start(argv, options);
  const second = 'learning-rate-2e-3';
  await waitForOutput(child, new RegExp(`\\[${second}\\] step \\d`));
  child.kill('SIGINT');
  const { status, stdout } = await ended;
  assert.equal(status, 130, stdout);
  for (const name of ['learning-rate-1e-3', second]) {
    const run = inFolder(`both/${name}`);
    assert.equal(run.state, 'interrupted');
    assert.equal(run.checkpoints.steps().length > 0, true, `${name} has a checkpoint`);
  }
});

test('evaluations that a killed run repeats count once; memory counts from the start of the process', () => {
  const run = inFolder('killed');
  const journal = openJournal(run.folder);
  const step = (number: number, evalAccuracy: number, memoryBytes: number) =>
    journal.write('step', { step: number, totalSteps: 6, evalAccuracy, memoryBytes } as JournalContent['step']);
  const reported: number[][] = [];
  const progress = new RunProgress(run);
  const update = () => progress.update(() => reported.push(progress.evaluations));
  step(2, 0.5, 100);
  step(4, 0.6, 300);
  update();
  step(4, 0.7, 200);
  step(6, 0.8, 200);
  update();
  assert.deepEqual(reported, [[0.5], [0.5, 0.6], [0.5, 0.7]], 'the last evaluation is not reported');
  assert.deepEqual([progress.evaluations, progress.memoryBytes], [[0.5, 0.7, 0.8], 300]);
  const later = new RunProgress(run, Date.now() + 1000);
  later.update();
  assert.deepEqual([later.evaluations.length, later.memoryBytes], [3, undefined]);
});

test('a further run waits until the memory of the running ones is known and available', () => {
  assert.equal(fitsIntoMemory(1, []), true, 'one run always starts');
  assert.equal(fitsIntoMemory(8e9, [undefined]), false);
  assert.equal(fitsIntoMemory(8e9, [1e9, undefined]), false);
  assert.equal(fitsIntoMemory(8e9, [1e9, 6e9]), true);
  assert.equal(fitsIntoMemory(8e9, [1e9, 7e9]), false);
});

test('invalid flags of a sweep are rejected before any run', async () => {
  const plan = (...argv: string[]) => {
    const command = addSweepFlags(new Command('sweep'));
    command.parse(normalizeFlags(argv), { from: 'user' });
    return planSweep(command, command.opts<SweepFlags>());
  };
  const rejects = (code: string, argv: string, values: Record<string, unknown> = {}) =>
    assert.throws(() => plan(...argv.split(' ')), failure(SettingsError, code, values), argv);
  const names = (...all: string[]) => ({ names: all });
  rejects('SETTING_CONFLICT', '--lr 1e-5..1e-3', names('--learning-rate', '--sampler'));
  rejects('SETTING_CONFLICT', '--lr 1e-5,1e-3 --trials 5', names('--trials', '--sampler'));
  rejects('SETTING_CONFLICT', '--sampler tpe --trials 5 --seed 1,2', names('--seed', '--sampler'));
  rejects('SETTING_CONFLICT', '--lr 1e-5,1e-3 --pruner-warmup 2', names('--pruner-warmup', '--pruner'));
  rejects('SETTING_MISSING', '--sampler tpe --lr 1e-5..1e-3', { name: '--trials' });
  rejects('SETTING_MISSING', '--sampler tpe --trials 5 --lr 1e-5');
  rejects('SETTING_INVALID', '--sampler tpe --trials 0 --lr 1e-5..1e-3', { name: '--trials', value: '0' });
  rejects('SETTING_INVALID', '--sampler tpe --trials 5 --lr 1e-3..1e-5', { name: 'learningRate' });
  rejects('SETTING_INVALID', '--sampler tpe --trials 5 --lr-scheduler-type 1..3', {
    name: 'lrSchedulerType',
    value: '1..3',
  });
  rejects('SETTING_INVALID', '--sampler tpe --trials 5 --lr 1e-5..1e-3 --freeze 1,none,x', { value: 'x' });
  rejects('SETTING_INVALID', '--sampler tpe --trials 5 --save-steps 1..9', { name: '--save-steps' });
  assert.throws(() => normalizeFlags(['sweep', '--warmup-ratio', '0.1..2']), failure(SettingsError, 'SETTING_INVALID'));
  const planned = plan(
    ...'--sampler tpe --trials 5 --lr 1e-5..1e-3 --seed 7 --pruner median --pruner-warmup 1'.split(' '),
  );
  assert.deepEqual([planned.seed, planned.trials, planned.runs], [7, 5, []]);
  assert.deepEqual(planned.pruner, { name: 'median', warmup: 1 });

  const unknown = await tunebook(sweep('--sampler', 'bayes', '--lr', '1e-5,1e-3'), options);
  assertFailed(unknown, 2, 'SettingsError', 'SETTING_INVALID', 'grid, random, tpe');
  const parallel = await tunebook(sweep('--lr', '1e-5,1e-3', '--parallel', '0', '--run-folder', 'none'), options);
  assertFailed(parallel, 2, 'SettingsError', 'SETTING_INVALID', '--parallel');
  assert.equal(fs.existsSync(path.join(folder, 'none')), false);
});
