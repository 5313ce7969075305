/** What was read of a source and how, in sentences: for the console, the journal, reports and model cards. */
import { describeDelimiter } from '../settings/delimiter.js';
import { groupBy } from './group.js';
import { listColumns } from './columns.js';
import { describeDropped, type Dropped, type Review } from './review.js';
import type { ReviewSource, SkippedFile } from './review-source.js';
import type { ReviewSplit } from './split.js';
import type { FileDescription } from './row-file.js';

/** A file's format in words: `delimited text (semicolon, windows-1252, gzip, without a header)`. */
export function describeFile(description: FileDescription): string {
  const { format, delimiter, encoding, byteOrderMark, compression, header, linesAboveHeader } = description;
  const details = [
    ...(delimiter === undefined ? [] : [describeDelimiter(delimiter)]),
    ...(encoding ? [byteOrderMark ? `${encoding} with a byte order mark` : encoding] : []),
    ...(compression ? [compression] : []),
    ...(header === false ? ['without a header'] : []),
    ...(linesAboveHeader === undefined
      ? []
      : [`without ${linesAboveHeader} ${linesAboveHeader === 1 ? 'line' : 'lines'} above the header`]),
  ];
  return details.length > 0 ? `${format} (${details.join(', ')})` : format;
}

/** Formats of all files; of several with the number of files. */
function describeFormats({ splits }: ReviewSource): string {
  const files = Object.values(splits).flat();
  const groups = [...groupBy(files, ({ description }) => describeFile(description))];
  return groups
    .map(([format, { length }]) =>
      files.length === 1 ? format : `${length} ${length === 1 ? 'file' : 'files'} of ${format}`,
    )
    .join(', ');
}

/** Number of reviews by class name, in the order of the classes; a review with several classes counts for each. */
export function countByClass(reviews: Iterable<Review>, labelNames: string[]): { name: string; rows: number }[] {
  const counts = labelNames.map(() => 0);
  for (const { label, labels = [label] } of reviews) for (const each of labels) counts[each]!++;
  return labelNames.map((name, i) => ({ name, rows: counts[i]! }));
}

/** Skipped files that are listed. */
const maxListed = 5;

/**
 * Describes what was read: formats and columns, rows left out and why, files that were skipped.
 * @param source of openReviews or loadReviews
 * @returns sentences
 * @example
 * describeSource(reviews.source).forEach((sentence) => console.log(sentence));
 */
export function describeSource(source: ReviewSource): string[] {
  const { reading, dropped, skipped, notes } = source;
  const label = reading.labelColumn === undefined ? 'no label' : `label: '${reading.labelColumn}'`;
  const pair = reading.textPairColumn === undefined ? '' : `second text: '${reading.textPairColumn}'; `;
  const left = describeDropped(dropped);
  const shown = skipped.slice(0, maxListed).map(({ file, reason }) => `${file} (${reason})`);
  return [
    `Read as ${describeFormats(source)}; text: ${listColumns(reading.textColumns)}; ${pair}${label}.`,
    ...(left === '' ? [] : [`Left out: ${left}.`]),
    ...(skipped.length === 0
      ? []
      : [
          `Skipped: ${shown.join(', ')}${skipped.length > maxListed ? ` and ${skipped.length - maxListed} other files` : ''}.`,
        ]),
    ...notes,
  ];
}

/** The data of a run, as stored with it. */
export interface DataSummary {
  name: string;
  textColumns: string[];
  /** Undefined for texts without labels. */
  labelColumn?: string | undefined;
  /** Rows by class: of the reviews that are used; if training is streamed, of all rows if that is known. Empty for regression. */
  classes: { name: string; rows: number }[];
  dropped: Dropped;
  skipped: SkippedFile[];
  /** What was read and how, see describeSource, and notes on the texts. */
  sentences: string[];
  /** See ReviewSource. */
  fingerprint: string | undefined;
}

/** The distribution of the numbers of a regression, in a sentence. */
function describeNumbers(reviews: Review[], column: string): string {
  const numbers = reviews.map(({ label }) => label);
  const mean = numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
  const deviation = Math.sqrt(numbers.reduce((sum, number) => sum + (number - mean) ** 2, 0) / numbers.length);
  const [low, high] = numbers.reduce(
    ([low, high], each) => [Math.min(low, each), Math.max(high, each)],
    [Infinity, -Infinity],
  );
  return `Numbers in '${column}': ${low} to ${high}, mean ${mean.toFixed(3)}, standard deviation ${deviation.toFixed(3)}.`;
}

/**
 * Summarizes the data of a run.
 * @param split the reviews that are used
 * @param isStreamed whether all rows are used for training
 * @param notes on the texts
 */
export function summarizeData(
  source: ReviewSource,
  split: ReviewSplit,
  isStreamed: boolean,
  notes: string[],
): DataSummary {
  const { name, reading, labelNames, classCounts, dropped, skipped } = source;
  const used = [...split.train, ...split.validation, ...split.test];
  const isRegression = reading.classes.problemType === 'regression';
  const hasClasses = reading.labelColumn !== undefined && !isRegression;
  const counted = hasClasses ? countByClass(used, labelNames) : [];
  const all =
    isStreamed && hasClasses && classCounts
      ? labelNames.map((label, i) => ({ name: label, rows: classCounts[i]! }))
      : counted;
  return {
    name,
    textColumns: reading.textColumns,
    labelColumn: reading.labelColumn,
    classes: all,
    dropped: { ...dropped },
    skipped,
    sentences: [
      ...describeSource(source),
      ...(isRegression ? [describeNumbers(used, reading.labelColumn!)] : []),
      ...notes,
    ],
    fingerprint: source.fingerprint,
  };
}

/** Rows by class in words: `negative 58, positive 142`. */
export const describeClassRows = (classes: DataSummary['classes']): string =>
  classes.map(({ name, rows }) => `${name} ${rows.toLocaleString('en')}`).join(', ');
