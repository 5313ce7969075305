// One rank of a training run. Reads the task from the file in its argument, trains, and prints the rows that it used,
// the metrics and a hash of its weights as JSON.
import { hash } from 'node:crypto';
import fs from 'node:fs';
import { TextClassifier } from '#lib/model/text-classifier.js';
import { openReviews } from '#lib/reviews/open-reviews.js';
import { clusterOfEnvironment } from '#lib/distributed/cluster-definition.js';
import { joinCluster } from '#lib/distributed/cluster.js';
import { singleProcess } from '#lib/distributed/ranks.js';
import { ReviewStream } from '#lib/batching/stream.js';
import { classification } from '#lib/training/tasks/classification.js';
import { Trainer } from '#lib/training/trainer.js';
import { selectTexts, type EncodedReviews } from '#lib/model/batch.js';
import type { TrainingSettings } from '#lib/settings/settings.js';

/** Task of a rank. */
export interface RankTask {
  modelFolder: string;
  precision: 'float32' | 'bfloat16';
  arguments: Partial<TrainingSettings>;
  /** Rows in memory as lists of token ids, or a file to stream. */
  rows?: { ids: number[][]; labels: number[] };
  stream?: { file: string; blockRows: number };
  validation?: { ids: number[][]; labels: number[] };
}

/** Report of a rank. */
export interface RankReport {
  losses: number[];
  gradNorms: number[];
  evalLoss: number[];
  weights: string;
  /** Ids and label of each row that this rank trained on, as text. */
  trainedRows: string[];
  /** Number of threads of the process after each step. */
  threads: number[];
}

const task = JSON.parse(fs.readFileSync(process.argv[2]!, 'utf8')) as RankTask;
const toEncodedReviews = ({ ids, labels }: { ids: number[][]; labels: number[] }): EncodedReviews => ({
  ids: ids.map((row) => Int32Array.from(row)),
  labels: Int32Array.from(labels),
});

const definition = clusterOfEnvironment();
const cluster = definition && joinCluster(definition, { timeout: 60 });
const ranks = cluster?.ranks ?? singleProcess;
const trainedRows: string[] = [];
const originalSelect = classification.select.bind(classification);
// Records the rows of this rank where they are assigned.
classification.select = (batch, rows) => {
  const part = originalSelect(batch, rows);
  part.labels.forEach((label, row) => trainedRows.push(`${selectTexts(part, [row]).inputIds.join(' ')}: ${label}`));
  return part;
};
const classifier = TextClassifier.fromFolder(task.modelFolder, { precision: task.precision, seed: 1 });
// Changes the parameters of the other ranks, which must receive those of the chief.
if (!ranks.isChief) for (const parameter of classifier.parameters.values()) parameter.add(parameter.read());
const source = task.stream && (await openReviews(task.stream.file, { streaming: true }));
const stream =
  source && new ReviewStream(source, { ...task.stream!, model: classifier, workers: 1, maxLength: 16, ranks });
const report: RankReport = { losses: [], gradNorms: [], evalLoss: [], weights: '', trainedRows, threads: [] };
await new Trainer(classifier, task.arguments).train(stream ?? toEncodedReviews(task.rows!), {
  ...(task.validation && { validation: toEncodedReviews(task.validation) }),
  ranks,
  onRecord: ({ loss, gradNorm, evalLoss }) => {
    report.losses.push(loss);
    report.gradNorms.push(gradNorm);
    if (evalLoss !== undefined) report.evalLoss.push(evalLoss);
    report.threads.push(fs.readdirSync('/proc/self/task').length);
  },
});
report.weights = hash(
  'sha256',
  [...classifier.parameters.values()].map((parameter) => hash('sha256', Buffer.from(parameter.data().buffer))).join(),
);
await stream?.dispose();
await cluster?.leave();
process.stdout.write(`\nreport ${JSON.stringify(report)}\n`);
