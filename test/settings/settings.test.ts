// Settings: precedence of their sources, validation of their values, and aliases of their names.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { ReviewsError, SettingsError } from '#lib/errors.js';
import { normalizeFlags } from '#lib/cli/settings-flags.js';
import { configLayer } from '#lib/settings/config-file.js';
import { readLabelMapping } from '#lib/settings/label-mapping.js';
import {
  describeSettings,
  environmentLayer,
  readSettings,
  resolveSettings,
  settingsList,
  trainingSettings,
  type SettingName,
  type TrainingSettings,
} from '#lib/settings/settings.js';
import { failure } from '../failure.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-settings-'));
after(() => fs.rmSync(folder, { recursive: true }));
const write = (content: string) => {
  const file = path.join(folder, 'settings.yaml');
  fs.writeFileSync(file, content);
  return file;
};

test('precedence: defaults < code < environment; the error for an invalid value contains its name', () => {
  assert.equal(readSettings({}, {}).epochs, 3);
  assert.equal(readSettings({}, {}).source, 'auto');
  assert.throws(
    () => readSettings({}, { TUNEBOOK_LABEL_MAPPING: '1 negative' }),
    failure(SettingsError, 'SETTING_INVALID', { name: 'labelMapping', value: '1 negative', origin: 'environment' }),
  );
  assert.equal(readSettings({ epochs: 2 }, {}).epochs, 2);
  assert.equal(readSettings({ epochs: 2 }, { TUNEBOOK_EPOCHS: '5' }).epochs, 5);
  assert.deepEqual(readSettings({}, { TUNEBOOK_TEXT_COLUMNS: 'title,content' }).textColumns, ['title', 'content']);
  assert.throws(
    () => readSettings({}, { TUNEBOOK_EPOCHS: 'many' }),
    failure(SettingsError, 'SETTING_INVALID', { name: 'epochs', value: 'many', origin: 'environment' }),
  );
});

test('fastDevRun reduces rows and steps; explicit values take precedence', () => {
  const quick = { TUNEBOOK_FAST_DEV_RUN: 'true' };
  const { rows, epochs } = readSettings({}, quick);
  assert.deepEqual([rows, epochs], [800, 1]);
  assert.equal(readSettings({}, { ...quick, TUNEBOOK_EPOCHS: '2' }).epochs, 2);
  assert.equal(readSettings({ rows: 50 }, quick).rows, 50);
  assert.equal(readSettings({}, {}).rows, undefined);
  const { settings, origins } = resolveSettings([environmentLayer({ ...quick, TUNEBOOK_MAX_LENGTH: '64' })]);
  assert.deepEqual([settings.rows, settings.maxSteps, settings.maxLength], [64, 2, 64]);
  assert.deepEqual([origins.rows, origins.maxLength], ['fastDevRun', 'environment']);
});

test('valid values of every type are read; invalid ones are errors', () => {
  const read = (name: SettingName, value: unknown) =>
    resolveSettings([{ origin: 'code', values: { [name]: value }, nameOf: (name) => name }]).settings[name];
  const valid: [SettingName, unknown, unknown][] = [
    ['learningRate', '3e-5', 3e-5],
    ['rows', '-1', -1],
    ['maxSteps', 7, 7],
    ['freeze', '3', 3],
    ['freeze', 'encoder', 'encoder'],
    ['jitCompile', 'true', true],
    ['jitCompile', 'auto', 'auto'],
    ['streaming', '0', false],
    ['textColumns', ['a'], ['a']],
    ['classWeights', 'balanced', 'balanced'],
    ['classWeights', 'positive=2, negative=0.5', { negative: 0.5, positive: 2 }],
    ['classWeights', 'a = b=1e1,5=3', { 5: 3, 'a = b': 10 }],
    ['classWeights', { negative: '2', 'a, b': 1 }, { 'a, b': 1, negative: 2 }],
  ];
  for (const [name, value, expected] of valid)
    assert.deepEqual(read(name, value), expected, `${name} ${String(value)}`);
  const invalid: [SettingName, unknown][] = [
    ['classWeights', 'even'],
    ['classWeights', 'negative=0'],
    ['classWeights', 'negative=-1,positive=1'],
    ['classWeights', 'negative=many'],
    ['classWeights', 'negative=1,negative=2'],
    ['classWeights', 'negative=1,positive'],
    ['classWeights', { negative: Infinity }],
    ['classWeights', { negative: 1e300 }],
    ['classWeights', { negative: true }],
    ['classWeights', {}],
    ['classWeights', [1, 2]],
    ['learningRate', 0],
    ['learningRate', 1.5],
    ['learningRate', NaN],
    ['learningRate', Infinity],
    ['learningRate', ''],
    ['rows', 0],
    ['maxSteps', 1.5],
    ['freeze', 'all'],
    ['freeze', 0],
    ['jitCompile', 'yes'],
    ['streaming', 'no'],
    ['textColumns', []],
    ['textColumns', 'a,,b'],
    ['lrSchedulerType', 'polynomial'],
    ['adamBeta1', 1],
  ];
  for (const [name, value] of invalid)
    assert.throws(() => read(name, value), failure(SettingsError, 'SETTING_INVALID', { name, value }));
});

