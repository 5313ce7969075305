/**
 * Detection of label noise (confident learning, Northcutt et al., 2021, arXiv:1911.00068, in its simplest form). A bag
 * of words predicts the class of each review by cross-validation. If it is confident of another class than the label,
 * either the label or the prediction is wrong; a person must decide which.
 */
import type { Review } from '../reviews/review.js';
import { seededRandom, shuffle } from '../reviews/random.js';
import { fitBagOfWords } from './baseline.js';

/** A review whose label may be wrong. */
export interface DoubtfulLabel {
  review: string;
  /** Class number of the label. */
  label: number;
  /** Class number of the prediction. */
  suggested: number;
  /** Probability of the prediction. */
  probability: number;
}

/** The result of findLabelNoise. */
export interface LabelNoise {
  /** Fraction of the reviews whose label equals the cross-validated prediction. */
  agreement: number;
  /** The other reviews, in descending order of probability. */
  doubtful: DoubtfulLabel[];
}

/**
 * Finds labels that may be wrong.
 * @param reviews labeled reviews
 * @param options cross-validation
 * @param options.folds number of folds; each is predicted by a bag of words fitted on the others. @default 5
 * @param options.seed seed of the folds. @default 42
 * @example
 * const { doubtful } = findLabelNoise(reviews.train);
 * showTable(doubtful.slice(0, 10).map(({ review, label, suggested }) => ({ review, label, suggested })));
 */
export function findLabelNoise(
  reviews: Review[],
  { folds = 5, seed = 42 }: { folds?: number; seed?: number } = {},
): LabelNoise {
  const order = shuffle([...reviews.keys()], seededRandom(seed));
  const doubtful: DoubtfulLabel[] = [];
  for (let fold = 0; fold < folds; fold++) {
    const training = order.filter((_, i) => i % folds !== fold).map((row) => reviews[row]!);
    const bag = fitBagOfWords(
      training.map(({ text }) => text),
      training.map(({ label }) => label),
    );
    for (const row of order.filter((_, i) => i % folds === fold)) {
      const { text, label } = reviews[row]!;
      const probabilities = bag.probabilities(text);
      const probability = Math.max(...probabilities);
      const suggested = probabilities.indexOf(probability);
      if (suggested !== label) doubtful.push({ review: text, label, suggested, probability });
    }
  }
  doubtful.sort((a, b) => b.probability - a.probability);
  return { agreement: 1 - doubtful.length / reviews.length, doubtful };
}
