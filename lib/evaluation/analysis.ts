/** Looking closer at predictions: where they are right, and where they are surely wrong. */
import type { Review } from '../reviews/review.js';
import { verdicts, wilsonInterval, type NamedAccuracy } from './metrics.js';

/** Accuracy of four groups of texts of about equal number, from short to long. */
export function accuracyByLength(
  lengths: number[],
  labels: ArrayLike<number>,
  logits: Float32Array,
  classes: number,
): NamedAccuracy[] {
  const found = verdicts(logits, classes);
  const sorted = [...lengths].sort((a, b) => a - b);
  const bounds = [...new Set([0.25, 0.5, 0.75, 1].map((share) => sorted[Math.ceil(share * sorted.length) - 1]!))];
  return bounds.map((high, i) => {
    const low = (bounds[i - 1] ?? sorted[0]! - 1) + 1;
    const rows = lengths.flatMap((length, row) => (length >= low && length <= high ? [row] : []));
    const right = rows.filter((row) => found[row]!.label === labels[row]).length;
    return {
      name: `${low}–${high} tokens`,
      accuracy: right / rows.length,
      interval: wilsonInterval(right, rows.length),
    };
  });
}

/** The wrong answers that the model was surest of. */
export function confidentErrors(
  reviews: Review[],
  logits: Float32Array,
  labelNames: string[],
  count: number,
): { review: string; true: string; predicted: string; probability: number }[] {
  return verdicts(logits, labelNames.length)
    .map((verdict, row) => ({ ...verdict, review: reviews[row]! }))
    .filter(({ label, review }) => label !== review.label)
    .sort((a, b) => b.score - a.score)
    .slice(0, count)
    .map(({ label, score, review }) => ({
      review: review.text,
      true: labelNames[review.label]!,
      predicted: labelNames[label]!,
      probability: Number(score.toFixed(3)),
    }));
}
