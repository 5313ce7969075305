// Data-parallel training: the result does not depend on the number of ranks.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { embeddedModel, fixtures } from '../checkout.js';
import { distFolder, startRanks } from './ranks.js';
import type { RankReport, RankTask } from './train-rank.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-ranks-'));
after(() => fs.rmSync(folder, { recursive: true }));

/** Creates distinct rows of many lengths; the first two ids number them. */
const rowsOf = (count: number, from: number) => ({
  ids: Array.from({ length: count }, (_, i) => [
    1 + Math.floor((from + i) / 80),
    1 + ((from + i) % 80),
    ...Array.from({ length: (7 * i) % 17 }, (_, k) => 1 + ((i * k + 3 * k) % 88)),
  ]),
  labels: Array.from({ length: count }, (_, i) => (i * i) % 3 && 1),
});

let tasks = 0;
async function trainRanks(size: number, task: RankTask): Promise<RankReport[]> {
  const file = path.join(folder, `task-${tasks++}.json`);
  fs.writeFileSync(file, JSON.stringify(task));
  const argv = [path.join(distFolder, 'train-rank.js'), file];
  const results = await startRanks(Array.from({ length: size }, () => ({ argv })));
  return results.map((result) => {
    assert.equal(result!.code, 0, result!.output);
    return JSON.parse(/^report (.*)$/m.exec(result!.output)![1]!) as RankReport;
  });
}

/** Returns the maximum difference of two curves. */
const maxDifference = (a: number[], b: number[]) => {
  assert.equal(a.length, b.length);
  return Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));
};

/** Without dropout (the fixture has none): 41 rows in batches of 8; the last batch has one row. */
const inMemory: RankTask = {
  modelFolder: path.join(fixtures, 'tiny'),
  precision: 'float32',
  rows: rowsOf(41, 0),
  validation: rowsOf(23, 41),
  arguments: { batchSize: 8, evalBatchSize: 4, epochs: 3, learningRate: 3e-3, weightDecay: 0.01 },
};

test('two and three ranks have the losses of one rank, equal weights, and use each row once per epoch', async () => {
  const [one] = await trainRanks(1, inMemory);
  for (const size of [2, 3]) {
    const reports = await trainRanks(size, inMemory);
    for (const { losses, gradNorms, evalLoss, weights } of reports) {
      const difference = maxDifference(losses, one!.losses);
      assert.ok(difference < 1e-5, `losses of ${size} ranks differ by ${difference}`);
      assert.ok(maxDifference(gradNorms, one!.gradNorms) < 1e-4);
      assert.ok(maxDifference(evalLoss, one!.evalLoss) < 1e-5);
      assert.equal(weights, reports[0]!.weights, 'bit for bit');
    }
    // TensorFlow keeps two threads for each all-reduce with a timeout until the timeout has passed.
    const { threads } = reports[0]!;
    assert.ok(threads.at(-1)! - threads[2]! < 15, `${threads[2]} threads became ${threads.at(-1)}`);
    const trainedRows = reports.flatMap((report) => report.trainedRows).sort();
    assert.equal(trainedRows.length, 3 * 41);
    assert.equal(new Set(trainedRows).size, 41);
    for (let i = 0; i < trainedRows.length; i += 3)
      assert.equal(trainedRows[i], trainedRows[i + 2], 'each row once per epoch');
  }
});

test('two ranks agree with one rank, with accumulated gradients and with bfloat16', async () => {
  const accumulating = { ...inMemory, arguments: { ...inMemory.arguments, gradientAccumulationSteps: 3 } };
  const [one] = await trainRanks(1, accumulating);
  const two = await trainRanks(2, accumulating);
  assert.ok(maxDifference(two[1]!.losses, one!.losses) < 1e-5);
  assert.equal(two[0]!.weights, two[1]!.weights);
  const half = { ...inMemory, precision: 'bfloat16' as const };
  const [oneHalf] = await trainRanks(1, half);
  const twoHalf = await trainRanks(2, half);
  // bfloat16 has 8 bits of precision, so the curves differ from the first step on.
  assert.ok(maxDifference(twoHalf[1]!.losses.slice(0, 3), oneHalf!.losses.slice(0, 3)) < 2e-2);
  assert.equal(twoHalf[0]!.weights, twoHalf[1]!.weights);
});

test('two and three ranks agree with one rank with class weights, also with accumulated gradients', async () => {
  for (const gradientAccumulationSteps of [1, 3]) {
    const task: RankTask = {
      ...inMemory,
      // Far from the equal weights of the other tests, and the number of rows of each class differs between the ranks.
      arguments: { ...inMemory.arguments, classWeights: { negative: 9, positive: 0.3 }, gradientAccumulationSteps },
    };
    const [one] = await trainRanks(1, task);
    for (const size of [2, 3]) {
      const [chief, ...others] = await trainRanks(size, task);
      assert.ok(maxDifference(chief!.losses, one!.losses) < 1e-5);
      assert.ok(maxDifference(chief!.gradNorms, one!.gradNorms) < 1e-4);
      for (const { weights } of others) assert.equal(weights, chief!.weights);
    }
  }
});

test('ranks read parts of a stream and form the same batches as one rank', async () => {
  const words = ['good', 'bad', 'lamp', 'chair', 'novel', 'broke', 'love', 'box', 'day', 'gift'];
  const file = path.join(folder, 'stream.csv');
  const lines = Array.from({ length: 103 }, (_, i) => {
    const text = [words[i % 10], words[Math.floor(i / 10)], ...words.slice(0, i % 7)].join(' ');
    return `${text},${i % 2}`;
  });
  fs.writeFileSync(file, `text,label\n${lines.join('\n')}\n`);
  const modelFolder = path.join(folder, 'words');
  const { TextClassifier } = await import('#lib/model/text-classifier.js');
  const { readTokenizer } = await import('#lib/tokenizer/tokenizer.js');
  const { parseConfig } = await import('#lib/model/config.js');
  const model = TextClassifier.create(
    parseConfig({
      vocab_size: 30522,
      dim: 16,
      hidden_dim: 32,
      n_layers: 1,
      n_heads: 2,
      max_position_embeddings: 32,
      dropout: 0,
      attention_dropout: 0,
      seq_classif_dropout: 0,
    }),
    {},
    readTokenizer(embeddedModel),
  );
  model.save(modelFolder);
  model.dispose();
  const task: RankTask = {
    modelFolder,
    precision: 'float32',
    stream: { file, blockRows: 20 },
    arguments: { batchSize: 8, epochs: 2, maxSteps: 30, learningRate: 1e-3 },
  };
  const [one] = await trainRanks(1, task);
  for (const size of [2, 3]) {
    const reports = await trainRanks(size, task);
    assert.ok(maxDifference(reports[1]!.losses, one!.losses) < 1e-5);
    assert.equal(reports[0]!.weights, reports[1]!.weights);
    // Each block ends with a partial batch, so an epoch has more steps than its rows fill.
    const once = reports.flatMap(({ trainedRows }) => [...new Set(trainedRows)]);
    assert.equal(new Set(once).size, 103, 'no row is lost');
  }
});
