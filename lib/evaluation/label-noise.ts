/**
 * Detection of label noise: a bag of words predicts the class of each review by cross-validation, and confident learning
 * finds the labels that are probably wrong. Either the label or the prediction is wrong; a person must decide which.
 */
import { stratifiedFolds } from '../reviews/folds.js';
import { joinedText, type Review } from '../reviews/review.js';
import { fitBagOfWords } from './bag-of-words.js';
import { confidentLearning } from './confident-learning.js';

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
  /** Fraction of the reviews whose label equals the prediction. */
  agreement: number;
  /** Reviews that are confidently predicted to be of another class than their label, the least plausible label first. */
  doubtful: DoubtfulLabel[];
}

/**
 * Finds labels that are probably wrong, from predictions of any model that was not trained on these reviews.
 * @param reviews labeled reviews
 * @param probabilities predicted probabilities of each review, by class
 */
export function labelNoiseOf(reviews: Review[], probabilities: number[][]): LabelNoise {
  const labels = reviews.map(({ label }) => label);
  const predicted = probabilities.map((values) => values.indexOf(Math.max(...values)));
  const { issues } = confidentLearning(labels, probabilities);
  return {
    agreement: labels.filter((label, row) => label === predicted[row]).length / labels.length,
    doubtful: issues.map((row) => ({
      review: joinedText(reviews[row]!),
      label: labels[row]!,
      suggested: predicted[row]!,
      probability: probabilities[row]![predicted[row]!]!,
    })),
  };
}

/**
 * Finds labels that are probably wrong.
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
  const classes = reviews.reduce((max, { label }) => Math.max(max, label), 0) + 1;
  const foldOf = stratifiedFolds(reviews, folds, seed);
  const probabilities = new Array<number[]>(reviews.length);
  for (let fold = 0; fold < folds; fold++) {
    const training = reviews.filter((_, row) => foldOf[row] !== fold);
    const bag = fitBagOfWords(
      training.map(joinedText),
      training.map(({ label }) => label),
    );
    reviews.forEach((review, row) => {
      if (foldOf[row] !== fold) return;
      const known = bag.probabilities(joinedText(review));
      // The last classes may have no review outside this fold.
      probabilities[row] = Array.from({ length: classes }, (_, label) => known[label] ?? 0);
    });
  }
  return labelNoiseOf(reviews, probabilities);
}
