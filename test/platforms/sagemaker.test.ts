// SageMaker's training contract with real files: hyperparameters and channels in, model, results and failure out.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { SettingsError } from '#lib/errors.js';
import { argumentsOfJob, placesOfJob, sagemakerFolders, type SagemakerFolders } from '#lib/platforms/sagemaker.js';
import { openSentimentModel } from '#lib/serving/sentiment.js';
import { root } from '../checkout.js';
import { writeStarsCsv, writeTinyModel } from '../cli/command.js';
import { failure } from '../failure.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-sagemaker-'));
after(() => fs.rmSync(folder, { recursive: true }));

let jobs = 0;

/** Creates /opt/ml of a job. */
function createJob(parameters: object, channels: object = { train: {} }, resources?: object): SagemakerFolders {
  const folders = sagemakerFolders(path.join(folder, `job-${++jobs}`));
  fs.mkdirSync(folders.configuration, { recursive: true });
  const write = (name: string, content: object) =>
    fs.writeFileSync(path.join(folders.configuration, `${name}.json`), JSON.stringify(content));
  write('hyperparameters', parameters);
  write('inputdataconfig', channels);
  if (resources) write('resourceconfig', resources);
  for (const name of Object.keys(channels)) fs.mkdirSync(path.join(folders.data, name), { recursive: true });
  return folders;
}

const program = path.join(root, 'lib/dist/cli/main.js');
const environmentOf = ({ base }: SagemakerFolders) => ({
  ...process.env,
  SAGEMAKER_BASE_DIR: base,
  HF_HUB_OFFLINE: '1',
  DISABLE_MLFLOW_INTEGRATION: 'true',
});
const train = (folders: SagemakerFolders) =>
  spawnSync(process.execPath, [program, 'sagemaker', 'train'], { encoding: 'utf8', env: environmentOf(folders) });

/** As SageMaker's SDK writes them: all values are texts, and texts are JSON. */
const parameters = {
  label_col: '"stars"',
  'label-mapping': '"1,2 -> negative; 4,5 -> positive"',
  'batch-size': '4',
  'max-steps': '6',
  sagemaker_program: '"train.py"',
  _tuning_objective_metric: 'accuracy',
};

test('hyperparameters are flags, and channels are the data and the model', () => {
  const folders = createJob({ ...parameters, epochs: 2 }, { train: {}, model: {} });
  assert.deepEqual(argumentsOfJob(folders), [
    '--label-col=stars',
    '--label-mapping=1,2 -> negative; 4,5 -> positive',
    '--batch-size=4',
    '--max-steps=6',
    '--epochs=2',
    `--dataset=${folders.data}/train`,
    `--model=${folders.data}/model`,
    `--run-folder=${folders.checkpoints}`,
    '--resume',
  ]);
  const splits = createJob({}, { train: {}, test: {}, validation: {} });
  assert.ok(argumentsOfJob(splits).includes(`--dataset=${splits.data}`));
  assert.ok(argumentsOfJob(createJob({ dataset_name: 'amazon_polarity' })).every((flag) => !/^--dataset=/.test(flag)));
  assert.throws(
    () => argumentsOfJob(createJob({}, { train: {}, extra: {} })),
    failure(SettingsError, 'SETTING_INVALID'),
  );
  assert.throws(
    () => argumentsOfJob(createJob({}, { train: { TrainingInputMode: 'Pipe' } })),
    failure(SettingsError, 'SETTING_INVALID', { value: 'Pipe' }),
  );
});

test('hyperparameters that would move the run are rejected, and damaged texts are values', () => {
  for (const name of ['run_folder', 'output-dir', 'resume', 'config'])
    assert.throws(
      () => argumentsOfJob(createJob({ [name]: '"elsewhere"' })),
      failure(SettingsError, 'SETTING_CONFLICT', { names: [name.replace('_', '-')] }),
    );
  assert.ok(argumentsOfJob(createJob({ label_col: '"a"b"' }, { train: null! })).includes('--label-col="a"b"'));
});

