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
export type WarningCode = 'CLASS_RARE' | 'CLASS_NEVER_PREDICTED' | 'ACCURACY_NOT_ABOVE_MAJORITY';

/** A warning about the classes of a training set or of a model. */
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

const format = (count: number) => count.toLocaleString('en');

const list = (items: string[]) => [...items.slice(0, maxListed), ...(items.length > maxListed ? ['…'] : [])].join(', ');

const sum = (counts: number[]) => counts.reduce((a, b) => a + b, 0);

/**
 * Warns of rare classes in a training set: those with less than a fifth of an equal share of the rows.
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
  const counts = countClasses(
    train.map(({ label }) => label),
    labels.length,
  );
  const largestFirst = labels.map((_, i) => i).sort((a, b) => counts[b]! - counts[a]!);
  const rare = largestFirst.filter((i) => counts[i]! < (rareFraction * train.length) / labels.length);
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
        `A model can reach a high accuracy without recognizing ${pronoun}: look at the recall of each class.` +
        (classWeights === 'none'
          ? ` Weight the classes (${settingText('classWeights', 'balanced')}), or add reviews of ${object}.`
          : ''),
    },
  ];
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
  const missed = labels.map((_, i) => i).filter((i) => present[i]! > 0 && confusion.every((row) => row[i] === 0));
  const warnings: Warning[] = [];
  if (missed.length > 0) {
    const [subject, object, weigh] =
      missed.length === 1
        ? [
            `The class ${labels[missed[0]!]} is never predicted: its recall is 0 on ${format(present[missed[0]!]!)}`,
            'this class',
            'Give it a higher weight',
          ]
        : [
            `${missed.length} of ${labels.length} classes are never predicted: the recall is 0 for ` +
              list(missed.map((i) => `${labels[i]} on ${format(present[i]!)}`)),
            'these classes',
            'Give them higher weights',
          ];
    warnings.push({
      code: 'CLASS_NEVER_PREDICTED',
      message:
        `${subject} of ${format(count)} test reviews. ` +
        (isBalanced
          ? `The classes are balanced: train longer, or add reviews of ${object}.`
          : `${isWeighted ? weigh : `Weight the classes (${settingText('classWeights', 'balanced')})`}, ` +
            `train longer, or add reviews of ${object}.`),
    });
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
