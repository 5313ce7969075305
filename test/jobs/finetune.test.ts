// `tunebook finetune` as a job: its output files, its messages, and recovery from interruptions.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { TextClassifier } from '#lib/model/text-classifier.js';
import { readSafetensors, writeSafetensors } from '#lib/model/safetensors.js';
import type { FinetuneMetrics } from '#lib/runs/metrics.js';
import { RunFolder, type RunSettings } from '#lib/runs/run-folder.js';
import { readJournal, recordsOf } from '#lib/runs/journal.js';
import { CheckpointFolder } from '#lib/training/checkpoint.js';
import { parse } from 'yaml';
import { assertFailed } from '../failure.js';
import { root } from '../checkout.js';
import { waitForOutput, start, tunebook, writeStarsCsv, writeTinyModel } from '../cli/command.js';
import { smallDisk } from './small-disk.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-runs-'));
after(() => fs.rmSync(folder, { recursive: true }));
const inFolder = (...names: string[]) => path.join(folder, ...names);
writeTinyModel(inFolder('model'));
writeStarsCsv(inFolder('stars.csv'));

const mapping = '1,2 -> negative; 4,5 -> positive';
/** With the flag names of the original project. */
const reviews = [
  '--dataset_name',
  inFolder('stars.csv'),
  '--text_col',
  'title,content',
  '--label_col',
  'stars',
  '--label-mapping',
  mapping,
  '--distilbert_model',
  inFolder('model'),
];
/** About 20 steps, the same on every machine. */
const short = ['--train_batch_size', '8', '--epochs', '2', '--max-length', '32', '--lr', '3e-3'];
/** One thread, so that the order of sums is deterministic. */
const oneThread = { TF_NUM_INTRAOP_THREADS: '1', TF_NUM_INTEROP_THREADS: '1' };

const metricsOf = (run: string) => new RunFolder(run).read<FinetuneMetrics>('metrics.json')!;
const weights = (run: string) => fs.readFileSync(path.join(run, 'model/model.safetensors'));

