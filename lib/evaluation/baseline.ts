/**
 * Baselines for fine-tuning: the majority class, and a bag of words with logistic regression. The bag of words is
 * TF-IDF of words and word pairs, with the results of scikit-learn's TfidfVectorizer(ngram_range=(1, 2),
 * sublinear_tf=True) and LogisticRegression(C=4); the default, C=1, gives a weaker baseline. It takes about a second. A
 * language model that is not better is not needed.
 */
import type { Review } from '../reviews/review.js';
import { wilsonInterval, type Interval } from './metrics.js';

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

/** Words of at least two letters, and pairs of adjacent words. */
function terms(text: string): string[] {
  const words = text.toLowerCase().match(/[\p{L}\p{N}_]{2,}/gu) ?? [];
  return [...words, ...words.slice(1).map((word, i) => `${words[i]} ${word}`)];
}

/** Columns and values of the nonzero entries of a row. */
export interface SparseRow {
  columns: number[];
  values: number[];
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** weights · row + intercept; the intercept is the last of the weights. */
const score = ({ columns, values }: SparseRow, weights: Float64Array): number =>
  columns.reduce((sum, column, i) => sum + weights[column]! * values[i]!, weights.at(-1)!);

/** sums += scale · (row, 1) */
function addRow(sums: Float64Array, { columns, values }: SparseRow, scale: number): void {
  columns.forEach((column, i) => (sums[column]! += scale * values[i]!));
  sums[sums.length - 1]! += scale;
}

/** The largest eigenvalue of XᵀX by power iteration, with the intercept. It bounds the curvature of the loss. */
function largestEigenvalue(rows: SparseRow[], size: number): number {
  let vector = new Float64Array(size + 1).fill(1 / Math.sqrt(size + 1));
  let eigenvalue = 0;
  for (let iteration = 0; iteration < 30; iteration++) {
    const next = new Float64Array(size + 1);
    for (const row of rows) addRow(next, row, score(row, vector));
    eigenvalue = Math.sqrt(next.reduce((sum, value) => sum + value * value, 0));
    vector = next.map((value) => value / eigenvalue);
  }
  return eigenvalue;
}

/**
 * Logistic regression as in scikit-learn's LogisticRegression(C): the minimum of C · Σ loss + ½ |weights|², without a
 * penalty on the intercept. The solver is Nesterov's accelerated gradient with restarts (O'Donoghue and Candès, 2015).
 * @param labels 0 or 1 for each row
 * @param size number of columns
 * @param c inverse strength of the penalty
 * @returns the weights, with the intercept last
 */
export function logisticRegression(rows: SparseRow[], labels: number[], size: number, c: number): Float64Array {
  // The inverse curvature as step size never overshoots. Power iteration underestimates the curvature, hence the 1.05.
  const stepSize = 1 / (1.05 * 0.25 * largestEigenvalue(rows, size) + 1 / c);
  let weights = new Float64Array(size + 1);
  let lookahead = weights;
  let momentum = 1;
  let initialNorm = 0;
  for (let iteration = 0; iteration < 500; iteration++) {
    const gradient = lookahead.map((weight) => weight / c);
    gradient[size] = 0;
    rows.forEach((row, i) => addRow(gradient, row, sigmoid(score(row, lookahead)) - labels[i]!));
    const gradientNorm = Math.sqrt(gradient.reduce((sum, value) => sum + value * value, 0));
    initialNorm ||= gradientNorm;
    if (gradientNorm < 1e-4 * initialNorm) break;
    const next = lookahead.map((weight, i) => weight - stepSize * gradient[i]!);
    const overshoots = gradient.reduce((sum, value, i) => sum + value * (next[i]! - weights[i]!), 0) > 0;
    const nextMomentum = overshoots ? 1 : (1 + Math.sqrt(1 + 4 * momentum * momentum)) / 2;
    const extrapolation = overshoots ? 0 : (momentum - 1) / nextMomentum;
    const previous = weights;
    lookahead = next.map((weight, i) => weight + extrapolation * (weight - previous[i]!));
    weights = next;
    momentum = nextMomentum;
  }
  return weights;
}

/**
 * The number of occurrences of each term that has a column. In training texts, `columnOf` adds a column for every term.
 */
function countTerms(text: string, columnOf: (term: string) => number | undefined): Map<number, number> {
  const counts = new Map<number, number>();
  for (const term of terms(text)) {
    const column = columnOf(term);
    if (column !== undefined) counts.set(column, (counts.get(column) ?? 0) + 1);
  }
  return counts;
}

/** A fitted bag of words. */
export interface BagOfWords {
  /** The probability of each class, by class number. */
  probabilities(text: string): number[];
}

/**
 * Fits a bag of words.
 * @param labels class number of each text, from 0
 */
export function fitBagOfWords(texts: string[], labels: number[]): BagOfWords {
  const columns = new Map<string, number>();
  const newColumn = (term: string) => {
    if (!columns.has(term)) columns.set(term, columns.size);
    return columns.get(term)!;
  };
  const termCounts = texts.map((text) => countTerms(text, newColumn));
  const documentCounts = new Array<number>(columns.size).fill(0);
  for (const counts of termCounts) for (const column of counts.keys()) documentCounts[column]!++;
  const inverseFrequencies = documentCounts.map((count) => Math.log((1 + texts.length) / (1 + count)) + 1);
  const tfidfRow = (counts: Map<number, number>): SparseRow => {
    const termColumns = [...counts.keys()];
    const values = termColumns.map((column) => (1 + Math.log(counts.get(column)!)) * inverseFrequencies[column]!);
    const norm = Math.hypot(...values) || 1;
    return { columns: termColumns, values: values.map((value) => value / norm) };
  };
  const rows = termCounts.map(tfidfRow);
  // Two classes need one model. More classes need one model each (one-vs-rest).
  const classes = labels.reduce((max, label) => Math.max(max, label), 0) + 1;
  const models = (classes === 2 ? [1] : [...Array(classes).keys()]).map((positiveClass) =>
    logisticRegression(
      rows,
      labels.map((label) => (label === positiveClass ? 1 : 0)),
      columns.size,
      4,
    ),
  );
  return {
    probabilities(text) {
      const row = tfidfRow(countTerms(text, (term) => columns.get(term)));
      const scores = models.map((weights) => sigmoid(score(row, weights)));
      if (classes === 2) return [1 - scores[0]!, scores[0]!];
      const total = scores.reduce((a, b) => a + b, 0);
      return scores.map((value) => value / total);
    },
  };
}

/** The class with the highest probability. */
const mostProbable = (probabilities: number[]) => probabilities.indexOf(Math.max(...probabilities));

/**
 * Fits a bag of words on the training rows and evaluates it on the test rows.
 * @example
 * const { accuracy } = bagOfWordsBaseline(reviews.train, reviews.test); // 0.80 on the embedded reviews
 */
export function bagOfWordsBaseline(train: Review[], test: Review[]): BaselineResult {
  const bag = fitBagOfWords(
    train.map(({ text }) => text),
    train.map(({ label }) => label),
  );
  const correct = test.filter(({ text, label }) => mostProbable(bag.probabilities(text)) === label);
  return resultOf(correct.length, test.length);
}
