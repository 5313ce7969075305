// Tunebook's side of the benchmark. Each line on standard input is a number of steps; the process runs them and prints a
// Turn as JSON.
//   tunebook.js train|infer ROWS BATCH float32|bfloat16|float16 graph|eager|xla MODEL fixed|own|lengths
// ROWS is a RowsFile, MODEL the content of config.json.
import readline from 'node:readline';
import { TextClassifier } from '#lib/model/text-classifier.js';
import { prepareWeights } from '#lib/model/model.js';
import { parseConfig } from '#lib/model/config.js';
import type { Precision } from '#lib/tensorflow/kernels.js';
import { trainingBatches } from '#lib/batching/batches.js';
import { TrainingStep } from '#lib/training/step.js';
import { classification } from '#lib/training/tasks/classification.js';
import { packedOperations, readRows, type Rows, type Turn } from './work.js';
import {
  evaluationBatches,
  packBatch,
  textCount,
  type EncodedBatch,
  type EncodedReviews,
  type LabeledBatch,
} from '#lib/model/batch.js';
import { roundTokens } from '#lib/model/packed-texts.js';

const [mode, file, size, precision, engine, model, rows] = process.argv.slice(2) as [
  string,
  string,
  string,
  Precision,
  string,
  string,
  Rows,
];
const training = mode === 'train';
const batchSize = Number(size);
const config = parseConfig(JSON.parse(model) as Record<string, unknown>);
const classifier = TextClassifier.create(config, {
  precision,
  eager: engine === 'eager',
  jitCompile: engine === 'xla',
});

const fixedBatches = (reviews: EncodedReviews) =>
  evaluationBatches(reviews, batchSize).filter((batch) => textCount(batch) === batchSize);
const batchesOf = ({ batches: listed, ...reviews }: ReturnType<typeof readRows>) => {
  if (listed) return listed.map((indices) => packBatch(reviews, indices));
  if (rows === 'fixed') return fixedBatches(reviews);
  return training ? trainingBatches(reviews, { batchSize, seed: 42, epoch: 0 }) : evaluationBatches(reviews, batchSize);
};

const prepared = training ? {} : prepareWeights(classifier);
let step: (batch: LabeledBatch) => unknown = (batch: EncodedBatch) => classifier.logits(batch, prepared);
const reviews = readRows(file);
if (training) {
  const trainingStep = new TrainingStep(classifier, classification, { weightDecay: 0.01, texts: reviews.ids });
  step = (batch) => trainingStep.run([batch], 5e-5);
}
const batches = batchesOf(reviews);

console.log('ready');
let next = 0;
for await (const line of readline.createInterface({ input: process.stdin })) {
  const turn: Turn = { seconds: 0, samples: 0, tokens: 0, operations: 0, peakBytes: 0 };
  const from = performance.now();
  for (let i = 0; i < Number(line); i++) {
    const batch = batches[next++ % batches.length]!;
    await step(batch);
    turn.samples += textCount(batch);
    turn.tokens += batch.inputIds.length;
    const tokens = roundTokens(batch.inputIds.length, classifier.engine.layers);
    turn.operations += packedOperations(batch, tokens, training, config);
  }
  turn.seconds = (performance.now() - from) / 1000;
  turn.peakBytes = process.resourceUsage().maxRSS * 1024;
  console.log(JSON.stringify(turn));
}
