/**
 * Warnings about classes, as sentences with numbers: of rare classes before training, and of classes that a model does
 * not predict after it. Jobs and notebooks show them; the journal, the report and the model card contain them.
 */
import type { Review } from '../reviews/review.js';
import { settingText } from '../settings/setting-text.js';
import type { Settings } from '../settings/settings.js';
import { countClasses } from './count-classes.js';
import type { ClassificationMetrics } from './metrics.js';

/** Stable codes of warnings. */
export type WarningCode =
  | 'CLASS_RARE'
  | 'CLASS_NEVER_PREDICTED'
  | 'ACCURACY_NOT_ABOVE_MAJORITY'
  | 'F1_NOT_ABOVE_MAJORITY'
  | 'R2_NOT_ABOVE_MEAN';

/** A warning about the classes of a training set, or about a model. */
export interface Warning {
  code: WarningCode;
  /** Complete sentences. */
  message: string;
}

/** A class is rare if it has less than this fraction of an equal share of the rows: of two classes, less than 10 %. */
const rareFraction = 0.2;

/** Classes are balanced if the largest has less than this multiple of the rows of the smallest. */
const balancedRatio = 1.5;

/** Maximum number of classes that a message lists. */
const maxListed = 20;

const percent = (fraction: number) => `${(100 * fraction).toFixed(1)} %`;

export const format = (count: number) => count.toLocaleString('en');

const list = (items: string[]) => [...items.slice(0, maxListed), ...(items.length > maxListed ? ['…'] : [])].join(', ');

const sum = (counts: number[]) => counts.reduce((a, b) => a + b, 0);

/**
 * Warns of rare classes in a training set: those with less than a fifth of an equal share of the rows, for multi-label classification
 * less than a fifth of the mean number of rows of a class.
 * @param train training reviews, or a sample of them if they are streamed
 * @param labels class names by class number
 * @param settings class weights, which are the remedy unless they are set, and whether the training set is streamed
 * @example
 * showWarnings(imbalanceWarnings(reviews.train, reviews.labels, readSettings()));
 */
export function imbalanceWarnings(
  train: Review[],
  labels: string[],
  { classWeights, streaming }: Pick<Settings, 'classWeights' | 'streaming'>,
): Warning[] {
  const isMultiLabel = train.some((review) => review.labels);
  const counts = countClasses(
    train.flatMap((review) => review.labels ?? [review.label]),
    labels.length,
  );
  const largestFirst = labels.map((_, i) => i).sort((a, b) => counts[b]! - counts[a]!);
  const rare = largestFirst.filter((i) => counts[i]! < (rareFraction * sum(counts)) / labels.length);
  if (rare.length === 0) return [];
  const share = (i: number) => `${format(counts[i]!)} (${percent(counts[i]! / train.length)})`;
  const [subject, pronoun, object] =
    rare.length === 1
      ? [`The class ${labels[rare[0]!]} is rare: ${share(rare[0]!)}`, 'it', 'this class']
      : [
          `${rare.length} of ${labels.length} classes are rare: ${list(rare.map((i) => `${labels[i]} ${share(i)}`))}`,
          'them',
          'these classes',
        ];
  return [
    {
      code: 'CLASS_RARE',
      message:
        `${subject} of ${format(train.length)} ${streaming ? 'sampled ' : ''}training reviews. ` +
        `Reviews per class: ${list(largestFirst.map((i) => `${labels[i]} ${format(counts[i]!)}`))}. ` +
        `A model can reach a high ${isMultiLabel ? 'micro F1' : 'accuracy'} without recognizing ${pronoun}: look at the recall of each class.` +
        (isMultiLabel
          ? ` Add reviews of ${object}.`
          : classWeights === 'none'
            ? ` Weight the classes (${settingText('classWeights', 'balanced')}), or add reviews of ${object}.`
            : ''),
    },
  ];
}

/**
 * The warning of classes that a model never predicts.
 * @param missed these classes, with their numbers of test rows
 * @param classes number of all classes
 * @param count number of test rows
 * @param remedyOf a sentence on what to do, from how it names these classes
 */
export function neverPredictedWarning(
  missed: { name: string; support: number }[],
  classes: number,
  count: number,
  remedyOf: (object: string) => string,
): Warning {
  const subject =
    missed.length === 1
      ? `The class ${missed[0]!.name} is never predicted: its recall is 0 on ${format(missed[0]!.support)}`
      : `${missed.length} of ${classes} classes are never predicted: the recall is 0 for ` +
        list(missed.map(({ name, support }) => `${name} on ${format(support)}`));
  return {
    code: 'CLASS_NEVER_PREDICTED',
    message: `${subject} of ${format(count)} test reviews. ${remedyOf(missed.length === 1 ? 'this class' : 'these classes')}`,
  };
}

/**
 * Warns of classes that a model never predicts, and of an accuracy that is not above that of the most frequent class.
 * @param test metrics on the test set; the accuracy is compared by its 95 % confidence interval
 * @param train training reviews, which determine the most frequent class
 * @param labels class names by class number
 * @param settings class weights, which are a remedy unless they are set
 * @example
 * showWarnings(evaluationWarnings(metrics, reviews.train, reviews.labels, readSettings()));
 */
export function evaluationWarnings(
  {
    confusion,
    accuracy,
    interval,
    count,
  }: Pick<ClassificationMetrics, 'confusion' | 'accuracy' | 'interval' | 'count'>,
  train: Review[],
  labels: string[],
  { classWeights }: Pick<Settings, 'classWeights'>,
): Warning[] {
  const isWeighted = classWeights !== 'none';
  const counts = countClasses(
    train.map(({ label }) => label),
    labels.length,
  );
  // Weights of classes of about equal size are about 1.
  const isBalanced = Math.max(...counts) < balancedRatio * Math.min(...counts);
  const present = confusion.map(sum);
  const missed = labels
    .map((name, i) => ({ name, support: present[i]!, isPredicted: confusion.some((row) => row[i]! > 0) }))
    .filter(({ support, isPredicted }) => support > 0 && !isPredicted);
  const warnings: Warning[] = [];
  if (missed.length > 0) {
    const weigh = !isWeighted
      ? `Weight the classes (${settingText('classWeights', 'balanced')})`
      : missed.length === 1
        ? 'Give it a higher weight'
        : 'Give them higher weights';
    warnings.push(
      neverPredictedWarning(missed, labels.length, count, (object) =>
        isBalanced
          ? `The classes are balanced: train longer, or add reviews of ${object}.`
          : `${weigh}, train longer, or add reviews of ${object}.`,
      ),
    );
  }
  const majority = counts.indexOf(Math.max(...counts));
  const baseline = present[majority]! / count;
  if (interval.low <= baseline)
    warnings.push({
      code: 'ACCURACY_NOT_ABOVE_MAJORITY',
      message:
        `The accuracy of ${percent(accuracy)} on ${format(count)} test reviews (95 % interval ${(100 * interval.low).toFixed(1)} ` +
        `to ${percent(interval.high)}) is not ${accuracy > baseline ? 'clearly ' : ''}better than always predicting ` +
        `${labels[majority]}, which is right in ${percent(baseline)}. ` +
        (accuracy > baseline
          ? 'More test reviews would narrow the interval; look at the recall of each class.'
          : isWeighted
            ? 'Class weights trade accuracy for the recall of rare classes: look at the recall of each class.'
            : 'The model may have learned little: look at the recall of each class.'),
    });
  return warnings;
}
