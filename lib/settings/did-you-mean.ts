/** Suggestions for names that do not exist. */
import { closest, distance } from 'fastest-levenshtein';

/** A name without case and separators: learning_rate, learning-rate and learningRate are the same name. */
export const plainName = (name: string): string => name.replace(/[-_ ]/g, '').toLowerCase();

/** The most similar name; undefined if no name is similar. */
export function closestName(wrong: string, names: string[]): string | undefined {
  if (names.length === 0) return undefined;
  const plain = plainName(wrong);
  const similar = closest(plain, names.map(plainName));
  // A name that shares no character is not similar, however short it is.
  if (distance(plain, similar) > Math.min(Math.max(2, wrong.length / 3), plain.length - 1)) return undefined;
  return names.find((name) => plainName(name) === similar);
}

/** The most similar name, as a question with a space before it; empty if no name is similar. */
export function didYouMean(wrong: string, names: string[]): string {
  const name = closestName(wrong, names);
  return name === undefined ? '' : ` Did you mean ${name}?`;
}
