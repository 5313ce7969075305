// The native runtime: what the addon's patch adds, variables, and the errors if the addon cannot be loaded.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { ArgumentError } from '#lib/errors.js';
import { describeDevice } from '#lib/tensorflow/device.js';
import { loadError } from '#lib/tensorflow/load-error.js';
import { addonFile, binding, executeOne, tf, typeAttribute } from '#lib/tensorflow/runtime.js';
import { ResourceVariable } from '#lib/tensorflow/variables.js';
import { failure } from '../failure.js';

test('describeDevice uses the function that the patch adds to the addon', () => {
  const cpu = binding.listDevices().find(({ type }) => type === 'CPU');
  assert.match(cpu!.name, /device:CPU:0$/);
  const device = describeDevice();
  assert.equal(device.tensorflow, '2.21.0');
  assert.equal(device.kind, binding.isUsingGpuDevice() ? 'GPU' : 'CPU');
  assert.ok(device.name.length > 0 && device.threads >= 1);
  assert.ok(device.memoryBytes > 2 ** 28 && device.memoryBytes <= Math.max(os.totalmem(), 2 ** 40));
});

test('incompatible shapes are an error with the message of TensorFlow', () => {
  assert.throws(
    () => executeOne('MatMul', [typeAttribute('float32')], [tf.ones([2, 3]), tf.ones([2, 3])]),
    /Matrix size-incompatible/,
  );
});

test('a variable keeps its shape; a value that was read does not change when the variable is assigned', () => {
  const initial = tf.tensor1d([1, 2, 3]);
  const variable = new ResourceVariable(initial);
  assert.throws(
    () => variable.assign(tf.tensor1d([1])),
    failure(ArgumentError, 'ARGUMENT_SHAPE_MISMATCH', { expected: [3], actual: [1] }),
  );
  const read = variable.read();
  variable.assign(tf.tensor1d([4, 5, 6]));
  assert.deepEqual([...read.dataSync()], [1, 2, 3]);
  assert.deepEqual([...variable.data()], [4, 5, 6]);
  variable.dispose();
  variable.dispose();
});

test('load errors distinguish a missing TensorFlow library from other reasons', () => {
  // The addon searches for TensorFlow relative to its own path, so a copy elsewhere does not find it.
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-addon-'));
  const copy = path.join(folder, 'tfjs_binding.node');
  fs.copyFileSync(addonFile('tfjs'), copy);
  const { stdout } = spawnSync(
    process.execPath,
    ['-e', `try { require(${JSON.stringify(copy)}) } catch (error) { console.log(error.message) }`],
    { encoding: 'utf8' },
  );
  fs.rmSync(folder, { recursive: true });
  const { code, values } = loadError(new Error(stdout));
  assert.equal(code, 'TENSORFLOW_LIBRARY_MISSING');
  assert.match(String(values['library']), /^libtensorflow/);
  const other = loadError(new Error('wrong ELF class'));
  assert.deepEqual([other.code, other.values['reason']], ['TENSORFLOW_NOT_LOADED', 'wrong ELF class']);
});
