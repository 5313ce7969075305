/**
 * Pairs of texts: tokens, token types and logits equal those of Hugging Face transformers, in training, evaluation and the
 * exported graph. test/fixtures/pairs.py writes the fixture.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { AutoModelForSequenceClassification, AutoTokenizer, env } from '@huggingface/transformers';
import { maskBatch, selectMasked } from '#lib/batching/masking.js';
import { ModelFormatError } from '#lib/errors.js';
import { evaluate } from '#lib/evaluation/evaluate.js';
import { exportModel } from '#lib/export/export.js';
import { openOnnxEngine } from '#lib/export/onnx-engine.js';
import { packBatch, selectReviews, selectTexts } from '#lib/model/batch.js';
import { composedLayers } from '#lib/model/composed-layers.js';
import { fusedLayers } from '#lib/model/fused-layers.js';
import { loadTokenizer } from '#lib/model/load-tokenizer.js';
import { MaskedLM } from '#lib/model/masked-lm.js';
import { TextClassifier } from '#lib/model/text-classifier.js';
import { createTokenizer, readTokenizer } from '#lib/tokenizer/tokenizer.js';
import { TrainingStep } from '#lib/training/step.js';
import { classification } from '#lib/training/tasks/classification.js';
import { fingerprintOf } from '#lib/training/trainer.js';
import { fixtures } from '../checkout.js';
import { failure } from '../failure.js';

interface Pair {
  text: string;
  pair: string;
  encoded: { maxLength: number; ids: number[]; types: number[] }[];
  logits: number[];
}
const expected = JSON.parse(fs.readFileSync(path.join(fixtures, 'pairs.json'), 'utf8')) as Record<string, Pair[]>;
const reviewsOf = (pairs: Pair[]) => pairs.map(({ text, pair }, i) => ({ text, pair, label: i % 2 }));
const temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-pairs-'));
after(() => fs.rmSync(temporary, { recursive: true }));

const load = (name: string, layers = fusedLayers) =>
  TextClassifier.fromFolder(path.join(fixtures, name), { precision: 'float32', layers });

function assertClose(actual: ArrayLike<number>, reference: number[], tolerance: number): void {
  assert.equal(actual.length, reference.length);
  const difference = reference.reduce((max, value, i) => Math.max(max, Math.abs(value - actual[i]!)), 0);
  assert.ok(difference < tolerance, `differs by ${difference}`);
}

for (const [name, pairs] of Object.entries(expected)) {
  test(`${name}: tokens and token types of pairs match the reference, truncated to several lengths`, () => {
    const tokenizer = loadTokenizer(path.join(fixtures, name));
    for (const { text, pair, encoded } of pairs)
      for (const { maxLength, ids, types } of encoded) {
        const { ids: actual, pairStart } = tokenizer.encodePair(text, pair, maxLength);
        assert.deepEqual([...actual], ids, `${text.slice(0, 20)} | ${pair.slice(0, 20)} | ${maxLength}`);
        assert.deepEqual(
          Array.from(ids, (_, i) => Number(i >= pairStart)),
          types,
        );
      }
  });

  test(`${name}: logits of pairs match the reference, in TensorFlow and in the exported graph`, async () => {
    const reference = pairs.flatMap(({ logits }) => logits);
    for (const layers of [composedLayers, fusedLayers]) {
      const model = load(name, layers);
      const reviews = model.encode(reviewsOf(pairs), 24);
      assert.equal(reviews.pairStarts !== undefined, ['bert', 'electra', 'albert'].includes(name));
      const { logits } = await evaluate(model, reviews, { batchSize: 4 });
      assertClose(logits, reference, 1e-5);
      model.dispose();
    }
    const folder = path.join(temporary, name);
    fs.cpSync(path.join(fixtures, name), folder, { recursive: true });
    const report = await exportModel(folder, reviewsOf(pairs), { version: '0' });
    assert.ok(report.files.float32.difference < 1e-4);
    const { ids, pairStarts } = load(name).encode(reviewsOf(pairs), 24);
    const engine = await openOnnxEngine(folder);
    assertClose(await engine.logits(ids, pairStarts), reference, 1e-4);
    await engine.dispose();
  });
}

test('transformers.js computes the logits of pairs and of single texts with exported models with token types', async () => {
  Object.assign(env, { localModelPath: temporary, allowRemoteModels: false });
  for (const name of ['bert', 'electra']) {
    const tokenizer = await AutoTokenizer.from_pretrained(name);
    const model = await AutoModelForSequenceClassification.from_pretrained(name, { dtype: 'fp32' });
    const run = async (inputs: object) => [
      ...((await model(inputs)) as { logits: { data: Float32Array } }).logits.data,
    ];
    const [{ text, pair, logits }] = expected[name] as [Pair];
    const inputs = tokenizer(text, { text_pair: pair, return_token_type_ids: true }) as object;
    assertClose(await run(inputs), logits, 1e-4);
    const classifier = load(name);
    const { logits: single } = await evaluate(classifier, classifier.encode([{ text, label: 0 }], 24));
    classifier.dispose();
    assertClose(await run(tokenizer(text) as object), [...single], 1e-4);
    await model.dispose();
  }
});

test('single texts and pairs in one batch: each text has the logits that it has alone', () => {
  const model = load('bert');
  const [first, second] = reviewsOf(expected['bert']!) as [{ text: string; pair: string; label: number }, object];
  const { text, label } = first;
  const alone = [{ text, label }, first].flatMap((review) => [
    ...model.logits(packBatch(model.encode([review], 24), [0])),
  ]);
  const together = model.encode([{ text, label }, first, second as typeof first], 24);
  assertClose(model.logits(packBatch(together, [0, 1])), alone, 1e-6);
  // What ranks and samples select has its own token types.
  assertClose(model.logits(selectTexts(packBatch(together, [2, 0, 1]), [1, 2])), alone, 1e-6);
  assertClose(model.logits(packBatch(selectReviews(together, [0, 1]), [0, 1])), alone, 1e-6);
  assert.notEqual(alone[0], alone[2]);
  assert.notEqual(fingerprintOf(together), fingerprintOf({ ...together, pairStarts: new Int32Array(3) }));
  model.dispose();
});

test('training with pairs trains both rows of the token types; a captured step takes single texts afterwards', async () => {
  const model = load('bert');
  const types = model.parameters.get('bert.embeddings.token_type_embeddings.weight')!;
  const valueOf = () => {
    const tensor = types.read();
    const data = [...tensor.dataSync()];
    tensor.dispose();
    return data;
  };
  const batchOf = (reviews: { text: string; label: number }[]) => {
    const rows = model.encode(reviews, 24);
    return packBatch(rows, [...rows.ids.keys()]);
  };
  const reviews = reviewsOf(expected['bert']!);
  const step = new TrainingStep(model, classification, { weightDecay: 0 });
  const before = valueOf();
  const losses: number[] = [];
  for (let i = 0; i < 20; i++) losses.push((await step.run([batchOf(reviews)], 1e-3)).loss);
  assert.ok(losses.at(-1)! < 0.5 * losses[0]!, losses.join());
  const changed = valueOf().map((value, i) => Math.abs(value - before[i]!) > 1e-6);
  const width = changed.length / 2;
  assert.ok(changed.slice(0, width).every(Boolean) && changed.slice(width).every(Boolean));
  const afterPairs = valueOf();
  await step.run([batchOf(reviews.map(({ text, label }) => ({ text: `${text} a`, label })))], 1e-3);
  assert.ok(Number.isFinite((await step.run([batchOf(reviews)], 1e-3)).loss));
  assert.notDeepEqual(valueOf().slice(0, width), afterPairs.slice(0, width));
  step.dispose();
  model.dispose();
});

test('masked batches and their selections keep the token types', () => {
  const model = MaskedLM.fromFolder(path.join(fixtures, 'bert'));
  const rows = model.encode(reviewsOf(expected['bert']!), 24);
  const masked = maskBatch(packBatch(rows, [0, 1, 2]), model.vocabulary, {}, 1);
  assert.deepEqual([...masked.pairStarts!], [...rows.pairStarts!.subarray(0, 3)]);
  assert.deepEqual([...selectMasked(masked, [1, 2]).pairStarts!], [...rows.pairStarts!.subarray(1, 3)]);
  model.dispose();
});

test('a tokenizer whose post-processor drops the second text is an error', () => {
  const files = readTokenizer(path.join(fixtures, 'roberta'));
  const tokenizer = { ...files.tokenizer, post_processor: { type: 'ByteLevel', trim_offsets: true } };
  assert.throws(
    () => createTokenizer({ ...files, tokenizer }).encodePair('a', 'b'),
    failure(ModelFormatError, 'MODEL_NO_PAIRS'),
  );
});
