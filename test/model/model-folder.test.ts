// Models that cannot be used, each as people have them, and paths that stand for another folder. No path reaches the network.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { FileError, ModelFormatError, NoWeightsError, RunError } from '#lib/errors.js';
import type { Hub } from '#lib/hub/environment.js';
import { isModelPath } from '#lib/hub/local-model.js';
import { fetchModel } from '#lib/model/fetch-model.js';
import { fetchAdapter } from '#lib/model/fetch-adapter.js';
import { readPeftAdapter } from '#lib/model/peft-adapter.js';
import { TextClassifier } from '#lib/model/text-classifier.js';
import { readTokenizer } from '#lib/tokenizer/tokenizer.js';
import { failure } from '../failure.js';
import { embeddedModel, fixtures } from '../checkout.js';
import { writeTinyModel } from '../cli/command.js';
import { hubOf, startStandInHub, type StandInHub } from '../hub/stand-in.js';

const temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-models-'));
const inFolder = (...names: string[]) => path.join(temporary, ...names);
let server: StandInHub;
let hub: Hub;

const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 267954768\n`;
const bertConfig = JSON.stringify({ model_type: 'bert', architectures: ['BertForMaskedLM'] });
const adapterConfig = JSON.stringify({
  base_model_name_or_path: 'distilbert-base-uncased',
  peft_type: 'LORA',
  task_type: 'SEQ_CLS',
});

/** Writes a folder with the tiny model's files, except those given: contents by name, or undefined to remove a file. */
function modelWith(name: string, changes: Record<string, string | undefined>): string {
  fs.cpSync(inFolder('model'), inFolder(name), { recursive: true });
  for (const [file, content] of Object.entries(changes))
    if (content === undefined) fs.rmSync(inFolder(name, file));
    else fs.writeFileSync(inFolder(name, file), content);
  return inFolder(name);
}

before(async () => {
  writeTinyModel(inFolder('model'));
  const files = { 'tokenizer.json': path.join(embeddedModel, 'tokenizer.json') };
  const weights = { 'model.safetensors': Buffer.alloc(100_000) };
  server = await startStandInHub([
    {
      type: 'model',
      id: 'a/gpt',
      files: { ...files, ...weights, 'config.json': Buffer.from('{"model_type":"gpt2"}') },
    },
    {
      type: 'model',
      id: 'a/adapter',
      files: { 'adapter_config.json': Buffer.from(adapterConfig), 'adapter_model.safetensors': Buffer.alloc(10) },
    },
    {
      type: 'model',
      id: 'a/lora',
      files: {
        'adapter_config.json': path.join(fixtures, 'lora/plain/adapter_config.json'),
        'adapter_model.safetensors': path.join(fixtures, 'lora/plain/adapter_model.safetensors'),
      },
    },
    {
      type: 'model',
      id: 'a/binary',
      files: { ...files, 'config.json': Buffer.from(bertConfig), 'pytorch_model.bin': Buffer.alloc(10) },
    },
  ]);
  hub = hubOf(server, inFolder('cache'));
});
after(async () => {
  await server.close();
  fs.rmSync(temporary, { recursive: true });
});

test('Git LFS pointers instead of weights, config or tokenizer', async () => {
  for (const file of ['model.safetensors', 'config.json']) {
    const folder = modelWith(`pointer-${file}`, { [file]: pointer });
    const expected = failure(ModelFormatError, 'MODEL_LFS_POINTER', { file: path.join(folder, file) });
    await assert.rejects(fetchModel(folder), expected);
    assert.throws(() => TextClassifier.fromFolder(folder), expected);
  }
  const folder = modelWith('pointer-tokenizer', { 'tokenizer.json': pointer });
  assert.throws(() => readTokenizer(folder), failure(ModelFormatError, 'MODEL_LFS_POINTER'));
});

test('adapters name their base model and how to merge the two', async () => {
  const folder = modelWith('adapter', {
    'config.json': undefined,
    'model.safetensors': undefined,
    'adapter_config.json': adapterConfig,
    'adapter_model.safetensors': '',
  });
  for (const [name, requested] of [
    [folder, []],
    ['a/adapter', ['adapter_config.json']],
  ] as const) {
    server.requests.length = 0;
    await assert.rejects(fetchModel(name, {}, hub), (error: Error) => {
      failure(ModelFormatError, 'MODEL_ADAPTER', { base: 'distilbert-base-uncased' })(error);
      assert.ok(error.message.includes(`npx tunebook merge ${name} adapter-merged`));
      return true;
    });
    const files = server.requests.filter(({ bytes }) => bytes > 0).map((request) => path.basename(request.path));
    assert.deepEqual(files, requested, 'no weights are downloaded');
  }
});

test('an adapter on the hub can be read for a merge', async () => {
  const { config, tensors } = readPeftAdapter(await fetchAdapter('a/lora', {}, hub));
  assert.deepEqual([config.r, tensors.size], [4, 2 * 2 * 2 + 4]);
});

test('weights in other formats name the command that converts them', async () => {
  const cases: [file: string, config: string, conversion: RegExp][] = [
    [
      'pytorch_model.bin',
      '{"model_type":"distilbert","architectures":["DistilBertForSequenceClassification"]}',
      /AutoModelForSequenceClassification\.from_pretrained\('(.*)'\)\.save_pretrained\('\1', safe_serialization=True\)/,
    ],
    ['model.gguf', bertConfig, /GGUF.* is not supported.* original model/],
    ['tf_model.h5', bertConfig, /AutoModelForMaskedLM\.from_pretrained\('(.*)', from_tf=True\)\.save_pretrained\('\1'/],
  ];
  for (const [file, config, conversion] of cases) {
    const folder = modelWith(file, { 'model.safetensors': undefined, 'config.json': config, [file]: 'weights' });
    await assert.rejects(fetchModel(folder), (error: Error) => {
      failure(ModelFormatError, 'MODEL_OTHER_FORMAT', { folder, files: [file] })(error);
      assert.match(error.message, conversion);
      return true;
    });
  }
  await assert.rejects(fetchModel('a/binary', {}, hub), (error: Error) => {
    failure(NoWeightsError, 'HUB_NO_WEIGHTS', { name: 'a/binary' })(error);
    assert.match(error.message, /AutoModelForMaskedLM\.from_pretrained\('a\/binary'\)\.save_pretrained\('binary'/);
    return true;
  });
});

test('an unsupported family is rejected before weights are downloaded', async () => {
  server.requests.length = 0;
  await assert.rejects(
    fetchModel('a/gpt', {}, hub),
    failure(ModelFormatError, 'MODEL_TYPE_UNSUPPORTED', { modelType: 'gpt2' }),
  );
  const files = server.requests.filter(({ bytes }) => bytes > 0).map((request) => path.basename(request.path));
  assert.deepEqual(files, ['config.json']);
});

test('damaged JSON files name the file and the cause', async () => {
  const contents: [content: string, reason: RegExp][] = [
    ['', /it is empty/],
    ['{"model_type": "distilbert",', /it is not valid JSON \(.+\)/],
    ['[]', /it does not contain a JSON object/],
  ];
  for (const [i, [content, reason]] of contents.entries()) {
    const folder = modelWith(`damaged-${i}`, { 'config.json': content });
    await assert.rejects(fetchModel(folder), (error: Error) => {
      failure(ModelFormatError, 'MODEL_FILE_DAMAGED', { file: path.join(folder, 'config.json') })(error);
      assert.match(error.message, reason);
      return true;
    });
  }
  const folder = modelWith('damaged-tokenizer', { 'tokenizer.json': '{"model":' });
  assert.throws(() => readTokenizer(folder), failure(ModelFormatError, 'MODEL_FILE_DAMAGED'));
});

test('a mistyped path is not requested from the hub, and the similar folder is named', async () => {
  server.requests.length = 0;
  process.chdir(temporary);
  fs.mkdirSync(inFolder('runs/a/model'), { recursive: true });
  const typed: [name: string, suggestion: string][] = [
    ['./modle', './model'],
    ['runs/a/modell', 'runs/a/model'],
    // Its folder need not exist.
    ['runs/nope/model', ''],
    ['runs/aa', 'runs/a'],
    [inFolder('modell'), inFolder('model')],
    ['model/model.safetensor', ''],
  ];
  for (const [name, suggestion] of typed)
    await assert.rejects(fetchModel(name, {}, hub), (error: Error) => {
      failure(FileError, 'FILE_NOT_FOUND', { path: name })(error);
      if (suggestion) assert.ok(error.message.includes(`Did you mean ${suggestion}?`), error.message);
      return true;
    });
  await assert.rejects(
    fetchModel('model/model.safetensors', {}, hub),
    failure(FileError, 'FILE_UNUSABLE', { path: 'model/model.safetensors' }),
  );
  assert.deepEqual(server.requests, []);
  assert.deepEqual(
    ['distilbert-base-uncased', 'owner/name', 'owner/name@v1.0', 'owner/name@refs/pr/7'].map(isModelPath),
    [false, false, false, false],
  );
});

test("a run's folder stands for its model, a folder of the hub's cache for its snapshot, and notes say so", async () => {
  const commit = 'a'.repeat(40);
  const repository = inFolder('cache/models--owner--name');
  fs.mkdirSync(path.join(repository, 'refs'), { recursive: true });
  fs.writeFileSync(path.join(repository, 'refs/main'), commit);
  fs.cpSync(inFolder('model'), path.join(repository, 'snapshots', commit), { recursive: true });
  fs.cpSync(inFolder('model'), inFolder('run/model'), { recursive: true });
  for (const [name, used] of [
    [repository, path.join(repository, 'snapshots', commit)],
    [inFolder('run'), inFolder('run/model')],
  ] as const) {
    const { folder, notes } = await fetchModel(name);
    assert.equal(folder, used);
    assert.equal(notes.length, 1);
    assert.ok(notes[0]!.includes(used));
    const model = await TextClassifier.load(name);
    assert.equal(model.notes[0], notes[0]);
    model.dispose();
  }
});

test("the hub's cache and its snapshots stand for the only model in them; several are named", async () => {
  const commits = ['b', 'c'].map((letter) => letter.repeat(40));
  const snapshots = inFolder('home/hub/models--owner--name/snapshots');
  const add = (commit: string) => fs.cpSync(inFolder('model'), path.join(snapshots, commit), { recursive: true });
  add(commits[0]!);
  for (const name of [inFolder('home/hub'), snapshots])
    assert.equal((await fetchModel(name)).folder, path.join(snapshots, commits[0]!));
  add(commits[1]!);
  await assert.rejects(fetchModel(snapshots), failure(ModelFormatError, 'MODEL_NO_FILE', { names: commits }));
  fs.mkdirSync(inFolder('home/hub/models--owner--other'));
  await assert.rejects(
    fetchModel(inFolder('home/hub')),
    failure(ModelFormatError, 'MODEL_NO_FILE', { names: ['models--owner--name', 'models--owner--other'] }),
  );
});

test('a run without a model and a folder of checkpoints name the newest checkpoint', async () => {
  for (const step of [9, 20, 100])
    fs.cpSync(inFolder('model'), inFolder(`output/checkpoint-${step}`), { recursive: true });
  const newest = inFolder('output/checkpoint-100');
  await assert.rejects(
    fetchModel(inFolder('output')),
    failure(ModelFormatError, 'MODEL_NO_FILE', { file: 'config.json', checkpoint: newest }),
  );
  assert.equal((await fetchModel(newest)).folder, newest);
  fs.mkdirSync(inFolder('unfinished'));
  for (const file of ['settings.json', 'status.json']) fs.writeFileSync(inFolder('unfinished', file), '{}');
  fs.renameSync(inFolder('output'), inFolder('unfinished/checkpoints'));
  await assert.rejects(
    fetchModel(inFolder('unfinished')),
    failure(RunError, 'RUN_NO_MODEL', { checkpoint: inFolder('unfinished/checkpoints/checkpoint-100') }),
  );
});
