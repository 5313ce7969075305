/**
 * Words and short phrases that give the label away, such as a rating inside the text ("5 stars") or `__label__2`. A model
 * learns them instead of the sentiment, and fails on texts without them.
 */
import type { Review } from '../reviews/review.js';
import { countClasses } from '../evaluation/count-classes.js';
import { giveawayOf, type Giveaway } from './giveaway.js';
import { wordsAndSymbolsOf } from './words.js';

/** A word or phrase that predicts a class almost perfectly. */
export interface LeakingWord extends Giveaway {
  /** In lower case; a phrase has two words. */
  word: string;
}

/** Joins a phrase as it is usually written. */
const phrase = (first: string, second: string) =>
  /[\p{L}\p{N}_]$/u.test(first) && /^[\p{L}\p{N}_]/u.test(second) ? `${first} ${second}` : `${first}${second}`;

/** Counts in how many texts of each class each feature occurs. */
function countByClass(reviews: Review[], classes: number, featuresOf: (tokens: string[]) => string[]) {
  const counts = new Map<string, number[]>();
  for (const { text, label } of reviews)
    for (const feature of new Set(featuresOf(wordsAndSymbolsOf(text.toLowerCase())))) {
      let byClass = counts.get(feature);
      if (!byClass) counts.set(feature, (byClass = new Array<number>(classes).fill(0)));
      byClass[label]!++;
    }
  return counts;
}

/**
 * Finds words and phrases of two words that occur in a substantial part of a class and in almost no text of the others.
 * @param reviews labeled reviews
 * @param options threshold
 * @param options.minCoverage minimum fraction of the texts of the class. @default 0.2
 * @returns by descending mutual information
 * @example
 * for (const { word, precision, coverage } of findLeakingWords(reviews.train)) console.log(word, precision, coverage);
 */
export function findLeakingWords(
  reviews: Review[],
  { minCoverage = 0.2 }: { minCoverage?: number } = {},
): LeakingWord[] {
  const classes = reviews.reduce((max, { label }) => Math.max(max, label), 0) + 1;
  const totals = countClasses(
    reviews.map(({ label }) => label),
    classes,
  );
  const leaksOf = (counts: Map<string, number[]>) =>
    [...counts].flatMap(([word, byClass]): LeakingWord[] => {
      const giveaway = giveawayOf(byClass, totals, minCoverage);
      return giveaway ? [{ word, ...giveaway }] : [];
    });
  const wordCounts = countByClass(reviews, classes, (tokens) => tokens);
  const words = leaksOf(wordCounts);
  const leaking = new Set(words.map(({ word }) => word));
  // A phrase covers a part of a class only if each of its words does. Phrases of a leaking word add nothing.
  const frequent = new Set(
    [...wordCounts]
      .filter(
        ([word, byClass]) =>
          !leaking.has(word) && byClass.some((count, i) => count > 0 && count >= minCoverage * totals[i]!),
      )
      .map(([word]) => word),
  );
  const phraseCounts = countByClass(reviews, classes, (tokens) =>
    tokens
      .slice(1)
      .flatMap((token, i) => (frequent.has(tokens[i]!) && frequent.has(token) ? [phrase(tokens[i]!, token)] : [])),
  );
  return [...words, ...leaksOf(phraseCounts)].sort((a, b) => b.information - a.information);
}
