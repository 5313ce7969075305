/**
 * Masked-language modeling: parity with Hugging Face transformers on PyTorch, the masking of tokens, and training.
 * test/fixtures/masked.py writes the fixtures.
 */
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
import { packTexts, type EncodedReviews } from '#lib/model/batch.js';
import { maskBatch, type MaskedBatch } from '#lib/batching/masking.js';
import { readTokenizer } from '#lib/tokenizer/tokenizer.js';
import { evaluateMasked } from '#lib/evaluation/evaluate-masked.js';
import { maskedLanguageModeling } from '#lib/training/tasks/masked-lm.js';
import { Trainer } from '#lib/training/trainer.js';
import { CheckpointFolder } from '#lib/training/checkpoint.js';
import { learningRateFactor } from '#lib/optim/schedule.js';
import { lossAndGradients, TrainingStep } from '#lib/training/step.js';
import { failure } from '../failure.js';
import { embeddedModel, fixtures, gradientsDiffer, packPadded, type Reference } from '../checkout.js';
import { maskingVocabulary } from '#lib/tokenizer/masking-vocabulary.js';

type Expected = Pick<Reference, 'inputIds' | 'batch' | 'tokens' | 'labels' | 'loss' | 'gradients'> & {
  lengths: number[];
  losses: number[];
};
const masked = JSON.parse(fs.readFileSync(path.join(fixtures, 'masked.json'), 'utf8')) as Record<string, Expected>;
const temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-adapt-'));
after(() => fs.rmSync(temporary, { recursive: true }));
const folderOf = (name: string) => path.join(fixtures, 'masked', name);

function batchOf({ inputIds, lengths, labels }: Expected): MaskedBatch {
  const targets = packPadded(labels, lengths).inputIds;
  const positions = [...targets.keys()].filter((i) => targets[i]! >= 0);
  return {
    ...packPadded(inputIds, lengths),
    positions: Int32Array.from(positions),
    targets: Int32Array.from(positions, (i) => targets[i]!),
  };
}

for (const [name, expected] of Object.entries(masked)) {
  for (const [implementation, layers] of Object.entries({ composed: composedLayers, fused: fusedLayers }))
    test(`${name}, ${implementation} layers: loss and gradients match the reference`, () => {
      const model = MaskedLM.fromFolder(folderOf(name), { precision: 'float32', layers });
      assert.deepEqual([model.freshHead, model.notes], [false, []]);
      const inputs = maskedLanguageModeling.tensors(batchOf(expected), layers);
      const { loss, gradients } = lossAndGradients(model, maskedLanguageModeling, inputs);
      assert.ok(Math.abs(loss.dataSync()[0]! - expected.loss) < 1e-5 * expected.loss);
      const { parameter, difference: worst } = gradientsDiffer(gradients, expected.gradients);
      assert.ok(worst < 1e-4, `${parameter} differs by ${worst}`);
      model.dispose();
    });

  test(`${name}: the losses of 20 training steps match the reference`, async () => {
    const model = MaskedLM.fromFolder(folderOf(name), { precision: 'float32' });
    const step = new TrainingStep(model, maskedLanguageModeling, { weightDecay: 0.01 });
    Object.assign(model.config, { dropout: 0, attention_dropout: 0 });
    for (const [i, reference] of expected.losses.entries()) {
      const { loss } = await step.run([batchOf(expected)], 5e-4 * learningRateFactor(i, 20, 2, 'linear'));
      assert.ok(Math.abs(loss - reference) < 1e-4 * reference, `step ${i}: ${loss} against ${reference}`);
    }
    step.dispose();
    model.dispose();
  });
}

test('a saved model loads with the same weights; a classifier uses its encoder and ignores its head', () => {
  const model = MaskedLM.fromFolder(folderOf('bert'), { precision: 'float32' });
  const folder = path.join(temporary, 'saved');
  model.save(folder);
  const loaded = MaskedLM.fromFolder(folder, { precision: 'float32' });
  assert.deepEqual(parameterValues(loaded), parameterValues(model));
  const classifier = TextClassifier.fromFolder(folder);
  assert.match(classifier.notes.join(), /Ignored, since they belong to another task: cls\.predictions/);
  [model, loaded, classifier].forEach((each) => each.dispose());
  const withoutHead = MaskedLM.fromFolder(embeddedModel);
  assert.ok(withoutHead.freshHead);
  assert.match(
    withoutHead.notes.join(),
    /no masked-LM head: vocab_transform\.weight.* its first predictions are random/,
  );
  withoutHead.dispose();
});

/** Texts of [CLS], 20 tokens from `firstId` up to below `vocabularySize`, and [SEP]. */
const texts = (rows: number, vocabularySize: number, firstId: number): EncodedReviews => ({
  ids: Array.from({ length: rows }, (_, row) =>
    Int32Array.from([
      2,
      ...Array.from({ length: 20 }, (_, i) => firstId + ((row * 7 + i * 3) % (vocabularySize - firstId))),
      3,
    ]),
  ),
  labels: new Int32Array(rows),
});

