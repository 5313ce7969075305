/**
 * Labeling of reviews below a cell, as in the lesson (lib/lesson). The output stores each label in a CSV file beside the notebook, through
 * the Jupyter server: a cell has no other way back to tslab's kernel, and labels survive a restart.
 */
import fs from 'node:fs';
import path from 'node:path';
import Papa from 'papaparse';
import { packageFolder } from '#setup/paths.mjs';
import { ArgumentError, FileError } from '../errors.js';
import type { LabelingTask } from '../lesson/labeling-task.js';
import { balanceFirst, labelsWanted } from '../reviews/balance-first.js';
import { seededRandom, shuffle } from '../reviews/random.js';
import type { Review } from '../reviews/review.js';
import type { ReviewSplit } from '../reviews/split.js';
import { escapeHtml } from '../figures/html-table.js';
import { show } from './kernel.js';

/** Options of `labelReviews`. */
export interface LabelReviewsOptions {
  /** Class names by class number. */
  labelNames: string[];
  /** Folder of the labels, relative to the notebook's. @default labels */
  folder?: string;
  /** Number of reviews to label, of each class of the data equally many. @default 20 */
  count?: number;
  /** Which reviews: in a class, each person takes another number. @default 42 */
  seed?: number;
}

/** Labels of a person. */
export interface LabeledReviews {
  /** The reviews that were chosen, with the labels of the data. */
  chosen: Review[];
  /** Reads the reviews that are labeled so far, with the labels of the person. */
  labeled: () => Review[];
}

const csvOf = (reviews: Review[], labelNames: string[]) => {
  const data = reviews.map(({ text, label }) => [text, labelNames[label]!]);
  return `${Papa.unparse({ fields: ['text', 'label'], data }, { newline: '\n' })}\n`;
};

const otherSplit = (file: string, what: string) =>
  new FileError(
    'FILE_EXISTS',
    `${file} ${what}, as after a change of the dataset, the rows or the seed. Choose another folder for these labels.`,
    { path: file },
  );

/** Reads labels, also after a spreadsheet has saved them. */
function readLabels(file: string, labelNames: string[]): Review[] {
  const text = fs.readFileSync(file, 'utf8').replace(/^\uFEFF/, '');
  const { data, meta, errors } = Papa.parse<Record<string, string>>(text, {
    header: true,
    skipEmptyLines: true,
    delimiter: ',',
  });
  const invalid = (reason: string) =>
    new FileError('FILE_UNUSABLE', `${file} ${reason}. Repair it, or choose another folder.`, { path: file });
  if (String(meta.fields) !== 'text,label')
    throw invalid(`must have the columns text and label, and has ${meta.fields?.join(', ') || 'none'}`);
  const [malformed] = errors;
  if (malformed) throw invalid(`is malformed in row ${(malformed.row ?? 0) + 1}: ${malformed.message}`);
  const reviews = data.map((row, i) => {
    const label = labelNames.indexOf(row['label'] ?? '');
    if (label < 0)
      throw invalid(`has the label ${row['label']} in row ${i + 1}; the classes are ${labelNames.join(', ')}`);
    return { text: row['text']!, label };
  });
  const texts = new Set<string>();
  for (const { text } of reviews) {
    if (texts.has(text)) throw invalid(`has labels of the same text twice: ${text}`);
    texts.add(text);
  }
  return reviews;
}

/**
 * Shows reviews of the training set below the cell, one after another, to label by buttons or keys. Each label is stored at once in
 * `train.csv` of a folder beside the notebook; `validation.csv` and `test.csv` there are those of the split, so that the folder
 * is a dataset (`TUNEBOOK_DATASET=labels`). If the cell runs again, it continues with the labels of the file.
 * @param split reviews with one text and one class each
 * @param options class names, folder, and which reviews
 * @returns the chosen reviews, and a function that reads the labels
 * @throws ArgumentError for other reviews or an invalid count; FileError if the folder has labels of another split
 * @example
 * const { labeled } = await labelReviews(reviews, { labelNames: reviews.labels });
 * console.log(labeled().length);
 */