test('a Trainer validates settings as the command line does; it ignores settings of other parts and rejects unknown ones', () => {
  assert.throws(
    () => trainingSettings({ learningRate: 2 }),
    failure(SettingsError, 'SETTING_INVALID', { name: 'learningRate', value: 2 }),
  );
  const training = trainingSettings(readSettings({ epochs: 2 }, {}));
  assert.deepEqual([training.epochs, training.batchSize, 'rows' in training], [2, 16, false]);
  assert.throws(
    () => trainingSettings({ numTrainEpochs: 2 } as Partial<TrainingSettings>),
    failure(SettingsError, 'SETTING_UNKNOWN', { name: 'numTrainEpochs' }),
  );
});

test("names of Hugging Face's Trainer are accepted as flags and in configuration files", () => {
  assert.deepEqual(
    normalizeFlags([
      '--num_train_epochs',
      '2',
      '--per-device-train-batch-size=8',
      '--output_dir',
      'a_b',
      '--lr',
      '1e-5',
    ]),
    ['--epochs', '2', '--batch-size=8', '--run-folder', 'a_b', '--learning-rate', '1e-5'],
  );
  assert.deepEqual(normalizeFlags(['--model-name-or-path', 'x', '--text-col', 'a', '--warmup_ratio', '0.2']), [
    '--model',
    'x',
    '--text-columns',
    'a',
    '--warmup-steps',
    '0.2',
  ]);
  const layer = configLayer(write('num_train_epochs: 2\nper-device-eval-batch-size: 8\nLR: 1e-5\n'));
  assert.deepEqual(layer.values, { epochs: 2, evalBatchSize: 8, learningRate: 1e-5 });
  assert.throws(
    () => configLayer(write('epochs: 2\nnum_train_epochs: 3\n')),
    failure(SettingsError, 'SETTING_REPEATED', { names: ['epochs', 'num_train_epochs'] }),
  );
  assert.throws(
    () => configLayer(write('learning_rat: 2\n')),
    failure(SettingsError, 'SETTING_UNKNOWN', { name: 'learning_rat' }),
  );
  const all = settingsList.flatMap(({ name, aliases = [] }) => [name, ...aliases]);
  assert.equal(new Set(all.map((name) => name.replaceAll('_', '').toLowerCase())).size, all.length);
});

test('a label mapping is a string, or a map in either direction', () => {
  const expected = { negative: ['1', '2'], positive: ['4', '5'] };
  for (const mapping of [
    '1,2.0 -> negative; 4,5 -> positive',
    { negative: [1, 2], positive: ['4', '5'] },
    { 1: 'negative', 2: 'negative', 4: 'positive', 5: 'positive' },
  ])
    assert.deepEqual(readLabelMapping(mapping), expected);
  const { values } = configLayer(write('label_mapping:\n  negative: [1, 2]\n  positive: [4, 5]\n'));
  const { settings } = resolveSettings([{ origin: 'file', values, nameOf: (name) => name }]);
  assert.deepEqual(settings.labelMapping, expected);
  assert.equal(
    describeSettings(settings).find(({ setting }) => setting === 'labelMapping')!.value,
    '1,2 -> negative; 4,5 -> positive',
  );
  for (const mapping of [7, { negative: 1 }, { a: ['1'] }, { a: ['1'], b: ['1'] }])
    assert.throws(() => readLabelMapping(mapping), failure(ReviewsError, 'LABEL_MAPPING_INVALID', { mapping }));
});
