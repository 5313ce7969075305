/** Paired comparison of two fine-tuning runs: both models predict the reviews that are in the test sets of both. */
import { RunError } from '../errors.js';
import { evaluate } from '../evaluation/evaluate.js';
import type { Interval } from '../evaluation/interval.js';
import { predictions } from '../evaluation/metrics.js';
import { bootstrapDifference, mcnemar } from '../evaluation/paired-tests.js';
import { TextClassifier } from '../model/text-classifier.js';
import { loadReviews, type LoadedReviews } from '../reviews/load-reviews.js';
import { normalizedText, type Review } from '../reviews/review.js';
import { isClassification, isRegression, type RunMetrics } from './metrics.js';
import { modelFolderOf, type RunFolder } from './run-folder.js';

/** The result of comparePaired. */
export interface PairedComparison {
  /** Folders of the runs. */
  runs: [string, string];
  /** Number of reviews in the test sets of both runs. */
  reviews: number;
  /** Accuracies on these. */
  accuracies: [number, number];
  /** Numbers of reviews by which of the models predicts them correctly. */
  counts: { both: number; onlyFirst: number; onlySecond: number; none: number };
  /** The first accuracy minus the second one, and its bootstrap interval. */
  difference: number;
  interval: Interval;
  /** Number of bootstrap samples. */
  samples: number;
  /** Of McNemar's exact test. */
  pValue: number;
}

const notComparable = (reason: string, runs: RunFolder[]) =>
  new RunError('RUNS_NOT_COMPARABLE', reason, { runs: runs.map(({ folder }) => folder) });

/**
 * The reviews of a run, split as in the run.
 * @throws RunError if it is no fine-tuning run, or if its reviews have changed
 */
async function reviewsOf(run: RunFolder): Promise<LoadedReviews> {
  const { command, settings, sources } = run.settings!;
  const metrics = run.read<RunMetrics>('metrics.json');
  if (metrics?.command === 'finetune' && !isClassification(metrics))
    throw notComparable(
      `${run.folder} predicts ${isRegression(metrics) ? 'a number' : 'all classes that apply'}. Paired comparisons are of one class per review; 'npx tunebook runs' compares the metrics of such runs.`,
      [run],
    );
  if (command !== 'finetune' || !isClassification(metrics))
    throw notComparable(
      `${run.folder} has no result of fine-tuning (${command}, ${run.state}). Compare two runs of finetune.`,
      [run],
    );
  const reviews = await loadReviews(sources.dataset, settings);
  if (reviews.source.fingerprint !== metrics.data?.fingerprint)
    throw notComparable(
      `The reviews of ${run.folder} have changed: ${sources.dataset} does not give those on which it was trained and tested. Restore them, or train again.`,
      [run],
    );
  return reviews;
}

/** Whether the model of a run predicts each review correctly. */
async function predictCorrectly(run: RunFolder, reviews: Review[]): Promise<boolean[]> {
  const { settings } = run.settings!;
  const model = await TextClassifier.load(modelFolderOf(run), { precision: settings.precision });
  try {
    const { logits } = await evaluate(model, model.encode(reviews, settings.maxLength), {
      batchSize: settings.evalBatchSize,
    });
    return predictions(logits, model.labels.length).map(({ label }, row) => label === reviews[row]!.label);
  } finally {
    model.dispose();
  }
}

/**
 * Compares the models of two fine-tuning runs on the reviews that are in the test sets of both.
 * @throws RunError if a run has no result, if their classes differ, if their test sets have no review in common, or if their
 * reviews have changed
 */
export async function comparePaired(first: RunFolder, second: RunFolder): Promise<PairedComparison> {
  const runs = [first, second];
  const [ours, theirs] = [await reviewsOf(first), await reviewsOf(second)];
  if (ours.labels.join('\n') !== theirs.labels.join('\n'))
    throw notComparable(
      `The classes of ${first.folder} are ${ours.labels.join(', ')}, those of ${second.folder} ${theirs.labels.join(', ')}. Compare runs with the same classes.`,
      runs,
    );
  const labelOf = new Map(theirs.test.map((review) => [normalizedText(review), review.label]));
  const reviews = ours.test.filter((review) => labelOf.has(normalizedText(review)));
  if (reviews.length === 0)
    throw notComparable(
      `The test sets of ${first.folder} and ${second.folder} have no review in common. Compare runs on the same reviews with the same seed.`,
      runs,
    );
  const contradictory = reviews.find((review) => labelOf.get(normalizedText(review)) !== review.label);
  if (contradictory)
    throw notComparable(
      `The review '${contradictory.text.slice(0, 60)}' has the class ${ours.labels[contradictory.label]} in ${first.folder}, but not in ${second.folder}. Compare runs with the same labels and mapping of labels.`,
      runs,
    );
  const [correct, otherCorrect] = [await predictCorrectly(first, reviews), await predictCorrectly(second, reviews)];
  const count = (a: boolean, b: boolean) =>
    correct.filter((value, row) => value === a && otherCorrect[row] === b).length;
  const counts = {
    both: count(true, true),
    onlyFirst: count(true, false),
    onlySecond: count(false, true),
    none: count(false, false),
  };
  const accuracies: [number, number] = [
    (counts.both + counts.onlyFirst) / reviews.length,
    (counts.both + counts.onlySecond) / reviews.length,
  ];
  return {
    runs: [first.folder, second.folder],
    reviews: reviews.length,
    accuracies,
    counts,
    difference: accuracies[0] - accuracies[1],
    ...bootstrapDifference(correct, otherCorrect),
    pValue: mcnemar(counts.onlyFirst, counts.onlySecond),
  };
}
