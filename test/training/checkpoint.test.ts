/** Checkpoints: a resumed run gives results that are bit-identical to those of an uninterrupted run. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { CheckpointError, DiskFullError, OtherRowsError } from '#lib/errors.js';
import { TextClassifier } from '#lib/model/text-classifier.js';
import { readTokenizer } from '#lib/tokenizer/tokenizer.js';
import { parseConfig } from '#lib/model/config.js';
import type { EncodedReviews } from '#lib/model/batch.js';
import { CheckpointFolder, type Checkpoint } from '#lib/training/checkpoint.js';
import { evaluate } from '#lib/evaluation/evaluate.js';
import type { TrainingRecord } from '#lib/training/training-record.js';
import { Trainer } from '#lib/training/trainer.js';
import type { TrainingSettings } from '#lib/settings/settings.js';
import { failure } from '../failure.js';
import { embeddedModel } from '../checkout.js';

const config = parseConfig({
  vocab_size: 60,
  dim: 16,
  hidden_dim: 32,
  n_layers: 2,
  n_heads: 2,
  max_position_embeddings: 16,
});
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-checkpoints-'));
after(() => fs.rmSync(folder, { recursive: true }));
let folderCount = 0;
const newFolder = () => new CheckpointFolder(path.join(folder, String(folderCount++)));

/** Texts of class 1 if they contain token 7, else 0. No text contains a token above 50. */
const reviews = (rows: number, from = 0): EncodedReviews => {
  const ids = Array.from({ length: rows }, (_, i) =>
    Int32Array.from({ length: 4 + ((i + from) % 5) }, (_, j) =>
      j === 2 && i % 2 ? 7 : 10 + (((i + from) * 13 + j * 5) % 39),
    ),
  );
  return { ids, labels: Int32Array.from(ids, (_, i) => i % 2) };
};
const data = { train: reviews(70), validation: reviews(20, 1000) };
const base = path.join(folder, 'base');
const model = TextClassifier.create(config, {}, readTokenizer(embeddedModel));
model.save(base);
model.dispose();

const parametersAsHex = (classifier: TextClassifier) =>
  [...classifier.parameters].map(([name, parameter]) => [name, Buffer.from(parameter.data().buffer).toString('hex')]);

const baseSettings: Partial<TrainingSettings> = {
  batchSize: 8,
  epochs: 3,
  learningRate: 5e-3,
  weightDecay: 0.3,
  saveSteps: 2,
};

/** Trains from the start or the newest checkpoint; an error after `killAfter` steps simulates a kill. */
async function run(
  checkpoints: CheckpointFolder,
  {
    settings = {},
    killAfter = Infinity,
    precision = 'float32',
  }: { settings?: Partial<TrainingSettings>; killAfter?: number; precision?: 'float32' | 'bfloat16' | 'float16' } = {},
): Promise<{ records: TrainingRecord[]; weights: string[][]; classifier: TextClassifier } | 'killed'> {
  const from = checkpoints.newest();
  const classifier = TextClassifier.fromFolder(from?.folder ?? base, { precision });
  const killed = new Error('killed');
  let steps = 0;
  try {
    const { records } = await new Trainer(classifier, { ...baseSettings, ...settings }).train(data.train, {
      validation: data.validation,
      checkpoints,
      ...(from && { resumeFrom: from }),
      onRecord() {
        if (++steps > killAfter) throw killed;
      },
    });
    return { records, weights: parametersAsHex(classifier), classifier };
  } catch (error) {
    classifier.dispose();
    if (error !== killed) throw error;
    return 'killed';
  }
}

for (const [name, options] of Object.entries({
  'default settings': {},
  'gradient accumulation': { settings: { gradientAccumulationSteps: 2 } },
  'the last model instead of the best': { settings: { loadBestModelAtEnd: false } },
  'frozen embeddings': { settings: { freeze: 'embeddings' as const } },
  bfloat16: { precision: 'bfloat16' as const },
  'float16 with loss scaling': { precision: 'float16' as const },
}))
  test(`a run that is killed and resumed every few steps gives the same result: ${name}`, async () => {
    const uninterrupted = await run(newFolder(), options);
    assert.ok(uninterrupted !== 'killed');
    const checkpoints = newFolder();
    let parts = 0;
    let result: Awaited<ReturnType<typeof run>> = 'killed';
    while (result === 'killed') {
      assert.ok(++parts < 30, 'the run makes no progress');
      result = await run(checkpoints, { ...options, killAfter: 2 + (parts % 3) });
    }
    assert.ok(parts > 3, `${parts} parts`);
    const withoutTimes = (records: TrainingRecord[]) =>
      records.map(({ samplesPerSecond: _, secondsLeft: __, ...record }) => record);
    assert.deepEqual(withoutTimes(result.records), withoutTimes(uninterrupted.records));
    assert.deepEqual(result.weights, uninterrupted.weights);
    for (const { classifier } of [uninterrupted, result]) classifier.dispose();
  });

