/** The reviews that a person labels first. */
import { seededRandom, shuffle } from './random.js';

/** The number of reviews that a person labels. */
export const labelsWanted = 20;

/**
 * Puts reviews in front of which the same number is of each class, in random order: with a few labels, most of one class, a
 * classifier would learn to predict that class only.
 * @param classes number of classes
 * @param count number of reviews in front; more if it cannot be divided by the number of classes
 */
export function balanceFirst<Review extends { label: number }>(
  reviews: Review[],
  classes: number,
  count = labelsWanted,
): Review[] {
  const perClass = Math.ceil(count / classes);
  const counts = new Array<number>(classes).fill(0);
  const first = new Set(reviews.filter(({ label }) => ++counts[label]! <= perClass));
  return [...shuffle([...first], seededRandom(42)), ...reviews.filter((review) => !first.has(review))];
}