test('a CSV with stars and two text columns: all output files of a run exist and agree with its metrics', async () => {
  const run = inFolder('complete');
  const { status, stdout, stderr } = await tunebook(['finetune', ...reviews, ...short, '--run-folder', run]);
  assert.equal(status, 0, stderr);
  const metrics = metricsOf(run);
  assert.ok(metrics.test.accuracy > 0.9, 'the test accuracy is above 0.9');
  assert.deepEqual(metrics.labelNames, ['negative', 'positive']);
  assert.equal(metrics.rows.train + metrics.rows.validation + metrics.rows.test, 192);
  const percent = `${(100 * metrics.test.accuracy).toFixed(1)} %`;
  assert.match(stdout, /Left out: 48/, 'three stars');
  assert.match(stdout, /step 1\/\d+, epoch 0\.\d+, loss \d\.\d+, .* samples\/s, .* left, .* [MG]B/);
  assert.match(stdout, /validation loss .*, accuracy/);
  assert.ok(stdout.includes(`Accuracy     ${percent} of ${metrics.rows.test} test reviews`));

  const settings = new RunFolder(run).settings!;
  assert.equal(settings.settings.learningRate, 3e-3);
  assert.deepEqual([settings.origins.learningRate, settings.origins.seed], ['command line', 'default']);
  const environment = new RunFolder(run).read<Record<string, unknown>>('environment.json')!;
  assert.equal(environment['node'], process.version);
  for (const name of ['learning-curves', 'accuracies', 'confusion-matrix', 'accuracy-by-length']) {
    assert.equal(fs.readFileSync(path.join(run, `figures/${name}.png`)).toString('latin1', 1, 4), 'PNG');
    assert.ok(fs.readFileSync(path.join(run, `figures/${name}.html`), 'utf8').includes('src="plotly.js"'));
  }
  const report = fs.readFileSync(path.join(run, 'report.html'), 'utf8');
  assert.ok(report.includes(percent) && !report.includes('<script'));
  const card = fs.readFileSync(path.join(run, 'model/README.md'), 'utf8').split('---\n');
  assert.ok(card[2]!.includes(`| **this model** | ${percent} |`));
  type Card = { 'model-index': { results: { metrics: { type: string; value: number }[] }[] }[] };
  const [accuracy] = (parse(card[1]!) as Card)['model-index'][0]!.results[0]!.metrics;
  assert.equal(accuracy!.value, Number(metrics.test.accuracy.toFixed(4)));
  assert.ok(card[2]!.includes('| labelMapping | 1,2 -> negative; 4,5 -> positive |'));
  assert.ok(
    card[2]!.includes('`stars.csv`') && !card.join('').includes(folder),
    'a path of this machine means nothing',
  );

  // model/ contains the best model; the last checkpoint can be loaded as a model too.
  const last = new CheckpointFolder(path.join(run, 'checkpoints')).newest()!;
  assert.equal(last.state.step, metrics.training.step);
  for (const model of [path.join(run, 'model'), last.folder]) {
    const classifier = TextClassifier.fromFolder(model);
    assert.equal(classifier.freshHead, false);
    assert.equal(classifier.maxLength, 32);
    assert.deepEqual(classifier.reading, {
      textColumns: ['title', 'content'],
      labelColumn: 'stars',
      classes: { names: ['negative', 'positive'], numberOf: { 1: 0, 2: 0, 4: 1, 5: 1 }, partial: true },
      missingSpellings: true,
    });
    classifier.dispose();
  }
  const records = recordsOf(readJournal(run));
  assert.deepEqual(
    records.map(({ step }) => step),
    Array.from({ length: metrics.training.step }, (_, i) => i + 1),
  );
  assert.equal(readJournal(run).at(-1)!.kind, 'end');

  const again = await tunebook(['finetune', '--run-folder', run, '--resume']);
  assert.deepEqual([again.status, again.stdout.includes('nothing to resume')], [0, true]);
  const taken = await tunebook(['finetune', ...reviews, '--run-folder', run]);
  assertFailed(taken, 2, 'RunError', 'RUN_EXISTS', run, 'completed');
  const withModel = `${run}-model-only`;
  fs.cpSync(path.join(run, 'model'), path.join(withModel, 'model'), { recursive: true });
  const model = await tunebook(['finetune', ...reviews, '--run-folder', withModel]);
  assertFailed(model, 2, 'RunError', 'RUN_EXISTS', withModel, 'already contains a model');
  const changed = await tunebook(['finetune', '--run-folder', run, '--resume', '--epochs', '3', '--save-steps', '7']);
  assertFailed(changed, 2, 'RunError', 'RUN_SETTINGS_CHANGED', '--epochs is 3, but was 2', '--allow-changed-settings');
  assert.doesNotMatch(changed.stderr, /save-steps/, 'save-steps does not affect the result');
  const extended = await tunebook([
    'finetune',
    '--run-folder',
    run,
    '--resume',
    '--epochs',
    '3',
    '--allow-changed-settings',
  ]);
  assert.equal(extended.status, 0, extended.stderr);
  assert.equal(metricsOf(run).training.step, 1.5 * metrics.training.step, 'one epoch more');
});