// An epoch has 9 steps, so that an evaluation follows step 9.
for (const interruptedAt of [5, 9])
  test(`an interrupt at step ${interruptedAt} saves a checkpoint at once, and the resumed run gives bit-identical results`, async () => {
    const uninterrupted = await run(newFolder());
    assert.ok(uninterrupted !== 'killed');
    const checkpoints = newFolder();
    const controller = new AbortController();
    const interrupted = TextClassifier.fromFolder(base, { precision: 'float32' });
    const { end, step } = await new Trainer(interrupted, baseSettings).train(data.train, {
      validation: data.validation,
      checkpoints,
      signal: controller.signal,
      onRecord: (record) => record.step === interruptedAt && controller.abort(),
    });
    assert.deepEqual([end, step], ['interrupted', interruptedAt]);
    interrupted.dispose();
    const { state } = checkpoints.newest()!;
    assert.equal(state.step, interruptedAt);
    assert.equal(state.end, null);
    const resumed = await run(checkpoints);
    assert.ok(resumed !== 'killed');
    const losses = (records: TrainingRecord[]) => records.map(({ loss, evalLoss }) => [loss, evalLoss]);
    assert.deepEqual(losses(resumed.records), losses(uninterrupted.records));
    assert.deepEqual(resumed.weights, uninterrupted.weights);
    for (const { classifier } of [uninterrupted, resumed]) classifier.dispose();
  });

test('the newest checkpoints and the best one are kept', async () => {
  const checkpoints = newFolder();
  const settings = { saveTotalLimit: 2, earlyStoppingPatience: 0, learningRate: 5e-2, epochs: 6 };
  const completed = await run(checkpoints, { settings });
  assert.ok(completed !== 'killed');
  const { best } = checkpoints.newest()!.state;
  const steps = checkpoints.steps();
  assert.ok(steps.includes(best!.step));
  assert.deepEqual(steps.slice(0, 2), [54, 52]);
  assert.ok(steps.length <= 3, steps.join());
  assert.deepEqual(
    fs.readdirSync(checkpoints.folder).filter((name) => name.startsWith('.')),
    [],
  );
  // A checkpoint can be loaded as a model.
  const bestModel = TextClassifier.fromFolder(checkpoints.path(best!.step), { precision: 'float32' });
  const { metrics } = await evaluate(bestModel, data.validation);
  assert.equal(metrics.accuracy, (best!.metrics as { accuracy: number }).accuracy);
  bestModel.dispose();
  completed.classifier.dispose();
});

test('resuming a completed run trains no further', async () => {
  const checkpoints = newFolder();
  const completed = await run(checkpoints);
  assert.ok(completed !== 'killed');
  let steps = 0;
  const from = checkpoints.newest()!;
  const resumed = TextClassifier.fromFolder(from.folder, { precision: 'float32' });
  const result = await new Trainer(resumed, baseSettings).train(data.train, {
    validation: data.validation,
    checkpoints,
    resumeFrom: from,
    onRecord: () => steps++,
  });
  assert.deepEqual([result.end, steps], ['completed', 0]);
  assert.deepEqual(parametersAsHex(resumed), completed.weights);
  for (const classifier of [resumed, completed.classifier]) classifier.dispose();
});

