/** Computes the cases of a file with tfjs on the WASM backend; bundled and run by tfjs.test.ts. */
import fs from 'node:fs';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { writeSafetensors } from '#lib/model/safetensors.js';
import { useBackend } from '#lib/tensorflow/tfjs/runtime.js';
import { tf } from '#lib/tensorflow/runtime.js';
import { trainingResults, type Case } from './tfjs-results.js';

const [, , casesFile, wasmFolder] = process.argv as [string, string, string, string];
setWasmPaths(wasmFolder);
await useBackend('wasm');
for (const each of JSON.parse(fs.readFileSync(casesFile, 'utf8')) as Case[]) {
  const { numTensors } = tf.memory();
  const from = performance.now();
  writeSafetensors(`${casesFile}.${each.name}.safetensors`, trainingResults(each));
  console.log(
    `${each.name}: ${((performance.now() - from) / 1000).toFixed(1)} s, ${tf.memory().numTensors - numTensors} tensors left`,
  );
}
