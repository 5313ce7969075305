/**
 * Columns that determine the label almost perfectly: another form of the label, or something that was known only after
 * it, such as the reason of a complaint. They must not become part of the text.
 */
import { stringifyExact } from '../reviews/exact-json.js';
import { labelText } from '../settings/label-mapping.js';
import { countClasses } from '../evaluation/count-classes.js';
import { giveawayOf, type Giveaway } from './giveaway.js';

/** A column that determines at least one class. */
export interface LeakingColumn {
  column: string;
  /** The classes that its values determine. */
  classes: Giveaway[];
}

/** Minimum fraction of a class that a column must determine. */
const minCoverage = 0.5;

/** A numeric column with more values than this is divided into this many ranges with equal numbers of rows. */
const maxRanges = 50;

/** The values of a column as categories; undefined for a column that identifies rows, such as an id or a text. */
function categoriesOf(values: unknown[]): string[] | undefined {
  const texts = values.map(
    (value) => labelText(value) || (value === null || value === undefined ? '' : stringifyExact(value)),
  );
  const distinct = new Set(texts).size;
  const numbers = texts.map((text) => (text === '' ? Number.NaN : Number(text)));
  const isNumeric = texts.every((text, i) => text === '' || !Number.isNaN(numbers[i]));
  if (isNumeric && distinct > maxRanges) {
    // Consecutive integers are row numbers or times; a sorted file would make them look like the label.
    if (distinct > values.length / 2 && numbers.every((number) => Number.isNaN(number) || Number.isInteger(number)))
      return undefined;
    const sorted = numbers.filter((number) => !Number.isNaN(number)).sort((a, b) => a - b);
    const bounds = Array.from(
      { length: maxRanges - 1 },
      (_, i) => sorted[Math.floor(((i + 1) * sorted.length) / maxRanges)]!,
    );
    return numbers.map((number) =>
      Number.isNaN(number) ? '' : String(bounds.filter((bound) => bound <= number).length),
    );
  }
  return distinct > values.length / 2 ? undefined : texts;
}

/** Predicts the class of each row from the other rows with the same value; undefined if there are none. */
function predictedFromOthers(categories: string[], labels: number[], classes: number): (number | undefined)[] {
  const counts = new Map<string, number[]>();
  categories.forEach((category, row) => {
    let byClass = counts.get(category);
    if (!byClass) counts.set(category, (byClass = new Array<number>(classes).fill(0)));
    byClass[labels[row]!]!++;
  });
  return categories.map((category, row) => {
    const others = counts.get(category)!.map((count, label) => count - (label === labels[row] ? 1 : 0));
    const most = Math.max(...others);
    return most > 0 ? others.indexOf(most) : undefined;
  });
}

/**
 * Finds columns whose values determine a class. The class of each row is predicted from the other rows with the same
 * value, so that ids and texts determine nothing.
 * @param rows values by column
 * @param labels class number of each row
 * @param columns to examine: not those of text and label
 * @returns the columns, those that determine the most rows first
 * @example
 * const rows = [{ text: 'Good', stars: 5 }, { text: 'Bad', stars: 1 }];
 * findLeakingColumns(rows, [1, 0], ['stars']);
 */
export function findLeakingColumns(
  rows: Record<string, unknown>[],
  labels: number[],
  columns: string[],
): LeakingColumn[] {
  const classes = labels.reduce((max, label) => Math.max(max, label), 0) + 1;
  const totals = countClasses(labels, classes);
  const determined = ({ classes: list }: LeakingColumn) => list.reduce((sum, { rows: count }) => sum + count, 0);
  return columns
    .flatMap((column): LeakingColumn[] => {
      const categories = categoriesOf(rows.map((row) => row[column]));
      if (!categories) return [];
      const predicted = predictedFromOthers(categories, labels, classes);
      const found = totals.flatMap((_, label) => {
        const members = labels.filter((_, row) => predicted[row] === label);
        const giveaway = giveawayOf(countClasses(members, classes), totals, minCoverage);
        return giveaway && giveaway.label === label ? [giveaway] : [];
      });
      return found.length > 0 ? [{ column, classes: found }] : [];
    })
    .sort((a, b) => determined(b) - determined(a));
}
