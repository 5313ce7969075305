/** From what stands in a label column to class numbers: whole numbers, stars, booleans and names, by a mapping or as they come. */
import { ReviewsError } from '../errors.js';

/** What the values of a label column mean. */
export interface Classes {
  /** By class number. */
  names: string[];
  /** Class numbers by what stands in the column, as text. */
  numberOf: Record<string, number>;
  /** What is not in `numberOf` is left out on purpose, like the middle of five stars. */
  partial: boolean;
  /** What stands in the column where a label is kept secret: -1 in data sets that name their classes. */
  secret?: string;
}

/** Of texts that nobody has judged. */
export const noClasses: Classes = { names: ['text'], numberOf: {}, partial: false };

/**
 * A label as text; empty for what cannot be one: nothing, lists. Whole numbers lose their decimals, since pandas writes the label
 * 5 as 5.0 as soon as one row of the column has none.
 */
export function labelText(value: unknown): string {
  if (!['string', 'number', 'boolean', 'bigint'].includes(typeof value)) return '';
  const text = String(value).trim();
  return text === 'NaN' ? '' : text.replace(/^([+-]?\d+)\.0+$/, '$1');
}

/**
 * Reads a mapping: `1,2 -> negative; 4,5 -> positive`. Classes are numbered in the order in which they are named; what no
 * part names is left out.
 * @throws ReviewsError when it cannot be read, names a value twice, or has fewer than two classes
 */
export function parseLabelMapping(text: string): Classes {
  const wrong = (what: string, values: Record<string, unknown>) =>
    new ReviewsError(
      'LABEL_MAPPING_INVALID',
      `The label mapping '${text}' ${what}. It is written like this: 1,2 -> negative; 4,5 -> positive`,
      { mapping: text, ...values },
    );
  const classes: Classes = { names: [], numberOf: {}, partial: true };
  for (const part of text.split(';').filter((part) => part.trim() !== '')) {
    const [, values, name] = /^\s*(.+?)\s*->\s*(.+?)\s*$/.exec(part) ?? [];
    if (!values || !name) throw wrong(`has a part that names no class: '${part.trim()}'`, { part: part.trim() });
    if (!classes.names.includes(name)) classes.names.push(name);
    for (const value of values.split(',').map(labelText)) {
      if (value in classes.numberOf) throw wrong(`names ${value} twice`, { label: value });
      classes.numberOf[value] = classes.names.indexOf(name);
    }
  }
  if (classes.names.length < 2) throw wrong('has fewer than two classes', { classes: classes.names });
  return classes;
}

/** Classes that a data set names: its column holds their numbers, or their names. */
export function namedClasses(names: string[]): Classes {
  const byNumber = names.map((_, number) => [String(number), number]);
  const byName = names.map((name, number) => [labelText(name), number]);
  return {
    names,
    numberOf: Object.fromEntries([...byName, ...byNumber]) as Record<string, number>,
    partial: false,
    secret: '-1',
  };
}

/** More different labels than this are no classes but something else. */
const mostClasses = 100;

/**
 * The values of a column as classes, in their order: numbers by size, names by alphabet. 0 and 1 are named negative and
 * positive.
 * @throws ReviewsError for more than 100
 */
export function classesOfValues(values: Iterable<string>, column: string): Classes {
  const sorted = [...new Set(values)].sort((a, b) => Number(a) - Number(b) || (a < b ? -1 : 1));
  if (sorted.length > mostClasses)
    throw new ReviewsError(
      'REVIEWS_TOO_MANY_CLASSES',
      `'${column}' holds ${sorted.length} different values (${sorted.slice(0, 3).join(', ')}, …): is it the label column?`,
      { column, classes: sorted.length },
    );
  const names = sorted.join() === '0,1' ? ['negative', 'positive'] : sorted;
  return { names, numberOf: Object.fromEntries(sorted.map((value, number) => [value, number])), partial: false };
}