test('five classes of stars: console, report and model card name the class or average of every score', async () => {
  const run = inFolder('five');
  const flags = ['--dataset', inFolder('stars.csv'), '--text-columns', 'content', '--label-column', 'stars'];
  const model = ['--model', inFolder('model'), '--max-length', '32', '--max-steps', '3', '--run-folder', run];
  const { status, stdout, stderr } = await tunebook(['finetune', ...flags, ...model]);
  assert.equal(status, 0, stderr);
  const { test: metrics } = metricsOf(run);
  const { macro, perClass } = metrics;
  assert.deepEqual(
    perClass.map(({ name }) => name),
    ['1', '2', '3', '4', '5'],
  );
  const lowest = perClass.reduce((a, b) => (b.f1 < a.f1 ? b : a));
  const stars = metrics.meanAbsoluteError!.toFixed(2);
  assert.ok(
    stdout.includes(
      `Macro F1     ${macro.f1.toFixed(3)} (lowest F1: ${lowest.f1.toFixed(3)}, class ${lowest.name})\n` +
        `Stars        mean absolute error ${stars}\n`,
    ),
    stdout,
  );
  const report = fs.readFileSync(path.join(run, 'report.html'), 'utf8');
  assert.match(report, />precision<\/th>.*>macro average<\/td>/);
  assert.ok(report.includes(`Mean absolute error: ${stars} stars.`));
  const [, header, card] = fs.readFileSync(path.join(run, 'model/README.md'), 'utf8').split('---\n');
  type Metrics = { name: string; type: string; args?: object; value: number }[];
  const stored = (parse(header!) as { 'model-index': { results: { metrics: Metrics }[] }[] })['model-index'];
  const f1 = stored[0]!.results[0]!.metrics.find(({ type }) => type === 'f1')!;
  assert.deepEqual(f1, {
    type: 'f1',
    name: 'Macro F1',
    args: { average: 'macro' },
    value: Number(macro.f1.toFixed(4)),
  });
  assert.ok(
    card!.includes('| class | precision | recall | F1 | ROC AUC | reviews |\n| - | - | - | - | - | - |\n| 1 | '),
  );
  assert.ok(card!.includes(`Mean absolute error ${stars} stars.`));
});

test('a run that is killed at 10 random moments and resumed has the weights of an uninterrupted run', async (t) => {
  const argv = [
    ...reviews,
    ...short,
    '--epochs',
    '12',
    '--save-steps',
    '1',
    '--eval-steps',
    '9',
    '--early-stopping-patience',
    '0',
  ];
  const uninterrupted = inFolder('uninterrupted');
  const options = { env: oneThread };
  assert.equal((await tunebook(['finetune', ...argv, '--run-folder', uninterrupted], options)).status, 0);

  const run = inFolder('killed');
  const resume = ['finetune', ...argv, '--run-folder', run, '--resume', '--json'];
  const reached: number[] = [];
  for (let kills = 0; kills < 10; kills++) {
    const { child, ended } = start(resume, options);
    // Kill it either while it loads or while it trains and writes checkpoints.
    await waitForOutput(child, kills % 4 === 0 ? '"kind":"start"' : '"kind":"checkpoint"');
    await new Promise((resolve) => setTimeout(resolve, 500 * Math.random()));
    child.kill('SIGKILL');
    const { signal, status, stderr } = await ended;
    assert.ok(signal === 'SIGKILL' || status === 0, stderr);
    const checkpoints = new CheckpointFolder(path.join(run, 'checkpoints'));
    reached.push(checkpoints.newest()?.state.step ?? 0);
    assert.deepEqual(checkpoints.broken, [], 'no checkpoint is broken');
  }
  t.diagnostic(`checkpoints after each kill: ${reached.join(' ')}`);
  assert.ok(reached[0]! < reached.at(-1)!);
  const { status, stderr } = await tunebook(resume, options);
  assert.equal(status, 0, stderr);
  assert.ok(weights(run).equals(weights(uninterrupted)), 'bit for bit');
  const losses = (folder: string) => recordsOf(readJournal(folder)).map(({ loss }) => loss);
  assert.deepEqual(losses(run), losses(uninterrupted));
  assert.equal(metricsOf(run).test.loss, metricsOf(uninterrupted).test.loss);
});

