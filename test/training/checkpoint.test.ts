// Checkpoints and going on from them: the same numbers, bit for bit, as if nothing had happened.
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
import { embeddedModel, relativeDifference } from '../checkout.js';

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
let made = 0;
const fresh = () => new CheckpointFolder(path.join(folder, String(made++)));

/** Texts whose class is whether they hold token 7; words above 50 are in none. */
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

const bytes = (classifier: TextClassifier) =>
  [...classifier.parameters].map(([name, parameter]) => [name, Buffer.from(parameter.data().buffer).toString('hex')]);

const common: Partial<TrainingSettings> = {
  batchSize: 8,
  epochs: 3,
  learningRate: 5e-3,
  weightDecay: 0.3,
  saveSteps: 2,
};

/** Trains from the start or from a checkpoint, and stops as if killed after some updates. */
async function run(
  checkpoints: CheckpointFolder,
  {
    given = {},
    killAfter = Infinity,
    precision = 'float32',
  }: { given?: Partial<TrainingSettings>; killAfter?: number; precision?: 'float32' | 'bfloat16' | 'float16' } = {},
): Promise<{ records: TrainingRecord[]; weights: string[][]; classifier: TextClassifier } | 'killed'> {
  const from = checkpoints.newest();
  const classifier = TextClassifier.fromFolder(from?.folder ?? base, { precision });
  const dies = new Error('killed');
  let updates = 0;
  try {
    const { records } = await new Trainer(classifier, { ...common, ...given }).train(data.train, {
      validation: data.validation,
      checkpoints,
      ...(from && { resumeFrom: from }),
      onRecord() {
        if (++updates > killAfter) throw dies;
      },
    });
    return { records, weights: bytes(classifier), classifier };
  } catch (error) {
    classifier.dispose();
    if (error !== dies) throw error;
    return 'killed';
  }
}

for (const [what, options] of Object.entries({
  'plain updates': {},
  'accumulated updates': { given: { gradientAccumulationSteps: 2 } },
  'the last model, not the best': { given: { loadBestModelAtEnd: false } },
  'a frozen embedding': { given: { freeze: 'embeddings' as const } },
  'bfloat16 products': { precision: 'bfloat16' as const },
  // Composed of TensorFlow's kernels, a graph rounds otherwise than its code, and each part runs its code once.
  'float16 with its loss scale': { precision: 'float16' as const, within: 1e-4 },
}))
  test(`killed after every few updates and gone on each time: ${what}`, async () => {
    const whole = await run(fresh(), options);
    assert.ok(whole !== 'killed');
    const checkpoints = fresh();
    let parts = 0;
    let last: Awaited<ReturnType<typeof run>> = 'killed';
    while (last === 'killed') {
      assert.ok(++parts < 30, 'it gets nowhere');
      last = await run(checkpoints, { ...options, killAfter: 2 + (parts % 3) });
    }
    assert.ok(parts > 3, `${parts} parts`);
    if ('within' in options) {
      const losses = (records: TrainingRecord[]) => records.map(({ loss }) => loss);
      assert.ok(relativeDifference(losses(last.records), losses(whole.records)) < options.within);
      for (const { classifier } of [whole, last]) classifier.dispose();
      return;
    }
    // Bit for bit.
    const timeless = (records: TrainingRecord[]) =>
      records.map(({ samplesPerSecond: _, secondsLeft: __, ...record }) => record);
    assert.deepEqual(timeless(last.records), timeless(whole.records));
    assert.deepEqual(last.weights, whole.weights);
    for (const { classifier } of [whole, last]) classifier.dispose();
  });

test('an interrupt saves a checkpoint at once, in the middle of a look too, and the run ends the same', async () => {
  const whole = await run(fresh());
  assert.ok(whole !== 'killed');
  const checkpoints = fresh();
  const controller = new AbortController();
  // 9 updates an epoch: the look behind the 9th is where the interrupt is noticed.
  setImmediate(function watch() {
    if (!controller.signal.aborted) setImmediate(watch);
  });
  const first = TextClassifier.fromFolder(base, { precision: 'float32' });
  const { end, step } = await new Trainer(first, common).train(data.train, {
    validation: data.validation,
    checkpoints,
    signal: controller.signal,
    onRecord: (record) => record.step === 5 && controller.abort(),
  });
  assert.deepEqual([end, step], ['interrupted', 5]);
  first.dispose();
  const { state } = checkpoints.newest()!;
  assert.equal(state.step, 5);
  assert.equal(state.end, null);
  const rest = await run(checkpoints);
  assert.ok(rest !== 'killed');
  const losses = (records: TrainingRecord[]) => records.map(({ loss, evalLoss }) => [loss, evalLoss]);
  assert.deepEqual(losses(rest.records), losses(whole.records));
  assert.deepEqual(rest.weights, whole.weights, 'bit for bit');
  for (const { classifier } of [whole, rest]) classifier.dispose();
});

