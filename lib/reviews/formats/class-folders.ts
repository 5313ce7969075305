/** One text per file, in folders named after their classes: train/pos/1_9.txt (as in aclImdb). */
import fs from 'node:fs';
import path from 'node:path';
import type { Row } from '../row-file.js';
import { openBytes } from './bytes.js';
import { badEncoding, batchRows, openText, type RowReader, type TextOptions } from './row-reader.js';

/** Folders of texts without a label, by name. */
const unlabeled = new Set(['unsup', 'unlabeled', 'unlabelled', 'unsupervised']);

/** A folder with a subfolder for each class. */
export interface ClassFolder {
  /** The folder that contains the classes. */
  folder: string;
  /** Names of the classes, sorted. */
  classes: string[];
}

/** Texts have the extension .txt or none, as in the 20 newsgroups, whose files are named 49960. */
const isText = (name: string) => ['.txt', ''].includes(path.extname(name).toLowerCase());

/** Whether a folder contains texts, apart from files that begin with a dot, and no folders. */
function containsTextsOnly(folder: string): boolean {
  const entries = fs.readdirSync(folder, { withFileTypes: true }).filter(({ name }) => !name.startsWith('.'));
  return entries.length > 0 && entries.every((entry) => entry.isFile() && isText(entry.name));
}

/** Finds the folders in a folder, itself included, whose subfolders contain the texts of two classes or more. */
export function findClassFolders(folder: string): ClassFolder[] {
  const folders = fs
    .readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name)
    .sort();
  const classes = folders.filter((name) => containsTextsOnly(path.join(folder, name)));
  if (classes.filter((name) => !unlabeled.has(name)).length >= 2) return [{ folder, classes }];
  return folders.flatMap((name) => findClassFolders(path.join(folder, name)));
}

/** Opens the texts of a class folder as rows with the columns `text`, `label` and `file`. */
export function openClassFolder({ folder, classes }: ClassFolder, options: TextOptions): RowReader {
  const encodings = new Set<string>();
  return {
    columns: ['text', 'label', 'file'],
    roles: { texts: [['text']], labels: ['label'] },
    describe: () => ({ format: 'a text per file', encoding: [...encodings].sort().join(', ') }),
    async *rows(onBadRow) {
      let rows: Row[] = [];
      for (const name of classes) {
        const label = unlabeled.has(name) ? null : name;
        const files = fs.readdirSync(path.join(folder, name)).filter((file) => isText(file) && !file.startsWith('.'));
        for (const file of files.sort()) {
          const relative = path.join(name, file);
          const text = await openText(await openBytes(relative, path.join(folder, relative)), '.txt', options);
          let content = '';
          for await (const block of text.read()) content += block;
          encodings.add(text.encoding());
          const bad = badEncoding(1, content, text.encoding());
          if (bad) onBadRow({ ...bad, content: `${relative}: ${bad.content}` });
          else rows.push({ text: content, label, file: relative });
          if (rows.length >= batchRows) {
            yield rows;
            rows = [];
          }
        }
      }
      if (rows.length > 0) yield rows;
    },
  };
}
