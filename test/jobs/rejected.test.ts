// Commands that are rejected before training: they leave no files, and the corrected command works in the same folder.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { RunError } from '#lib/errors.js';
import { assertResumable, runToResume } from '#lib/jobs/resume.js';
import { RunFolder, type RunSettings } from '#lib/runs/run-folder.js';
import { failure, printedError } from '../failure.js';
import { root } from '../checkout.js';
import { starsFlags, waitForOutput, start, tunebook, writeStarsCsv, writeTinyModel } from '../cli/command.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-rejected-'));
after(() => fs.rmSync(folder, { recursive: true }));
const inFolder = (...names: string[]) => path.join(folder, ...names);
const options = { cwd: folder };
const reviews = [...starsFlags('stars.csv'), '--model', 'model'];
const finetune = (...more: string[]) => ['finetune', ...reviews, '--max-steps', '2', '--max-length', '32', ...more];

before(() => {
  writeTinyModel(inFolder('model'));
  writeStarsCsv(inFolder('stars.csv'), 120);
  fs.mkdirSync(inFolder('no-model'));
  fs.cpSync(inFolder('model'), inFolder('no-tokenizer'), { recursive: true });
  fs.rmSync(inFolder('no-tokenizer', 'tokenizer.json'));
  fs.writeFileSync(inFolder('broken.parquet'), 'PAR1 and then something else');
});

test('a rejected command leaves no folder, and the corrected command can use it', async () => {
  const rejected: [status: number, name: string, code: string, value: string, argv: string[]][] = [
    [3, 'ReviewsError', 'REVIEWS_NO_COLUMN', 'rating', ['--label-column', 'rating']],
    [2, 'FileError', 'FILE_NOT_FOUND', 'none.csv', ['--dataset', 'none.csv']],
    [3, 'ReviewsError', 'REVIEWS_MALFORMED', 'broken.parquet', ['--dataset', 'broken.parquet']],
    [3, 'ModelFormatError', 'MODEL_NO_FILE', 'no-model', ['--model', 'no-model']],
    [3, 'ModelFormatError', 'MODEL_NO_TOKENIZER', 'no-tokenizer', ['--model', 'no-tokenizer']],
    [2, 'FileError', 'FILE_NOT_FOUND', './modell', ['--model', './modell']],
    [3, 'OfflineError', 'HUB_OFFLINE', 'no/where', ['--model', 'no/where']],
    [3, 'ReviewsError', 'REVIEWS_NO_ROWS', 'stars.csv', ['--label-mapping', '8 -> negative; 9 -> positive']],
  ];
  await Promise.all(
    rejected.map(async ([expected, name, code, value, argv], i) => {
      const run = inFolder(`rejected-${i}`);
      // Schedulers always pass --resume.
      const more = ['--run-folder', run, ...(i % 2 === 0 ? ['--resume'] : [])];
      const { status, stderr } = await tunebook(finetune(...argv, ...more), options);
      assert.deepEqual([status, ...printedError(stderr)], [expected, name, code], stderr);
      assert.ok(stderr.includes(value), stderr);
      assert.equal(stderr.trim().split('\n').length, 1, `one line, no stack: ${stderr}`);
      assert.equal(fs.existsSync(run), false, code);
    }),
  );
  for (const resume of [[], ['--resume']]) {
    const run = `corrected${resume.length}`;
    // A folder that existed before is kept with its files.
    fs.mkdirSync(inFolder(run));
    fs.writeFileSync(inFolder(run, 'notes.txt'), 'mine');
    await tunebook(finetune('--label-column', 'rating', '--run-folder', run), options);
    assert.deepEqual(fs.readdirSync(inFolder(run)), ['notes.txt']);
    const { status, stderr } = await tunebook(finetune('--run-folder', run, ...resume), options);
    assert.equal(status, 0, stderr);
    assert.equal(new RunFolder(inFolder(run)).state, 'completed');
  }
});

test('a start that was killed before training does not block the next one', async () => {
  const killed = start(finetune('--run-folder', 'killed', '--label-mapping', '1 -> negative; 5 -> positive'), options);
  await waitForOutput(killed.child, 'This runs on');
  killed.child.kill('SIGKILL');
  await killed.ended;
  assert.ok(fs.existsSync(inFolder('killed', 'status.json')), 'the run was killed after its start');
  const { status, stderr } = await tunebook(finetune('--run-folder', 'killed'), options);
  assert.equal(status, 0, stderr);
  assert.match(stderr, /^$/, 'no message about the killed run');
});

