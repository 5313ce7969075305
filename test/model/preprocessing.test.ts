// What a classifier keeps of its training data: maximum length, columns and classes in tunebook.json.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { ModelFormatError } from '#lib/errors.js';
import { readPreprocessing, writePreprocessing } from '#lib/model/preprocessing.js';
import { TextClassifier } from '#lib/model/text-classifier.js';
import type { Reading } from '#lib/reviews/review.js';
import { CheckpointFolder } from '#lib/training/checkpoint.js';
import { Trainer } from '#lib/training/trainer.js';
import { failure } from '../failure.js';
import { writeTinyModel } from '../cli/command.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-preprocessing-'));
after(() => fs.rmSync(folder, { recursive: true }));
const base = path.join(folder, 'base');
writeTinyModel(base);
const saved = path.join(folder, 'saved');
const engine = { precision: 'float32', eager: true } as const;
const reading: Reading = {
  textColumns: ['title', 'content'],
  labelColumn: 'stars',
  classes: { names: ['bad', 'good'], numberOf: { 1: 0, 5: 1 }, partial: true },
  format: { delimiter: '@', header: false, columns: ['stars', 'title', 'content'] },
};
const rows = Array.from({ length: 8 }, (_, i) => ({ text: i % 2 ? 'lovely' : 'awful', label: i % 2 }));

test('training, checkpoints, saving and loading keep the maximum length, columns and classes', async () => {
  const model = TextClassifier.fromFolder(base, { ...engine, reading });
  assert.deepEqual([model.labels, model.maxLength], [['bad', 'good'], 64]);
  const checkpoints = new CheckpointFolder(path.join(folder, 'checkpoints'));
  await new Trainer(model, { maxLength: 16, maxSteps: 1, batchSize: 8 }).train(rows, { checkpoints });
  assert.equal(model.maxLength, 16);
  model.save(saved);
  const expected = { formatVersion: 1, maxLength: 16, reading };
  for (const each of [saved, checkpoints.path(1)])
    assert.deepEqual(JSON.parse(fs.readFileSync(path.join(each, 'tunebook.json'), 'utf8')), expected);
  const tokenizer = JSON.parse(fs.readFileSync(path.join(saved, 'tokenizer_config.json'), 'utf8')) as object;
  assert.equal('model_max_length' in tokenizer && tokenizer.model_max_length, 64, 'the limit of the model');

  const loaded = TextClassifier.fromFolder(saved, engine);
  assert.deepEqual([loaded.maxLength, loaded.reading, loaded.labels], [16, reading, ['bad', 'good']]);
  // A text of 20 words: only the first 14 and the two special tokens count.
  const words = 'lovely awful '.repeat(10).trim().split(' ');
  const [whole, beginning] = loaded.predict([words.join(' '), words.slice(0, 14).join(' ')]);
  assert.deepEqual(whole, beginning);
  loaded.maxLength = 64;
  assert.notEqual(loaded.predict([words.join(' ')])[0]!.score, whole!.score);
  loaded.dispose();

  // Class numbers of the training data do not apply to other labels. Texts that were tokenized before may be longer.
  const reordered = TextClassifier.fromFolder(saved, { ...engine, labels: ['good', 'bad'], maxLength: 1024 });
  assert.deepEqual([reordered.reading, reordered.maxLength], [undefined, 64]);
  await new Trainer(reordered, { maxLength: 8, maxSteps: 1 }).train(
    reordered.encode([{ text: words.join(' '), label: 0 }]),
  );
  assert.equal(reordered.maxLength, 22);
  reordered.dispose();
  model.dispose();
});

test('the file is optional, keeps fields that it does not know, and a damaged one is an error', () => {
  const other = path.join(folder, 'other');
  fs.mkdirSync(other);
  assert.equal(readPreprocessing(other), undefined);
  const extended = { ...reading, order: 'random', classes: { ...reading.classes, order: 'stars' } };
  writePreprocessing(other, { maxLength: 16, reading: extended });
  assert.deepEqual(readPreprocessing(other)!.reading, extended);
  const file = path.join(other, 'tunebook.json');
  for (const [content, code] of [
    ['{ "formatVersion": 1,', 'MODEL_FILE_DAMAGED'],
    ['[]', 'MODEL_FILE_DAMAGED'],
    ['{ "formatVersion": 1, "maxLength": "16" }', 'MODEL_FILE_DAMAGED'],
    ['{ "formatVersion": 1, "maxLength": 16, "reading": { "textColumns": [] } }', 'MODEL_FILE_DAMAGED'],
    [
      JSON.stringify({
        formatVersion: 1,
        maxLength: 16,
        reading: { ...reading, classes: { ...reading.classes, numberOf: { 1: 2 } } },
      }),
      'MODEL_FILE_DAMAGED',
    ],
    [
      JSON.stringify({ formatVersion: 1, maxLength: 16, reading: { ...reading, format: { columns: 'text' } } }),
      'MODEL_FILE_DAMAGED',
    ],
    ['{ "formatVersion": 2 }', 'MODEL_CONFIG_UNSUPPORTED'],
  ] as const) {
    fs.writeFileSync(file, content);
    assert.throws(() => readPreprocessing(other), failure(ModelFormatError, code, { file }), content);
  }
  fs.cpSync(base, path.join(folder, 'damaged'), { recursive: true });
  fs.writeFileSync(path.join(folder, 'damaged/tunebook.json'), '{');
  assert.throws(
    () => TextClassifier.fromFolder(path.join(folder, 'damaged'), engine),
    failure(ModelFormatError, 'MODEL_FILE_DAMAGED'),
  );
});
