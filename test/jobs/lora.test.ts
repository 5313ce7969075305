// LoRA as a job: the run's model has the adapter merged, and `tunebook merge` makes the same model from its parts.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { assertFailed } from '../failure.js';
import { tunebook, writeStarsCsv, writeTinyModel } from '../cli/command.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-lora-job-'));
after(() => fs.rmSync(folder, { recursive: true }));
const inFolder = (...names: string[]) => path.join(folder, ...names);
writeTinyModel(inFolder('model'));
writeStarsCsv(inFolder('stars.csv'));
const finetune = (...flags: string[]) =>
  tunebook([
    ...['finetune', '--dataset', inFolder('stars.csv'), '--text-columns', 'title,content', '--label-column', 'stars'],
    ...['--label-mapping', 'stars', '--model', inFolder('model'), '--max-length', '32', ...flags],
  ]);

test('an adapter of a run, merged with its model, is the model of the run', async () => {
  const flags = ['--lora-rank', '4', '--lora-target-modules', 'all-linear', '--lr', '1e-2', '--epochs', '2'];
  const { status, stdout, stderr } = await finetune(...flags, '--run-folder', inFolder('run'));
  assert.equal(status, 0, stderr);
  assert.ok(stdout.includes(inFolder('run/adapter')));
  const merged = await tunebook(['merge', inFolder('run/adapter'), inFolder('merged')]);
  assert.equal(merged.status, 0, merged.stderr);
  const bytes = (...names: string[]) => fs.readFileSync(inFolder(...names));
  assert.ok(bytes('merged/model.safetensors').equals(bytes('run/model/model.safetensors')));
  const json = (...names: string[]) => JSON.parse(bytes(...names).toString()) as unknown;
  for (const file of ['config.json', 'tokenizer.json', 'tunebook.json'])
    assert.deepEqual(json('merged', file), json('run/model', file), file);

  const again = await tunebook(['merge', inFolder('run/adapter'), inFolder('merged')]);
  assertFailed(again, 2, 'FileError', 'FILE_EXISTS', inFolder('merged'));
  const labels = ['--labels', 'bad,good,neutral'];
  const same = await tunebook(['merge', inFolder('run/adapter'), inFolder('other'), '--labels', 'bad,bad']);
  assertFailed(same, 2, 'SettingsError', 'SETTING_INVALID', "'bad,bad'");
  const tooMany = await tunebook(['merge', inFolder('run/adapter'), inFolder('other'), ...labels]);
  assertFailed(tooMany, 2, 'SettingsError', 'SETTING_INVALID', '2 classes');
  assert.ok(!fs.existsSync(inFolder('other')));
});

test('settings of LoRA without a rank, or with frozen layers, are rejected before reviews are read', async () => {
  const alone = await finetune('--lora-alpha', '32', '--run-folder', inFolder('alone'));
  assertFailed(alone, 2, 'SettingsError', 'SETTING_MISSING', '--lora-rank');
  const frozen = await finetune('--lora-rank', '4', '--freeze', '1', '--run-folder', inFolder('frozen'));
  assertFailed(frozen, 2, 'SettingsError', 'SETTING_CONFLICT', '--freeze');
  assert.ok(!fs.existsSync(inFolder('alone')) && !fs.existsSync(inFolder('frozen')));
});
