// Tracking with a real MLflow server: the server receives the complete run, and its failures do not affect training.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { FinetuneMetrics } from '#lib/runs/metrics.js';
import { RunFolder } from '#lib/runs/run-folder.js';
import { mlflowOfEnvironment } from '#lib/tracking/mlflow-client.js';
import { readJournal, recordsOf } from '#lib/runs/journal.js';
import { executeNotebook } from '#lib/notebook/execute.js';
import { assertFailed } from '../failure.js';
import { outputOf, writeNotebook } from '../notebook/write.js';
import {
  finetuneTiny,
  starsFlags,
  waitForOutput,
  start,
  tunebook,
  writeStarsCsv,
  writeTinyModel,
} from '../cli/command.js';
import { freePort, startMlflow, type MlflowServer } from './mlflow-server.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-mlflow-'));
const inFolder = (...names: string[]) => path.join(folder, ...names);
writeTinyModel(inFolder('model'));
writeStarsCsv(inFolder('stars.csv'));
let server: MlflowServer;
before(async () => {
  server = await startMlflow(inFolder('server'));
});
after(async () => {
  await server.kill();
  fs.rmSync(folder, { recursive: true });
});

const finetune = (run: string, ...more: string[]) =>
  finetuneTiny(folder, run, '--early-stopping-patience', '0', ...more);
const environment = (more: Record<string, string> = {}) => ({ env: { MLFLOW_TRACKING_URI: server.uri, ...more } });

interface Run {
  info: { run_id: string; run_name: string; status: string; experiment_id: string; end_time?: number };
  data: {
    metrics: { key: string; value: number }[];
    params: { key: string; value: string }[];
    tags: { key: string; value: string }[];
  };
}
const runsOf = async (name: string) => {
  const { experiment } = await server.request<{ experiment: { experiment_id: string } }>(
    `mlflow/experiments/get-by-name?experiment_name=${name}`,
  );
  const { runs } = await server.request<{ runs?: Run[] }>('mlflow/runs/search', {
    experiment_ids: [experiment.experiment_id],
  });
  return runs ?? [];
};
const valueOf = <Value>(pairs: { key: string; value: Value }[], key: string) =>
  pairs.find((pair) => pair.key === key)?.value;
const history = async (run: Run, key: string) =>
  (
    await server.request<{ metrics: { value: number; step: number }[] }>(
      `mlflow/metrics/get-history?run_id=${run.info.run_id}&metric_key=${key}&max_results=5000`,
    )
  ).metrics.sort((a, b) => a.step - b.step);
const files = async (run: Run, under = ''): Promise<string[]> => {
  const { files: found = [] } = await server.request<{ files?: { path: string; is_dir: boolean }[] }>(
    `mlflow/artifacts/list?run_id=${run.info.run_id}&path=${under}`,
  );
  const inner = await Promise.all(found.map(async (file) => (file.is_dir ? await files(run, file.path) : [file.path])));
  return inner.flat();
};
const losses = (run: string) => recordsOf(readJournal(inFolder(run))).map(({ step, loss }) => ({ step, value: loss }));
const stepsAndValues = (metrics: { value: number; step: number }[]) =>
  metrics.map(({ step, value }) => ({ step, value }));

test('a run is tracked with its parameters, curves, final metrics, figures and model', async () => {
  const { status, stdout, stderr } = await tunebook(
    finetune('complete', '--epochs', '2'),
    environment({ MLFLOW_EXPERIMENT_NAME: 'complete' }),
  );
  assert.equal(status, 0, stderr);
  const [run, ...others] = await runsOf('complete');
  assert.deepEqual(others, []);
  assert.equal(run!.info.status, 'FINISHED');
  assert.ok(run!.info.end_time! > 0);
  assert.ok(
    stdout.includes(
      `Tracked by MLflow: ${server.uri}/#/experiments/${run!.info.experiment_id}/runs/${run!.info.run_id}`,
    ),
  );
  assert.equal(valueOf(run!.data.params, 'learning_rate'), '0.003');
  assert.equal(valueOf(run!.data.params, 'label_mapping'), '1,2 -> negative; 4,5 -> positive');
  assert.equal(valueOf(run!.data.tags, 'mlflow.source.name'), 'tunebook finetune');
  assert.deepEqual(stepsAndValues(await history(run!, 'loss')), losses('complete'));
  assert.equal((await history(run!, 'eval_accuracy')).length, 2);
  const metrics = new RunFolder(inFolder('complete')).read<FinetuneMetrics>('metrics.json')!;
  assert.equal(valueOf(run!.data.metrics, 'test_accuracy'), metrics.test.accuracy);
  assert.equal(valueOf(run!.data.metrics, 'test_f1_macro'), metrics.test.macro.f1);
  assert.equal(valueOf(run!.data.metrics, 'test_recall_class_negative'), metrics.test.perClass[0]!.recall);
  assert.ok(valueOf(run!.data.metrics, 'baseline_bag_of_words')! > 0);

  const names = await files(run!);
  for (const name of [
    'figures/learning-curves.png',
    'figures/learning-curves.html',
    'model/model.safetensors',
    'model/README.md',
    'report.html',
    'journal.jsonl',
  ])
    assert.ok(names.includes(name), name);
  const model = await fetch(`${server.uri}/get-artifact?path=model/model.safetensors&run_uuid=${run!.info.run_id}`);
  assert.ok(
    Buffer.from(await model.arrayBuffer()).equals(fs.readFileSync(inFolder('complete/model/model.safetensors'))),
  );
  const again = await tunebook(['track', inFolder('complete')], environment({ MLFLOW_EXPERIMENT_NAME: 'complete' }));
  assert.equal(again.status, 0, again.stderr);
  assert.equal((await runsOf('complete')).length, 1);
});

