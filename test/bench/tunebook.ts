// Tunebook's side of the benchmark: a turn of training steps for each line on standard input, samples/s on standard output.
import readline from 'node:readline';
import { parseConfig } from 'tunebook/model/config.js';
import { createClassifier } from 'tunebook/model/classifier.js';
import { dropoutOfStep } from 'tunebook/model/dropout.js';
import { tf } from 'tunebook/tensorflow/runtime.js';
import { AdamW, clipByGlobalNorm } from 'tunebook/training/adamw.js';
import { lossAndGradients, type LabelledBatch } from 'tunebook/training/step.js';
import { batch, steps, tokens } from './work.js';

const classifier = createClassifier(parseConfig({}));
const optimizer = new AdamW(classifier.parameters, { weightDecay: 0.01 });
const rows: LabelledBatch = {
  inputIds: Int32Array.from({ length: batch * tokens }, (_, i) => (i * 7919) % classifier.config.vocab_size),
  attentionMask: new Int32Array(batch * tokens).fill(1),
  labels: Int32Array.from({ length: batch }, (_, i) => i % 2),
  batch,
  tokens,
};
let passes = 0;
function step(): void {
  const { gradients } = lossAndGradients(classifier, rows, dropoutOfStep(42, passes++));
  clipByGlobalNorm(gradients, 1);
  optimizer.step(gradients, 5e-5);
  tf.dispose([...gradients.values()]);
}

// Not measured: memory is claimed and kernels are chosen.
for (let i = 0; i < 3; i++) step();
for await (const _ of readline.createInterface({ input: process.stdin })) {
  const from = performance.now();
  for (let i = 0; i < steps; i++) step();
  console.log(((batch * steps) / ((performance.now() - from) / 1000)).toFixed(3));
}
