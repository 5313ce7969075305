/**
 * Metrics of predictions. Accuracies have the number of rows with them, so that confidence intervals can be computed.
 */

import { predictedClass, probabilitiesOf, type ModelCalibration } from '../model/calibration.js';
import { problemTypeOf } from '../model/config.js';
import { softmax } from '../model/softmax.js';
import { wilsonInterval, type Interval } from './interval.js';

/** How well one class is recognized, or the mean over the classes. */
export interface ClassScores {
  /** Fraction of the predictions of the class that are correct; 0 if it was never predicted. */
  precision: number;
  /** Fraction of the rows of the class that are predicted correctly; 0 if it has no rows. */
  recall: number;
  /** Harmonic mean of precision and recall; 0 if both are 0. */
  f1: number;
  /** Area under the ROC curve of the class against all others; null if all rows or none are of the class. */
  rocAuc: number | null;
}

/** Metrics of a set of predictions. */
export interface ClassificationMetrics {
  /** Number of rows. */
  count: number;
  /** Mean cross-entropy, natural logarithm. */
  loss: number;
  /** Fraction of correct predictions. */
  accuracy: number;
  /** 95 % confidence interval of the accuracy. */
  interval: Interval;
  /**
   * Unweighted means over the classes that occur among the labels or the predictions, as scikit-learn computes them.
   * `rocAuc` is null if it is null for any of the classes.
   */
  macro: ClassScores;
  /** Scores by class number. `support` is the number of rows of the class. */
  perClass: (ClassScores & { name: string; support: number })[];
  /** Mean absolute error in stars; null if the classes are not star ratings, see `starsOfClasses`. */
  meanAbsoluteError: number | null;
  /** Counts by true class, then by predicted class. */
  confusion: number[][];
}

/** The highest number that is considered a star rating. */
const maxStars = 10;

/**
 * The stars of each class if the classes are star ratings: `1 star`, `4.5 stars`, or at least three numbers from 0 to
 * 10. Two numbers are more often codes, such as 0 and 1.
 */
export function starsOfClasses(labelNames: string[]): number[] | undefined {
  const matches = labelNames.map((name) => /^\s*(\d+(?:\.\d+)?)(\s*stars?)?\s*$/i.exec(name));
  const stars = matches.map((match) => Number(match?.[1] ?? NaN));
  const isNamed = matches.every((match) => match?.[2] !== undefined);
  return isNamed || (labelNames.length > 2 && stars.every((value) => value <= maxStars)) ? stars : undefined;
}

/**
 * The area under the ROC curve: the probability that a random positive row has a higher score than a random negative
 * one, where ties count half (Mann and Whitney, 1947).
 * @returns null unless there are positive and negative rows
 */
export function rocAuc(scores: ArrayLike<number>, isPositive: (row: number) => boolean): number | null {
  const order = Array.from({ length: scores.length }, (_, i) => i).sort((a, b) => scores[a]! - scores[b]!);
  let rankSum = 0;
  let positives = 0;
  for (let start = 0; start < order.length;) {
    let end = start;
    while (end < order.length && scores[order[end]!] === scores[order[start]!]) end++;
    for (let i = start; i < end; i++)
      if (isPositive(order[i]!)) {
        rankSum += (start + end + 1) / 2;
        positives++;
      }
    start = end;
  }
  const negatives = order.length - positives;
  return positives === 0 || negatives === 0
    ? null
    : (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}

const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
/** The mean of numbers. */
export function mean(values: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i]!;
  return total / values.length;
}

/**
 * The log-odds of a class: log p / (1 - p). They have the order of the probabilities, but do not saturate at 1.
 * @param logits of one row, of at least two classes
 */
export function logOdds(logits: ArrayLike<number>, label: number): number {
  let largest = -Infinity;
  for (let i = 0; i < logits.length; i++) if (i !== label) largest = Math.max(largest, logits[i]!);
  let others = 0;
  for (let i = 0; i < logits.length; i++) if (i !== label) others += Math.exp(logits[i]! - largest);
  return logits[label]! - largest - Math.log(others);
}

