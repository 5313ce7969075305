/** One text per file, in folders named after their classes: train/pos/1_9.txt (as in aclImdb). */
import fs from 'node:fs';
import path from 'node:path';
import { isSplitName } from '../../hub/dataset.js';
import type { Row } from '../row-file.js';
import { openBytes } from './bytes.js';
import { isDataFile } from './formats.js';
import { badEncoding, batchRows, openText, type RowReader, type TextOptions } from './row-reader.js';

/** Folders of texts without a label, by name. */
const unlabeled = new Set(['unsup', 'unlabeled', 'unlabelled', 'unsupervised']);

/** A folder with a subfolder for each class. */
export interface ClassFolder {
  /** The folder that contains the classes. */
  folder: string;
  /** Names of the classes, sorted. */
  classes: string[];
  /** Paths in their folders that are no texts, such as README.md. */
  others: string[];
}

/** Texts have the extension .txt or none, as in the 20 newsgroups, whose files are named 49960. A README is none. */
const isText = (name: string) =>
  ['.txt', ''].includes(path.extname(name).toLowerCase()) && !/^(?:readme|licen[cs]e)(?:\.|$)/i.test(name);

const isHidden = (name: string) => name.startsWith('.');

/** Whether a folder contains the texts of a class: mostly texts, no tables and no folders. */
function isClass(folder: string): boolean {
  const entries = fs.readdirSync(folder, { withFileTypes: true }).filter(({ name }) => !isHidden(name));
  const texts = entries.filter(({ name }) => isText(name));
  const others = entries.filter(({ name }) => !isText(name));
  return (
    texts.length > others.length &&
    entries.every((entry) => entry.isFile()) &&
    !others.some(({ name }) => isDataFile(name) && path.extname(name).toLowerCase() !== '.txt')
  );
}

/** Finds the folders in a folder, itself included, whose subfolders contain the texts of two classes or more. */
export function findClassFolders(folder: string): ClassFolder[] {
  const folders = fs
    .readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name)
    .sort();
  const withTexts = folders.filter((name) => isClass(path.join(folder, name)));
  // Folders of splits contain all classes: their files are read by their content. But of valid and invalid both are classes.
  const others = withTexts.filter((name) => !isSplitName(name));
  const classes = others.length === 1 ? withTexts : others;
  if (classes.filter((name) => !unlabeled.has(name)).length >= 2) {
    const filesIn = (name: string) =>
      fs.readdirSync(path.join(folder, name)).map((file) => path.join(folder, name, file));
    const noTexts = classes
      .flatMap(filesIn)
      .filter((file) => !isText(path.basename(file)) && !isHidden(path.basename(file)));
    return [{ folder, classes, others: noTexts }];
  }
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
        const files = fs.readdirSync(path.join(folder, name)).filter((file) => isText(file) && !isHidden(file));
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
