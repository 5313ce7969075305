// Tunebook's side of the benchmark: a turn of training steps for each line on standard input, samples/s on standard output.
//   tunebook.js float32|bfloat16
import readline from 'node:readline';
import { parseConfig } from 'tunebook/model/config.js';
import { createClassifier } from 'tunebook/model/classifier.js';
import { dropoutOfStep } from 'tunebook/model/dropout.js';
import type { Precision } from 'tunebook/tensorflow/precision.js';
import { tf } from 'tunebook/tensorflow/runtime.js';
import { padBatch } from 'tunebook/text/batches.js';
import { AdamW, clipFactor } from 'tunebook/training/adamw.js';
import { lossAndGradients } from 'tunebook/training/step.js';
import { useVocabularyOf } from 'tunebook/training/used-vocabulary.js';
import { batch, readWork, steps } from './work.js';

const { classifier, reviews } = useVocabularyOf(
  createClassifier(parseConfig({}), 42, process.argv[2] as Precision),
  readWork(),
);
const optimizer = new AdamW(classifier.parameters, { weightDecay: 0.01 });
let passes = 0;
function step(): void {
  const rows = Array.from({ length: batch }, (_, i) => (passes * batch + i) % reviews.ids.length);
  const { gradients } = lossAndGradients(classifier, padBatch(reviews, rows), dropoutOfStep(42, passes++));
  optimizer.step(gradients, 5e-5, clipFactor(gradients, 1).factor);
  tf.dispose([...gradients.values()]);
}

// Not measured: memory is claimed and kernels are chosen.
for (let i = 0; i < 3; i++) step();
console.log('ready');
for await (const _ of readline.createInterface({ input: process.stdin })) {
  const from = performance.now();
  for (let i = 0; i < steps; i++) step();
  console.log(((batch * steps) / ((performance.now() - from) / 1000)).toFixed(3));
}
