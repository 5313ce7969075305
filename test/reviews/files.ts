// Files that tests write, and what is read from them.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { parquetWriteBuffer, type SchemaElement } from 'hyparquet-writer';
import { openReviews } from '#lib/reviews/open-reviews.js';
import type { ReviewsOptions } from '#lib/reviews/reviews-options.js';
import { sampleReviews } from '#lib/reviews/sample.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-files-'));
after(() => fs.rmSync(folder, { recursive: true }));
let count = 0;

/** Writes files into a new folder and returns its path. */
export function writeFolder(files: Record<string, string | Uint8Array>): string {
  const target = path.join(folder, String(count++));
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(target, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, content);
  }
  return target;
}

/** Writes a file and returns its path. */
export const writeFile = (name: string, content: string | Uint8Array): string =>
  path.join(writeFolder({ [name]: content }), name);

/** Reads a file or folder: the reviews as `text|class`, the source, and how its first file was read. */
export async function readFile(file: string, options: ReviewsOptions = {}) {
  const source = await openReviews(file, options);
  const reviews = await sampleReviews(source);
  return {
    source,
    reviews: reviews.map(({ text, label }) => `${text}|${source.labelNames[label]}`),
    splits: reviews.map(({ split }) => split),
    columns: [source.reading.textColumns, source.reading.labelColumn],
    description: Object.values(source.splits)[0]![0]!.description,
    skipped: source.skipped.map((each) => `${path.relative(file, each.file)}: ${each.reason}`),
  };
}

/** Writes a file and reads it. */
export const readText = (name: string, content: string | Uint8Array, options: ReviewsOptions = {}) =>
  readFile(writeFile(name, content), options);

/** Parquet with a list of class numbers as the `datasets` library writes it. */
export function listParquet(lists: bigint[][], metadata?: object): Buffer {
  const schema: SchemaElement[] = [
    { name: 'root', num_children: 2 },
    { name: 'text', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' },
    { name: 'labels', converted_type: 'LIST', num_children: 1, repetition_type: 'REQUIRED' },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
    { name: 'element', type: 'INT64', repetition_type: 'REQUIRED' },
  ];
  const columnData = [
    { name: 'text', data: lists.map((_, i) => `t${i}`) },
    { name: 'labels', data: lists },
  ];
  const kvMetadata = metadata ? [{ key: 'huggingface', value: JSON.stringify(metadata) }] : [];
  return Buffer.from(parquetWriteBuffer({ columnData, schema, kvMetadata }));
}
