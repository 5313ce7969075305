/**
 * Words that distinguish two classes: the log-odds ratio with an informative Dirichlet prior (Monroe, Colaresi and
 * Quinn, 2008, "Fightin' Words"), in standard deviations. Raw frequencies would favor words such as `the`, plain ratios
 * would favor words that occur once.
 */
import { ArgumentError } from '../errors.js';
import type { Review } from './review.js';

/** A word and its association with two classes. */
export interface WordAssociation {
  word: string;
  /** z-score of the log-odds ratio: negative for class 0, positive for class 1; significant beyond about ±2. */
  score: number;
  /** Number of occurrences in each class. */
  counts: [number, number];
}

const wordsOf = (text: string): string[] => text.toLowerCase().match(/[\p{L}']{2,}/gu) ?? [];

/** Weight of the prior: number of pseudo-words per class, distributed as in both classes together. */
const priorWords = 500;

/**
 * Computes the association of each word with two classes.
 * @param reviews of classes 0 and 1
 * @param options which words to include
 * @param options.minCount minimum number of occurrences. @default 5
 * @returns words by ascending score: from those most typical of class 0 to those most typical of class 1
 * @throws ArgumentError for a label other than 0 and 1
 * @example
 * await showFigure(figures.wordAssociations(wordAssociations(reviews.train), labels));
 */
export function wordAssociations(reviews: Review[], { minCount = 5 }: { minCount?: number } = {}): WordAssociation[] {
  const counts = new Map<string, [number, number]>();
  const totals: [number, number] = [0, 0];
  for (const { text, label } of reviews) {
    if (label > 1)
      throw new ArgumentError(
        'ARGUMENT_NOT_BINARY',
        `A review has the label ${label}, but only two classes can be compared. Pass reviews labeled 0 and 1.`,
        { label },
      );
    for (const word of wordsOf(text)) {
      const wordCounts = counts.get(word) ?? [0, 0];
      wordCounts[label]!++;
      totals[label]!++;
      counts.set(word, wordCounts);
    }
  }
  const all = totals[0] + totals[1];
  return [...counts]
    .filter(([, [negative, positive]]) => negative + positive >= minCount)
    .map(([word, [negative, positive]]) => {
      const prior = (priorWords * (negative + positive)) / all;
      const odds = (count: number, total: number) => Math.log((count + prior) / (total + priorWords - count - prior));
      const variance = 1 / (negative + prior) + 1 / (positive + prior);
      const score = (odds(positive, totals[1]) - odds(negative, totals[0])) / Math.sqrt(variance);
      return { word, score, counts: [negative, positive] as [number, number] };
    })
    .sort((a, b) => a.score - b.score);
}
