/** Splitting of reviews into training, validation and test sets without leakage: duplicates of a text stay together. */
import { ReviewsError } from '../errors.js';
import type { SplitName } from '../hub/dataset.js';
import { seededRandom, shuffle } from './random.js';
import { settingText } from '../settings/setting-text.js';
import { groupBy } from './group.js';
import { normalizedText, type Dropped, type Review } from './review.js';

/** Reviews by split; no text is in two splits. */
export interface ReviewSplit {
  /** Trains the model. */
  train: Review[];
  /** Selects the best checkpoint, and when to stop early. */
  validation: Review[];
  /** Measures the final model. */
  test: Review[];
}

/** Minimum number of different texts per class: one for each split. */
const minTexts = 3;

/** Options of `splitReviews`. */
export interface SplitOptions {
  /** Random seed. @default 42 */
  seed?: number;
  /** Fraction of the rows. @default 0.1 */
  validation?: number;
  /** Fraction of the rows. @default 0.2 */
  test?: number;
  /** Class names, for errors. @default the class numbers */
  labelNames?: string[];
  /** False for texts without classes: without labels, or with numbers. @default true */
  labeled?: boolean;
  /** Maximum number of training rows; -1 for all. @default -1 */
  maxTrainSamples?: number;
  /** Incremented by the rows that are left out. @default not counted */
  dropped?: Dropped;
}

/**
 * Splits reviews at random, stratified by class; duplicates of a text stay together. Splits of the data set (`split`)
 * are preserved: only missing ones are taken from the training rows. Training rows whose text is in another split, and
 * validation rows whose text is in the test split, are left out and counted in `dropped`.
 * @param reviews of sampleReviews; those without `split` are training rows
 * @param options sizes and seed
 * @throws ReviewsError if there is only one class, a class with too few texts, or too few rows
 * @example
 * const { train, validation, test } = splitReviews(sample, { seed: 42, labelNames: labels });
 */
export function splitReviews(
  reviews: Review[],
  {
    seed = 42,
    validation = 0.1,
    test = 0.2,
    labelNames = [],
    labeled = true,
    maxTrainSamples = -1,
    dropped,
  }: SplitOptions = {},
): ReviewSplit {
  if (!(validation > 0 && test > 0 && validation + test < 1))
    throw new ReviewsError(
      'SPLIT_INVALID',
      `validation ${validation} and test ${test} are invalid fractions: both must be above 0, and their sum below 1.`,
      { validation, test },
    );
  const rows: Record<SplitName, number[]> = { train: [], validation: [], test: [] };
  const keys = reviews.map(normalizedText);
  // Texts of the test split are excluded from validation and training, those of the validation split from training.
  const taken = new Set<string>();
  for (const part of ['test', 'validation'] as const) {
    const members = reviews
      .flatMap(({ split }, row) => (split === part ? [row] : []))
      .filter((row) => !taken.has(keys[row]!));
    for (const row of members) taken.add(keys[row]!);
    for (const member of members) rows[part].push(member);
  }

  const rest = reviews.flatMap(({ split = 'train' }, row) =>
    split === 'train' && !taken.has(keys[row]!) ? [row] : [],
  );
  const copies = groupBy(rest, (row) => keys[row]!);
  // Copies of a text may differ in class; the first one's is used for stratification.
  const byLabel = groupBy(copies.values(), ([first]) => (labeled ? reviews[first!]!.label : 0));
  const nameOf = ([group]: number[][]) => {
    const { label } = reviews[group![0]!]!;
    return labelNames[label] ?? String(label);
  };
  if (labeled && byLabel.size < 2) {
    const [groups] = byLabel.values();
    const allRows = reviews.length === 1 ? 'The only row has' : `All ${reviews.length} rows have`;
    const cause = groups
      ? `${allRows} the class ${nameOf(groups)}; training needs two classes.`
      : 'No training row is left: their texts are also in validation or test.';
    throw new ReviewsError(
      'REVIEWS_ONE_CLASS',
      `${cause} Check the label column. If the rows are sorted by label, sample more of them.`,
      { rows: reviews.length, label: groups && nameOf(groups) },
    );
  }
  const random = seededRandom(seed);
  const sizes = { test: rows.test.length > 0 ? 0 : test, validation: rows.validation.length > 0 ? 0 : validation };
  for (const label of [...byLabel.keys()].sort((a, b) => a - b)) {
    const groups = shuffle(byLabel.get(label)!, random);
    const texts = `${groups.length} different ${groups.length === 1 ? 'text' : 'texts'}`;
    const among = `${reviews.length} ${reviews.length === 1 ? 'row' : 'rows'}`;
    if (groups.length < minTexts)
      throw new ReviewsError(
        'REVIEWS_SMALL_CLASS',
        (labeled
          ? `The class ${nameOf(groups)} has ${texts} among ${among}`
          : `${texts} among ${among} are available`) +
          ', too few to split: training, validation and test need one each. ' +
          (labeled
            ? `Check the label column for mistakes, add or sample more rows, or join or leave out classes with ${settingText('labelMapping')}.`
            : 'Use more rows.'),
        { rows: reviews.length, label: nameOf(groups), texts: groups.length },
      );
    const count = groups.reduce((sum, group) => sum + group.length, 0);
    // Each split that is taken from the training rows gets at least one text of the class.
    const parts: Record<SplitName, number[][]> = { train: [], validation: [], test: [] };
    let seen = 0;
    groups.forEach((group, i) => {
      const fraction = seen / count;
      const part =
        fraction < sizes.test
          ? 'test'
          : fraction < sizes.test + sizes.validation || (sizes.validation > 0 && i === 1 && sizes.test > 0)
            ? 'validation'
            : 'train';
      parts[part].push(group);
      seen += group.length;
    });
    // A class with few texts, or with many copies of one, can leave a split without it: it gets one of another split.
    for (const part of ['train', 'validation', 'test'] as const)
      if (parts[part].length === 0 && (part === 'train' || sizes[part] > 0)) {
        const [largest] = Object.values(parts).sort((a, b) => b.length - a.length);
        parts[part].push(largest!.pop()!);
      }
    for (const part of ['train', 'validation', 'test'] as const)
      for (const member of parts[part].flat()) rows[part].push(member);
  }
  if (dropped) dropped.inOtherSplit += reviews.length - rows.train.length - rows.validation.length - rows.test.length;
  const reviewsOf = (name: SplitName): Review[] => {
    if (rows[name].length === 0)
      throw new ReviewsError(
        'REVIEWS_TOO_FEW_ROWS',
        `${reviews.length} rows are too few to split: ${name} would be empty. Use more rows.`,
        { rows: reviews.length, split: name },
      );
    const order = shuffle(rows[name], random);
    const kept = name === 'train' && maxTrainSamples > 0 ? order.slice(0, maxTrainSamples) : order;
    return kept.map((row) => reviews[row]!);
  };
  return { train: reviewsOf('train'), validation: reviewsOf('validation'), test: reviewsOf('test') };
}
