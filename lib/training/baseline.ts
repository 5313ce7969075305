/**
 * What fine-tuning has to beat: always answering the commoner class, and a bag of words (TF-IDF of words and pairs of
 * words, logistic regression), as scikit-learn's TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True) and
 * LogisticRegression(C=4) do it; the penalty's default, C=1, makes a weaker one. It takes a second and is good: a
 * language model that does not beat it is not needed.
 */
import { reviewsOf, type ReviewTable } from '../reviews/table.js';
import { wilsonInterval, type Interval } from './metrics.js';

export interface BaselineResult {
  accuracy: number;
  interval: Interval;
}

const outcome = (right: number, count: number): BaselineResult => ({
  accuracy: right / count,
  interval: wilsonInterval(right, count),
});

/** Always answers the class that is commonest among the training rows. */
export function majorityBaseline(train: ReviewTable, test: ReviewTable): BaselineResult {
  const counts = new Map<number, number>();
  for (const { label } of reviewsOf(train)) counts.set(label, (counts.get(label) ?? 0) + 1);
  const commonest = [...counts].sort((a, b) => b[1] - a[1])[0]![0];
  const tested = reviewsOf(test);
  return outcome(tested.filter(({ label }) => label === commonest).length, tested.length);
}

/** Words of two letters or more, and neighbouring pairs. */
function terms(text: string): string[] {
  const words = text.toLowerCase().match(/[\p{L}\p{N}_]{2,}/gu) ?? [];
  return [...words, ...words.slice(1).map((word, i) => `${words[i]} ${word}`)];
}

/** Columns and values of the entries that are not 0. */
interface SparseRow {
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

/** Fits a bag of words on the training rows and answers the test rows. */
export function bagOfWordsBaseline(trainTable: ReviewTable, testTable: ReviewTable): BaselineResult {
  const [train, test] = [reviewsOf(trainTable), reviewsOf(testTable)];
  const columnOf = new Map<string, number>();
  const documents: number[] = [];
  const counted = train.map(({ text }) => {
    const counts = new Map<number, number>();
    for (const term of terms(text)) {
      let column = columnOf.get(term);
      if (column === undefined) columnOf.set(term, (column = columnOf.size));
      counts.set(column, (counts.get(column) ?? 0) + 1);
    }
    for (const column of counts.keys()) documents[column] = (documents[column] ?? 0) + 1;
    return counts;
  });
  const inverse = documents.map((count) => Math.log((1 + train.length) / (1 + count)) + 1);
  const weigh = (counts: Map<number, number>): SparseRow => {
    const columns = [...counts.keys()];
    const values = columns.map((column) => (1 + Math.log(counts.get(column)!)) * inverse[column]!);
    const length = Math.hypot(...values) || 1;
    return { columns, values: values.map((value) => value / length) };
  };
  const rows = counted.map(weigh);
  // Two classes need one model, more need one each: is it this class or another?
  const classes = Math.max(...train.map(({ label }) => label)) + 1;
  const models = (classes === 2 ? [1] : [...Array(classes).keys()]).map((wanted) =>
    logisticRegression(
      rows,
      train.map(({ label }) => (label === wanted ? 1 : 0)),
      columnOf.size,
      4,
    ),
  );
  const right = test.filter(({ text, label }) => {
    const counts = new Map<number, number>();
    for (const term of terms(text)) {
      const column = columnOf.get(term);
      if (column !== undefined) counts.set(column, (counts.get(column) ?? 0) + 1);
    }
    const scores = models.map((weights) => score(weigh(counts), weights));
    return (classes === 2 ? Number(scores[0]! > 0) : scores.indexOf(Math.max(...scores))) === label;
  });
  return outcome(right.length, test.length);
}
