/** Computes the cases of a file with tfjs on the WASM backend; bundled and run by tfjs.test.ts. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { writeSafetensors } from '#lib/model/safetensors.js';
import { choosePrecision } from '#lib/tensorflow/precision.js';
import { tf } from '#lib/tensorflow/runtime.js';
import { useBackend } from '#lib/tensorflow/tfjs/runtime.js';
import { trainingResults, type Case } from './tfjs-results.js';

const [, , casesFile, wasmFolder] = process.argv as [string, string, string, string];
setWasmPaths(wasmFolder);
await assert.rejects(useBackend('webgl'), { code: 'TENSORFLOW_BACKEND_UNAVAILABLE' });
await useBackend('wasm');
assert.throws(() => choosePrecision('bfloat16'), { code: 'ARGUMENT_PRECISION_UNSUPPORTED' });
for (const each of JSON.parse(fs.readFileSync(casesFile, 'utf8')) as Case[]) {
  writeSafetensors(`${casesFile}.${each.name}.safetensors`, await trainingResults(each));
  assert.equal(tf.memory().numTensors, 0, 'tensors are left in memory');
}
