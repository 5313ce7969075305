/** Layer-wise learning-rate decay: its factors, and a training step that uses them, also for rows of unused tokens. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { TextClassifier } from '#lib/model/text-classifier.js';
import { learningRateFactors } from '#lib/training/layerwise-learning-rate.js';
import { Trainer } from '#lib/training/trainer.js';
import { fixtures } from '../checkout.js';

const tiny = () => TextClassifier.fromFolder(path.join(fixtures, 'tiny'), { precision: 'float32' });

test("factors are those of timm's param_groups_layer_decay", () => {
  const factors = learningRateFactors(
    [
      'deberta.embeddings.word_embeddings.weight',
      'deberta.encoder.rel_embeddings.weight',
      'deberta.encoder.layer.0.output.dense.weight',
      'deberta.encoder.layer.1.output.dense.weight',
      'pooler.dense.weight',
      'classifier.bias',
    ],
    0.5,
  );
  assert.deepEqual([...factors.values()], [0.125, 0.125, 0.25, 0.5, 1, 1]);
});

test('parameters of lower layers change less, as their factors say', async () => {
  // Adam's first update of a parameter is the learning rate, whatever its gradient.
  const changes = async (layerwiseLearningRateDecay: number) => {
    const model = tiny();
    const names = ['classifier.weight', 'distilbert.transformer.layer.0.ffn.lin1.weight'];
    const before = names.map((name) => model.parameters.get(name)!.data());
    const rows = { ids: [Int32Array.of(2, 7, 8, 3), Int32Array.of(2, 9, 3)], labels: Int32Array.of(0, 1) };
    await new Trainer(model, { layerwiseLearningRateDecay, maxSteps: 1, weightDecay: 0, warmupSteps: 0 }).train(rows);
    const largest = names.map((name, i) => {
      const after = model.parameters.get(name)!.data();
      return Math.max(...before[i]!.map((value, j) => Math.abs(after[j]! - value)));
    });
    model.dispose();
    return largest as [number, number];
  };
  const layers = tiny().config.n_layers;
  const [head, lowest] = await changes(0.5);
  assert.ok(Math.abs(head / 5e-5 - 1) < 0.01, `${head}`);
  assert.ok(Math.abs(lowest / (5e-5 * 0.5 ** layers) - 1) < 0.01, `${lowest}`);
  const [, same] = await changes(1);
  assert.ok(Math.abs(same / 5e-5 - 1) < 0.01, `${same}`);
});

test('rows of unused tokens decay with the learning rate of the embeddings', async () => {
  const unusedRow = async (layerwiseLearningRateDecay: number) => {
    const model = tiny();
    const embedding = model.parameters.get('distilbert.embeddings.word_embeddings.weight')!;
    const [rows, width] = embedding.shape as [number, number];
    const before = embedding.data().slice((rows - 1) * width);
    const data = { ids: [Int32Array.of(2, 7, 3)], labels: Int32Array.of(1) };
    const settings = { learningRate: 0.1, weightDecay: 0.5, lrSchedulerType: 'constant', warmupSteps: 0 } as const;
    await new Trainer(model, { ...settings, layerwiseLearningRateDecay, maxSteps: 1 }).train(data);
    const after = embedding.data().slice((rows - 1) * width);
    model.dispose();
    return after[0]! / before[0]!;
  };
  const layers = tiny().config.n_layers;
  assert.ok(Math.abs((await unusedRow(0.5)) - (1 - 0.1 * 0.5 * 0.5 ** (layers + 1))) < 1e-5);
  assert.ok(Math.abs((await unusedRow(1)) - (1 - 0.1 * 0.5)) < 1e-5);
});
