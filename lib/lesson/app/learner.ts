/** What is learned from labels: a classifier on the features of the model, and a bag of words, both evaluated on the test reviews. */
import { balancedWeights, countClasses } from '../../evaluation/count-classes.js';
import { fitBagOfWords } from '../../evaluation/bag-of-words.js';
import { wilsonInterval, type Interval } from '../../evaluation/interval.js';
import { fitLinearClassifier, linearLogits, type LinearClassifier } from '../../evaluation/linear-classifier.js';
import { mostProbable, softmax } from '../../model/softmax.js';
import type { LabeledText } from './reviews.js';

/** Predictions of the test reviews. */
export interface TestResult {
  accuracy: number;
  /** 95 % confidence interval of the accuracy. */
  interval: Interval;
  /** Mean cross-entropy, natural logarithm. */
  loss: number;
  /** Probability of each class, by review. */
  probabilities: number[][];
}

/** Evaluates predictions of reviews. */
export function evaluate(probabilities: number[][], reviews: LabeledText[]): TestResult {
  const correct = reviews.filter(({ label }, row) => mostProbable(probabilities[row]!) === label).length;
  const losses = reviews.map(({ label }, row) => -Math.log(Math.max(1e-12, probabilities[row]![label]!)));
  return {
    accuracy: correct / reviews.length,
    interval: wilsonInterval(correct, reviews.length),
    loss: losses.reduce((a, b) => a + b, 0) / reviews.length,
    probabilities,
  };
}

/** Joins the features of texts: [n, width], row by row. */
function joinFeatures(rows: Float32Array[]): Float32Array {
  const width = rows[0]!.length;
  const joined = new Float32Array(rows.length * width);
  rows.forEach((row, i) => joined.set(row, i * width));
  return joined;
}

/**
 * Fits a classifier, with balanced class weights as `--method head`: with few labels it would predict the more frequent class only.
 * @param features of the reviews, in their order
 */
export function fit(features: Float32Array[], reviews: LabeledText[], classes: number): LinearClassifier {
  const labels = reviews.map(({ label }) => label);
  return fitLinearClassifier(joinFeatures(features), labels, classes, balancedWeights(countClasses(labels, classes)));
}

/** The probability of each class by the features of a text. */
export const predict = (features: Float32Array, classifier: LinearClassifier): number[] =>
  softmax(linearLogits(features, classifier));

/** The probabilities of each row of logits, [n, classes]. */
export const probabilitiesOf = (logits: Float32Array, classes: number): number[][] =>
  Array.from({ length: logits.length / classes }, (_, row) =>
    softmax(logits.subarray(row * classes, (row + 1) * classes)),
  );

/** The function that gives the probability of each class of a text, of a bag of words fitted on reviews. */
export function bagOfWords(reviews: LabeledText[]): (text: string) => number[] {
  const bag = fitBagOfWords(
    reviews.map(({ text }) => text),
    reviews.map(({ label }) => label),
  );
  return (text) => bag.probabilities(text);
}

/** The accuracy of predicting the most frequent class of the training reviews. */
export function majorityAccuracy(train: LabeledText[], test: LabeledText[], classes: number): TestResult {
  const counts = countClasses(
    train.map(({ label }) => label),
    classes,
  );
  return evaluate(
    test.map(() => counts.map((count) => count / train.length)),
    test,
  );
}
