/** A CSV in the browser: read, scored row by row in pieces, and written with the verdicts. */
import type { Engine, Shares } from './engines.js';

export interface Table {
  columns: string[];
  rows: Record<string, string>[];
}

// csv-parse and csv-stringify in their browsers' making, served beside the page.
const { parse } = (await import(new URL('csv-parse.js', import.meta.url).href)) as {
  parse: (text: string, options: object) => Record<string, string>[];
};
const { stringify } = (await import(new URL('csv-stringify.js', import.meta.url).href)) as {
  stringify: (rows: object[], options: object) => string;
};

/** @throws Error in words for a file that is no CSV with a header and rows */
export function readCsv(text: string): Table {
  let rows: Record<string, string>[];
  try {
    rows = parse(text, { columns: true, bom: true, skip_empty_lines: true });
  } catch (error) {
    throw new Error(`This is no CSV that can be read: ${(error as Error).message}`, { cause: error });
  }
  if (rows.length === 0) throw new Error('The file has no rows below its header.');
  return { columns: Object.keys(rows[0]!), rows };
}

/** Rows of one request. */
const atOnce = 64;

/**
 * @param onProgress told of the share of the rows that is through
 * @returns rows with the verdict, and how many of each label
 */
export async function scoreRows(
  { rows }: Table,
  column: string,
  engine: Engine,
  onProgress: (share: number) => void,
): Promise<{ rows: Record<string, string>[]; counts: Record<string, number> }> {
  const scored: Record<string, string>[] = [];
  const counts: Record<string, number> = {};
  for (let i = 0; i < rows.length; i += atOnce) {
    const some = rows.slice(i, i + atOnce);
    const asked = some.filter((row) => (row[column] ?? '').trim() !== '');
    const shares = asked.length > 0 ? await engine(asked.map((row) => row[column]!)) : [];
    const found = new Map(asked.map((row, j) => [row, shares[j]!]));
    for (const row of some) {
      const [label, score] = verdict(found.get(row));
      if (label) counts[label] = (counts[label] ?? 0) + 1;
      scored.push({ ...row, predicted_label: label, predicted_score: score });
    }
    onProgress(Math.min(1, (i + atOnce) / rows.length));
  }
  return { rows: scored, counts };
}

function verdict(shares: Shares | undefined): [string, string] {
  if (!shares) return ['', ''];
  const [label, score] = Object.entries(shares).reduce((best, each) => (each[1] > best[1] ? each : best));
  return [label, score.toFixed(6)];
}

export const writeCsv = ({ columns }: Table, rows: Record<string, string>[]): string =>
  stringify(rows, { header: true, columns: [...columns, 'predicted_label', 'predicted_score'] });