test('a rejected command creates no folder; --resume selects runs of its command with a checkpoint', async () => {
  const column = await tunebook(finetune('--label-column', 'rating'), options);
  assert.equal(column.status, 3);
  assert.deepEqual(fs.readdirSync(inFolder('runs')), []);
  const resumed = await tunebook(['finetune', '--resume'], options);
  assert.deepEqual([resumed.status, ...printedError(resumed.stderr)], [2, 'RunError', 'RUN_NOT_FOUND']);

  const run = new RunFolder(inFolder('runs', 'a'));
  const argv = ['--max-steps', '300', '--save-steps', '2', '--early-stopping-patience', '0'];
  const interrupted = start(finetune('--run-folder', run.folder, ...argv, '--json'), options);
  await waitForOutput(interrupted.child, '"kind":"checkpoint"');
  interrupted.child.kill('SIGTERM');
  assert.equal((await interrupted.ended).status, 143);
  // Newer runs: one of another command, one without a checkpoint.
  const copy = (name: string) => {
    fs.cpSync(run.folder, inFolder('runs', name), { recursive: true });
    const copied = new RunFolder(inFolder('runs', name));
    copied.write('status.json', { ...copied.status!, startedAt: new Date().toISOString() });
    return copied;
  };
  const adapted = copy('b');
  adapted.write('settings.json', { ...adapted.settings!, command: 'adapt' } satisfies RunSettings);
  fs.rmSync(copy('c').path('checkpoints'), { recursive: true });
  assert.equal(runToResume('finetune', true, inFolder('runs')).folder, run.folder);
  assert.equal(runToResume('adapt', true, inFolder('runs')).folder, adapted.folder);
  assert.throws(
    () => runToResume('finetune', adapted.folder),
    failure(RunError, 'RUN_OF_OTHER_COMMAND', { command: 'adapt' }),
  );
  // An interrupted notebook's run.
  const ofNotebook = new RunFolder(inFolder('runs/c'));
  ofNotebook.write('metrics.json', {});
  assert.throws(
    () => assertResumable(ofNotebook),
    failure(RunError, 'RUN_NO_CHECKPOINT', { folder: ofNotebook.folder }),
  );

  // A run that cannot be resumed is not changed.
  const before = fs.readFileSync(run.path('status.json'), 'utf8');
  fs.renameSync(inFolder('stars.csv'), inFolder('elsewhere.csv'));
  const missing = await tunebook(['finetune', '--resume', run.folder], options);
  fs.renameSync(inFolder('elsewhere.csv'), inFolder('stars.csv'));
  assert.equal(missing.status, 2, missing.stderr);
  assert.equal(fs.readFileSync(run.path('status.json'), 'utf8'), before);
});

test('a rejected sweep leaves no files, and the corrected one can use its folder', async () => {
  const sweep = (...more: string[]) => [
    'sweep',
    ...finetune().slice(1),
    '--seed',
    '1,2',
    '--run-folder',
    'sweep',
    ...more,
  ];
  const { status, stderr } = await tunebook(sweep('--label-column', 'rating'), options);
  assert.equal(status, 3, stderr);
  assert.equal(fs.existsSync(inFolder('sweep')), false);
  const corrected = await tunebook(sweep(), options);
  assert.equal(corrected.status, 0, corrected.stderr);
});

test('every command exits with 2 on an unknown flag, and DEBUG=tunebook prints the stack trace', async () => {
  const npmStart = spawn(process.execPath, [path.join(root, 'lib/dist/cli/start.js'), '--nope']);
  const started = new Promise<number | null>((resolve) => npmStart.on('close', resolve));
  for (const argv of [['--nope'], ['finetune', '--nope'], ['serve', '--port', 'x'], ['score', '--file', 'none.csv']])
    assert.equal((await tunebook(argv, options)).status, 2, argv.join(' '));
  assert.equal(await started, 2, 'npm start -- --nope');
  const { status, stderr } = await tunebook(['report', 'none'], { ...options, env: { DEBUG: 'tunebook' } });
  assert.equal(status, 2);
  assert.match(stderr, /RunError: There is no run none\..*\n +at /s);
});
