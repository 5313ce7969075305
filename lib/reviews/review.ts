/** Reviews, and their conversion from rows of a file. */
import type { SplitName } from '../hub/dataset.js';
import { labelsError, readLabels } from './label-lists.js';
import { checkSingleLabel, classNumber, notANumberError, unknownLabelError, type Classes } from './labels.js';
import { isMissing } from './missing-values.js';
import { labelText } from '../settings/label-mapping.js';

/** A text and its label. */
export interface Review {
  text: string;
  /** The second text of a pair, such as the answer to a question. @default a single text */
  pair?: string;
  /** Class number: an index into the label names. For regression the number to predict, for multi-label classification 0. */
  label: number;
  /** For multi-label classification the numbers of all classes that apply, ascending. @default a single class, `label` */
  labels?: number[];
  /** The split of the data set that it was sampled from. */
  split?: SplitName;
  /** Its number among the reviews of a cross-validation, in the order in which they were read, from 0. */
  row?: number;
}

/** Numbers of rows left out, by reason; every row that is left out is counted. */
export interface Dropped {
  emptyText: number;
  missingLabel: number;
  /** Rated too close to neutral; only among the embedded reviews. */
  belowThreshold: number;
  /** With a label that the label mapping does not contain. */
  unmappedLabel: number;
  /** Malformed rows that `skipBadRows` leaves out. */
  malformed: number;
  /** With a text that is also in another split of the data set: counted by `splitReviews`. */
  inOtherSplit: number;
}

/** Creates counts of 0. */
export const nothingDropped = (): Dropped => ({
  emptyText: 0,
  missingLabel: 0,
  belowThreshold: 0,
  unmappedLabel: 0,
  malformed: 0,
  inOtherSplit: 0,
});

/**
 * Describes what was left out; empty if nothing was.
 * @param dropped counts of rows by reason
 * @example
 * console.log(describeDropped(source.dropped)); // 723 rated too close to neutral
 */
export function describeDropped({
  emptyText,
  missingLabel,
  belowThreshold,
  unmappedLabel,
  malformed,
  inOtherSplit,
}: Dropped): string {
  return [
    [emptyText, 'without text'],
    [missingLabel, 'without a label'],
    [belowThreshold, 'rated too close to neutral'],
    [unmappedLabel, 'with a label that the mapping leaves out'],
    [malformed, 'malformed'],
    [inOtherSplit, 'with a text that is also in another split'],
  ]
    .filter(([count]) => count)
    .map(([count, what]) => `${count} ${what}`)
    .join(', ');
}

/** Settings of delimited text and Excel that the user named; what is detected is not among them. */
export interface NamedFormat {
  delimiter?: string;
  header?: boolean;
  columns?: string[];
}

/** How to read rows; plain data, so that it can be sent to workers. */
export interface Reading {
  /** Columns of the text, joined by '. '. */
  textColumns: string[];
  /** Column of the second text of a pair; undefined for single texts. */
  textPairColumn?: string | undefined;
  /** Undefined for texts without labels, whose class is 0. */
  labelColumn?: string | undefined;
  /** The columns of 0 and 1, one for each class, that `labelColumn` names with commas. @default `labelColumn` is one column */
  labelColumns?: string[] | undefined;
  /** The character between the labels of a row, `price|quality`. @default `labelColumn` has lists, or a single label */
  labelSeparator?: string | undefined;
  classes: Classes;
  /** Whether `N/A` and the like are missing values, as in formats that have no other form for them. @default false */
  missingSpellings?: boolean;
  /** How the file was read, as far as the user named it: the defaults of scoring. */
  format?: NamedFormat;
}

/**
 * All columns to read.
 * @param reading columns of the texts and the label
 */
export const columnsOf = ({
  textColumns,
  textPairColumn,
  labelColumn,
  labelColumns = labelColumn === undefined ? [] : [labelColumn],
}: Pick<Reading, 'textColumns' | 'textPairColumn' | 'labelColumn' | 'labelColumns'>): string[] => [
  ...textColumns,
  ...(textPairColumn === undefined ? [] : [textPairColumn]),
  ...labelColumns,
];