export async function labelReviews(
  split: ReviewSplit,
  { labelNames, folder = 'labels', count = labelsWanted, seed = 42 }: LabelReviewsOptions,
): Promise<LabeledReviews> {
  if (
    new Set(labelNames).size < Math.max(2, labelNames.length) ||
    split.train.some(({ pair, labels }) => pair !== undefined || labels)
  )
    throw new ArgumentError(
      'ARGUMENT_PROBLEM_TYPE',
      'Only single texts with one of at least two different classes can be labeled here, no pairs, numbers or sets of labels.',
    );
  for (const [name, value] of Object.entries({ count, seed }))
    if (!Number.isInteger(value) || value < 1)
      throw new ArgumentError('ARGUMENT_NO_ROWS', `${name} must be a whole number of at least 1; it is ${value}.`, {
        [name]: value,
      });
  const file = path.join(folder, 'train.csv');
  const isNew = !fs.existsSync(file);
  const labeled = () => readLabels(file, labelNames);
  const own = isNew ? [] : labeled();
  const heldOut = (['validation', 'test'] as const).map((part) => ({
    part,
    file: path.join(folder, `${part}.csv`),
    content: csvOf(split[part], labelNames),
  }));
  for (const { part, file, content } of heldOut) {
    const isSame = fs.existsSync(file) && fs.readFileSync(file, 'utf8') === content;
    // A file of labels without any was made here: nothing depends on what is beside it.
    const isOther = isNew ? fs.existsSync(file) : own.length > 0;
    if (isOther && !isSame) throw otherSplit(file, `does not have the ${part} reviews of this split`);
  }
  const ofData = new Map(split.train.map((review) => [review.text, review]));
  const chosen = balanceFirst(shuffle([...ofData.values()], seededRandom(seed)), labelNames.length, count).slice(
    0,
    count,
  );
  const known = own.map(({ text }) => ofData.get(text));
  if (known.includes(undefined)) throw otherSplit(file, 'has labels of texts that are not in the training set');
  const reviews = [...new Set([...(known as Review[]), ...chosen])];
  try {
    fs.mkdirSync(folder, { recursive: true });
    if (isNew) fs.writeFileSync(file, csvOf([], labelNames));
    for (const { file, content } of heldOut) fs.writeFileSync(file, content);
  } catch (error) {
    throw new FileError(
      'FILE_UNUSABLE',
      `Labels cannot be stored in the folder ${folder}: ${(error as Error).message}. Choose another one.`,
      {
        path: folder,
      },
    );
  }
  // The Jupyter server passes the path of the notebook, of which the output, which is stored with it, gets the end only.
  const notebook = process.env['JPY_SESSION_NAME'];
  const task: LabelingTask = {
    reviews: reviews.map(({ text, label }) => ({ text, label })),
    labels: labelNames,
    own: own.map(({ label }) => label),
    file: path.relative(notebook === undefined ? '.' : path.dirname(notebook), path.resolve(file)),
    content: fs.readFileSync(file, 'utf8'),
    ...(notebook !== undefined && { notebook: notebook.split(path.sep).slice(-2).join('/') }),
    created: Date.now(),
  };
  // The bundler is loaded only for this, not with the package.
  const { bundleScript } = await import('../lesson/bundle-script.js');
  const code = Buffer.from(await bundleScript('app/labeling-output.js')).toString();
  const style = fs.readFileSync(path.join(packageFolder, 'lesson/app/labeling-output.css'), 'utf8');
  const hint = `Here are ${reviews.length} reviews to label, ${own.length} of them labeled. Run this cell in JupyterLab to label them.`;
  show({
    'text/html':
      `<div class="tunebook-labeling" data-lm-suppress-shortcuts="true"><p>${escapeHtml(hint)}</p>` +
      // Markup of texts must not end the script.
      `<script type="application/json">${JSON.stringify(task).replaceAll('<', '\\u003c')}</script></div>` +
      `<style>${style}</style><script>${code}</script>`,
    'text/plain': hint,
  });
  return { chosen, labeled };
}
