/**
 * Baselines for multi-label classification: the most frequent set of classes, and a bag of words with a logistic regression for each
 * class, as of scikit-learn's OneVsRestClassifier(LogisticRegression(C=4)) on the TF-IDF of `bag-of-words.ts`.
 */
import { joinedText, labelRow, type Review } from '../reviews/review.js';
import { fitTfidf } from './bag-of-words.js';
import { logisticRegression } from './logistic-regression.js';
import { labelSetMetrics, type LabelSetMetrics } from './multi-label-metrics.js';
import { applies } from '../model/prediction.js';

/** A 0 or 1 for each class of each review, row by row. */
const rowsOf = (reviews: Review[], classes: number): number[] => reviews.flatMap((review) => labelRow(review, classes));

/**
 * Predicts the most frequent set of classes of the training rows for every test row; of equally frequent ones the first.
 * @param labelNames class names by class number
 * @example
 * const { micro, subsetAccuracy } = frequentSetBaseline(reviews.train, reviews.test, reviews.labels);
 */
export function frequentSetBaseline(train: Review[], test: Review[], labelNames: string[]): LabelSetMetrics {
  const counts = new Map<string, { labels: number[]; count: number }>();
  for (const { labels = [] } of train) {
    const set = counts.get(labels.join()) ?? { labels, count: 0 };
    set.count++;
    counts.set(labels.join(), set);
  }
  const { labels } = [...counts.values()].reduce((best, set) => (set.count > best.count ? set : best));
  const predicted = test.map((review) => ({ ...review, labels }));
  return labelSetMetrics(rowsOf(predicted, labelNames.length), rowsOf(test, labelNames.length), labelNames);
}

/**
 * Fits a bag of words of the training rows for each class, and evaluates them on the test rows. A class that applies to all training
 * rows or to none is predicted so.
 * @param labelNames class names by class number
 * @example
 * const { micro } = bagOfWordsSetBaseline(reviews.train, reviews.test, reviews.labels);
 */
export function bagOfWordsSetBaseline(train: Review[], test: Review[], labelNames: string[]): LabelSetMetrics {
  const classes = labelNames.length;
  const { rows, size, rowOf } = fitTfidf(train.map(joinedText));
  const testRows = test.map((review) => rowOf(joinedText(review)));
  const targets = rowsOf(train, classes);
  const predicted = new Uint8Array(test.length * classes);
  for (const label of labelNames.keys()) {
    const own = train.map((_, row) => targets[row * classes + label]!);
    const isConstant = own.every((value) => value === own[0]);
    const fitted = isConstant ? undefined : logisticRegression(rows, own, { columns: size, classes: 2, c: 4 });
    for (const [i, row] of testRows.entries())
      predicted[i * classes + label] = fitted ? Number(applies(fitted.probabilities(row)[1]!)) : own[0]!;
  }
  return labelSetMetrics(predicted, rowsOf(test, classes), labelNames);
}