test('a checkpoint of another version is an error, and foreign checkpoints do not displace a new one', async () => {
  const checkpoints = newFolder();
  const completed = await run(checkpoints);
  assert.ok(completed !== 'killed');
  const { step } = checkpoints.newest()!.state;
  const written: string[] = [];
  const restarted = new Trainer(completed.classifier, { ...baseSettings, maxSteps: 4, loadBestModelAtEnd: false });
  await restarted.train(data.train, {
    checkpoints,
    onCheckpoint: (checkpoint) => written.push(checkpoint.folder),
  });
  completed.classifier.dispose();
  assert.ok(fs.existsSync(written.at(-1)!));
  const file = path.join(checkpoints.path(step), 'trainer_state.json');
  fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace(/"formatVersion": ?\d+/, '"formatVersion": 1'));
  assert.throws(
    () => checkpoints.newest(),
    failure(CheckpointError, 'CHECKPOINT_VERSION_UNSUPPORTED', { version: 1, supported: 2 }),
  );
});

test('damaged and incomplete checkpoints are skipped and reported', async () => {
  const checkpoints = newFolder();
  const completed = await run(checkpoints);
  assert.ok(completed !== 'killed');
  completed.classifier.dispose();
  const [newest, second, third] = checkpoints.steps();
  const file = path.join(checkpoints.path(newest!), 'optimizer.safetensors');
  const content = fs.readFileSync(file);
  content[content.length - 5]! ^= 1;
  fs.writeFileSync(file, content);
  // As left by a process that was killed while writing.
  fs.mkdirSync(path.join(checkpoints.folder, '.checkpoint-99.partial'));
  assert.equal(checkpoints.newest()!.state.step, second);
  assert.match(
    checkpoints.broken.join(),
    /checkpoint-27: optimizer\.safetensors was changed or truncated after it was saved/,
  );
  fs.rmSync(path.join(checkpoints.path(second!), 'trainer_state.json'));
  assert.equal(checkpoints.broken.length, 1);
  assert.equal(checkpoints.newest()?.state.step, third);
  assert.equal(checkpoints.broken.length, 2);
});

test('resuming with different training data is an error', async () => {
  const checkpoints = newFolder();
  assert.equal(await run(checkpoints, { killAfter: 4 }), 'killed');
  const from = checkpoints.newest()!;
  const classifier = TextClassifier.fromFolder(from.folder);
  await assert.rejects(
    new Trainer(classifier, baseSettings).train(reviews(69), { checkpoints, resumeFrom: from }),
    failure(OtherRowsError, 'CHECKPOINT_DATA_CHANGED', { folder: from.folder }),
  );
  classifier.dispose();
});

test('resuming with the optimizer state of other parameters is an error', async () => {
  const checkpoints = newFolder();
  assert.equal(await run(checkpoints, { killAfter: 4 }), 'killed');
  const from: Checkpoint = checkpoints.newest()!;
  const classifier = TextClassifier.fromFolder(from.folder);
  await assert.rejects(
    new Trainer(classifier, { ...baseSettings, freeze: 'none' }).train(data.train, {
      validation: data.validation,
      checkpoints,
      resumeFrom: withRenamedTensor(from),
    }),
    failure(CheckpointError, 'CHECKPOINT_PARAMETERS_DIFFER'),
  );
  classifier.dispose();
});

/** A copy of the checkpoint in which one tensor of the optimizer has another name. */
function withRenamedTensor({ folder: original, state }: Checkpoint): Checkpoint {
  const copy = path.join(folder, 'fewer');
  fs.cpSync(original, copy, { recursive: true });
  const file = path.join(copy, 'optimizer.safetensors');
  const content = fs.readFileSync(file);
  content.write('exq', content.indexOf('exp_avg.'));
  fs.writeFileSync(file, content);
  return { folder: copy, state };
}

test('a full disk stops the run and leaves the earlier checkpoints usable', async (context) => {
  const checkpoints = newFolder();
  const { writeFileSync } = fs;
  let remaining = 6;
  // The disk has space for six checkpoints.
  context.mock.method(fs, 'writeFileSync', (...args: Parameters<typeof writeFileSync>) => {
    if (String(args[0]).endsWith('trainer_state.json') && --remaining < 0)
      throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    writeFileSync(...args);
  });
  await assert.rejects(
    run(checkpoints),
    failure(DiskFullError, 'CHECKPOINT_DISK_FULL', { folder: checkpoints.folder }),
  );
  context.mock.restoreAll();
  assert.deepEqual(
    fs.readdirSync(checkpoints.folder).filter((name) => name.startsWith('.')),
    [],
  );
  assert.ok(checkpoints.newest());
  const resumed = await run(checkpoints);
  assert.ok(resumed !== 'killed' && resumed.records.length === 27);
  resumed.classifier.dispose();
});
