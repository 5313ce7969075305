// Tunebook's side of the benchmark: a turn of training steps for each line on standard input, samples/s on standard output.
//   tunebook.js float32|bfloat16
import readline from 'node:readline';
import { parseConfig } from 'tunebook/model/config.js';
import { createClassifier } from 'tunebook/model/classifier.js';
import type { Precision } from 'tunebook/tensorflow/precision.js';
import { padBatch } from 'tunebook/text/batches.js';
import { TrainingStep } from 'tunebook/training/step.js';
import { useVocabularyOf } from 'tunebook/training/used-vocabulary.js';
import { batch, readWork, steps } from './work.js';

const { model, reviews } = useVocabularyOf(
  createClassifier(parseConfig({}), { precision: process.argv[2] as Precision }),
  readWork(),
);
const trainingStep = new TrainingStep(model, { weightDecay: 0.01 });
let passes = 0;
function step(): void {
  const rows = Array.from({ length: batch }, (_, i) => (passes * batch + i) % reviews.ids.length);
  passes++;
  trainingStep.run([padBatch(reviews, rows)], 5e-5);
}

// Not measured: memory is claimed and kernels are chosen.
for (let i = 0; i < 3; i++) step();
console.log('ready');
for await (const _ of readline.createInterface({ input: process.stdin })) {
  const from = performance.now();
  for (let i = 0; i < steps; i++) step();
  console.log(((batch * steps) / ((performance.now() - from) / 1000)).toFixed(3));
}
