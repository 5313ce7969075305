/** What a review is here, wherever it came from, and how a row becomes one. */
import { ReviewsError } from '../errors.js';
import type { SplitName } from '../hub/dataset.js';
import type { Classes } from './labels.js';
import { labelText } from '../settings/label-mapping.js';

/** A text and its class. */
export interface Review {
  text: string;
  /** Class number: an index into the label names. */
  label: number;
  /** The split of its data set that it was sampled from. */
  split?: SplitName;
}

/** Rows left out, by reason; all are counted, none is silently lost. */
export interface Dropped {
  emptyText: number;
  missingLabel: number;
  /** Rated too close to neutral (the embedded reviews). */
  belowThreshold: number;
  /** The label mapping does not name their label. */
  unmappedLabel: number;
}

/** Counts that begin at 0. */
export const nothingDropped = (): Dropped => ({ emptyText: 0, missingLabel: 0, belowThreshold: 0, unmappedLabel: 0 });

/**
 * What was left out, in words; empty when nothing was.
 * @param dropped counts of rows by reason
 */
export function describeDropped({ emptyText, missingLabel, belowThreshold, unmappedLabel }: Dropped): string {
  return [
    [emptyText, 'without text'],
    [missingLabel, 'without a label'],
    [belowThreshold, 'rated too close to neutral'],
    [unmappedLabel, 'with a label that the mapping leaves out'],
  ]
    .filter(([count]) => count)
    .map(([count, what]) => `${count} ${what}`)
    .join(', ');
}

/** How rows are read; plain data, so that workers can be given it. */
export interface Reading {
  /** Columns that make the text, joined by '. '. */
  textColumns: string[];
  /** None: texts alone, whose class is 0. */
  labelColumn?: string | undefined;
  classes: Classes;
}

/**
 * The columns that are read.
 * @param reading which make the text and the label
 */
export const columnsOf = ({ textColumns, labelColumn }: Pick<Reading, 'textColumns' | 'labelColumn'>): string[] => [
  ...textColumns,
  ...(labelColumn === undefined ? [] : [labelColumn]),
];

/** The text of a row, empty where it has none: its columns' texts, where there are any; lone surrogates, which are no characters, replaced. */
export const textOf = (row: Record<string, unknown>, textColumns: string[]): string =>
  textColumns
    .map((column) => row[column])
    .filter((value) => typeof value === 'string' && value.trim() !== '')
    .map((value) => (value as string).trim().toWellFormed())
    .join('. ');

/**
 * Rows as reviews, those without text or label counted.
 * @param rows values by column
 * @param reading which columns make a review, and what their labels mean
 * @param dropped counts on where it stands
 * @param where named in errors
 * @throws ReviewsError for a label that is none of the classes
 */
export function reviewsOfRows(
  rows: Record<string, unknown>[],
  { textColumns, labelColumn, classes: { names, numberOf, partial, secret } }: Reading,
  dropped: Dropped,
  where: string,
): Review[] {
  const reviews: Review[] = [];
  for (const row of rows) {
    const text = textOf(row, textColumns);
    if (labelColumn === undefined) {
      if (text === '') dropped.emptyText++;
      else reviews.push({ text, label: 0 });
      continue;
    }
    const label = labelText(row[labelColumn]);
    const number = Object.hasOwn(numberOf, label) ? numberOf[label] : undefined;
    if (text === '') dropped.emptyText++;
    else if (label === '' || (label === secret && number === undefined)) dropped.missingLabel++;
    else if (number !== undefined) reviews.push({ text, label: number });
    else if (partial) dropped.unmappedLabel++;
    else
      throw new ReviewsError(
        'REVIEWS_UNKNOWN_LABEL',
        `${where} has a row labelled '${label}' in '${labelColumn}', which is none of ${names.join(', ')}. Mend it, or say which ` +
          "labels count: TUNEBOOK_LABEL_MAPPING='1,2 -> negative; 4,5 -> positive'.",
        { file: where, column: labelColumn, label, labels: names },
      );
  }
  return reviews;
}

/** Texts that differ in case and spacing alone are one text. */
export const normalizedText = (text: string): string => text.toLowerCase().replace(/\s+/g, ' ').trim();
