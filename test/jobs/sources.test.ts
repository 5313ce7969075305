// The model and the reviews of a job: never others than requested, and checked in an order that wastes no time.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { assertFailed } from '../failure.js';
import { starsFlags, tunebook, writeStarsCsv, writeTinyModel } from '../cli/command.js';
import { startStandInHub, type StandInHub } from '../hub/stand-in.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-sources-'));
const inFolder = (...names: string[]) => path.join(folder, ...names);
const short = ['--max-steps', '2', '--max-length', '32'];
let hub: StandInHub;

before(async () => {
  writeTinyModel(inFolder('model'));
  writeStarsCsv(inFolder('stars.csv'), 120);
  const files = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors'];
  hub = await startStandInHub([
    {
      type: 'model',
      id: 'distilbert/distilbert-base-uncased',
      aliases: ['distilbert-base-uncased'],
      files: Object.fromEntries(files.map((name) => [name, inFolder('model', name)])),
    },
    {
      type: 'model',
      id: 'a/gpt',
      files: { 'config.json': Buffer.from('{"model_type":"gpt2"}'), 'model.safetensors': Buffer.alloc(10) },
    },
  ]);
});
after(async () => {
  await hub.close();
  fs.rmSync(folder, { recursive: true });
});

const reachable = (endpoint: string) => ({
  cwd: folder,
  env: { HF_ENDPOINT: endpoint, HF_HUB_CACHE: inFolder('cache'), HF_HUB_OFFLINE: '', HF_TOKEN: '' },
});

test('without the hub, finetune, adapt and sweep end with exit code 3 and name the choices', async () => {
  const closed = await startStandInHub([]);
  await closed.close();
  const commands = [
    ['finetune', ...starsFlags('stars.csv')],
    ['finetune', '--model', 'model'],
    ['adapt', '--dataset', 'stars.csv'],
    ['sweep', ...starsFlags('stars.csv'), '--seed', '1,2'],
  ];
  for (const argv of commands) {
    const unreachable = await tunebook([...argv, ...short], reachable(closed.endpoint));
    assertFailed(unreachable, 3, 'OfflineError', 'HUB_UNREACHABLE', '--source embedded', 'HF_ENDPOINT', 'HF_HOME');
    const offline = await tunebook([...argv, ...short], { cwd: folder });
    assertFailed(offline, 3, 'OfflineError', 'HUB_OFFLINE', '--source embedded', 'HF_ENDPOINT', 'HF_HOME');
  }
  assert.deepEqual(fs.readdirSync(inFolder('runs')), []);
});

test('with the hub, the default model is downloaded, after a wrong column was rejected', async () => {
  const argv = ['finetune', ...starsFlags('stars.csv'), ...short, '--run-folder', 'run'];
  const wrong = await tunebook([...argv, '--label-column', 'rating'], reachable(hub.endpoint));
  assertFailed(wrong, 3, 'ReviewsError', 'REVIEWS_NO_COLUMN');
  const downloads = () => hub.requests.filter(({ bytes }) => bytes > 0).map((request) => path.basename(request.path));
  assert.deepEqual(downloads(), ['config.json']);
  const { status, stdout, stderr } = await tunebook(argv, reachable(hub.endpoint));
  assert.equal(status, 0, stderr);
  assert.match(stdout, /This runs on the reviews stars\.csv, as specified, and on distilbert-base-uncased from http/);
  assert.ok(downloads().includes('model.safetensors'));
});

test('an unsupported model is rejected before the reviews are requested', async () => {
  hub.requests.length = 0;
  const result = await tunebook(['finetune', '--model', 'a/gpt', '--dataset', 'a/reviews'], reachable(hub.endpoint));
  assertFailed(result, 3, 'ModelFormatError', 'MODEL_TYPE_UNSUPPORTED', 'gpt2');
  assert.ok(hub.requests.every(({ path }) => !path.includes('datasets')));
});

test("finetune --model takes a run's folder and says so", async () => {
  const argv = ['finetune', ...starsFlags('stars.csv'), ...short, '--model', 'run', '--run-folder', 'again'];
  const { status, stdout, stderr } = await tunebook(argv, { cwd: folder });
  assert.equal(status, 0, stderr);
  assert.match(stdout, /run is the folder of a run; its model run\/model is used\./);
});
