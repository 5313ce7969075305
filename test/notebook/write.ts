// Writes small notebooks for tests and reads executed ones.
import fs from 'node:fs';
import path from 'node:path';
import { root } from '../checkout.js';

export interface StoredOutput {
  output_type: string;
  name?: string;
  text?: string | string[];
  data?: Record<string, unknown>;
}
export interface StoredNotebook {
  cells: { cell_type: string; source: string | string[]; execution_count?: number | null; outputs?: StoredOutput[] }[];
}

/** Reads a notebook. */
export const readNotebook = (file: string) => JSON.parse(fs.readFileSync(file, 'utf8')) as StoredNotebook;

/** Joins a text that a notebook may store as a list of lines. */
export const joined = (text: string | string[] | undefined) => [text ?? ''].flat().join('');

/** Writes a notebook with these code cells into a folder and links the project's packages there for the kernel. */
export function writeNotebook(folder: string, sources: string[]): string {
  const modules = path.join(folder, 'node_modules');
  if (!fs.existsSync(modules)) fs.symlinkSync(path.join(root, 'node_modules'), modules);
  const cells = sources.map((source, i) => ({
    cell_type: 'code',
    id: `c${i}`,
    metadata: {},
    execution_count: null,
    outputs: [],
    source,
  }));
  const kernelspec = { name: 'tslab', display_name: 'tslab', language: 'typescript' };
  const notebook = path.join(folder, 'tried.ipynb');
  fs.writeFileSync(notebook, JSON.stringify({ cells, metadata: { kernelspec }, nbformat: 4, nbformat_minor: 5 }));
  return notebook;
}

/** Returns what each cell printed to stdout. */
export const outputOf = (file: string): string[] =>
  readNotebook(file).cells.map(({ outputs }) =>
    (outputs ?? [])
      .filter(({ name }) => name === 'stdout')
      .map(({ text }) => joined(text))
      .join('')
      .trim(),
  );