test('a notebook is tracked like a job, from its first step on; a second run needs another folder', async () => {
  const notebook = writeNotebook(folder, [
    `import * as tunebook from 'tunebook';
     const settings = tunebook.readSettings();
     const prepared = await tunebook.prepareReviews(settings);`,
    `const run = await tunebook.startRun('finetune', settings, prepared.sources);
     const model = await tunebook.TextClassifier.load(prepared.modelFolder, { ...settings, reading: prepared.source.reading });
     const result = await new tunebook.Trainer(model, settings).train(prepared.train, {
       validation: prepared.validation,
       onRecord: (record) => run.write('step', record),
     });`,
    `const trained = { ...prepared, settings: settings, data: { ...prepared, notes: [] }, result: result };
     const metrics = tunebook.finetuneMetrics(trained, await tunebook.evaluate(model, prepared.test));
     await run.finish(model, metrics);
     // As if the cell were run again.
     await run.finish(model, metrics);
     try {
       await tunebook.startRun('finetune', settings, prepared.sources);
     } catch ({ code, message }) {
       console.log(code, message);
     }`,
  ]);
  const executed = inFolder('executed.ipynb');
  await executeNotebook(notebook, {
    executed,
    report: inFolder('executed.html'),
    environment: {
      MLFLOW_TRACKING_URI: server.uri,
      MLFLOW_EXPERIMENT_NAME: 'notebook',
      TUNEBOOK_REPORT_TO: 'mlflow,tensorboard',
      TUNEBOOK_MODEL: inFolder('model'),
      TUNEBOOK_DATASET: inFolder('stars.csv'),
      TUNEBOOK_LABEL_MAPPING: '1,2 -> negative; 4,5 -> positive',
      TUNEBOOK_RUN_FOLDER: 'notebook',
      TUNEBOOK_EPOCHS: '2',
    },
  });
  const [tracked, ...others] = await runsOf('notebook');
  assert.deepEqual(others, []);
  assert.equal(tracked!.info.status, 'FINISHED');
  assert.equal(valueOf(tracked!.data.params, 'label_mapping'), '1,2 -> negative; 4,5 -> positive');
  assert.deepEqual(stepsAndValues(await history(tracked!, 'loss')), losses('notebook'));
  const metrics = new RunFolder(inFolder('notebook')).read<FinetuneMetrics>('metrics.json')!;
  assert.equal(valueOf(tracked!.data.metrics, 'test_accuracy'), metrics.test.accuracy);
  const names = await files(tracked!);
  for (const name of ['model/model.safetensors', 'model/README.md', 'report.html', 'environment.json'])
    assert.ok(names.includes(name), name);
  assert.equal(fs.readdirSync(inFolder('notebook/tensorboard')).length, 1);
  assert.equal(readJournal(inFolder('notebook')).filter(({ kind }) => kind === 'summary').length, 1);
  const output = outputOf(executed);
  // The message comes from a thread, in whatever cell runs then.
  assert.match(output.join('\n'), new RegExp(`Tracked by MLflow: ${server.uri}/#/experiments/`));
  assert.match(output[2]!, /^RUN_EXISTS notebook already contains a run or a model\. .* TUNEBOOK_RUN_FOLDER/m);
});