/**
 * The text of a row: its non-empty text columns, joined. Lone surrogates are replaced, since UTF-8 has none.
 */
export const textOf = (row: Record<string, unknown>, textColumns: string[]): string =>
  textColumns
    .map((column) => row[column])
    .filter((value) => ['string', 'number', 'bigint', 'boolean'].includes(typeof value) && !Number.isNaN(value))
    .map((value) => String(value).trim().toWellFormed())
    .filter((text) => text !== '')
    .join('. ');

/**
 * Converts rows to reviews; rows without text or label, and pairs without one of the texts, are left out and counted.
 * @param rows values by column
 * @param reading columns and classes
 * @param dropped is incremented
 * @param where name of the file, for errors
 * @param start number of rows before these in the file, for errors
 * @throws ReviewsError for a label that belongs to no class, or for regression is no number, for multi-label classification no list
 */
export function reviewsOfRows(
  rows: Record<string, unknown>[],
  reading: Reading,
  dropped: Dropped,
  where: string,
  start = 0,
): Review[] {
  const { textColumns, textPairColumn, labelColumn, classes, missingSpellings = false } = reading;
  const reviews: Review[] = [];
  for (const [i, row] of rows.entries()) {
    const textIn = (columns: string[]) => {
      const joined = textOf(row, columns);
      return missingSpellings && isMissing(joined) ? '' : joined;
    };
    const text = textIn(textColumns);
    const pair = textPairColumn === undefined ? undefined : textIn([textPairColumn]);
    const texts = { text, ...(pair !== undefined && { pair }) };
    const isEmpty = text === '' || pair === '';
    if (labelColumn === undefined) {
      if (isEmpty) dropped.emptyText++;
      else reviews.push({ ...texts, label: 0 });
      continue;
    }
    if (classes.problemType === 'multi_label_classification') {
      const labels = isEmpty ? undefined : readLabels(row, { ...reading, labelColumn });
      if (isEmpty) dropped.emptyText++;
      else if (labels === undefined) dropped.missingLabel++;
      else if (Array.isArray(labels)) reviews.push({ ...texts, label: 0, labels });
      else if (classes.partial) dropped.unmappedLabel++;
      else throw labelsError(labels, classes, where, start + i + 1);
      continue;
    }
    const value = row[labelColumn];
    const label = labelText(value);
    const number = classNumber(classes, value);
    if (isEmpty) dropped.emptyText++;
    else if (number !== undefined) reviews.push({ ...texts, label: number });
    else if (label === '' || label === classes.hiddenLabel || (missingSpellings && isMissing(label))) {
      checkSingleLabel(where, labelColumn, value);
      dropped.missingLabel++;
    } else if (classes.partial) dropped.unmappedLabel++;
    else if (classes.problemType === 'regression') throw notANumberError(where, labelColumn, start + i + 1, value);
    else throw unknownLabelError(where, labelColumn, label, classes);
  }
  return reviews;
}

/** The text of a review, or both texts of a pair: for tables, and for models of words. */
export const joinedText = ({ text, pair }: Review): string => (pair === undefined ? text : `${text} / ${pair}`);

/**
 * Normalizes a review's text for comparison: texts that differ only in case and spacing count as duplicates, and pairs if both
 * texts do. A line break separates the texts of a pair, since normalized texts have none.
 */
export const normalizedText = ({ text, pair }: Pick<Review, 'text' | 'pair'>): string =>
  [text, ...(pair === undefined ? [] : [pair])]
    .map((each) => each.toLowerCase().replace(/\s+/g, ' ').trim())
    .join('\n');

/**
 * The label of a review as numbers: the class number or the number to predict; for multi-label classification a 0 or 1 for each class.
 * @param classes number of classes
 */
export const labelRow = ({ label, labels }: Pick<Review, 'label' | 'labels'>, classes: number): number[] =>
  labels ? Array.from({ length: classes }, (_, number) => Number(labels.includes(number))) : [label];
