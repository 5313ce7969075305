/**
 * What fine-tuning has to beat: always answering the commoner class, and a bag of words (TF-IDF of words and pairs of
 * words, logistic regression), as scikit-learn's TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True) and
 * LogisticRegression(C=4) do it; the penalty's default, C=1, makes a weaker one. It takes a second and is good: a
 * language model that does not beat it is not needed.
 */
import type { Review } from '../reviews/review.js';
import { wilsonInterval, type Interval } from './metrics.js';

/** How good a baseline is on the test rows. */
export interface BaselineResult {
  /** A share, from 0 to 1. */
  accuracy: number;
  /** 95 % interval of the accuracy. */
  interval: Interval;
}

const outcome = (right: number, count: number): BaselineResult => ({
  accuracy: right / count,
  interval: wilsonInterval(right, count),
});

/** Always answers the class that is commonest among the training rows. */
export function majorityBaseline(train: Review[], test: Review[]): BaselineResult {
  const counts = new Map<number, number>();
  for (const { label } of train) counts.set(label, (counts.get(label) ?? 0) + 1);
  const commonest = [...counts].sort((a, b) => b[1] - a[1])[0]![0];
  return outcome(test.filter(({ label }) => label === commonest).length, test.length);
}

/** Words of two letters or more, and neighbouring pairs. */
function terms(text: string): string[] {
  const words = text.toLowerCase().match(/[\p{L}\p{N}_]{2,}/gu) ?? [];
  return [...words, ...words.slice(1).map((word, i) => `${words[i]} ${word}`)];
}

/** Columns and values of the entries that are not 0. */
export interface SparseRow {
  columns: number[];
  values: number[];
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** weights · row + intercept, which is the weights' last number. */
const score = ({ columns, values }: SparseRow, weights: Float64Array): number =>
  columns.reduce((sum, column, i) => sum + weights[column]! * values[i]!, weights.at(-1)!);

/** sums += share · (row, 1) */
function addRow(sums: Float64Array, { columns, values }: SparseRow, share: number): void {
  columns.forEach((column, i) => (sums[column]! += share * values[i]!));
  sums[sums.length - 1]! += share;
}

/** The largest eigenvalue of the rows' XᵀX, intercept included, by power iteration: how steep the loss can turn. */
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
 * Logistic regression as scikit-learn's LogisticRegression(C): the minimum of C · Σ loss + ½ |weights|², the intercept not
 * penalised. By Nesterov's accelerated gradient, restarted where it overshoots (O'Donoghue and Candès, 2015).
 * @param labels 0 or 1 a row
 * @param size columns there are
 * @param c inverse strength of the penalty
 * @returns weights, the intercept last
 */
export function logisticRegression(rows: SparseRow[], labels: number[], size: number, c: number): Float64Array {
  // A step of the inverse curvature never overshoots; power iteration comes from below, so a little is added.
  const stepSize = 1 / (1.05 * 0.25 * largestEigenvalue(rows, size) + 1 / c);
  let weights = new Float64Array(size + 1);
  let ahead = weights;
  let momentum = 1;
  let firstSteepness = 0;
  for (let iteration = 0; iteration < 500; iteration++) {
    const gradient = ahead.map((weight) => weight / c);
    gradient[size] = 0;
    rows.forEach((row, i) => addRow(gradient, row, sigmoid(score(row, ahead)) - labels[i]!));
    const steepness = Math.sqrt(gradient.reduce((sum, value) => sum + value * value, 0));
    firstSteepness ||= steepness;
    if (steepness < 1e-4 * firstSteepness) break;
    const next = ahead.map((weight, i) => weight - stepSize * gradient[i]!);
    const uphill = gradient.reduce((sum, value, i) => sum + value * (next[i]! - weights[i]!), 0) > 0;
    const nextMomentum = uphill ? 1 : (1 + Math.sqrt(1 + 4 * momentum * momentum)) / 2;
    const push = uphill ? 0 : (momentum - 1) / nextMomentum;
    const before = weights;
    ahead = next.map((weight, i) => weight + push * (weight - before[i]!));
    weights = next;
    momentum = nextMomentum;
  }
  return weights;
}

/** How often each term that has a column occurs; of training texts every term gets one. */
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
  /** The probability of each class, in order of their numbers. */
  probabilities(text: string): number[];
}

/**
 * Fits a bag of words.
 * @param labels class numbers from 0, one a text
 */
export function fitBagOfWords(texts: string[], labels: number[]): BagOfWords {
  const columns = new Map<string, number>();
  const newColumn = (term: string) => {
    if (!columns.has(term)) columns.set(term, columns.size);
    return columns.get(term)!;
  };
  const counted = texts.map((text) => countTerms(text, newColumn));
  const documents = new Array<number>(columns.size).fill(0);
  for (const counts of counted) for (const column of counts.keys()) documents[column]!++;
  const inverse = documents.map((count) => Math.log((1 + texts.length) / (1 + count)) + 1);
  const weigh = (counts: Map<number, number>): SparseRow => {
    const present = [...counts.keys()];
    const values = present.map((column) => (1 + Math.log(counts.get(column)!)) * inverse[column]!);
    const length = Math.hypot(...values) || 1;
    return { columns: present, values: values.map((value) => value / length) };
  };
  const rows = counted.map(weigh);
  // Two classes need one model, more need one each: is it this class or another?
  const classes = labels.reduce((most, label) => Math.max(most, label), 0) + 1;
  const models = (classes === 2 ? [1] : [...Array(classes).keys()]).map((wanted) =>
    logisticRegression(
      rows,
      labels.map((label) => (label === wanted ? 1 : 0)),
      columns.size,
      4,
    ),
  );
  return {
    probabilities(text) {
      const row = weigh(countTerms(text, (term) => columns.get(term)));
      const found = models.map((weights) => sigmoid(score(row, weights)));
      if (classes === 2) return [1 - found[0]!, found[0]!];
      const total = found.reduce((a, b) => a + b, 0);
      return found.map((share) => share / total);
    },
  };
}

/** The class of the highest probability. */
const likeliest = (shares: number[]) => shares.indexOf(Math.max(...shares));

/** Fits a bag of words on the training rows and answers the test rows. */
export function bagOfWordsBaseline(train: Review[], test: Review[]): BaselineResult {
  const bag = fitBagOfWords(
    train.map(({ text }) => text),
    train.map(({ label }) => label),
  );
  const right = test.filter(({ text, label }) => likeliest(bag.probabilities(text)) === label);
  return outcome(right.length, test.length);
}
