/** CSV files in the browser: reads them, scores their rows in batches, and writes them with the predictions. */
import type { Engine, Input, Scored } from './engines.js';

/** A file: its columns, its rows, and the delimiter between its values. */
export interface Table {
  columns: string[];
  rows: Record<string, string>[];
  delimiter: string;
}

// papaparse.js, which the page loads before its modules.
declare const Papa: {
  parse(
    text: string,
    options: { header: true; skipEmptyLines: true },
  ): {
    data: Record<string, string>[];
    errors: { code: string; message: string; row?: number }[];
    meta: { fields?: string[]; delimiter: string };
  };
  unparse(data: { fields: string[]; data: Record<string, string>[] }, options: { delimiter: string }): string;
};

/**
 * Decodes a text file: UTF-8 or UTF-16, else Windows-1252.
 * @throws Error with a message for the user if the file is not text
 */
export function decodeText(bytes: Uint8Array): string {
  const [first, second] = bytes;
  if (first === 0xff && second === 0xfe) return new TextDecoder('utf-16le').decode(bytes);
  if (first === 0xfe && second === 0xff) return new TextDecoder('utf-16be').decode(bytes);
  if (bytes.includes(0))
    throw new Error('This is not a CSV file. Save it as CSV, or score it with: npx tunebook score --file FILE');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('windows-1252').decode(bytes);
  }
}

const probabilityColumn = (name: string) => `probability_${name}`;

/** The columns that scoring adds; `classes` as in scoreRows. */
const addedColumns = (classes: string[] | undefined): string[] =>
  classes ? ['predicted_labels', ...classes.map(probabilityColumn)] : ['predicted_label', 'predicted_score'];

/**
 * Parses a CSV file; the delimiter is detected.
 * @param classes as in scoreRows
 * @throws Error with a message for the user if the file is not a CSV file with a header and rows, or has a column that scoring adds
 */
export function readCsv(text: string, classes: string[] | undefined): Table {
  const { data, errors, meta } = Papa.parse(text, { header: true, skipEmptyLines: true });
  // A file with one column has no delimiter to detect.
  const error = errors.find(({ code }) => code !== 'UndetectableDelimiter');
  if (error) throw new Error(`Cannot read the CSV file: row ${(error.row ?? 0) + 1}: ${error.message}`);
  if (data.length === 0) throw new Error('The CSV file has no rows below its header.');
  const conflict = addedColumns(classes).find((column) => meta.fields!.includes(column));
  if (conflict !== undefined)
    throw new Error(`The CSV file already has a column '${conflict}', which scoring adds. Rename that column.`);
  return { columns: meta.fields!, rows: data, delimiter: meta.delimiter };
}

/** Rows per request. */
const batchSize = 64;

/** The text of a row: its non-empty text columns, joined as in training. */
const textOf = (row: Record<string, string>, columns: string[]): string =>
  columns
    .map((column) => (row[column] ?? '').trim())
    .filter((text) => text !== '')
    .join('. ');

/** The columns with the text, and of pairs the column with the second text. */
export interface TextColumns {
  text: string[];
  pair?: string;
}

/** The input of a row; undefined if a text is empty. */
function inputOf(row: Record<string, string>, { text: columns, pair: pairColumn }: TextColumns): Input | undefined {
  const text = textOf(row, columns);
  if (pairColumn === undefined) return text === '' ? undefined : { text };
  const pair = textOf(row, [pairColumn]);
  return text === '' || pair === '' ? undefined : { text, pair };
}

/**
 * Scores the rows of a table.
 * @param columns with the texts
 * @param classes of a model of multi-label classification. @default undefined: the model predicts one class or a number
 * @param onProgress called with the fraction of rows done
 * @returns rows with predictions, the number of rows per label, and of rows with a text to which no class applies
 */
export async function scoreRows(
  { rows }: Table,
  columns: TextColumns,
  engine: Engine,
  classes: string[] | undefined,
  onProgress: (fraction: number) => void,
): Promise<{ rows: Record<string, string>[]; counts: Record<string, number>; withoutClass: number }> {
  const scored: Record<string, string>[] = [];
  const counts: Record<string, number> = {};
  let withoutClass = 0;
  for (let i = 0; i < rows.length; i += batchSize) {
    const batch = rows.slice(i, i + batchSize);
    const withText = batch.flatMap((row) => {
      const input = inputOf(row, columns);
      return input ? [{ row, input }] : [];
    });
    const results = withText.length > 0 ? await engine(withText.map(({ input }) => input)) : [];
    const resultOf = new Map(withText.map(({ row }, j) => [row, results[j]!]));
    for (const row of batch) {
      const result = resultOf.get(row);
      if (result?.labels.length === 0) withoutClass++;
      for (const label of result?.labels ?? []) counts[label] = (counts[label] ?? 0) + 1;
      scored.push({ ...row, ...(classes ? predictedSet(result, classes) : prediction(result)) });
    }
    onProgress(Math.min(1, (i + batchSize) / rows.length));
  }
  return { rows: scored, counts, withoutClass };
}

/** The label and score of a row, both empty without text. */
const prediction = (scored: Scored | undefined): Record<string, string> => ({
  predicted_label: scored?.label ?? '',
  predicted_score: scored?.probabilities[scored.label]!.toFixed(6) ?? '',
});

/** The classes of a row as a JSON array, in the order of the classes, and the probability of each class; empty without text. */
const predictedSet = (scored: Scored | undefined, classes: string[]): Record<string, string> => ({
  predicted_labels: scored ? JSON.stringify(classes.filter((name) => scored.labels.includes(name))) : '',
  ...Object.fromEntries(
    classes.map((name) => [probabilityColumn(name), scored?.probabilities[name]!.toFixed(6) ?? '']),
  ),
});

/** Formats a table with its predictions as CSV, with the delimiter of the file; `classes` as in scoreRows. */
export function writeCsv(
  { columns, delimiter }: Table,
  rows: Record<string, string>[],
  classes: string[] | undefined,
): string {
  return Papa.unparse({ fields: [...columns, ...addedColumns(classes)], data: rows }, { delimiter });
}