test('the runs of a sweep are children of one run, which gets the grid and the best result', async () => {
  const argv = [
    ...['sweep', ...starsFlags(inFolder('stars.csv')), '--model', inFolder('model'), '--run-folder', inFolder('sweep')],
    ...['--max-length', '32', '--batch-size', '8', '--max-steps', '3', '--lr', '1e-3,3e-3'],
  ];
  const { status, stderr } = await tunebook(argv, environment({ MLFLOW_EXPERIMENT_NAME: 'sweeps' }));
  assert.equal(status, 0, stderr);
  const runs = await runsOf('sweeps');
  const parent = runs.find(({ info }) => info.run_name === 'sweep')!;
  const children = runs.filter((run) => run !== parent);
  assert.equal(children.length, 2);
  for (const { data, info } of children) {
    assert.equal(valueOf(data.tags, 'mlflow.parentRunId'), parent.info.run_id);
    assert.equal(info.status, 'FINISHED');
  }
  assert.equal(parent.info.status, 'FINISHED');
  assert.equal(valueOf(parent.data.params, 'grid_learningRate'), '1e-3,3e-3');
  const { best } = JSON.parse(fs.readFileSync(inFolder('sweep/result.json'), 'utf8')) as {
    best: { validation: { mean: number } };
  };
  assert.equal(valueOf(parent.data.metrics, 'best_validation_accuracy'), best.validation.mean);
});

test('a pruned run of a sweep is a killed run with a tag', async () => {
  const argv = [
    ...[
      'sweep',
      ...starsFlags(inFolder('stars.csv')),
      '--model',
      inFolder('model'),
      '--run-folder',
      inFolder('pruned'),
    ],
    ...['--max-length', '32', '--batch-size', '8', '--epochs', '4', '--sampler', 'random', '--trials', '2'],
    ...['--lr', '1e-6..1e-2', '--pruner', 'asha'],
  ];
  const { status, stdout, stderr } = await tunebook(argv, environment({ MLFLOW_EXPERIMENT_NAME: 'pruned' }));
  assert.equal(status, 0, stderr);
  const runs = await runsOf('pruned');
  const described = runs.map(({ info, data }) => [info.run_name, info.status, valueOf(data.tags, 'tunebook.state')]);
  const expected = [
    ['pruned', 'FINISHED', undefined],
    ['trial-0', 'FINISHED', 'completed'],
    ['trial-1', 'KILLED', 'pruned'],
  ];
  assert.deepEqual(new Set(described), new Set(expected), stdout);
  const parent = runs.find(({ info }) => info.run_name === 'pruned')!;
  assert.equal(valueOf(parent.data.params, 'search_space_learningRate'), '0.000001..0.01:log');
  assert.equal(valueOf(parent.data.params, 'pruner'), 'asha');
});

test("MLflow's limits: more metrics than fit into a request, and a parameter that is too long", async () => {
  const labels = Array.from({ length: 2000 }, (_, i) => 1000 + i).join(',');
  const mapping = ['--label-mapping', `1,2 -> negative; 4,5,${labels} -> positive`];
  const { status, stderr } = await tunebook(
    finetune('long', '--max-steps', '250', '--epochs', '200', '--report-to', 'none', ...mapping),
  );
  assert.equal(status, 0, stderr);
  const sent = await tunebook(['track', inFolder('long')], environment({ MLFLOW_EXPERIMENT_NAME: 'limits' }));
  assert.equal(sent.status, 0, sent.stderr);
  const [run] = await runsOf('limits');
  const parameter = valueOf(run!.data.params, 'label_mapping')!;
  assert.equal(parameter.length, 6000);
  assert.match(parameter, /^1,2 -> negative; 4,5,1000,/);
  // Five metrics of each of 250 steps; a request takes 1,000.
  assert.deepEqual(stepsAndValues(await history(run!, 'loss')), losses('long'));
  assert.equal(losses('long').length, 250);
});

