// Masked-language modelling against Hugging Face transformers on PyTorch (fixtures by test/fixtures/masked.py), and how tokens are hidden.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { ModelFormatError } from '#lib/errors.js';
import { TextClassifier } from '#lib/model/text-classifier.js';
import { composedLayers } from '#lib/model/composed-layers.js';
import { fusedLayers } from '#lib/model/fused-layers.js';
import { MaskedLM } from '#lib/model/masked-lm.js';
import { parameterValues } from '#lib/model/model.js';
import type { EncodedReviews } from '#lib/model/batch.js';
import { maskBatch, type MaskedBatch } from '#lib/batching/masking.js';
import { readTokenizer } from '#lib/tokenizer/tokenizer.js';
import { evaluateMasked } from '#lib/evaluation/evaluate-masked.js';
import { maskedLanguageModelling } from '#lib/training/tasks/masked-lm.js';
import { Trainer } from '#lib/training/trainer.js';
import { CheckpointFolder } from '#lib/training/checkpoint.js';
import { learningRateFactor } from '#lib/optim/schedule.js';
import { lossAndGradients, TrainingStep } from '#lib/training/step.js';
import { failure } from '../failure.js';
import { embeddedModel, fixtures, gradientsDiffer, type Reference } from '../checkout.js';
import { maskingVocabulary } from '#lib/tokenizer/masking-vocabulary.js';

type Expected = Pick<Reference, 'inputIds' | 'batch' | 'tokens' | 'labels' | 'loss' | 'gradients'> & {
  lengths: number[];
  losses: number[];
};
const masked = JSON.parse(fs.readFileSync(path.join(fixtures, 'masked.json'), 'utf8')) as Record<string, Expected>;
const temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-adapt-'));
after(() => fs.rmSync(temporary, { recursive: true }));
const of = (name: string) => path.join(fixtures, 'masked', name);

/** The reference's batch, filled up as ours are. */
function batchOf({ inputIds, lengths, labels, batch, tokens }: Expected): MaskedBatch {
  const at = labels.flatMap((label, i) => (label < 0 ? [] : [i]));
  const fill = [0, 0, 0];
  return {
    ...{ inputIds: Int32Array.from(inputIds), lengths: Int32Array.from(lengths), batch, tokens, masked: at.length },
    positions: Int32Array.from([...at, ...fill]),
    targets: Int32Array.from([...at.map((i) => labels[i]!), ...fill]),
    weights: Float32Array.from([...at.map(() => 1), ...fill]),
  };
}

for (const [name, expected] of Object.entries(masked)) {
  for (const [making, layers] of Object.entries({ composed: composedLayers, fused: fusedLayers }))
    test(`${name}, ${making} layers: loss and gradients of hidden tokens`, () => {
      const model = MaskedLM.fromFolder(of(name), { precision: 'float32', layers });
      assert.deepEqual([model.freshHead, model.notes], [false, []]);
      const inputs = maskedLanguageModelling.tensors(batchOf(expected));
      const { loss, gradients } = lossAndGradients(model, maskedLanguageModelling, inputs);
      assert.ok(Math.abs(loss.dataSync()[0]! - expected.loss) < 1e-5 * expected.loss);
      const { parameter, difference: worst } = gradientsDiffer(gradients, expected.gradients);
      assert.ok(worst < 1e-4, `${parameter} differs by ${worst}`);
      model.dispose();
    });

  test(`${name}: 20 steps of training`, () => {
    const model = MaskedLM.fromFolder(of(name), { precision: 'float32' });
    const step = new TrainingStep(model, maskedLanguageModelling, { weightDecay: 0.01 });
    Object.assign(model.config, { dropout: 0, attention_dropout: 0 });
    expected.losses.forEach((reference, i) => {
      const { loss } = step.run([batchOf(expected)], 5e-4 * learningRateFactor(i, 20, 2, 'linear'));
      assert.ok(Math.abs(loss - reference) < 1e-4 * reference, `step ${i}: ${loss}, and ${reference} by the reference`);
    });
    step.dispose();
    model.dispose();
  });
}

test('saved and loaded, the weights are the same; a classifier takes the encoder and leaves the head aside', () => {
  const model = MaskedLM.fromFolder(of('bert'));
  const folder = path.join(temporary, 'saved');
  model.save(folder);
  const loaded = MaskedLM.fromFolder(folder);
  assert.deepEqual(parameterValues(loaded), parameterValues(model));
  const classifier = TextClassifier.fromFolder(folder);
  assert.match(classifier.notes.join(), /Ignored, since they belong to another task: cls\.predictions/);
  [model, loaded, classifier].forEach((each) => each.dispose());
  const bare = MaskedLM.fromFolder(embeddedModel);
  assert.ok(bare.freshHead);
  assert.match(bare.notes.join(), /no masked-LM head: vocab_transform\.weight.* its first predictions are random/);
  bare.dispose();
});

/** Texts of 20 tokens between [CLS] and [SEP]. */
const texts = (rows: number, size: number, first: number): EncodedReviews => ({
  ids: Array.from({ length: rows }, (_, row) =>
    Int32Array.from([2, ...Array.from({ length: 20 }, (_, i) => first + ((row * 7 + i * 3) % (size - first))), 3]),
  ),
  labels: new Int32Array(rows),
});