test('SIGTERM and SIGINT write a checkpoint and set the exit code; a second signal ends at once', async () => {
  const run = inFolder('stopped');
  const long = [...reviews, ...short, '--epochs', '400', '--early-stopping-patience', '0', '--save-steps', '0'];
  for (const [signal, code, npx] of [
    ['SIGTERM', 143, false],
    // npm forwards the signal only to its shell, which does not forward it.
    ['SIGTERM', 143, true],
    ['SIGINT', 130, false],
  ] as const) {
    const { child, ended } = start(['finetune', ...long, '--run-folder', run, '--resume', '--json'], { npx });
    await waitForOutput(child, '"kind":"step"');
    child.kill(signal);
    const { status, stderr } = await ended;
    if (!npx) assert.equal(status, code, stderr);
    assert.equal(new RunFolder(run).status!.exitCode, code, stderr);
    assert.match(stderr, /training stops after this step, with a checkpoint\. A second signal stops it at once\./);
    assert.match(stderr, /Interrupted\. Resume with: npx tunebook finetune --resume /);
    const { state } = new CheckpointFolder(path.join(run, 'checkpoints')).newest()!;
    assert.equal(state.step, recordsOf(readJournal(run)).at(-1)!.step, 'the last step is in the checkpoint');
    assert.equal(new RunFolder(run).state, 'interrupted');
  }
  // A second signal does not wait for the checkpoint that the first one requests.
  const { child, ended } = start(['finetune', ...long, '--run-folder', run, '--resume', '--json']);
  await waitForOutput(child, '"kind":"start"');
  child.kill('SIGINT');
  const { status } = await ended;
  const last = readJournal(run).at(-1)!;
  assert.deepEqual([status, last.kind === 'end' && last.message], [130, 'stopped at once by SIGINT']);
  assert.equal(new RunFolder(run).state, 'interrupted', 'the state is unchanged');
});

test('a full disk is reported, the last complete checkpoint is kept, and the run can be resumed', async () => {
  // Space for two checkpoints of this model, not for three.
  const disk = inFolder('disk');
  const { fromOutside, inside, enlarge, release } = await smallDisk(disk, '32m');
  try {
    const run = path.join(disk, 'run');
    const argv = ['finetune', ...reviews, ...short, '--save-steps', '2', '--run-folder', run];
    fs.writeFileSync(fromOutside(path.join(disk, 'filler')), Buffer.alloc(4e6));
    const { status, stderr } = await tunebook([...argv, '--save-total-limit', '9'], { inside });
    assert.equal(status, 5, stderr);
    assert.match(
      stderr,
      /The disk is full: the checkpoint of step \d+ could not be written.*Free disk space, or keep fewer checkpoints \(--save-total-limit 1\)\. .*checkpoint-\d+ is complete: resume from it with --resume\./,
    );
    const checkpoints = new CheckpointFolder(fromOutside(path.join(run, 'checkpoints')));
    const [steps, newest] = [checkpoints.steps(), checkpoints.newest()];
    assert.ok(steps.length > 0 && newest!.state.step === steps[0]);
    assert.deepEqual(checkpoints.broken, []);
    await enlarge('128m');
    const more = await tunebook([...argv, '--resume', '--save-total-limit', '1'], { inside });
    assert.equal(more.status, 0, more.stderr);
  } finally {
    await release();
  }
});

test('a NaN loss ends the run with its own exit code and a suggestion', async () => {
  const broken = inFolder('broken-model');
  fs.cpSync(inFolder('model'), broken, { recursive: true });
  const file = path.join(broken, 'model.safetensors');
  const stored = readSafetensors(file);
  stored.get('pre_classifier.bias')!.data.fill(NaN);
  writeSafetensors(file, stored);
  const run = inFolder('diverged');
  const { status, stderr } = await tunebook(['finetune', ...reviews, ...short, '--model', broken, '--run-folder', run]);
  assertFailed({ status, stderr }, 4, 'DivergedError', 'TRAINING_DIVERGED', 'NaN at step 1');
  const { state, exitCode, code, message } = new RunFolder(run).status!;
  assert.deepEqual([state, exitCode, code], ['failed', 4, 'TRAINING_DIVERGED']);
  assert.ok(message!.includes('NaN'));
});

