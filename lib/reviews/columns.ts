/** Which columns contain the text and the label: those that are named, or those with usual names. */
import { ReviewsError } from '../errors.js';
import { settingText } from '../settings/setting-text.js';

/** Options of `chooseColumns`. */
export interface ColumnOptions {
  /** Columns that are joined to form the text. @default `text`, or another usual name, after `title` or `summary` */
  textColumns?: string[] | undefined;
  /** Column with the label. @default `label`, or another usual name */
  labelColumn?: string | undefined;
  /** Reads texts only, if `labelColumn` is not set and no column has a usual name for labels. @default false */
  labelsOptional?: boolean | undefined;
}

/** The columns of the text and of the label. */
export interface ChosenColumns {
  textColumns: string[];
  labelColumn: string | undefined;
}

/** A name without case, spaces and punctuation: `reviewText`, `review_text` and `reviews.Text` differ in one letter. */
const plain = (name: string): string => name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');

/** Usual names of the text, as in public data sets. */
const textNames = new Set(
  ['text', 'review', 'reviews', 'review_text', 'reviews.text', 'review_body', 'review_content', 'content', 'tweet']
    .concat(['tweet_text', 'sentence', 'comment', 'comment_text', 'feedback', 'body'])
    .map(plain),
);

/** Usual names of a heading, which is read before the text. */
const titleNames = new Set(
  ['title', 'summary', 'review_title', 'reviews.title', 'review_summary', 'headline'].map(plain),
);

/** Usual names of the label. */
const labelNames = new Set(
  ['label', 'labels', 'rating', 'ratings', 'score', 'overall', 'sentiment', 'stars', 'star_rating', 'polarity']
    .concat([
      'target',
      'class',
      'airline_sentiment',
      'review_rating',
      'reviews.rating',
      'review_score',
      'review_sentiment',
    ])
    .map(plain),
);

/** Whether a name is a usual one of a text, heading or label. */
export const isUsualName = (name: string): boolean =>
  [textNames, titleNames, labelNames].some((names) => names.has(plain(name)));

/** Lists column names for a message, quoted so that spaces are visible. */
export const listColumns = (columns: string[]): string => columns.map((column) => `'${column}'`).join(', ');

/** The column with a name as the user wrote it, or else the only one that differs in case and surrounding spaces. */
export function findColumn(columns: string[], name: string): string | undefined {
  if (columns.includes(name)) return name;
  const same = columns.filter((column) => column.trim().toLowerCase() === name.trim().toLowerCase());
  return same.length === 1 ? same[0] : undefined;
}

/** @throws ReviewsError for usual names of several columns */
function checkAmbiguous(name: string, texts: string[], labels: string[], options: ColumnOptions): void {
  const ambiguous = [
    ...(options.textColumns || texts.length < 2
      ? []
      : [`${listColumns(texts)} may be the text (${settingText('textColumns', texts.at(-1))})`]),
    ...(options.labelColumn || labels.length < 2
      ? []
      : [`${listColumns(labels)} may be the label (${settingText('labelColumn', labels[0])})`]),
  ];
  if (ambiguous.length > 0)
    throw new ReviewsError(
      'REVIEWS_COLUMNS_AMBIGUOUS',
      `${name} has several columns with usual names: ${ambiguous.join(', and ')}. Name the right ones.`,
      { name, textColumns: texts, labelColumns: labels },
    );
}

/** Whether columns have no names but their numbers, since the file has no header. */
export const areNumbered = (columns: string[]): boolean => columns.every((column) => /^column \d+$/.test(column));

/** What to do if a file has no column names. */
const withoutNames = (columns: string[]): string =>
  areNumbered(columns)
    ? ` Its first line was read as data: name all columns, in order (${settingText('columns', 'label,text')}), or, if it ` +
      `contains the names, say so (${settingText('header', 'true')}).`
    : '';

const noLabelError = (name: string, columns: string[]) =>
  new ReviewsError(
    'REVIEWS_NO_LABEL_COLUMN',
    `${name} has no column 'label' and no other usual label column. It has: ${listColumns(columns)}. ` +
      `Name the column that contains the label: ${settingText('labelColumn', 'stars')}.${withoutNames(columns)}`,
    { name, columns },
  );

/**
 * Chooses the columns.
 * @param name of the file or data set, for messages
 * @param columns all columns
 * @param roles columns whose content shows what they are; used for what the options leave open
 * @throws ReviewsError if a named column does not exist, or if no column or several may be the text or the label
 */
export function chooseColumns(
  name: string,
  columns: string[],
  options: ColumnOptions,
  roles?: ChosenColumns,
): ChosenColumns {
  const found = (wanted: string): string => {
    const column = findColumn(columns, wanted);
    if (column !== undefined) return column;
    throw new ReviewsError('REVIEWS_NO_COLUMN', `${name} has no column '${wanted}'. It has: ${listColumns(columns)}.`, {
      name,
      column: wanted,
      columns,
    });
  };
  const textColumns = options.textColumns?.map(found);
  const labelColumn = options.labelColumn === undefined ? undefined : found(options.labelColumn);
  if (roles) {
    const chosen = { textColumns: textColumns ?? roles.textColumns, labelColumn: labelColumn ?? roles.labelColumn };
    if (chosen.labelColumn === undefined && !options.labelsOptional) throw noLabelError(name, columns);
    return chosen;
  }
  const isFree = (column: string) => !textColumns?.includes(column) && column !== labelColumn;
  const withName = (names: Set<string>) => columns.filter((column) => names.has(plain(column)) && isFree(column));
  const [titles, texts, labels] = [withName(titleNames), withName(textNames), withName(labelNames)];
  checkAmbiguous(name, texts, labels, options);
  const [text] = texts;
  const [label] = labels;
  if (!textColumns && text === undefined)
    throw new ReviewsError(
      'REVIEWS_NO_TEXT_COLUMN',
      `${name} has no column 'text' and no other usual text column. It has: ${listColumns(columns)}. ` +
        `Name the columns that contain the text: ${settingText('textColumns', 'title,content')}.${withoutNames(columns)}`,
      { name, columns },
    );
  if (labelColumn === undefined && label === undefined && !options.labelsOptional) throw noLabelError(name, columns);
  return {
    // Of several headings none is certain to belong to the text.
    textColumns: textColumns ?? [...(titles.length === 1 ? titles : []), text!],
    labelColumn: labelColumn ?? label,
  };
}
