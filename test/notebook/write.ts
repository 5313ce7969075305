// Small notebooks for the tests, and what is in an executed one.
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

export const readNotebook = (file: string) => JSON.parse(fs.readFileSync(file, 'utf8')) as StoredNotebook;

export const joined = (text: string | string[] | undefined) => [text ?? ''].flat().join('');

/** Writes a notebook of the given code cells into a folder from which the kernel finds the project's packages. */
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

/** What each cell printed. */
export const outputOf = (file: string): string[] =>
  readNotebook(file).cells.map(({ outputs }) =>
    (outputs ?? [])
      .filter(({ name }) => name === 'stdout')
      .map(({ text }) => joined(text))
      .join('')
      .trim(),
  );