test('a folder is used by one run at a time; a killed run does not block it', async () => {
  const run = inFolder('shared');
  const argv = ['finetune', ...reviews, ...short, '--epochs', '400', '--run-folder', run, '--resume'];
  const first = start([...argv, '--json', '--early-stopping-patience', '0']);
  await waitForOutput(first.child, '"kind":"step"');
  const second = await tunebook([...argv, '--early-stopping-patience', '0']);
  assertFailed(second, 2, 'RunError', 'RUN_IN_USE', run, `process ${first.child.pid}`);
  assert.equal(new RunFolder(run).state, 'running');
  first.child.kill('SIGKILL');
  await first.ended;
  assert.equal(new RunFolder(run).state, 'died');
  const third = start([...argv, '--early-stopping-patience', '0', '--json']);
  await waitForOutput(third.child, '"kind":"step"');
  third.child.kill('SIGTERM');
  assert.equal((await third.ended).status, 143);
});

test('--json: every line of standard output is JSON, messages go to standard error', async () => {
  const { status, stdout, stderr } = await tunebook([
    'finetune',
    ...reviews,
    '--fast-dev-run',
    '--json',
    '--run-folder',
    inFolder('json'),
  ]);
  assert.equal(status, 0, stderr);
  const entries = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { kind: string });
  const kinds = entries.map(({ kind }) => kind);
  assert.deepEqual([kinds[0], kinds.at(-1)], ['start', 'end']);
  assert.equal(kinds.filter((kind) => kind === 'step').length, 2, '--fast-dev-run runs two steps');
  for (const kind of ['banner', 'data', 'checkpoint', 'summary']) assert.ok(kinds.includes(kind), kind);
  assert.match(stderr, /Accuracy .* test reviews/);
});

test('on a terminal a progress bar is shown', () => {
  const args = ['finetune', ...reviews, ...short, '--run-folder', inFolder('terminal')]
    .map((arg) => `'${arg}'`)
    .join(' ');
  const program = `import os, pty, sys
status = pty.spawn(['sh', '-c', sys.argv[1]])
sys.exit(os.waitstatus_to_exitcode(status))`;
  const command = `${process.execPath} lib/dist/cli/main.js ${args}`;
  const { status, stdout } = spawnSync('python3', ['-c', program, command], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, COLUMNS: '200', TERM: 'xterm', HF_HUB_OFFLINE: '1' },
  });
  assert.equal(status, 0, stdout);
  assert.match(stdout, /[█=]+.* step \d+\/\d+, epoch .* loss .* samples\/s, .* left, .*[MG]B/);
});

test('quick checks: limits for rows and steps, and overfitting on a few batches', async () => {
  const limited = inFolder('limited');
  const some = await tunebook([
    'finetune',
    ...reviews,
    ...short,
    '--max-train-samples',
    '20',
    '--max-steps',
    '3',
    '--run-folder',
    limited,
  ]);
  assert.equal(some.status, 0, some.stderr);
  assert.deepEqual([metricsOf(limited).rows.train, metricsOf(limited).training.step], [20, 3]);
  const overfitted = inFolder('overfitted');
  const { status, stdout } = await tunebook([
    'finetune',
    ...reviews,
    ...short,
    '--epochs',
    '40',
    '--overfit-batches',
    '2',
    '--run-folder',
    overfitted,
  ]);
  assert.equal(status, 0);
  assert.match(stdout, /Overfitting: .* the same 16 reviews/);
  assert.ok(recordsOf(readJournal(overfitted)).at(-1)!.evalLoss! < 0.1, 'the validation loss approaches 0');
  const both = await tunebook(['finetune', '--streaming', '--overfit-batches', '2']);
  assertFailed(both, 2, 'SettingsError', 'SETTING_CONFLICT', '--streaming', '--overfit-batches');
});