test('15 % of the tokens are chosen: of these 80 % are hidden, 10 % are others, 10 % stay; special ones never, padding never', () => {
  const files = readTokenizer(of('bert'));
  const vocabulary = maskingVocabulary(files, 90);
  assert.equal(vocabulary.mask, 4);
  assert.deepEqual(
    [...vocabulary.special].sort((a, b) => a - b),
    [0, 1, 2, 3, 4],
  );
  const tokens = 24;
  const rows = 4000;
  const { ids } = texts(rows, 90, 5);
  const inputIds = new Int32Array(rows * tokens);
  ids.forEach((text, row) => inputIds.set(text, row * tokens));
  const batch = { inputIds, lengths: new Int32Array(rows).fill(22), batch: rows, tokens };
  const found = maskBatch(batch, vocabulary, {}, 42, 0, 1);
  assert.deepEqual(maskBatch(batch, vocabulary, {}, 42, 0, 1), found, 'the same for the same seeds');
  assert.notDeepEqual(maskBatch(batch, vocabulary, {}, 42, 0, 2).positions, found.positions);
  const near = (share: number, expected: number) =>
    assert.ok(Math.abs(share - expected) < 0.01, `${share}, not ${expected}`);
  near(found.masked / (rows * 20), 0.15);
  const chosen = [...found.positions.subarray(0, found.masked)];
  assert.deepEqual(
    [...found.weights],
    [...found.positions].map((_, i) => (i < found.masked ? 1 : 0)),
  );
  chosen.forEach((at, i) => {
    assert.equal(found.targets[i], inputIds[at]);
    assert.ok(at % tokens >= 1 && at % tokens <= 20, 'neither special nor padding');
  });
  near(chosen.filter((at) => found.inputIds[at] === 4).length / chosen.length, 0.8 + 0.1 / 90);
  near(chosen.filter((at) => found.inputIds[at] === inputIds[at]).length / chosen.length, 0.1 + 0.1 / 90);
  const changed = [...found.inputIds].flatMap((id, at) => (id === inputIds[at] ? [] : [at]));
  assert.ok(
    changed.every((at) => chosen.includes(at)),
    'what was not chosen stays',
  );
});

test('whole words: all pieces of a word are chosen, or none', () => {
  const files = readTokenizer(of('bert'));
  const vocabulary = maskingVocabulary(files, 200);
  const pieces = Object.entries(files.tokenizer.model!.vocab as Record<string, number>);
  const continuing = pieces.filter(([piece]) => piece.startsWith('##')).map(([, id]) => id);
  const word = [10, continuing[0]!, continuing[1]!];
  const row = Int32Array.from([2, ...word, ...word, ...word, 3]);
  const inputIds = new Int32Array(row.length * 300);
  for (let i = 0; i < 300; i++) inputIds.set(row, i * row.length);
  const batch = { inputIds, lengths: new Int32Array(300).fill(row.length), batch: 300, tokens: row.length };
  const chosenOf = (wholeWords: boolean) => {
    const { positions, masked } = maskBatch(batch, vocabulary, { wholeWords }, 1);
    return new Set(positions.subarray(0, masked));
  };
  const split = (chosen: Set<number>) =>
    [...Array(900).keys()].filter((n) => {
      const from = Math.floor(n / 3) * row.length + 1 + 3 * (n % 3);
      return new Set([0, 1, 2].map((i) => chosen.has(from + i))).size > 1;
    }).length;
  assert.equal(split(chosenOf(true)), 0);
  assert.ok(split(chosenOf(false)) > 100);
  assert.ok(Math.abs(chosenOf(true).size / 2700 - 0.15) < 0.04);
  // Byte-level pieces mark the beginnings instead.
  const roberta = maskingVocabulary(readTokenizer(of('roberta')), 400);
  const names = Object.entries(readTokenizer(of('roberta')).tokenizer.model!.vocab as Record<string, number>);
  assert.ok(names.every(([piece, id]) => roberta.continues[id] === (piece.startsWith('Ġ') ? 0 : 1)));
});

test('a tokenizer that hides nothing is refused', () => {
  const { tokenizer } = readTokenizer(of('bert'));
  const added_tokens = tokenizer.added_tokens!.filter(({ content }) => content !== '[MASK]');
  assert.throws(
    () => maskingVocabulary({ tokenizer: { ...tokenizer, added_tokens }, config: {} }, 90),
    failure(ModelFormatError, 'MODEL_NO_MASK_TOKEN'),
  );
});

test('adapting lowers the loss of held-out texts; gone on with from a checkpoint it is the same to the last bit', async () => {
  const size = MaskedLM.fromFolder(of('bert')).config.vocab_size;
  const data = { train: texts(96, size, 5), validation: texts(24, size, 5) };
  const given = { epochs: 20, batchSize: 16, learningRate: 1e-2, saveSteps: 5, evalSteps: 30 };
  const run = async (checkpoints: CheckpointFolder, stopAfter = Infinity) => {
    const from = checkpoints.newest();
    const model = MaskedLM.fromFolder(from?.folder ?? of('bert'), { precision: 'float32' });
    const before = await evaluateMasked(model, data.validation);
    let steps = 0;
    const options = {
      validation: data.validation,
      checkpoints,
      resumeFrom: from,
      onRecord() {
        if (++steps > stopAfter) throw new Error('killed');
      },
    };
    const result = await new Trainer(model, given).train(data.train, options).catch((error: Error) => error.message);
    const after = await evaluateMasked(model, data.validation);
    const weights = parameterValues(model);
    model.dispose();
    return { before, after, result, weights };
  };
  const whole = await run(new CheckpointFolder(path.join(temporary, 'whole')));
  assert.ok(whole.after.loss < 0.8 * whole.before.loss, `${whole.before.loss} -> ${whole.after.loss}`);
  assert.equal(whole.after.perplexity, Math.exp(whole.after.loss));
  assert.ok(whole.after.count > 24 && whole.before.count === whole.after.count, 'the same tokens are hidden');
  const parts = new CheckpointFolder(path.join(temporary, 'parts'));
  assert.equal((await run(parts, 13)).result, 'killed');
  const { weights } = await run(parts);
  assert.deepEqual(weights, whole.weights);
});
