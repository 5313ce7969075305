/** How good predictions are. Every figure that is a share comes with the number it is a share of, so that an interval can be given. */

import { softmax } from '../model/softmax.js';

/** Bounds of a share, from 0 to 1. */
export interface Interval {
  low: number;
  high: number;
}

/** An accuracy with its name and its 95 % interval: of a model, or of a group of rows. */
export interface NamedAccuracy {
  /** The model or the group of rows. */
  name: string;
  /** From 0 to 1. */
  accuracy: number;
  interval: Interval;
}

/** Figures of a set of predictions. */
export interface ClassificationMetrics {
  /** Rows that were judged. */
  count: number;
  /** Mean cross-entropy, natural logarithm. */
  loss: number;
  /** Share of the rows whose class was found. */
  accuracy: number;
  /** 95 % interval of the accuracy. */
  interval: Interval;
  /** Of class 1 with two classes, else averaged over classes (macro); 0 where nothing was predicted or present. */
  precision: number;
  /** Of the same classes, in the same way. */
  recall: number;
  /** Of the same classes, in the same way. */
  f1: number;
  /** Area under the ROC curve; NaN unless there are two classes and both are present. */
  rocAuc: number;
  /** Counts by true class, then by predicted class. */
  confusion: number[][];
}

/**
 * Wilson's interval of a share (Wilson, 1927): sensible near 0 and 1, where the usual one is not.
 * @param z of the confidence, default 1.96 for 95 %
 */
export function wilsonInterval(successes: number, count: number, z = 1.959964): Interval {
  if (count === 0) return { low: 0, high: 1 };
  const share = successes / count;
  const spread = (z * z) / count;
  const middle = (share + spread / 2) / (1 + spread);
  const half = (z / (1 + spread)) * Math.sqrt((share * (1 - share)) / count + spread / (4 * count));
  return { low: Math.max(0, middle - half), high: Math.min(1, middle + half) };
}

/**
 * The chance that a random member of class 1 scores higher than one of class 0, ties counted half (Mann and Whitney, 1947).
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
 * All figures of a set of predictions.
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
  let right = 0;
  for (let i = 0; i < count; i++) {
    const shares = softmax(logits.subarray(i * classes, (i + 1) * classes));
    const predicted = shares.indexOf(Math.max(...shares));
    const label = labels[i]!;
    confusion[label]![predicted]!++;
    if (predicted === label) right++;
    loss -= Math.log(Math.max(shares[label]!, 1e-30));
    // The difference of logits orders as the probability does, but does not saturate.
    positive[i] = classes === 2 ? logits[i * 2 + 1]! - logits[i * 2]! : 0;
  }
  const ofClass = (c: number) => {
    const hits = confusion[c]![c]!;
    const predicted = confusion.reduce((sum, row) => sum + row[c]!, 0);
    const present = confusion[c]!.reduce((a, b) => a + b, 0);
    const precision = predicted ? hits / predicted : 0;
    const recall = present ? hits / present : 0;
    return { precision, recall, f1: precision + recall ? (2 * precision * recall) / (precision + recall) : 0 };
  };
  const each = classes === 2 ? [ofClass(1)] : Array.from({ length: classes }, (_, c) => ofClass(c));
  const mean = (name: 'precision' | 'recall' | 'f1') =>
    each.reduce((sum, figures) => sum + figures[name], 0) / each.length;
  return {
    count,
    loss: loss / count,
    accuracy: right / count,
    interval: wilsonInterval(right, count),
    precision: mean('precision'),
    recall: mean('recall'),
    f1: mean('f1'),
    rocAuc: classes === 2 ? rocAuc(positive, labels) : NaN,
    confusion,
  };
}

/** The class with the highest logit, and its probability, a row. */
export function verdicts(logits: Float32Array, classes: number): { label: number; score: number }[] {
  return Array.from({ length: logits.length / classes }, (_, i) => {
    const shares = softmax(logits.subarray(i * classes, (i + 1) * classes));
    const score = Math.max(...shares);
    return { label: shares.indexOf(score), score };
  });
}
