/**
 * Words that tell classes apart: the log-odds ratio with an informative Dirichlet prior (Monroe, Colaresi and Quinn, 2008,
 * "Fightin' Words"), in standard deviations. Raw frequencies would show `the`, plain ratios would show words that came once.
 */
import { ArgumentError } from '../errors.js';
import type { Review } from './review.js';

/** A word, and how much it tells. */
export interface TellingWord {
  word: string;
  /** Below 0 it speaks for class 0, above 0 for class 1; beyond 2 or so it is hardly chance. */
  score: number;
  /** How often it comes in each of the two classes. */
  counts: [number, number];
}

const wordsOf = (text: string): string[] => text.toLowerCase().match(/[\p{L}']{2,}/gu) ?? [];

/** Weight of the prior: as if so many words, in their usual mixture, had been seen of each class. */
const priorWords = 500;

/**
 * @param reviews of two classes
 * @param options which words
 * @param options.least words that come more rarely are left out. @default 5
 * @returns from those that tell most of class 0 to those that tell most of class 1
 */
export function tellingWords(reviews: Review[], { least = 5 }: { least?: number } = {}): TellingWord[] {
  const counts = new Map<string, [number, number]>();
  const totals: [number, number] = [0, 0];
  for (const { text, label } of reviews) {
    if (label > 1)
      throw new ArgumentError('ARGUMENT_NOT_BINARY', 'Words tell two classes apart; these reviews have more.', {
        label,
      });
    for (const word of wordsOf(text)) {
      const found = counts.get(word) ?? [0, 0];
      found[label]!++;
      totals[label]!++;
      counts.set(word, found);
    }
  }
  const all = totals[0] + totals[1];
  return [...counts]
    .filter(([, [negative, positive]]) => negative + positive >= least)
    .map(([word, [negative, positive]]) => {
      const prior = (priorWords * (negative + positive)) / all;
      const odds = (count: number, total: number) => Math.log((count + prior) / (total + priorWords - count - prior));
      const variance = 1 / (negative + prior) + 1 / (positive + prior);
      const score = (odds(positive, totals[1]) - odds(negative, totals[0])) / Math.sqrt(variance);
      return { word, score, counts: [negative, positive] as [number, number] };
    })
    .sort((a, b) => a.score - b.score);
}
