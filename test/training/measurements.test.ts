/**
 * How `auto` chooses the precision and XLA: by measurements, which are stored per device and repeated if the stored
 * ones are invalid.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { ArgumentError } from '#lib/errors.js';
import { engineOf } from '#lib/model/model.js';
import { TextClassifier } from '#lib/model/text-classifier.js';
import { parseConfig } from '#lib/model/config.js';
import {
  candidatePrecisions,
  choosePrecision,
  fastestPrecision,
  measureProductRates,
} from '#lib/tensorflow/precision.js';
import { singleProcess } from '#lib/distributed/ranks.js';
import { chooseJitCompile, shouldCompile, type LayerSeconds } from '#lib/training/jit-compile.js';
import { Trainer } from '#lib/training/trainer.js';
import { backend } from '#lib/tensorflow/runtime.js';
import { root } from '../checkout.js';
import { failure } from '../failure.js';

const cache = path.join(root, '.tunebook/measurements.json');
const original = fs.existsSync(cache) ? fs.readFileSync(cache) : undefined;
after(() => (original ? fs.writeFileSync(cache, original) : fs.rmSync(cache, { force: true })));

test('float32 is chosen unless another precision is at least 10 % faster', () => {
  const fastest = (float32: number, bfloat16: number) => fastestPrecision({ float32, bfloat16 }).precision;
  assert.equal(fastest(100e9, 109e9), 'float32');
  assert.equal(fastest(100e9, 111e9), 'bfloat16');
  // A CPU with AVX512-BF16 and without AMX.
  assert.deepEqual(fastestPrecision({ float32: 274e9, bfloat16: 169e9 }), {
    precision: 'float32',
    reason: 'measured: 274 GFLOP/s in float32, 169 GFLOP/s in bfloat16',
  });
  // A T4.
  assert.equal(fastestPrecision({ float32: 4e12, float16: 25e12 }).precision, 'float16');
  assert.equal(fastestPrecision({ float32: 1 }).precision, 'float32');
});

test('float32 is the first candidate, and its rate is measured', () => {
  const candidates = candidatePrecisions();
  assert.equal(candidates[0], 'float32');
  const rates = measureProductRates(['float32'], { dim: 384, hidden_dim: 1536 });
  assert.deepEqual(Object.keys(rates), ['float32']);
  assert.ok(rates.float32! > 1e8, String(rates.float32));
});

test('a given precision is used without measuring; auto is measured once per device and widths', () => {
  fs.rmSync(cache, { force: true });
  assert.deepEqual(choosePrecision('bfloat16'), { precision: 'bfloat16' });
  assert.ok(!fs.existsSync(cache));
  const [first, second] = [choosePrecision('auto'), choosePrecision('auto')];
  assert.deepEqual(second, first);
  if (candidatePrecisions().length === 1) {
    assert.deepEqual(first, { precision: 'float32', reason: 'no instructions for 16-bit products on this CPU' });
    return;
  }
  const [[key, rates]] = Object.entries(JSON.parse(fs.readFileSync(cache, 'utf8')) as object) as [[string, object]];
  assert.match(key, /threads, TensorFlow 2\.\d+\.\d+, .*768, 3072$/);
  assert.deepEqual(Object.keys(rates), candidatePrecisions());
  // The stored rates decide.
  fs.writeFileSync(cache, JSON.stringify({ [key]: { float32: 2e9, bfloat16: 1e9 } }));
  assert.equal(choosePrecision('auto').precision, 'float32');
  fs.writeFileSync(cache, JSON.stringify({ [key]: { float32: 1e9, bfloat16: 2e9 } }));
  assert.equal(choosePrecision('auto').reason, 'measured: 1 GFLOP/s in float32, 2 GFLOP/s in bfloat16');
  for (const invalid of ['{"cut', 'null', `{ ${JSON.stringify(key)}: { "float32": "3", "bfloat16": "20" } }`]) {
    fs.writeFileSync(cache, invalid);
    assert.match(
      choosePrecision('auto').reason!,
      /^measured: [1-9]\d* GFLOP\/s in float32, [1-9]\d* GFLOP\/s in bfloat16$/,
    );
  }
});

test('XLA is used if it is at least 10 % faster and saves more time than compilation takes', () => {
  const measured = { graph: 0.012, xla: 0.01, compiling: 2 };
  const decide = (batches: number, seconds: Parameters<typeof shouldCompile>[0] = measured, batchSize = 32) =>
    shouldCompile(seconds, { batches, batchSize, shapes: 10, layers: 6 });
  // Compiling 10 shapes of 6 layers takes 120 s; each batch saves 12 ms in 6 layers.
  assert.deepEqual(decide(9_900), {
    jitCompile: false,
    reason: 'XLA is 1.20 times as fast (measured), saves 119 s, and takes 120 s to compile',
  });
  assert.equal(decide(10_100).jitCompile, true);
  assert.equal(decide(10_100, measured, 16).jitCompile, false, 'batches of half the size save half');
  assert.equal(decide(1e9, { ...measured, xla: 0.0111 }).jitCompile, false);
  assert.deepEqual(decide(1e9, { ...measured, xla: 0.024 }), {
    jitCompile: false,
    reason: 'XLA is 0.50 times as fast (measured)',
  });
  assert.deepEqual(decide(1e9, { graph: 0.012 }), { jitCompile: false, reason: 'XLA cannot compile on this machine' });
});

test('on a Blackwell GPU, XLA is not used by default and rejected on request', (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-nvidia-'));
  const PATH = process.env['PATH'];
  t.after(() => {
    fs.rmSync(folder, { recursive: true });
    process.env['PATH'] = PATH;
    Object.assign(backend, { isUsingGpuDevice: false });
  });
  process.env['PATH'] = `${folder}:${PATH}`;
  // No GPU is here: only its driver and the choice of the engine are those of one.
  Object.assign(backend, { isUsingGpuDevice: true });
  const engineWith = (capability: string, jitCompile: true | 'auto') => {
    fs.writeFileSync(path.join(folder, 'nvidia-smi'), `#!/bin/sh\necho ${capability}\n`, { mode: 0o755 });
    return engineOf({ precision: 'float32', jitCompile }).jitCompile;
  };
  assert.equal(engineWith('9.0', 'auto'), 'auto');
  assert.equal(engineWith('9.0', true), true);
  for (const capability of ['10.0', '12.0']) {
    assert.equal(engineWith(capability, 'auto'), false);
    assert.throws(
      () => engineWith(capability, true),
      failure(ArgumentError, 'ARGUMENT_XLA_UNSUPPORTED', { capability: Number(capability) }),
    );
  }
});

const config = parseConfig({ vocab_size: 50, dim: 16, hidden_dim: 32, n_layers: 2, n_heads: 2 });

test('auto is false on a CPU; elsewhere it is decided when training begins, by stored measurements', async () => {
  fs.rmSync(cache, { force: true });
  const work = { batches: 10, batchSize: 8 };
  const cpuModel = TextClassifier.create(config, { precision: 'float32' });
  assert.equal(cpuModel.engine.jitCompile, false);
  assert.deepEqual(await chooseJitCompile(cpuModel, work, singleProcess), { jitCompile: false });
  assert.ok(!fs.existsSync(cache));
  cpuModel.dispose();

  // As on a GPU: layers that XLA can compile; later `auto`, which is not decided yet.
  const model = TextClassifier.create(config, { precision: 'float32', jitCompile: true });
  assert.equal((await chooseJitCompile(model, work, singleProcess)).jitCompile, true);
  model.engine.jitCompile = 'auto';
  assert.deepEqual(await chooseJitCompile(model, work, { ...singleProcess, size: 2 }), { jitCompile: false });
  // A cache without measurements.
  fs.writeFileSync(cache, 'null');
  const { reason } = await chooseJitCompile(model, work, singleProcess);
  assert.match(reason!, /^XLA is \d\.\d\d times as fast \(measured\)/);
  assert.deepEqual((await chooseJitCompile(model, work, singleProcess)).reason, reason, 'the measurement is stored');
  const [[key, { graph, xla, compiling }]] = Object.entries(
    JSON.parse(fs.readFileSync(cache, 'utf8')) as Record<string, LayerSeconds>,
  ) as [[string, LayerSeconds]];
  assert.ok(graph > 0 && xla! > 0 && compiling! > 0);
  assert.match(key, /encoder layer, 16, 32, 2 heads, float32$/);
  const run = async (stored: object) => {
    fs.writeFileSync(cache, JSON.stringify({ [key]: stored }));
    const rows = { ids: Array.from({ length: 16 }, (_, i) => Int32Array.of(1, i, 2)), labels: new Int32Array(16) };
    return (await new Trainer(model, { maxSteps: 2, batchSize: 8 }).train(rows)).engine;
  };
  assert.equal(
    await run({ graph: 100, xla: 50, compiling: 1 }),
    'graph compiled by XLA, float32; XLA is 2.00 times as fast (measured), saves 50 s, and takes 18 s to compile',
  );
  assert.equal(
    await run({ graph: 1, xla: 0.5, compiling: 1 }),
    'graph, float32; XLA is 2.00 times as fast (measured), saves 1 s, and takes 18 s to compile',
  );
  model.dispose();
});
