/**
 * Labels that one may doubt (confident learning, Northcutt et al., 2021, arXiv:1911.00068, in its simplest form): a bag of words
 * judges each review without having learnt from it, and where it is sure of another class than the label's, one of the two is
 * mistaken. Which of them, only a reader can say.
 */
import type { Review } from '../reviews/review.js';
import { seededRandom, shuffle } from '../reviews/random.js';
import { fitBagOfWords } from './baseline.js';

/** A review whose label is in doubt. */
export interface DoubtfulLabel {
  review: string;
  /** Class number of its label. */
  label: number;
  /** The class that the words speak for. */
  suggested: number;
  /** Its probability. */
  probability: number;
}

/** What was found. */
export interface LabelNoise {
  /** Share of the reviews whose class the bag of words finds without having seen them. */
  agreement: number;
  /** Those it disagrees with, the surest first. */
  doubtful: DoubtfulLabel[];
}

/**
 * @param reviews that have labels
 * @param options how it is judged
 * @param options.folds each is judged by what was learnt of the others. @default 5
 * @param options.seed of the folds. @default 42
 */
export function findLabelNoise(
  reviews: Review[],
  { folds = 5, seed = 42 }: { folds?: number; seed?: number } = {},
): LabelNoise {
  const order = shuffle([...reviews.keys()], seededRandom(seed));
  const doubtful: DoubtfulLabel[] = [];
  for (let fold = 0; fold < folds; fold++) {
    const learnt = order.filter((_, at) => at % folds !== fold).map((row) => reviews[row]!);
    const bag = fitBagOfWords(
      learnt.map(({ text }) => text),
      learnt.map(({ label }) => label),
    );
    for (const row of order.filter((_, at) => at % folds === fold)) {
      const { text, label } = reviews[row]!;
      const shares = bag.probabilities(text);
      const probability = Math.max(...shares);
      const suggested = shares.indexOf(probability);
      if (suggested !== label) doubtful.push({ review: text, label, suggested, probability });
    }
  }
  doubtful.sort((a, b) => b.probability - a.probability);
  return { agreement: 1 - doubtful.length / reviews.length, doubtful };
}
