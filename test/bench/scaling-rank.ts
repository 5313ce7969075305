// One rank of the scaling benchmark: a model of DistilBERT-base's size with random weights and dropout, on rows of 128 tokens
// without padding. Each line on standard input, such as `summed 4` or `local 4`, is a mode and a number of steps. The rank
// runs these steps, with or without summing the gradients over all ranks, and prints the seconds that they took.
//   scaling-rank.js ROWS float32|bfloat16
import readline from 'node:readline';
import { TextClassifier } from '#lib/model/text-classifier.js';
import { parseConfig } from '#lib/model/config.js';
import { clusterOfEnvironment } from '#lib/distributed/cluster-definition.js';
import { joinCluster } from '#lib/distributed/cluster.js';
import type { Precision } from '#lib/tensorflow/kernels.js';
import { singleProcess } from '#lib/distributed/ranks.js';
import { nativeType, tf } from '#lib/tensorflow/runtime.js';
import { packBatch } from '#lib/model/batch.js';
import { seededRandom } from '#lib/reviews/random.js';
import { lossAndGradients, TrainingStep } from '#lib/training/step.js';
import { classification } from '#lib/training/tasks/classification.js';

const [rows, precision] = process.argv.slice(2) as [string, Precision];
const definition = clusterOfEnvironment();
const cluster = definition && joinCluster(definition, { timeout: 120 });
const ranks = cluster?.ranks ?? singleProcess;
const model = TextClassifier.create(parseConfig({}), { precision });
const random = seededRandom(1);
const size = Number(rows) * ranks.size;
const reviews = {
  ids: Array.from({ length: size }, () => Int32Array.from({ length: 128 }, () => 1000 + Math.floor(29_000 * random()))),
  labels: Int32Array.from({ length: size }, (_, row) => row % 2),
};
const batch = packBatch(reviews, [...reviews.ids.keys()]);
const steps = {
  summed: new TrainingStep(model, classification, { ranks }),
  // The same part of the same batch, without communication.
  local: new TrainingStep(model, classification, {
    ranks: { ...singleProcess, rank: ranks.rank, size: ranks.size, isChief: true, sum: (tensors) => tensors },
  }),
};
const bytes = tf.tidy(() => {
  const { gradients } = lossAndGradients(
    model,
    classification,
    classification.tensors(packBatch(reviews, [0]), model.engine.layers),
  );
  return [...gradients.values()].reduce(
    (sum, gradient) => sum + gradient.size * (nativeType(gradient) === 1 ? 4 : 2),
    0,
  );
});
// The first step captures the graph.
for (const step of Object.values(steps)) for (let i = 0; i < 2; i++) await step.run([batch], 1e-5);
console.log(JSON.stringify({ ready: bytes }));
for await (const line of readline.createInterface({ input: process.stdin })) {
  const [mode, count] = line.split(' ') as [keyof typeof steps, string];
  // Synchronizes the ranks, so that all start at the same time.
  ranks.sumNumbers(new Float32Array(1));
  const from = performance.now();
  for (let i = 0; i < Number(count); i++) await steps[mode].run([batch], 1e-5);
  console.log(JSON.stringify({ seconds: (performance.now() - from) / 1000 }));
}
await cluster?.leave();
process.exit(0);
