/** Analysis of predictions: accuracy by text length, and the most confident errors. */
import { joinedText, type Review } from '../reviews/review.js';
import { wilsonInterval, type NamedAccuracy } from './interval.js';
import { predictions } from './metrics.js';

/**
 * Accuracy in four groups of texts of about equal size, from short to long.
 * @example
 * const lengths = testSet.ids.map((ids) => ids.length);
 * await showFigure(figures.accuracies('By length', accuracyByLength(lengths, testSet.labels, logits, labels.length)));
 */
export function accuracyByLength(
  lengths: number[],
  labels: ArrayLike<number>,
  logits: Float32Array,
  classes: number,
): NamedAccuracy[] {
  const predicted = predictions(logits, classes);
  const sorted = [...lengths].sort((a, b) => a - b);
  const bounds = [...new Set([0.25, 0.5, 0.75, 1].map((quantile) => sorted[Math.ceil(quantile * sorted.length) - 1]!))];
  return bounds.map((high, i) => {
    const low = (bounds[i - 1] ?? sorted[0]! - 1) + 1;
    const rows = lengths.flatMap((length, row) => (length >= low && length <= high ? [row] : []));
    const correct = rows.filter((row) => predicted[row]!.label === labels[row]).length;
    return {
      name: low === high ? `${low} tokens` : `${low}–${high} tokens`,
      accuracy: correct / rows.length,
      interval: wilsonInterval(correct, rows.length),
    };
  });
}

/**
 * The most confident errors: wrong predictions with the highest probability.
 * @example
 * showTable(confidentErrors(reviews.test, logits, labels, 8));
 */
export function confidentErrors(
  reviews: Review[],
  logits: Float32Array,
  labelNames: string[],
  count: number,
): { review: string; true: string; predicted: string; probability: number }[] {
  return predictions(logits, labelNames.length)
    .map((prediction, row) => ({ ...prediction, review: reviews[row]! }))
    .filter(({ label, review }) => label !== review.label)
    .sort((a, b) => b.score - a.score)
    .slice(0, count)
    .map(({ label, score, review }) => ({
      review: joinedText(review),
      true: labelNames[review.label]!,
      predicted: labelNames[label]!,
      probability: Number(score.toFixed(3)),
    }));
}
