/** Suggestions for names that do not exist. */
import { closest, distance } from 'fastest-levenshtein';

/** A name without case and separators: learning_rate, learning-rate and learningRate are the same name. */
export const plainName = (name: string): string => name.replace(/[-_ ]/g, '').toLowerCase();

/** The most similar name, as a question with a space before it; empty if no name is similar. */
export function didYouMean(wrong: string, names: string[]): string {
  const similar = closest(plainName(wrong), names.map(plainName));
  if (distance(plainName(wrong), similar) > Math.max(2, wrong.length / 3)) return '';
  return ` Did you mean ${names.find((name) => plainName(name) === similar)}?`;
}
