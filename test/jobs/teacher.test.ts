// Distillation as a job: a run learns from the model of another run, and other teachers are rejected.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { assertFailed } from '../failure.js';
import { tunebook, writeStarsCsv, writeTinyModel } from '../cli/command.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-teacher-'));
after(() => fs.rmSync(folder, { recursive: true }));
const inFolder = (...names: string[]) => path.join(folder, ...names);
writeTinyModel(inFolder('model'));
writeStarsCsv(inFolder('stars.csv'));
const finetune = (name: string, mapping: string, ...flags: string[]) =>
  tunebook([
    ...['finetune', '--dataset', inFolder('stars.csv'), '--text-columns', 'title,content', '--label-column', 'stars'],
    ...['--label-mapping', mapping, '--model', inFolder('model'), '--max-length', '32', '--max-steps', '2'],
    ...['--run-folder', inFolder(name), ...flags],
  ]);

test('a run takes another run as its teacher; one with other classes, or without a head, is an error', async () => {
  const first = await finetune('first', 'stars');
  assert.equal(first.status, 0, first.stderr);
  const second = await finetune('second', 'stars', '--teacher', inFolder('first'), '--distillation-alpha', '0');
  assert.equal(second.status, 0, second.stderr);
  assert.match(second.stdout, /The teacher .*first predicts \d+\.\d % of the training reviews correctly/);
  const others = await finetune('others', '1-2 -> bad; 4-5 -> good', '--teacher', inFolder('first'));
  assertFailed(others, 3, 'ModelFormatError', 'MODEL_NOT_CLASSIFIER', 'bad, good');
  const columns = ['--text-columns', 'title', '--text-pair-column', 'content'];
  const pairs = await finetune('pairs', 'stars', '--teacher', inFolder('first'), ...columns);
  assertFailed(pairs, 2, 'SettingsError', 'SETTING_CONFLICT', 'single texts');
});

test('settings that contradict a teacher are rejected before reviews are read', async () => {
  const alone = await finetune('alone', 'stars', '--distillation-temperature', '4');
  assertFailed(alone, 2, 'SettingsError', 'SETTING_MISSING', '--teacher');
  const streamed = await finetune('streamed', 'stars', '--teacher', inFolder('model'), '--streaming');
  assertFailed(streamed, 2, 'SettingsError', 'SETTING_CONFLICT', '--streaming');
  const missing = await finetune('missing', 'stars', '--teacher', inFolder('none'));
  assertFailed(missing, 2, 'FileError', 'FILE_NOT_FOUND', inFolder('none'));
});
