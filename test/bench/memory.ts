// `npm run bench:memory`: checks for memory leaks. Prints the resident memory over 2,000 steps of fine-tuning the embedded
// model, and its slope.
import v8 from 'node:v8';
import vm from 'node:vm';
import { TextClassifier } from '#lib/model/text-classifier.js';
import { embeddedReviews } from '#lib/reviews/embedded.js';
import { sampleReviews } from '#lib/reviews/sample.js';
import { trainingBatches } from '#lib/batching/batches.js';
import { TrainingStep } from '#lib/training/step.js';
import { classification } from '#lib/training/tasks/classification.js';
import { embeddedModel } from '../checkout.js';

v8.setFlagsFromString('--expose-gc');
/** Excludes JavaScript garbage from the measurement. */
const collectGarbage = vm.runInNewContext('gc') as () => void;

const steps = 2000;
const interval = 100;
const classifier = TextClassifier.fromFolder(embeddedModel);
const reviews = classifier.encode(await sampleReviews(await embeddedReviews()), 128);
const trainingStep = new TrainingStep(classifier, classification, { weightDecay: 0.01, texts: reviews.ids });
const points: { step: number; megabytes: number }[] = [];
let step = 0;
for (let epoch = 0; step < steps; epoch++)
  for (const batch of trainingBatches(reviews, { batchSize: 16, seed: 42, epoch })) {
    if (step === steps) break;
    await trainingStep.run([batch], 5e-5);
    if (++step % interval) continue;
    collectGarbage();
    points.push({ step, megabytes: process.memoryUsage.rss() / 1e6 });
    console.log(`step ${step}: ${points.at(-1)!.megabytes.toFixed(0)} MB, ${trainingStep.captured.graphs} graphs`);
  }

// Least-squares slope over the second half, when every batch shape has occurred.
const secondHalf = points.slice(points.length / 2);
const mean = (values: number[]) => values.reduce((a, b) => a + b) / values.length;
const [x, y] = [mean(secondHalf.map(({ step }) => step)), mean(secondHalf.map(({ megabytes }) => megabytes))];
const slope =
  secondHalf.reduce((sum, point) => sum + (point.step - x) * (point.megabytes - y), 0) /
  secondHalf.reduce((sum, point) => sum + (point.step - x) ** 2, 0);
console.log(
  `slope over the second half: ${(slope * 1000).toFixed(2)} MB per 1,000 steps (${classifier.engine.precision})`,
);
