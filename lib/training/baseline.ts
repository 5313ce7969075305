/**
 * What fine-tuning has to beat: always answering the commoner class, and a bag of words (TF-IDF of words and pairs of
 * words, logistic regression), as scikit-learn's TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True) and
 * LogisticRegression() do it. The second takes a second and is good: a language model that does not beat it is not needed.
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

interface SparseRow {
  columns: number[];
  values: number[];
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/**
 * Fits a bag of words on the training rows (two classes, 0 and 1) and answers the test rows.
 * Minimises the summed logistic loss and half the squared weights, by Nesterov's accelerated gradient (300 iterations).
 */
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

  const size = columnOf.size;
  let weights = new Float64Array(size + 1); // the last is the intercept, which is not penalised
  let ahead = weights.slice();
  let momentum = 1;
  // The loss curves at most by n / 4 along a row of length 1, once more for the intercept, and by 1 for the penalty.
  const stepSize = 1 / (train.length / 2 + 1);
  const score = ({ columns, values }: SparseRow, by: Float64Array) =>
    columns.reduce((sum, column, i) => sum + by[column]! * values[i]!, by[size]!);
  for (let iteration = 0; iteration < 300; iteration++) {
    const gradient = ahead.slice();
    gradient[size] = 0;
    rows.forEach((row, n) => {
      const error = sigmoid(score(row, ahead)) - train[n]!.label;
      row.columns.forEach((column, i) => (gradient[column]! += error * row.values[i]!));
      gradient[size]! += error;
    });
    const next = ahead.map((weight, i) => weight - stepSize * gradient[i]!);
    const nextMomentum = (1 + Math.sqrt(1 + 4 * momentum * momentum)) / 2;
    ahead = next.map((weight, i) => weight + ((momentum - 1) / nextMomentum) * (weight - weights[i]!));
    weights = next;
    momentum = nextMomentum;
  }

  const right = test.filter(({ text, label }) => {
    const counts = new Map<number, number>();
    for (const term of terms(text)) {
      const column = columnOf.get(term);
      if (column !== undefined) counts.set(column, (counts.get(column) ?? 0) + 1);
    }
    return (score(weigh(counts), weights) > 0 ? 1 : 0) === label;
  });
  return outcome(right.length, test.length);
}
