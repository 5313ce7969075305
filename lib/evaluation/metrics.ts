/**
 * Metrics of predictions. Accuracies have the number of rows with them, so that confidence intervals can be computed.
 */

import { softmax } from '../model/softmax.js';

/** Bounds of a confidence interval of a proportion, from 0 to 1. */
export interface Interval {
  low: number;
  high: number;
}

/** An accuracy of a model, or of a group of rows, with its 95 % confidence interval. */
export interface NamedAccuracy {
  /** The model or the group of rows. */
  name: string;
  /** From 0 to 1. */
  accuracy: number;
  interval: Interval;
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
  /** With two classes that of class 1, otherwise the macro average; 0 for a class that was never predicted. */
  precision: number;
  /** With two classes that of class 1, otherwise the macro average; 0 for a class without rows. */
  recall: number;
  /** With two classes that of class 1, otherwise the macro average; 0 if precision and recall are 0. */
  f1: number;
  /** Area under the ROC curve; NaN unless there are two classes and both are present. */
  rocAuc: number;
  /** Counts by true class, then by predicted class. */
  confusion: number[][];
}

/**
 * The Wilson score interval of a proportion (Wilson, 1927), which unlike the normal approximation is also valid near 0
 * and 1.
 * @param z quantile of the normal distribution. @default 1.959964, for 95 %
 */
export function wilsonInterval(successes: number, count: number, z = 1.959964): Interval {
  if (count === 0) return { low: 0, high: 1 };
  const proportion = successes / count;
  const spread = (z * z) / count;
  const middle = (proportion + spread / 2) / (1 + spread);
  const halfWidth = (z / (1 + spread)) * Math.sqrt((proportion * (1 - proportion)) / count + spread / (4 * count));
  return { low: Math.max(0, middle - halfWidth), high: Math.min(1, middle + halfWidth) };
}

/**
 * The area under the ROC curve: the probability that a random row of class 1 has a higher score than one of class 0,
 * where ties count half (Mann and Whitney, 1947).
 */
export function rocAuc(scores: ArrayLike<number>, labels: ArrayLike<number>): number {
  const order = Array.from({ length: scores.length }, (_, i) => i).sort((a, b) => scores[a]! - scores[b]!);
  let rankSum = 0;
  let positives = 0;
  for (let start = 0; start < order.length;) {
    let end = start;
    while (end < order.length && scores[order[end]!] === scores[order[start]!]) end++;
    for (let i = start; i < end; i++)
      if (labels[order[i]!] === 1) {
        rankSum += (start + end + 1) / 2;
        positives++;
      }
    start = end;
  }
  const negatives = order.length - positives;
  return positives === 0 || negatives === 0
    ? NaN
    : (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}

/**
 * Computes all metrics of a set of predictions.
 * @param logits [n * classes], row by row
 * @param labels [n]
 */
export function classificationMetrics(
  logits: Float32Array,
  labels: ArrayLike<number>,
  classes: number,
): ClassificationMetrics {
  const count = labels.length;
  const confusion = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  const positive = new Float64Array(count);
  let loss = 0;
  let correct = 0;
  for (let i = 0; i < count; i++) {
    const probabilities = softmax(logits.subarray(i * classes, (i + 1) * classes));
    const predicted = probabilities.indexOf(Math.max(...probabilities));
    const label = labels[i]!;
    confusion[label]![predicted]!++;
    if (predicted === label) correct++;
    loss -= Math.log(Math.max(probabilities[label]!, 1e-30));
    // The difference of the logits has the order of the probabilities, but does not saturate.
    positive[i] = classes === 2 ? logits[i * 2 + 1]! - logits[i * 2]! : 0;
  }
  const ofClass = (c: number) => {
    const truePositives = confusion[c]![c]!;
    const predicted = confusion.reduce((sum, row) => sum + row[c]!, 0);
    const present = confusion[c]!.reduce((a, b) => a + b, 0);
    const precision = predicted ? truePositives / predicted : 0;
    const recall = present ? truePositives / present : 0;
    return { precision, recall, f1: precision + recall ? (2 * precision * recall) / (precision + recall) : 0 };
  };
  const each = classes === 2 ? [ofClass(1)] : Array.from({ length: classes }, (_, c) => ofClass(c));
  const mean = (name: 'precision' | 'recall' | 'f1') =>
    each.reduce((sum, metrics) => sum + metrics[name], 0) / each.length;
  return {
    count,
    loss: loss / count,
    accuracy: correct / count,
    interval: wilsonInterval(correct, count),
    precision: mean('precision'),
    recall: mean('recall'),
    f1: mean('f1'),
    rocAuc: classes === 2 ? rocAuc(positive, labels) : NaN,
    confusion,
  };
}

/**
 * The class with the highest logit of each row, and its probability.
 * @example
 * const [{ label, score } = { label: 0, score: 0 }] = predictions(logits, labels.length);
 */
export function predictions(logits: Float32Array, classes: number): { label: number; score: number }[] {
  return Array.from({ length: logits.length / classes }, (_, i) => {
    const probabilities = softmax(logits.subarray(i * classes, (i + 1) * classes));
    const score = Math.max(...probabilities);
    return { label: probabilities.indexOf(score), score };
  });
}
