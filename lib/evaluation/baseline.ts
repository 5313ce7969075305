/** Baselines for fine-tuning: the majority class, and a bag of words. A language model that is not better is not needed. */
import { mostProbable } from '../model/softmax.js';
import { joinedText, type Review } from '../reviews/review.js';
import { fitBagOfWords } from './bag-of-words.js';
import { wilsonInterval, type Interval } from './interval.js';

/** The result of a baseline on the test rows. */
export interface BaselineResult {
  /** From 0 to 1. */
  accuracy: number;
  /** 95 % confidence interval of the accuracy. */
  interval: Interval;
}

const resultOf = (correct: number, count: number): BaselineResult => ({
  accuracy: correct / count,
  interval: wilsonInterval(correct, count),
});

/**
 * Predicts the most frequent class of the training rows for every test row.
 * @example
 * const { accuracy, interval } = majorityBaseline(reviews.train, reviews.test);
 */
export function majorityBaseline(train: Review[], test: Review[]): BaselineResult {
  const counts = new Map<number, number>();
  for (const { label } of train) counts.set(label, (counts.get(label) ?? 0) + 1);
  const majorityClass = [...counts].sort((a, b) => b[1] - a[1])[0]![0];
  return resultOf(test.filter(({ label }) => label === majorityClass).length, test.length);
}

/**
 * Fits a bag of words on the training rows and evaluates it on the test rows.
 * @example
 * const { accuracy } = bagOfWordsBaseline(reviews.train, reviews.test); // 0.80 on the embedded reviews
 */
export function bagOfWordsBaseline(train: Review[], test: Review[]): BaselineResult {
  const bag = fitBagOfWords(
    train.map(joinedText),
    train.map(({ label }) => label),
  );
  const correct = test.filter((review) => mostProbable(bag.probabilities(joinedText(review))) === review.label);
  return resultOf(correct.length, test.length);
}
