/**
 * Whether a probability means what it says: of the verdicts given with 0.8, are eight in ten right? Fine-tuned models tend to
 * be too sure (Guo et al., 2017, arXiv:1706.04599); one number, fitted on validation rows, mends much of it.
 */
import { softmax } from '../model/softmax.js';
import { wilsonInterval, type Interval } from './metrics.js';

/** Verdicts given with about the same probability. */
export interface ReliabilityBin {
  /** Bounds of the probability. */
  low: number;
  high: number;
  count: number;
  /** Mean probability of the verdicts. */
  confidence: number;
  /** Share of them that is right. */
  accuracy: number;
  /** 95 % interval of that share. */
  interval: Interval;
}

/** How far probabilities and truth lie apart. */
export interface Calibration {
  /** Those that hold a verdict, from the lowest probability to the highest. */
  bins: ReliabilityBin[];
  /** Expected calibration error: the mean distance of confidence and accuracy, each bin by its count. */
  error: number;
  /** Mean cross-entropy, natural logarithm. */
  loss: number;
}

/** Logits of one row. */
const rowOf = (logits: Float32Array, classes: number, row: number) =>
  logits.subarray(row * classes, (row + 1) * classes);

/**
 * @param logits [n * classes], row by row
 * @param labels [n]
 * @param bins of equal width between 1 / classes and 1. @default 10
 */
export function calibration(logits: Float32Array, labels: ArrayLike<number>, classes: number, bins = 10): Calibration {
  const lowest = 1 / classes;
  const width = (1 - lowest) / bins;
  const sums = Array.from({ length: bins }, () => ({ count: 0, confidence: 0, right: 0 }));
  let loss = 0;
  for (let row = 0; row < labels.length; row++) {
    const shares = softmax(rowOf(logits, classes, row));
    const confidence = Math.max(...shares);
    const bin = sums[Math.min(bins - 1, Math.floor((confidence - lowest) / width))]!;
    bin.count++;
    bin.confidence += confidence;
    if (shares.indexOf(confidence) === labels[row]) bin.right++;
    loss -= Math.log(Math.max(shares[labels[row]!]!, 1e-30));
  }
  const filled = sums.flatMap(({ count, confidence, right }, i) =>
    count === 0
      ? []
      : [
          {
            low: lowest + i * width,
            high: lowest + (i + 1) * width,
            count,
            confidence: confidence / count,
            accuracy: right / count,
            interval: wilsonInterval(right, count),
          },
        ],
  );
  const error = filled.reduce(
    (sum, { count, confidence, accuracy }) => sum + count * Math.abs(confidence - accuracy),
    0,
  );
  return { bins: filled, error: error / labels.length, loss: loss / labels.length };
}

/** Logits divided by a temperature: above 1 every verdict is less sure, and none changes. */
export const withTemperature = (logits: Float32Array, temperature: number): Float32Array =>
  logits.map((logit) => logit / temperature);

/**
 * The temperature that makes the loss of some rows least (temperature scaling, Guo et al., 2017). To be fitted on rows that
 * chose nothing else and test nothing.
 * @returns between 0.05 and 20
 */
export function fitTemperature(logits: Float32Array, labels: ArrayLike<number>, classes: number): number {
  const lossAt = (logTemperature: number) =>
    calibration(withTemperature(logits, Math.exp(logTemperature)), labels, classes).loss;
  // The loss has one valley, so a golden-section search finds its floor.
  const ratio = (Math.sqrt(5) - 1) / 2;
  let [low, high] = [Math.log(0.05), Math.log(20)];
  while (high - low > 1e-4) {
    const [left, right] = [high - ratio * (high - low), low + ratio * (high - low)];
    if (lossAt(left) < lossAt(right)) high = right;
    else low = left;
  }
  return Math.exp((low + high) / 2);
}
