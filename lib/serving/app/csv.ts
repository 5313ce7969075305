/** CSV files in the browser: reads them, scores their rows in batches, and writes them with the predictions. */
import type { Engine, Probabilities } from './engines.js';

export interface Table {
  columns: string[];
  rows: Record<string, string>[];
}

// The browser builds of csv-parse and csv-stringify, served next to the page.
const { parse } = (await import(new URL('csv-parse.js', import.meta.url).href)) as {
  parse: (text: string, options: object) => Record<string, string>[];
};
const { stringify } = (await import(new URL('csv-stringify.js', import.meta.url).href)) as {
  stringify: (rows: object[], options: object) => string;
};

/**
 * Parses a CSV file.
 * @throws Error with a message for the user if the file is not a CSV file with a header and rows
 */
export function readCsv(text: string): Table {
  let rows: Record<string, string>[];
  try {
    rows = parse(text, { columns: true, bom: true, skip_empty_lines: true });
  } catch (error) {
    throw new Error(`Cannot read the CSV file: ${(error as Error).message}`, { cause: error });
  }
  if (rows.length === 0) throw new Error('The CSV file has no rows below its header.');
  return { columns: Object.keys(rows[0]!), rows };
}

/** Rows per request. */
const batchSize = 64;

/** The text of a row: its non-empty text columns, joined as in training. */
const textOf = (row: Record<string, string>, columns: string[]): string =>
  columns
    .map((column) => (row[column] ?? '').trim())
    .filter((text) => text !== '')
    .join('. ');

/**
 * Scores the rows of a table.
 * @param columns with the text
 * @param onProgress called with the fraction of rows done
 * @returns rows with predictions, and the number of rows per label
 */
export async function scoreRows(
  { rows }: Table,
  columns: string[],
  engine: Engine,
  onProgress: (fraction: number) => void,
): Promise<{ rows: Record<string, string>[]; counts: Record<string, number> }> {
  const scored: Record<string, string>[] = [];
  const counts: Record<string, number> = {};
  for (let i = 0; i < rows.length; i += batchSize) {
    const batch = rows.slice(i, i + batchSize);
    const withText = batch.filter((row) => textOf(row, columns) !== '');
    const probabilities = withText.length > 0 ? await engine(withText.map((row) => textOf(row, columns))) : [];
    const probabilitiesOf = new Map(withText.map((row, j) => [row, probabilities[j]!]));
    for (const row of batch) {
      const [label, score] = prediction(probabilitiesOf.get(row));
      if (label) counts[label] = (counts[label] ?? 0) + 1;
      scored.push({ ...row, predicted_label: label, predicted_score: score });
    }
    onProgress(Math.min(1, (i + batchSize) / rows.length));
  }
  return { rows: scored, counts };
}

/** The label and score of a row, both empty without text. */
function prediction(probabilities: Probabilities | undefined): [string, string] {
  if (!probabilities) return ['', ''];
  const [label, score] = Object.entries(probabilities).reduce((best, entry) => (entry[1] > best[1] ? entry : best));
  return [label, score.toFixed(6)];
}

/** Formats a table with its predictions as CSV. */
export const writeCsv = ({ columns }: Table, rows: Record<string, string>[]): string =>
  stringify(rows, { header: true, columns: [...columns, 'predicted_label', 'predicted_score'] });