test('the newest are kept, and the best', async () => {
  const checkpoints = fresh();
  const given = { saveTotalLimit: 2, earlyStoppingPatience: 0, learningRate: 5e-2, epochs: 6 };
  const done = await run(checkpoints, { given });
  assert.ok(done !== 'killed');
  const { best } = checkpoints.newest()!.state;
  const steps = checkpoints.steps();
  assert.ok(steps.includes(best!.step));
  assert.deepEqual(steps.slice(0, 2), [54, 52]);
  assert.ok(steps.length <= 3, steps.join());
  assert.deepEqual(
    fs.readdirSync(checkpoints.folder).filter((name) => name.startsWith('.')),
    [],
  );
  // Each is a model.
  const best2 = TextClassifier.fromFolder(checkpoints.of(best!.step), { precision: 'float32' });
  const { metrics } = await evaluate(best2, data.validation);
  assert.equal(metrics.accuracy, (best!.metrics as { accuracy: number }).accuracy);
  best2.dispose();
  done.classifier.dispose();
});

test('a finished run that is gone on with is finished', async () => {
  const checkpoints = fresh();
  const done = await run(checkpoints);
  assert.ok(done !== 'killed');
  let updates = 0;
  const from = checkpoints.newest()!;
  const again = TextClassifier.fromFolder(from.folder, { precision: 'float32' });
  const result = await new Trainer(again, common).train(data.train, {
    validation: data.validation,
    checkpoints,
    resumeFrom: from,
    onRecord: () => updates++,
  });
  assert.deepEqual([result.end, updates], ['completed', 0]);
  assert.deepEqual(bytes(again), done.weights);
  for (const classifier of [again, done.classifier]) classifier.dispose();
});

test('a broken checkpoint is passed over, and said', async () => {
  const checkpoints = fresh();
  const done = await run(checkpoints);
  assert.ok(done !== 'killed');
  done.classifier.dispose();
  const [newest, second] = checkpoints.steps();
  const file = path.join(checkpoints.of(newest!), 'optimizer.safetensors');
  const content = fs.readFileSync(file);
  content[content.length - 5]! ^= 1;
  fs.writeFileSync(file, content);
  // Left by one that was killed while it wrote.
  fs.mkdirSync(path.join(checkpoints.folder, '.checkpoint-99.partial'));
  assert.equal(checkpoints.newest()!.state.step, second);
  assert.match(
    checkpoints.broken.join(),
    /checkpoint-27: optimizer\.safetensors was changed or truncated after it was saved/,
  );
  fs.rmSync(path.join(checkpoints.of(second!), 'trainer_state.json'));
  assert.equal(checkpoints.broken.length, 1);
  const older = checkpoints.newest();
  assert.ok(!older || older.state.step < second!);
  assert.equal(checkpoints.broken.length, 2);
});

test('other rows are refused', async () => {
  const checkpoints = fresh();
  assert.equal(await run(checkpoints, { killAfter: 4 }), 'killed');
  const from = checkpoints.newest()!;
  const classifier = TextClassifier.fromFolder(from.folder);
  await assert.rejects(
    new Trainer(classifier, common).train(reviews(69), { resumeFrom: from }),
    failure(OtherRowsError, 'CHECKPOINT_DATA_CHANGED', { folder: from.folder }),
  );
  classifier.dispose();
});

test('what an optimizer of other parameters has kept is refused', async () => {
  const checkpoints = fresh();
  assert.equal(await run(checkpoints, { killAfter: 4 }), 'killed');
  const from: Checkpoint = checkpoints.newest()!;
  const classifier = TextClassifier.fromFolder(from.folder);
  await assert.rejects(
    new Trainer(classifier, { ...common, freeze: 'none' }).train(data.train, {
      validation: data.validation,
      resumeFrom: withFewer(from),
    }),
    failure(CheckpointError, 'CHECKPOINT_PARAMETERS_DIFFER'),
  );
  classifier.dispose();
});

/** The checkpoint, in a copy whose optimizer has forgotten a tensor. */
function withFewer({ folder: original, state }: Checkpoint): Checkpoint {
  const copy = path.join(folder, 'fewer');
  fs.cpSync(original, copy, { recursive: true });
  const file = path.join(copy, 'optimizer.safetensors');
  const content = fs.readFileSync(file);
  content.write('exq', content.indexOf('exp_avg.'));
  fs.writeFileSync(file, content);
  return { folder: copy, state };
}

test('a disk that is full stops the run, with the last whole checkpoint named and kept', async (context) => {
  const checkpoints = fresh();
  const real = fs.writeFileSync;
  let left = 6;
  // The disk has room for some checkpoints' files, and for no more.
  context.mock.method(fs, 'writeFileSync', (...given: Parameters<typeof real>) => {
    if (String(given[0]).endsWith('trainer_state.json') && --left < 0)
      throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    real(...given);
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
  const rest = await run(checkpoints);
  assert.ok(rest !== 'killed' && rest.records.length === 27);
  rest.classifier.dispose();
});
