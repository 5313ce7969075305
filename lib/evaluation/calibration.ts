/**
 * Calibration: whether predictions with probability 0.8 are correct in 80 % of the cases. Fine-tuned models tend to be
 * overconfident (Guo et al., 2017, arXiv:1706.04599). Temperature scaling, with one parameter fitted on validation
 * rows, corrects much of it.
 */
import { softmax } from '../model/softmax.js';
import { countClasses } from './count-classes.js';
import { wilsonInterval, type Interval } from './interval.js';

/** Predictions with similar probabilities. */
export interface ReliabilityBin {
  /** Lower bound of the probability. */
  low: number;
  /** Upper bound of the probability. */
  high: number;
  /** Number of predictions. */
  count: number;
  /** Mean probability of the predictions. */
  confidence: number;
  /** Fraction of correct predictions. */
  accuracy: number;
  /** 95 % confidence interval of the accuracy. */
  interval: Interval;
}

/** Calibration of a set of predictions. */
export interface Calibration {
  /** Nonempty bins, in order of probability. */
  bins: ReliabilityBin[];
  /** Expected calibration error: mean of |confidence - accuracy| over the bins, weighted by their counts. */
  error: number;
  /** Mean cross-entropy, natural logarithm. */
  loss: number;
}

/** The logits of one row. */
const rowOf = (logits: Float32Array, classes: number, row: number) =>
  logits.subarray(row * classes, (row + 1) * classes);

/**
 * Measures calibration.
 * @param logits [n * classes], row by row
 * @param labels [n]
 * @param bins number of bins, of equal width between 1 / classes and 1. @default 10
 * @example
 * const { error, loss } = calibration(logits, testSet.labels, labels.length);
 */
export function calibration(logits: Float32Array, labels: ArrayLike<number>, classes: number, bins = 10): Calibration {
  const minConfidence = 1 / classes;
  const width = (1 - minConfidence) / bins;
  const sums = Array.from({ length: bins }, () => ({ count: 0, confidence: 0, correct: 0 }));
  let loss = 0;
  for (let row = 0; row < labels.length; row++) {
    const probabilities = softmax(rowOf(logits, classes, row));
    const confidence = Math.max(...probabilities);
    const bin = sums[Math.min(bins - 1, Math.floor((confidence - minConfidence) / width))]!;
    bin.count++;
    bin.confidence += confidence;
    if (probabilities.indexOf(confidence) === labels[row]) bin.correct++;
    loss -= Math.log(Math.max(probabilities[labels[row]!]!, 1e-30));
  }
  const nonempty = sums.flatMap(({ count, confidence, correct }, i) =>
    count === 0
      ? []
      : [
          {
            low: minConfidence + i * width,
            high: minConfidence + (i + 1) * width,
            count,
            confidence: confidence / count,
            accuracy: correct / count,
            interval: wilsonInterval(correct, count),
          },
        ],
  );
  const error = nonempty.reduce(
    (sum, { count, confidence, accuracy }) => sum + count * Math.abs(confidence - accuracy),
    0,
  );
  return { bins: nonempty, error: error / labels.length, loss: loss / labels.length };
}

/**
 * Divides logits by a temperature. Above 1, probabilities become less extreme; predicted classes do not change.
 * @example
 * const { error } = calibration(withTemperature(logits, 1.5), testSet.labels, labels.length);
 */
export const withTemperature = (logits: Float32Array, temperature: number): Float32Array =>
  logits.map((logit) => logit / temperature);

/**
 * Fits the temperature that minimizes the cross-entropy (temperature scaling, Guo et al., 2017). The targets are those of Platt (1999):
 * (n + 1) / (n + 2) for the label, where n is the number of its rows, and equal parts of the rest for the other classes. They matter for
 * few rows only: with targets of 1, the loss of rows that are all predicted correctly has no minimum.
 * The rows must not be used for testing or for any other choice.
 * @param logits [n * classes], row by row
 * @param labels [n]
 * @param classes number of classes
 * @returns between 0.05 and 20
 * @example
 * const validation = await evaluate(model, validationSet);
 * const temperature = fitTemperature(validation.logits, validationSet.labels, labels.length);
 * const calibrated = withTemperature(logits, temperature);
 */
export function fitTemperature(logits: Float32Array, labels: ArrayLike<number>, classes: number): number {
  const counts = countClasses(Array.from(labels), classes);
  // The cross-entropy of logits z to targets t, whose sum is 1, is logsumexp(z) - Σ t z; `target` is that sum.
  const rows = Array.from({ length: labels.length }, (_, row) => {
    const values = rowOf(logits, classes, row);
    const label = labels[row]!;
    const others = values.reduce((sum, value) => sum + value, 0) - values[label]!;
    return { values, target: ((counts[label]! + 1) * values[label]! + others / (classes - 1)) / (counts[label]! + 2) };
  });
  const lossAt = (logTemperature: number) => {
    const temperature = Math.exp(logTemperature);
    return rows.reduce((sum, { values, target }) => {
      const largest = Math.max(...values);
      const powers = values.reduce((total, value) => total + Math.exp((value - largest) / temperature), 0);
      return sum + Math.log(powers) + (largest - target) / temperature;
    }, 0);
  };
  // The loss has one minimum, which golden-section search finds.
  const ratio = (Math.sqrt(5) - 1) / 2;
  let [low, high] = [Math.log(0.05), Math.log(20)];
  while (high - low > 1e-4) {
    const [left, right] = [high - ratio * (high - low), low + ratio * (high - low)];
    if (lossAt(left) < lossAt(right)) high = right;
    else low = left;
  }
  return Math.exp((low + high) / 2);
}
