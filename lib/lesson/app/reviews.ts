/** The reviews of the lesson: those of the page, or a CSV file, which is read in the browser and sent nowhere. */
import Papa from 'papaparse';
import { balanceFirst } from '../../reviews/balance-first.js';
import { seededRandom, shuffle } from '../../reviews/random.js';
import { decodeText } from '../../serving/app/csv.js';
import { loadFile } from './files.js';

/** A text and its class number. */
export interface LabeledText {
  text: string;
  label: number;
}

/** Reviews to learn from and to test on. */
export interface LessonReviews {
  /** Where they come from, a phrase. */
  name: string;
  /** Class names by class number. */
  labels: string[];
  /** In the order in which they are labeled. */
  train: LabeledText[];
  test: LabeledText[];
}

/** Limits, so that a phone computes the features within minutes. */
const limits = { train: 500, test: 600, labels: 6, perClass: 10 };

/** Loads the reviews of the page, see build.ts. */
export async function pageReviews(): Promise<LessonReviews> {
  const reviews = JSON.parse(new TextDecoder().decode(await loadFile('reviews.json'))) as LessonReviews;
  return { ...reviews, train: balanceFirst(reviews.train, reviews.labels.length) };
}

/** A CSV file: its columns and rows. */
export interface CsvFile {
  name: string;
  columns: string[];
  rows: Record<string, string>[];
}

/** Reads a CSV file with a header. @throws Error with a message for the user */
export async function readCsvFile(file: File): Promise<CsvFile> {
  const text = decodeText(new Uint8Array(await file.arrayBuffer()));
  const { data, meta } = Papa.parse<Record<string, string>>(text, { header: true, skipEmptyLines: true });
  const columns = meta.fields ?? [];
  if (data.length === 0 || columns.length < 2)
    throw new Error(
      `${file.name} needs a header, a column with texts, a column with classes, and rows below the header.`,
    );
  return { name: file.name, columns, rows: data };
}

/**
 * Chooses reviews of a CSV file: a fifth of them, at most 600, are the test set. Equal texts are used once.
 * @param textColumn column with the texts
 * @param labelColumn column with the classes: two to six, each of at least ten reviews
 * @throws Error with a message for the user if there are not enough classes or reviews
 */
export function reviewsOfCsv({ name, rows }: CsvFile, textColumn: string, labelColumn: string): LessonReviews {
  const labelOf = new Map<string, string>();
  for (const row of rows) {
    const [text, label] = [textColumn, labelColumn].map((column) => (row[column] ?? '').trim()) as [string, string];
    if (text !== '' && label !== '' && !labelOf.has(text)) labelOf.set(text, label);
  }
  const counts = new Map<string, number>();
  for (const label of labelOf.values()) counts.set(label, (counts.get(label) ?? 0) + 1);
  const labels = [...counts.keys()].sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  if (labels.length < 2 || labels.length > limits.labels)
    throw new Error(
      `The column ${labelColumn} has ${labels.length} different values. Choose a column with 2 to ${limits.labels} classes.`,
    );
  const rare = labels.find((label) => counts.get(label)! < limits.perClass);
  if (rare !== undefined)
    throw new Error(
      `There are ${counts.get(rare)} different reviews of the class ${rare}. Each class needs at least ${limits.perClass}.`,
    );
  const all = shuffle(
    [...labelOf].map(([text, label]) => ({ text, label: labels.indexOf(label) })),
    seededRandom(42),
  );
  const testCount = Math.min(limits.test, Math.floor(all.length / 5));
  // Balanced before the limit, so that rare classes are not lost.
  const train = balanceFirst(all.slice(testCount), labels.length).slice(0, limits.train);
  return { name, labels, test: all.slice(0, testCount), train };
}
