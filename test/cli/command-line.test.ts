// Errors of the command line: a code, and what to use instead. Hugging Face's names are understood.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { SettingsError } from '#lib/errors.js';
import { normalizeFlags } from '#lib/cli/settings-flags.js';
import { configLayer } from '#lib/settings/config-file.js';
import { environmentLayer, trainingSettings } from '#lib/settings/settings.js';
import { assertFailed, failure } from '../failure.js';
import { tunebook } from './command.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-cli-'));
after(() => fs.rmSync(folder, { recursive: true }));

test('unknown commands and options have a code and a suggestion', async () => {
  const cases: [argv: string[], code: string, suggestion: string][] = [
    [['finetun'], 'SETTING_UNKNOWN', 'Did you mean finetune?'],
    [['help', 'foo'], 'SETTING_UNKNOWN', "There is no command 'foo'."],
    [['finetune', '--num_train_epoch', '3'], 'SETTING_UNKNOWN', '--num_train_epoch. Did you mean --num-train-epochs?'],
    [['finetune', '--learning-rat=3'], 'SETTING_UNKNOWN', 'Did you mean --learning-rate?'],
    [['finetune', '--sorce=embedded'], 'SETTING_UNKNOWN', 'has no option --sorce. Did you mean --source?'],
    [['adapt', '--mlm-probabilty', '0.2'], 'SETTING_UNKNOWN', 'Did you mean --mlm-probability?'],
    [['score', '--text-colum', 'x'], 'SETTING_UNKNOWN', 'Did you mean --text-columns?'],
    [['finetune', '--fp16', 'true'], 'SETTING_UNKNOWN', 'Use --precision float16.'],
    [['finetune', '--bf16'], 'SETTING_UNKNOWN', 'Use --precision bfloat16.'],
    [['finetune', '--do_train', '--do_eval'], 'SETTING_UNKNOWN', 'It is not needed: '],
    [['finetune', '--evaluation_strategy', 'epoch'], 'SETTING_UNKNOWN', 'Use --eval-steps 500'],
    [['finetune', '--train_file', 'x.csv'], 'SETTING_UNKNOWN', 'Use --dataset FILE'],
    [['finetune', 'reviews.csv'], 'SETTING_INVALID', 'Too many arguments'],
    [['finetune', '--epochs'], 'SETTING_INVALID', 'argument missing'],
    [['export'], 'SETTING_INVALID', "Missing required argument 'run'"],
  ];
  await Promise.all(
    cases.map(async ([argv, code, text]) => {
      const result = await tunebook(argv, { cwd: folder });
      assertFailed(result, 2, 'SettingsError', code, text);
      assert.equal(result.stderr.trim().split('\n').length, 1, result.stderr);
    }),
  );
});

test('help and version still succeed', async () => {
  for (const argv of [['--help'], ['--version'], ['help', 'finetune'], ['finetune', '--help']]) {
    const { status, stdout, stderr } = await tunebook(argv, { cwd: folder });
    assert.deepEqual([status, stderr], [0, ''], argv.join(' '));
    assert.ok(
      stdout.split('\n').every((line) => !line.startsWith('  -') || line.length <= 80),
      stdout,
    );
    assert.ok(stdout.length > 0);
  }
});

test('in a settings file, in the environment and in code, unknown names are answered in that form', () => {
  const file = path.join(folder, 'run.yaml');
  fs.writeFileSync(file, 'fp16: true\n');
  const says = (text: string) => (error: Error) => {
    failure(SettingsError, 'SETTING_UNKNOWN')(error);
    assert.ok(error.message.includes(text), error.message);
    return true;
  };
  assert.throws(() => configLayer(file), says('Use precision: float16.'));
  assert.throws(() => environmentLayer({ TUNEBOOK_FP16: '1' }), says('Use TUNEBOOK_PRECISION=float16.'));
  assert.throws(() => environmentLayer({ TUNEBOOK_LR: '1' }), says('Use TUNEBOOK_LEARNING_RATE.'));
  assert.throws(() => environmentLayer({ TUNEBOOK_EPOCS: '1' }), says('Did you mean TUNEBOOK_EPOCHS?'));
  assert.throws(() => trainingSettings({ lr: 1 } as object), says('Use learningRate.'));
});

test('a warmup ratio of at least 1 is rejected, since it would mean steps', () => {
  const invalid = failure(SettingsError, 'SETTING_INVALID', { name: 'warmupSteps' });
  assert.throws(() => normalizeFlags(['finetune', '--warmup-ratio', '5']), invalid);
  assert.throws(() => normalizeFlags(['finetune', '--warmup_ratio=1']), invalid);
  assert.throws(() => normalizeFlags(['sweep', '--warmup_ratio', '0.1,2']), invalid);
  const file = path.join(folder, 'warmup.yaml');
  fs.writeFileSync(file, 'warmup_ratio: 5\n');
  assert.throws(() => configLayer(file), invalid);
  assert.deepEqual(normalizeFlags(['--warmup_ratio=0.2', '--warmup-steps', '5']), [
    '--warmup-steps=0.2',
    '--warmup-steps',
    '5',
  ]);
});