test('15 % of the tokens are chosen, never special ones: 80 % become [MASK], 10 % random, 10 % stay', () => {
  const files = readTokenizer(folderOf('bert'));
  const vocabulary = maskingVocabulary(files, 90);
  assert.equal(vocabulary.mask, 4);
  assert.deepEqual(
    [...vocabulary.special].sort((a, b) => a - b),
    [0, 1, 2, 3, 4],
  );
  const rows = 4000;
  const batch = packTexts(texts(rows, 90, 5).ids);
  const { inputIds } = batch;
  const result = maskBatch(batch, vocabulary, {}, 42, 0, 1);
  assert.deepEqual(maskBatch(batch, vocabulary, {}, 42, 0, 1), result, 'the same seeds give the same masks');
  assert.notDeepEqual(maskBatch(batch, vocabulary, {}, 42, 0, 2).positions, result.positions);
  const assertNear = (fraction: number, expected: number) =>
    assert.ok(Math.abs(fraction - expected) < 0.01, `${fraction}, not ${expected}`);
  assertNear(result.targets.length / (rows * 20), 0.15);
  const chosen = [...result.positions];
  assert.equal(result.targets.length, chosen.length);
  chosen.forEach((position, i) => {
    assert.equal(result.targets[i], inputIds[position]);
    assert.ok(position % 22 >= 1 && position % 22 <= 20, 'not a special token');
  });
  assertNear(chosen.filter((position) => result.inputIds[position] === 4).length / chosen.length, 0.8 + 0.1 / 90);
  assertNear(
    chosen.filter((position) => result.inputIds[position] === inputIds[position]).length / chosen.length,
    0.1 + 0.1 / 90,
  );
  const changed = [...result.inputIds].flatMap((id, position) => (id === inputIds[position] ? [] : [position]));
  assert.ok(
    changed.every((position) => chosen.includes(position)),
    'tokens that were not chosen are unchanged',
  );
});

test('wholeWords chooses all pieces of a word or none', () => {
  const files = readTokenizer(folderOf('bert'));
  const vocabulary = maskingVocabulary(files, 200);
  const pieces = Object.entries(files.tokenizer.model!.vocab as Record<string, number>);
  const continuations = pieces.filter(([piece]) => piece.startsWith('##')).map(([, id]) => id);
  const word = [10, continuations[0]!, continuations[1]!];
  const row = Int32Array.from([2, ...word, ...word, ...word, 3]);
  const batch = packTexts(Array.from({ length: 300 }, () => row));
  const chosenOf = (wholeWords: boolean) => new Set(maskBatch(batch, vocabulary, { wholeWords }, 1).positions);
  /** Number of words of which only some pieces are chosen. */
  const partlyChosen = (chosen: Set<number>) =>
    [...Array(900).keys()].filter((n) => {
      const from = Math.floor(n / 3) * row.length + 1 + 3 * (n % 3);
      return new Set([0, 1, 2].map((i) => chosen.has(from + i))).size > 1;
    }).length;
  assert.equal(partlyChosen(chosenOf(true)), 0);
  assert.ok(partlyChosen(chosenOf(false)) > 100);
  assert.ok(Math.abs(chosenOf(true).size / 2700 - 0.15) < 0.04);
  // Byte-level BPE marks the tokens that begin a word instead.
  const roberta = maskingVocabulary(readTokenizer(folderOf('roberta')), 400);
  const vocabularyEntries = Object.entries(
    readTokenizer(folderOf('roberta')).tokenizer.model!.vocab as Record<string, number>,
  );
  assert.ok(vocabularyEntries.every(([piece, id]) => roberta.continues[id] === (piece.startsWith('Ġ') ? 0 : 1)));
});

test('a tokenizer without a mask token is an error', () => {
  const { tokenizer } = readTokenizer(folderOf('bert'));
  const added_tokens = tokenizer.added_tokens!.filter(({ content }) => content !== '[MASK]');
  assert.throws(
    () => maskingVocabulary({ tokenizer: { ...tokenizer, added_tokens }, config: {} }, 90),
    failure(ModelFormatError, 'MODEL_NO_MASK_TOKEN'),
  );
});

test('adapting lowers the validation loss, and resume after a kill gives bit-identical weights', async () => {
  const vocabularySize = MaskedLM.fromFolder(folderOf('bert')).config.vocab_size;
  const data = { train: texts(96, vocabularySize, 5), validation: texts(24, vocabularySize, 5) };
  const settings = { epochs: 20, batchSize: 16, learningRate: 1e-2, saveSteps: 5, evalSteps: 30 };
  const run = async (checkpoints: CheckpointFolder, stopAfter = Infinity) => {
    const from = checkpoints.newest();
    const model = MaskedLM.fromFolder(from?.folder ?? folderOf('bert'), { precision: 'float32' });
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
    const result = await new Trainer(model, settings).train(data.train, options).catch((error: Error) => error.message);
    const after = await evaluateMasked(model, data.validation);
    const weights = parameterValues(model);
    model.dispose();
    return { before, after, result, weights };
  };
  const uninterrupted = await run(new CheckpointFolder(path.join(temporary, 'uninterrupted')));
  assert.ok(
    uninterrupted.after.loss < 0.9 * uninterrupted.before.loss,
    `${uninterrupted.before.loss} -> ${uninterrupted.after.loss}`,
  );
  assert.equal(uninterrupted.after.perplexity, Math.exp(uninterrupted.after.loss));
  assert.ok(
    uninterrupted.after.count > 24 && uninterrupted.before.count === uninterrupted.after.count,
    'the same tokens are masked',
  );
  const checkpoints = new CheckpointFolder(path.join(temporary, 'resumed'));
  assert.equal((await run(checkpoints, 13)).result, 'killed');
  const { weights } = await run(checkpoints);
  assert.deepEqual(weights, uninterrupted.weights);
});
