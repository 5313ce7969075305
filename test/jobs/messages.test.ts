// Messages about run folders and reviews that have changed since the run.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { RunFolder } from '#lib/runs/run-folder.js';
import { CheckpointFolder } from '#lib/training/checkpoint.js';
import { assertFailed, printedError } from '../failure.js';
import { finetuneTiny, waitForOutput, start, tunebook, writeStarsCsv, writeTinyModel } from '../cli/command.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-runs-'));
after(() => fs.rmSync(folder, { recursive: true }));
const inFolder = (...names: string[]) => path.join(folder, ...names);
const finetune = (run: string, ...more: string[]) =>
  finetuneTiny(folder, run, '--max-steps', '200', '--early-stopping-patience', '0', '--save-steps', '2', ...more);

before(async () => {
  writeTinyModel(inFolder('model'));
  writeStarsCsv(inFolder('stars.csv'), 120);
  const { child, ended } = start(finetune('killed', '--json'));
  await waitForOutput(child, /("kind":"checkpoint"[\s\S]*){3}/);
  child.kill('SIGKILL');
  await ended;
});
const copyOf = (name: string) => {
  fs.cpSync(inFolder('killed'), inFolder(name), { recursive: true });
  return name;
};

test('a damaged checkpoint is reported, and the one before it is used', async () => {
  const run = copyOf('damaged');
  const checkpoints = new CheckpointFolder(inFolder(run, 'checkpoints'));
  const [newest, older] = checkpoints.steps();
  fs.truncateSync(path.join(checkpoints.path(newest!), 'model.safetensors'), 1000);
  const { child, ended } = start(finetune(run, '--resume'));
  await waitForOutput(child, 'step ');
  child.kill('SIGTERM');
  const { stdout } = await ended;
  assert.match(
    stdout,
    /A checkpoint cannot be used and is skipped: .*: model\.safetensors was changed or truncated after it was saved\./,
  );
  assert.ok(stdout.includes(`Resuming from ${checkpoints.path(older!)}.`));
});

test('resuming with different training rows is an error that leaves the run as it was', async () => {
  const run = copyOf('other');
  const content = () => ['settings', 'status'].map((name) => fs.readFileSync(inFolder(run, `${name}.json`), 'utf8'));
  const before = content();
  const sampled = await tunebook(finetune(run, '--resume', '--rows', '90', '--allow-changed-settings'));
  assertFailed(sampled, 3, 'OtherRowsError', 'CHECKPOINT_DATA_CHANGED', 'checkpoint-');
  assert.deepEqual(
    content().map((text) => JSON.parse(text) as unknown),
    before.map((text) => JSON.parse(text) as unknown),
  );
  const whole = fs.readFileSync(inFolder('stars.csv'), 'utf8');
  fs.appendFileSync(inFolder('stars.csv'), '5,"one more","It came later, and is wonderful."\n');
  const { status, stderr } = await tunebook(finetune(run, '--resume'));
  fs.writeFileSync(inFolder('stars.csv'), whole);
  assert.equal(status, 3);
  assert.match(
    stderr,
    /The training data differs from that of .*checkpoint-\d+: the file has changed, or the sample is another one\. Restore it, or start a new run\./,
  );
});

test('the lock of a run on another machine is watched for updates', async () => {
  const run = copyOf('elsewhere');
  const runFolder = new RunFolder(inFolder(run));
  runFolder.write('status.json', { ...runFolder.status!, process: { id: 7, host: 'another-machine' } });
  const lock = runFolder.path('.lock');
  fs.mkdirSync(lock, { recursive: true });
  fs.utimesSync(lock, Date.now() / 1000 - 5, Date.now() / 1000 - 5);
  const { child, ended } = start(finetune(run, '--resume'));
  await waitForOutput(child, /was in use by process 7 on another-machine; waiting up to 60 s for a heartbeat\./);
  fs.utimesSync(lock, Date.now() / 1000, Date.now() / 1000);
  const { status, stderr } = await ended;
  assert.equal(status, 2);
  assert.deepEqual(printedError(stderr), ['RunError', 'RUN_IN_USE']);
  assert.match(stderr, /process 7 on another-machine/);
  // A lock that is older than a minute belongs to a process that has ended.
  fs.utimesSync(lock, Date.now() / 1000 - 70, Date.now() / 1000 - 70);
  const again = start(finetune(run, '--resume'));
  await waitForOutput(again.child, 'step ');
  again.child.kill('SIGTERM');
  assert.equal((await again.ended).status, 143);
});

test('an unusable run folder and a folder without a model are errors without a stack trace', async () => {
  const file = await tunebook(finetune('stars.csv/run'));
  assert.deepEqual([file.status, ...printedError(file.stderr)], [2, 'FileError', 'FILE_UNUSABLE']);
  assert.match(file.stderr, /stars\.csv\/run.*\(ENOTDIR\)/);
  fs.mkdirSync(inFolder('empty'));
  const model = await tunebook(finetune('empty-model', '--model', inFolder('empty')));
  assert.deepEqual([model.status, ...printedError(model.stderr)], [3, 'ModelFormatError', 'MODEL_NO_FILE']);
  assert.ok(model.stderr.includes(inFolder('empty')));
  assert.doesNotMatch(model.stderr, /^ +at /m, 'no stack trace for an expected error');
  const frozen = await tunebook(finetune('frozen', '--freeze', '9'));
  assert.deepEqual([frozen.status, ...printedError(frozen.stderr)], [2, 'SettingsError', 'SETTING_INVALID']);
  assert.match(frozen.stderr, /--freeze is 9/);
});
