/** Which columns contain the text and the label: those that are named, or those with usual names. */
import { ReviewsError, SettingsError } from '../errors.js';
import type { ProblemType } from '../settings/problem-type.js';
import { settingText } from '../settings/setting-text.js';

/** Options of `chooseColumns`. */
export interface ColumnOptions {
  /** Columns that are joined to form the text. @default `text`, or another usual name, after `title` or `summary` */
  textColumns?: string[] | undefined;
  /** Column with the second text of a pair. @default single texts */
  textPairColumn?: string | undefined;
  /**
   * Column with the label; for multi-label classification also several columns of 0 and 1, separated by commas.
   * @default `label`, or another usual name
   */
  labelColumn?: string | undefined;
  /**
   * `regression` reads the labels as numbers to predict, `multi_label_classification` as lists of classes.
   * @default single_label_classification: each label is a class
   */
  problemType?: ProblemType | undefined;
  /** Reads texts only, if `labelColumn` is not set and no column has a usual name for labels. @default false */
  labelsOptional?: boolean | undefined;
}

/** The label columns that the options name: several only for multi-label classification. */
const namedLabelColumns = ({ labelColumn, problemType }: ColumnOptions): string[] =>
  labelColumn === undefined
    ? []
    : problemType === 'multi_label_classification'
      ? labelColumn.split(',').map((column) => column.trim())
      : [labelColumn];

/** The columns that the options name. */
export const namedColumns = ({ textColumns = [], textPairColumn, ...label }: ColumnOptions): string[] => [
  ...textColumns,
  ...(textPairColumn === undefined ? [] : [textPairColumn]),
  ...namedLabelColumns(label),
];

/** The columns of the texts and of the label. */
export interface ChosenColumns {
  textColumns: string[];
  textPairColumn: string | undefined;
  labelColumn: string | undefined;
  /** Several columns of 0 and 1, whose names `labelColumn` joins. @default the label is one column */
  labelColumns?: string[];
}

/** What the columns of a file without names contain, as their values show it. */
export interface Roles {
  /** Possible texts, each of one or several columns; more than one if that is uncertain. */
  texts: string[][];
  /** Possible labels. */
  labels: string[];
}

/** A name without case, spaces, punctuation, and the number that a repeated name gets. */
const plain = (name: string): string =>
  name
    .replace(/ \(column \d+\)$/, '')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, '');

const namesOf = (...names: string[]) => new Set(names.flatMap((name) => name.split(' ')).map(plain));

/** Usual names of the text, as in public data sets. Those of a later group count if no column has one of an earlier group. */
const textNames = [
  namesOf(
    'text review reviews review_text reviews.text review_body review_content content tweet tweet_text sentence',
    'comment comments comment_text feedback body',
  ),
  namesOf(
    'message phrase verbatim translated_review original_tweet sentiment_text review_comment review_comment_message',
    'customer_review user_review customer_feedback clean_text statement opinion post document utterance description',
  ),
];

/** Usual names of a heading, which is read before the text. */
const titleNames = namesOf('title summary review_title reviews.title review_summary headline');

/** Usual names of the label, in groups as for the text. */
const labelNames = [
  namesOf(
    'label labels rating ratings score overall sentiment stars star_rating polarity target class airline_sentiment',
    'review_rating reviews.rating review_score review_sentiment',
  ),
  namesOf(
    'sentiments sentiment_label label_text gold_label rating_value overall_rating customer_rating user_rating',
    'rate star grade emotion feeling category class_index recommended',
  ),
];

