// Uploads to the hub: a model with its card and ONNX files, which is then loaded from the hub and scored.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { assertFailed } from '../failure.js';
import { finetuneTiny, tunebook, writeStarsCsv, writeTinyModel } from '../cli/command.js';
import { standInToken, startStandInHub, type StandInHub } from './stand-in.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-push-'));
const run = path.join(folder, 'run');
let hub: StandInHub;
before(async () => {
  hub = await startStandInHub([]);
  writeTinyModel(path.join(folder, 'model'));
  writeStarsCsv(path.join(folder, 'stars.csv'));
  const { status, stderr } = await tunebook(finetuneTiny(folder, 'run', '--max-steps', '2'));
  assert.equal(status, 0, stderr);
});
after(async () => {
  await hub.close();
  fs.rmSync(folder, { recursive: true });
});

const environment = (token: string) => ({
  env: { HF_HUB_OFFLINE: '0', HF_ENDPOINT: hub.endpoint, HF_TOKEN: token, HF_HOME: path.join(folder, 'hub') },
  cwd: folder,
});
const push = (name: string, token = standInToken) => tunebook(['push', name, '--model', run], environment(token));

test('a model is uploaded with its card and its exported files, also a second time, and can be trained further', async () => {
  assertFailed(await push('me/reviews'), 3, 'ModelFormatError', 'MODEL_NOT_EXPORTED', 'tunebook export');
  assert.equal((await tunebook(['export', run])).status, 0);
  for (let time = 0; time < 2; time++) {
    const { status, stdout, stderr } = await push('me/reviews');
    assert.equal(status, 0, stderr);
    assert.equal(stdout.trim(), `${hub.endpoint}/me/reviews/commit/1`);
  }
  const [repository] = hub.repositories;
  const names = fs
    .readdirSync(path.join(run, 'model'), { recursive: true, encoding: 'utf8' })
    .filter((name) => fs.statSync(path.join(run, 'model', name)).isFile());
  assert.deepEqual(Object.keys(repository!.files).sort(), names.sort());
  for (const name of ['README.md', 'config.json', 'model.safetensors', 'onnx/model.onnx', 'tokenizer.json'])
    assert.ok((repository!.files[name] as Buffer).equals(fs.readFileSync(path.join(run, 'model', name))), name);
  const again = await tunebook(
    ['finetune', '--model', 'me/reviews', '--dataset', 'stars.csv', '--label-col', 'stars', '--max-steps', '2'].concat(
      '--label-mapping',
      '1,2 -> negative; 4,5 -> positive',
    ),
    environment(standInToken),
  );
  assert.equal(again.status, 0, again.stderr);
});

test('a missing or invalid token, the name of another owner, and an invalid name are rejected', async () => {
  for (const [name, token, type, code, value] of [
    ['me/reviews', '', 'TokenError', 'HUB_TOKEN_INVALID', 'needs a token with write access'],
    ['me/reviews', 'hf_wrong', 'TokenError', 'HUB_TOKEN_INVALID', 'rejects the token'],
    [
      'you/reviews',
      standInToken,
      'RepositoryNotFoundError',
      'HUB_REPOSITORY_NOT_FOUND',
      'may not write to you/reviews',
    ],
  ] as const)
    assertFailed(await push(name, token), 3, type, code, value);
  assertFailed(await push('reviews'), 2, 'SettingsError', 'SETTING_INVALID', 'Write owner/name');
});