test('training continues without the server; missed data is sent when it is back, or by tunebook track', async () => {
  const env = environment({ MLFLOW_EXPERIMENT_NAME: 'killed' });
  const { child, ended } = start([...finetune('killed', '--epochs', '24'), '--json'], env);
  let output = '';
  child.stderr!.on('data', (text: string) => (output += text));
  const waitForStderr = (pattern: RegExp) =>
    new Promise<void>((resolve, reject) => {
      const check = () => pattern.test(output) && resolve();
      child.stderr!.on('data', check);
      child.on('close', () => reject(new Error(`The run ended without printing ${pattern}:\n${output}`)));
      check();
    });
  await waitForStderr(/Tracked by MLflow/);
  await server.kill();
  const stepsBefore = recordsOf(readJournal(inFolder('killed'))).length;
  const { status, stderr } = await ended;
  assert.equal(status, 0, stderr);
  assert.ok(recordsOf(readJournal(inFolder('killed'))).length > stepsBefore + 100, 'training continued');
  assert.match(
    stderr,
    /MLflow: http.* is unreachable \((ECONNREFUSED|the connection was closed)\)\. Training continues; the rest is sent when the server responds\./,
  );
  assert.match(
    stderr,
    /The MLflow server has not received the whole run\. When it is available, run: npx tunebook track /,
  );
  const down = await tunebook(['track', inFolder('killed')], env);
  assertFailed(down, 1, 'MlflowError', 'MLFLOW_UNREACHABLE', 'ECONNREFUSED');

  await server.restart();
  const [before] = await runsOf('killed');
  assert.equal(before!.info.status, 'RUNNING');
  const later = await tunebook(['track', inFolder('killed')], env);
  assert.equal(later.status, 0, later.stderr);
  const [run, ...others] = await runsOf('killed');
  assert.deepEqual([run!.info.status, others], ['FINISHED', []]);
  assert.deepEqual(stepsAndValues(await history(run!, 'loss')), losses('killed'));
  assert.ok((await files(run!)).includes('model/model.safetensors'));

  // A server that comes back during the run.
  const second = start(
    [...finetune('back', '--epochs', '400'), '--json'],
    environment({ MLFLOW_EXPERIMENT_NAME: 'back' }),
  );
  output = '';
  second.child.stderr!.on('data', (text: string) => (output += text));
  await waitForOutput(second.child, '"kind":"step"');
  await server.kill();
  while (!output.includes('is unreachable')) await new Promise((resolve) => second.child.stderr!.once('data', resolve));
  await server.restart();
  while (!output.includes('MLflow is reachable again'))
    await new Promise((resolve) => second.child.stderr!.once('data', resolve));
  second.child.kill('SIGTERM');
  assert.equal((await second.ended).status, 143, output);
  const [interrupted] = await runsOf('back');
  assert.equal(interrupted!.info.status, 'KILLED');
  const stepsSoFar = losses('back').length;
  const resumed = await tunebook(
    [
      ...finetune('back', '--epochs', '400'),
      '--resume',
      '--max-steps',
      String(stepsSoFar + 20),
      '--allow-changed-settings',
    ],
    environment({ MLFLOW_EXPERIMENT_NAME: 'back' }),
  );
  assert.equal(resumed.status, 0, resumed.stderr);
  assert.match(
    resumed.stdout,
    /MLflow keeps the parameters with which this run was first tracked, since it does not allow changes\./,
  );
  const [resumedRun, ...more] = await runsOf('back');
  assert.deepEqual([resumedRun!.info.status, more], ['FINISHED', []], 'the same run, resumed');
  const steps = (await history(resumedRun!, 'loss')).map(({ step }) => step);
  assert.deepEqual(steps, [...new Set(steps)], 'no step is sent twice');
  assert.equal(Math.max(...steps), stepsSoFar + 20);
});

test('an existing run is used; an artifact store that only Python can write to gets no files', async () => {
  const { experiment_id } = await server.request<{ experiment_id: string }>('mlflow/experiments/create', {
    name: 'elsewhere',
    artifact_location: `file://${inFolder('store')}`,
  });
  const { run } = await server.request<{ run: Run }>('mlflow/runs/create', { experiment_id, run_name: 'mine' });
  const { status, stdout } = await tunebook(
    finetune('elsewhere', '--max-steps', '3'),
    environment({ MLFLOW_RUN_ID: run.info.run_id }),
  );
  assert.equal(status, 0);
  assert.match(
    stdout,
    /No files are sent to MLflow: the artifact location of this run is file:.*Start the server with --serve-artifacts/,
  );
  const [found, ...others] = await runsOf('elsewhere');
  assert.deepEqual([found!.info.run_name, found!.info.status, others], ['mine', 'FINISHED', []]);
  assert.equal((await history(found!, 'loss')).length, 3);
});