test('the ranks of a host: one per GPU, in the order of the host names', () => {
  const folders = createJob({}, {}, { current_host: 'algo-2', hosts: ['algo-2', 'algo-1'] });
  const [first, second] = placesOfJob(folders, 2);
  assert.deepEqual(first!.addresses, ['algo-1:2222', 'algo-1:2223', 'algo-2:2222', 'algo-2:2223']);
  assert.deepEqual([first!.rank, second!.rank, second!.localRank], [2, 3, 1]);
  assert.equal(placesOfJob(createJob({}), 0).length, 1);
  const elsewhere = createJob({}, {}, { current_host: 'algo-3', hosts: ['algo-1', 'algo-2'] });
  assert.throws(() => placesOfJob(elsewhere, 0), failure(SettingsError, 'LAUNCH_WRONG_HOST', { current: 'algo-3' }));
});

test('a job trains, exports its model and delivers the results; a second start resumes', async () => {
  const folders = createJob(parameters, { train: {}, model: {} });
  writeTinyModel(path.join(folders.data, 'model'));
  writeStarsCsv(path.join(folders.data, 'train/reviews.csv'));
  const { status, stderr } = train(folders);
  assert.equal(status, 0, stderr);
  const model = await openSentimentModel(folders.model);
  assert.deepEqual(model.labels, ['negative', 'positive']);
  await model.dispose();
  const metrics = JSON.parse(fs.readFileSync(path.join(folders.output, 'metrics.json'), 'utf8')) as object;
  assert.ok('test' in metrics);
  assert.ok(fs.existsSync(path.join(folders.output, 'report.html')));
  assert.ok(!fs.existsSync(folders.failure));
  const again = train(folders);
  assert.match(again.stdout, /is finished \(completed\); there is nothing to resume/);
  assert.equal(again.status, 0, again.stderr);
});

test('the reason of a failure is written to its file, and the exit code is kept', () => {
  const folders = createJob({ ...parameters, label_col: '"rating"' }, { train: {}, model: {} });
  writeTinyModel(path.join(folders.data, 'model'));
  writeStarsCsv(path.join(folders.data, 'train/reviews.csv'));
  const { status } = train(folders);
  assert.equal(status, 3);
  assert.match(fs.readFileSync(folders.failure, 'utf8'), /^ReviewsError \[REVIEWS_NO_COLUMN\].*rating/);
  const invalid = createJob({}, { train: {}, extra: {} });
  assert.equal(train(invalid).status, 2);
  assert.match(fs.readFileSync(invalid.failure, 'utf8'), /The channels train, extra are not splits/);
});

test('SIGTERM, with which SageMaker stops a job and replaces a spot instance, writes a checkpoint', async () => {
  const folders = createJob({ ...parameters, 'max-steps': '100000', epochs: '100000' }, { train: {}, model: {} });
  writeTinyModel(path.join(folders.data, 'model'));
  writeStarsCsv(path.join(folders.data, 'train/reviews.csv'));
  const child = spawn(process.execPath, [program, 'sagemaker', 'train'], {
    env: environmentOf(folders),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const text of child.stdout.setEncoding('utf8')) if (String(text).includes('step 1/')) break;
  child.stdout.resume();
  const closed = once(child, 'close');
  child.kill('SIGTERM');
  assert.deepEqual(await closed, [143, null]);
  assert.ok(fs.readdirSync(path.join(folders.checkpoints, 'checkpoints')).length > 0);
});

test('the model folder is served at /ping and /invocations on port 8080', async () => {
  const models = fs.readdirSync(folder).map((name) => path.join(folder, name, 'model'));
  const trained = models.find((name) => fs.existsSync(path.join(name, 'onnx')))!;
  const server = spawn(process.execPath, [program, 'serve', trained, '--port', '0'], {
    env: environmentOf(createJob({})),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  for await (const text of server.stdout.setEncoding('utf8')) if (/at http:\S+/.test((output += String(text)))) break;
  server.stdout.resume();
  const [address] = /http:\/\/[\w.]+:\d+/.exec(output)!;
  assert.equal((await fetch(`${address}/ping`)).status, 200);
  const response = await fetch(`${address}/invocations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ inputs: ['It stopped working.'] }),
  });
  assert.equal(response.status, 200);
  server.kill('SIGTERM');
  await once(server, 'close');
});