test('settings come from a file, the environment and flags; their origins are stored, and errors name the source', async () => {
  const yaml = inFolder('run.yaml');
  fs.writeFileSync(
    yaml,
    'lr: 1e-4\ntrain_batch_size: 4\nepochs: 7\ntext-columns: [title, content]\nlabelColumn: null\n',
  );
  const env = { TUNEBOOK_SEED: '3', TUNEBOOK_EPOCHS: '5', TUNEBOOK_MAX_STEPS: '' };
  const shown = await tunebook(['finetune', '--config', yaml, '--epochs', '2', '--print-config', '--json'], { env });
  assert.equal(shown.status, 0, shown.stderr);
  const config = JSON.parse(shown.stdout) as Record<keyof RunSettings['settings'], { value: unknown; from: string }>;
  assert.deepEqual(config.learningRate, { value: 1e-4, from: yaml });
  assert.deepEqual(config.textColumns.value, ['title', 'content']);
  assert.deepEqual(config.seed, { value: 3, from: 'environment' });
  assert.deepEqual(config.epochs, { value: 2, from: 'command line' });
  assert.deepEqual(config.labelColumn, { value: null, from: 'default' });
  const table = await tunebook(['finetune', '--print-config']);
  assert.match(table.stdout, /^learningRate +0\.00005 +default$/m);

  const bad = inFolder('bad.json');
  const rejects = async (
    name: string,
    code: string,
    value: string,
    argv: string[],
    { content, env = {} }: { content?: string; env?: Record<string, string> } = {},
  ) => {
    if (content !== undefined) fs.writeFileSync(bad, content);
    assertFailed(await tunebook(['finetune', ...argv], { env }), 2, name, code, value);
  };
  const invalid = (value: string, argv: string[], env?: Record<string, string>) =>
    rejects('SettingsError', 'SETTING_INVALID', value, argv, { ...(env && { env }) });
  const configArgs = ['--config', bad];
  for (const argv of [['--epoch', '3'], ['reviews.csv']]) {
    const { status, stderr } = await tunebook(['finetune', ...argv]);
    assert.deepEqual([status, /has no option --epoch\.|Too many arguments/.test(stderr)], [2, true], stderr);
  }
  await Promise.all([
    invalid("--learning-rate is 'fast'", ['--lr', 'fast']),
    invalid("--batch-size is '0'", ['--train_batch_size', '0']),
    invalid("--precision is 'int8'", ['--precision', 'int8']),
    invalid("--eager is 'maybe'", ['--eager', 'maybe']),
    invalid("TUNEBOOK_WARMUP_STEPS is '-1'", [], { TUNEBOOK_WARMUP_STEPS: '-1' }),
    rejects('SettingsError', 'SETTING_UNKNOWN', 'Did you mean TUNEBOOK_LEARNING_RATE?', [], {
      env: { TUNEBOOK_LEARNING_RAT: '1' },
    }),
    rejects('RunError', 'RUN_NOT_FOUND', 'runs/', ['--resume']),
    rejects('RunError', 'RUN_NOT_FOUND', 'nothing', ['--resume', 'nothing']),
    rejects('RunError', 'RUN_NOT_A_RUN', 'settings.json', ['--resume', inFolder('model')]),
    rejects('SettingsError', 'CONFIG_FILE_UNREADABLE', 'ENOENT', ['--config', inFolder('none.yaml')]),
  ]);
  await rejects('SettingsError', 'SETTING_UNKNOWN', 'Did you mean learningRate?', configArgs, {
    content: '{"learning_rte": 1}',
  });
  await rejects('SettingsError', 'SETTING_REPEATED', "'lr' and 'learning_rate'", configArgs, {
    content: '{"lr": 1, "learning_rate": 1}',
  });
  await rejects('SettingsError', 'SETTING_INVALID', "bad.json is 'true'", configArgs, { content: '{"epochs": true}' });
  await rejects('SettingsError', 'CONFIG_FILE_INVALID', bad, configArgs, { content: '{"epochs": ' });
  await rejects('SettingsError', 'CONFIG_FILE_INVALID', bad, configArgs, { content: '[1]' });
});