/** Whether a name is a usual one of a text, heading or label. */
export const isUsualName = (name: string): boolean =>
  /^[\s"']*[\p{L}\p{N}][\p{L}\p{N} ._-]*[\s"']*$/u.test(name) &&
  [...textNames, titleNames, ...labelNames].some((names) => names.has(plain(name)));

/** Columns that a message lists, and characters of each. */
const [maxListed, maxCharacters] = [30, 40];

/** Lists column names for a message, quoted so that spaces are visible. */
export const listColumns = (columns: string[]): string =>
  columns
    .slice(0, maxListed)
    .map((column) => `'${column.length > maxCharacters ? `${column.slice(0, maxCharacters)}…` : column}'`)
    .join(', ') + (columns.length > maxListed ? `, … (${columns.length} columns)` : '');

/** The columns whose names differ from a name at most in case and surrounding spaces. */
const similarColumns = (columns: string[], name: string): string[] =>
  columns.filter((column) => column.trim().toLowerCase() === name.trim().toLowerCase());

/** The column with a name as the user wrote it, or else the only one that differs in case and surrounding spaces. */
export function findColumn(columns: string[], name: string): string | undefined {
  if (columns.includes(name)) return name;
  const similar = similarColumns(columns, name);
  return similar.length === 1 ? similar[0] : undefined;
}

/** @throws ReviewsError if several columns are equally likely */
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
      `${name} has several likely columns: ${ambiguous.join(', and ')}. Name the right ones.`,
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

const noLabelError = (name: string, columns: string[], textColumns: string[]) => {
  const used = textColumns.find((column) => labelNames.some((names) => names.has(plain(column))));
  return new ReviewsError(
    'REVIEWS_NO_LABEL_COLUMN',
    `${name} has no column 'label' and no other usual label column${used === undefined ? '' : ` but '${used}', which is read as text`}. ` +
      `It has: ${listColumns(columns)}. ` +
      `Name the column that contains the label: ${settingText('labelColumn', 'stars')}.${withoutNames(columns)}`,
    { name, columns },
  );
};

const noTextError = (name: string, columns: string[]) =>
  new ReviewsError(
    'REVIEWS_NO_TEXT_COLUMN',
    `${name} has no column 'text' and no other usual text column. It has: ${listColumns(columns)}. ` +
      `Name the columns that contain the text: ${settingText('textColumns', 'title,content')}.${withoutNames(columns)}`,
    { name, columns },
  );

/** @throws SettingsError for a column that is named twice, such as for the text and the label */
function checkNamedOnce({ textColumns = [], textPairColumn }: ColumnOptions, labelColumns: string[]): void {
  const named = [
    ...textColumns.map((column) => ({ column, setting: 'textColumns' as const })),
    { column: textPairColumn, setting: 'textPairColumn' as const },
    ...labelColumns.map((column) => ({ column, setting: 'labelColumn' as const })),
  ].filter(({ column }) => column !== undefined);
  for (const [i, { column, setting }] of named.entries()) {
    const earlier = named.slice(0, i).find((each) => each.column === column);
    if (earlier)
      throw new SettingsError(
        'SETTING_CONFLICT',
        earlier.setting === setting
          ? `${settingText(setting)} names '${column}' twice. Name it once.`
          : `'${column}' is named by both ${settingText(earlier.setting)} and ${settingText(setting)}. Correct one of them.`,
        { column },
      );
  }
}

/**
 * Chooses the columns.
 * @param name of the file or data set, for messages
 * @param columns all columns
 * @param roles of columns without names; used for what the options leave open
 * @throws SettingsError for a column that is named twice
 * @throws ReviewsError if a named column does not exist, or if no column or several may be the text or the label
 */
export function chooseColumns(name: string, columns: string[], options: ColumnOptions, roles?: Roles): ChosenColumns {
  const found = (wanted: string, setting: 'textColumns' | 'textPairColumn' | 'labelColumn'): string => {
    const column = findColumn(columns, wanted);
    if (column !== undefined) return column;
    const similar = similarColumns(columns, wanted);
    if (similar.length > 1)
      throw new ReviewsError(
        'REVIEWS_COLUMNS_AMBIGUOUS',
        `${name} has several columns named '${wanted}' apart from case and spaces: ${listColumns(similar)}. Name the right one as ` +
          `it is written, such as ${settingText(setting, similar[0])}.`,
        { name, column: wanted, columns: similar },
      );
    throw new ReviewsError(
      'REVIEWS_NO_COLUMN',
      `${name} has no column '${wanted}'. It has: ${listColumns(columns)}. Name one of these.${withoutNames(columns)}`,
      {
        name,
        column: wanted,
        columns,
      },
    );
  };
  const textColumns = options.textColumns?.map((column) => found(column, 'textColumns'));
  const textPairColumn =
    options.textPairColumn === undefined ? undefined : found(options.textPairColumn, 'textPairColumn');
  const named = namedLabelColumns(options).map((column) => found(column, 'labelColumn'));
  checkNamedOnce({ textColumns, textPairColumn }, named);
  const labelColumn = named.length > 0 ? named.join(',') : undefined;
  const several = named.length > 1 && { labelColumns: named };
  if (roles) {
    const others = (names: string[]) => names.filter((name) => name !== textPairColumn);
    const possible = {
      texts: roles.texts.map(others).filter((names) => names.length > 0),
      labels: others(roles.labels),
    };
    const texts = possible.texts;
    const labels = (labelColumn ?? options.labelsOptional) ? [] : possible.labels;
    checkAmbiguous(name, texts.length > 1 ? texts.flat() : [], labels.length > 1 ? labels : [], options);
    const chosen = {
      textColumns: textColumns ?? texts[0],
      textPairColumn,
      labelColumn: labelColumn ?? (possible.labels.length === 1 ? possible.labels[0] : undefined),
      ...several,
    };
    if (!chosen.textColumns) throw noTextError(name, columns);
    if (chosen.labelColumn === undefined && !options.labelsOptional)
      throw noLabelError(name, columns, chosen.textColumns);
    return { ...chosen, textColumns: chosen.textColumns };
  }
  const isFree = (column: string) => ![...(textColumns ?? []), textPairColumn, ...named].includes(column);
  const withName = (names: Set<string>) => columns.filter((column) => names.has(plain(column)) && isFree(column));
  const first = (groups: Set<string>[]) => groups.map(withName).find(({ length }) => length > 0) ?? [];
  const [titles, texts, labels] = [withName(titleNames), first(textNames), first(labelNames)];
  checkAmbiguous(name, texts, labels, options);
  const [label] = labels;
  // Of several headings none is certain to belong to the text. One is the text if there is no other column.
  const isComplete = texts.length > 0 || columns.every((column) => titles.includes(column) || labels.includes(column));
  const titled = titles.length <= 1 && isComplete ? [...titles, ...texts] : texts;
  if (!textColumns && titled.length === 0) throw noTextError(name, columns);
  if (labelColumn === undefined && label === undefined && !options.labelsOptional)
    throw noLabelError(name, columns, textColumns ?? titled);
  return { textColumns: textColumns ?? titled, textPairColumn, labelColumn: labelColumn ?? label, ...several };
}
