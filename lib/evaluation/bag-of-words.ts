/**
 * A bag of words with logistic regression: TF-IDF of words and word pairs, with the results of scikit-learn's
 * TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True) and LogisticRegression(C=4); the default, C=1, gives a weaker
 * baseline. It takes about a second.
 */
import { logisticRegression, type SparseRow } from './logistic-regression.js';

/** Words of at least two letters, and pairs of adjacent words. */
function terms(text: string): string[] {
  const words = text.toLowerCase().match(/[\p{L}\p{N}_]{2,}/gu) ?? [];
  return [...words, ...words.slice(1).map((word, i) => `${words[i]} ${word}`)];
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

/** TF-IDF of words and word pairs, as of scikit-learn's TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True). */
export interface Tfidf {
  /** The rows of the texts that it was fitted on. */
  rows: SparseRow[];
  /** Number of columns. */
  size: number;
  /** The row of any text; terms of other texts are ignored. */
  rowOf: (text: string) => SparseRow;
}

/** Fits TF-IDF on texts. */
export function fitTfidf(texts: string[]): Tfidf {
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
    const termColumns = Int32Array.from(counts.keys());
    const values = Float64Array.from(
      termColumns,
      (column) => (1 + Math.log(counts.get(column)!)) * inverseFrequencies[column]!,
    );
    const norm = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0)) || 1;
    return { columns: termColumns, values: values.map((value) => value / norm) };
  };
  return {
    rows: termCounts.map(tfidfRow),
    size: columns.size,
    rowOf: (text) => tfidfRow(countTerms(text, (term) => columns.get(term))),
  };
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
  const { rows, size, rowOf } = fitTfidf(texts);
  const classes = labels.reduce((max, label) => Math.max(max, label), 0) + 1;
  const fitted = logisticRegression(rows, labels, { columns: size, classes, c: 4 });
  return { probabilities: (text) => fitted.probabilities(rowOf(text)) };
}