test('a deleted experiment is reported, and tunebook track rejects a run that is still training', async () => {
  const { experiment_id } = await server.request<{ experiment_id: string }>('mlflow/experiments/create', {
    name: 'gone',
  });
  await server.request('mlflow/experiments/delete', { experiment_id });
  const deleted = await tunebook(finetune('gone', '--max-steps', '2'), environment({ MLFLOW_EXPERIMENT_NAME: 'gone' }));
  assert.equal(deleted.status, 0, deleted.stderr);
  assert.match(
    deleted.stdout,
    /The experiment gone was deleted\. Restore it in MLflow, or set another one \(MLFLOW_EXPERIMENT_NAME\)/,
  );
  const { child, ended } = start(finetune('busy', '--epochs', '400', '--json'));
  await waitForOutput(child, '"kind":"step"');
  const busy = await tunebook(['track', inFolder('busy')], environment());
  child.kill('SIGTERM');
  await ended;
  assertFailed(busy, 2, 'RunError', 'RUN_IN_USE', 'busy');
});

test('a server that does not respond or rejects the credentials does not stop a run', async () => {
  const sockets: net.Socket[] = [];
  const silent = net.createServer((socket) => sockets.push(socket));
  const port = await freePort();
  await new Promise<void>((resolve) => silent.listen(port, '127.0.0.1', resolve));
  const headers: (string | undefined)[] = [];
  const unauthorized = http.createServer((request, response) => {
    headers.push(request.headers.authorization);
    response.writeHead(401).end('no');
  });
  const unauthorizedPort = await freePort();
  await new Promise<void>((resolve) => unauthorized.listen(unauthorizedPort, '127.0.0.1', resolve));
  const [slow, rejected] = await Promise.all([
    tunebook(finetune('slow', '--max-steps', '3'), { env: { MLFLOW_TRACKING_URI: `http://127.0.0.1:${port}` } }),
    tunebook(finetune('rejected', '--max-steps', '3'), {
      env: { MLFLOW_TRACKING_URI: `http://ann:se%40cret@127.0.0.1:${unauthorizedPort}` },
    }),
  ]);
  silent.close();
  unauthorized.close();
  sockets.forEach((socket) => socket.destroy());
  assert.equal(slow.status, 0, slow.stderr);
  assert.match(slow.stdout, /no response within 10 s/);
  assert.equal(rejected.status, 0, rejected.stderr);
  assert.match(
    rejected.stdout,
    /rejected the credentials \(401\)\. Check MLFLOW_TRACKING_TOKEN, or .*when this is fixed, run 'npx tunebook track .*' to send the rest/,
  );
  assert.equal(headers[0], `Basic ${Buffer.from('ann:se@cret').toString('base64')}`);
  // No secret in files or output.
  const fileNames = fs
    .readdirSync(inFolder('rejected'))
    .filter((name) => fs.statSync(inFolder('rejected', name)).isFile());
  for (const text of [
    rejected.stdout,
    rejected.stderr,
    ...fileNames.map((name) => fs.readFileSync(inFolder('rejected', name), 'utf8')),
  ])
    assert.ok(!/cret/.test(text));
});

test('the environment variables of MLflow are read, and invalid values are rejected', async () => {
  const uri = { MLFLOW_TRACKING_URI: 'https://mlflow.example/' };
  assert.equal(mlflowOfEnvironment({}), undefined);
  for (const off of ['TRUE', '1', 'on', 'yes'])
    assert.equal(mlflowOfEnvironment({ ...uri, DISABLE_MLFLOW_INTEGRATION: off }), undefined);
  assert.deepEqual(
    mlflowOfEnvironment({ ...uri, MLFLOW_TRACKING_TOKEN: 't', MLFLOW_EXPERIMENT_ID: '3', MLFLOW_RUN_ID: 'r' }),
    { trackingUri: 'https://mlflow.example', authorization: 'Bearer t', experimentId: '3', runId: 'r' },
  );
  const files = await tunebook(finetune('files'), { env: { MLFLOW_TRACKING_URI: 'sqlite:///mlflow.db' } });
  assertFailed(files, 2, 'SettingsError', 'SETTING_INVALID', "MLFLOW_TRACKING_URI is 'sqlite:///mlflow.db'");
  const none = await tunebook(['track', inFolder('complete')]);
  assertFailed(none, 2, 'SettingsError', 'SETTING_MISSING', 'MLFLOW_TRACKING_URI');
  const off = await tunebook(finetune('off', '--max-steps', '1'), environment({ DISABLE_MLFLOW_INTEGRATION: 'TRUE' }));
  assert.deepEqual(
    [off.status, fs.existsSync(inFolder('off/tracking.json')), fs.existsSync(inFolder('off/journal.jsonl'))],
    [0, false, true],
  );
});