/**
 * Computes all metrics of a set of predictions, with the results of scikit-learn's
 * `precision_recall_fscore_support(zero_division=0)` and `roc_auc_score(multi_class='ovr')`.
 * @param logits [n * classes], row by row
 * @param labels [n]
 * @param labelNames class names by class number
 */
export function classificationMetrics(
  logits: Float32Array,
  labels: ArrayLike<number>,
  labelNames: string[],
): ClassificationMetrics {
  const count = labels.length;
  const classes = labelNames.length;
  const rowOf = (row: number) => logits.subarray(row * classes, (row + 1) * classes);
  const confusion = labelNames.map(() => new Array<number>(classes).fill(0));
  let loss = 0;
  for (let i = 0; i < count; i++) {
    const probabilities = softmax(rowOf(i));
    const predicted = probabilities.indexOf(Math.max(...probabilities));
    confusion[labels[i]!]![predicted]!++;
    loss -= Math.log(Math.max(probabilities[labels[i]!]!, 1e-30));
  }
  const correct = sum(confusion.map((row, label) => row[label]!));
  const predictedCounts = labelNames.map((_, label) => sum(confusion.map((row) => row[label]!)));
  const perClass = labelNames.map((name, label) => {
    const truePositives = confusion[label]![label]!;
    const support = sum(confusion[label]!);
    const precision = truePositives && truePositives / predictedCounts[label]!;
    const recall = truePositives && truePositives / support;
    const f1 = truePositives && (2 * precision * recall) / (precision + recall);
    const scores = Array.from({ length: count }, (_, row) => logOdds(rowOf(row), label));
    return { name, precision, recall, f1, rocAuc: rocAuc(scores, (row) => labels[row] === label), support };
  });
  const occurring = perClass.filter(({ support }, label) => support > 0 || predictedCounts[label]! > 0);
  const areas = occurring.flatMap(({ rocAuc }) => rocAuc ?? []);
  const stars = starsOfClasses(labelNames);
  return {
    count,
    loss: loss / count,
    accuracy: correct / count,
    interval: wilsonInterval(correct, count),
    macro: {
      precision: mean(occurring.map(({ precision }) => precision)),
      recall: mean(occurring.map(({ recall }) => recall)),
      f1: mean(occurring.map(({ f1 }) => f1)),
      rocAuc: areas.length === classes ? mean(areas) : null,
    },
    perClass,
    meanAbsoluteError: stars
      ? sum(confusion.flatMap((row, i) => row.map((n, j) => n * Math.abs(stars[i]! - stars[j]!)))) / count
      : null,
    confusion,
  };
}

/**
 * The scores of each class and their macro average as rows of a table, with `–` for an undefined ROC AUC.
 * @param metrics of an evaluation
 * @example
 * const { metrics } = await evaluate(model, testSet);
 * showTable(describeClasses(metrics));
 */
export function describeClasses({ perClass, macro, count }: ClassificationMetrics): Record<string, string>[] {
  const row = (name: string, { precision, recall, f1, rocAuc }: ClassScores, reviews: number) => ({
    class: name,
    precision: precision.toFixed(3),
    recall: recall.toFixed(3),
    F1: f1.toFixed(3),
    'ROC AUC': rocAuc?.toFixed(3) ?? '–',
    reviews: String(reviews),
  });
  return [...perClass.map((each) => row(each.name, each, each.support)), row('macro average', macro, count)];
}

/**
 * The predicted class of each row, and its probability.
 * @param logits [n * classes], row by row
 * @param classes number of classes
 * @param calibration temperature and threshold. @default none: the class with the highest logit
 * @example
 * const [{ label, score } = { label: 0, score: 0 }] = predictions(logits, labels.length);
 */
export const predictions = (
  logits: Float32Array,
  classes: number,
  calibration?: ModelCalibration,
): { label: number; score: number }[] =>
  Array.from({ length: logits.length / classes }, (_, i) =>
    predictedClass(
      probabilitiesOf(logits.subarray(i * classes, (i + 1) * classes), problemTypeOf(classes), calibration),
      calibration,
    ),
  );
