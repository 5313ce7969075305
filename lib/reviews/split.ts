/** Rows for training, for choosing, and for the final word. The same text is never on two sides: that would be a test whose answers were handed out. */
import { ReviewsError } from '../errors.js';
import type { SplitName } from '../hub/dataset.js';
import { seededRandom, shuffle } from './random.js';
import { groupBy } from './group.js';
import { normalizedText, type Review } from './review.js';

/** Rows by what they are for; no text is in two parts. */
export interface ReviewSplit {
  /** To learn from. */
  train: Review[];
  /** To choose by: the best of the evaluations, and when to stop. */
  validation: Review[];
  /** For the final figures, and for nothing before them. */
  test: Review[];
}

/** A class in all three parts needs this many texts at least. */
const leastTexts = 3;

const remedy = "Or say which labels count: TUNEBOOK_LABEL_MAPPING='1,2 -> negative; 4,5 -> positive'.";

/**
 * Splits by chance, each class for itself, copies of a text staying together. Where the rows' data set has splits of its
 * own (`split`), they are kept: only what is missing is taken from the training rows, and training rows whose text
 * is in another part are left out.
 * @param reviews of sampleReviews; without `split` they are training rows
 * @param options how much goes where, and by which chance
 * @param options.seed default 42
 * @param options.validation share of the rows, default 0.1
 * @param options.test share of the rows, default 0.2
 * @param options.labelNames class names, for errors. @default the class numbers
 * @param options.labelled false for texts without classes. @default true
 * @param options.maxTrainSamples leaves the training part that many rows at most; -1 for all of them. @default -1
 * @throws ReviewsError when there is one class only, one that is too rare for three parts, or too few rows
 */
export function splitReviews(
  reviews: Review[],
  {
    seed = 42,
    validation = 0.1,
    test = 0.2,
    labelNames = [],
    labelled = true,
    maxTrainSamples = -1,
  }: {
    seed?: number;
    validation?: number;
    test?: number;
    labelNames?: string[];
    labelled?: boolean;
    maxTrainSamples?: number;
  } = {},
): ReviewSplit {
  if (!(validation > 0 && test > 0 && validation + test < 1))
    throw new ReviewsError(
      'SPLIT_INVALID',
      `validation ${validation} and test ${test} must be above 0 and leave rows to train on.`,
      { validation, test },
    );
  const rows: Record<SplitName, number[]> = { train: [], validation: [], test: [] };
  const keys = reviews.map(({ text }) => normalizedText(text));
  // A text that a test asks for, and one that chooses, keep out of what comes before.
  const taken = new Set<string>();
  for (const part of ['test', 'validation'] as const) {
    const found = reviews
      .flatMap(({ split }, row) => (split === part ? [row] : []))
      .filter((row) => !taken.has(keys[row]!));
    for (const row of found) taken.add(keys[row]!);
    rows[part].push(...found);
  }

  const rest = reviews.flatMap(({ split = 'train' }, row) =>
    split === 'train' && !taken.has(keys[row]!) ? [row] : [],
  );
  const copies = groupBy(rest, (row) => keys[row]!);
  // A text's class is that of its first copy: stratifying needs one.
  const byLabel = groupBy(copies.values(), ([first]) => reviews[first!]!.label);
  const nameOf = ([group]: number[][]) => {
    const { label } = reviews[group![0]!]!;
    return labelNames[label] ?? String(label);
  };
  if (labelled && byLabel.size < 2) {
    const [groups] = byLabel.values();
    throw new ReviewsError(
      'REVIEWS_ONE_CLASS',
      `All ${reviews.length} rows are of one class${groups ? `, ${nameOf(groups)}` : ''}; there is nothing to tell apart. Check the label column, or whether the rows are sorted by it and too few were read. ${remedy}`,
      { rows: reviews.length, label: groups && nameOf(groups) },
    );
  }
  const random = seededRandom(seed);
  const shareOf = { test: rows.test.length > 0 ? 0 : test, validation: rows.validation.length > 0 ? 0 : validation };
  for (const label of [...byLabel.keys()].sort((a, b) => a - b)) {
    const groups = shuffle(byLabel.get(label)!, random);
    if (groups.length < leastTexts)
      throw new ReviewsError(
        'REVIEWS_SMALL_CLASS',
        `The class ${nameOf(groups)} has ${groups.length} different ${groups.length === 1 ? 'text' : 'texts'} among ${reviews.length} rows, too few to split: training, validation and test need one each. Is it a mistake in the label column? ${remedy}`,
        { rows: reviews.length, label: nameOf(groups), texts: groups.length },
      );
    const count = groups.reduce((sum, group) => sum + group.length, 0);
    // Each part that is made gets one text at least; the largest groups do not come before the parts are full.
    let seen = 0;
    groups.forEach((group, i) => {
      const share = seen / count;
      const part =
        share < shareOf.test
          ? 'test'
          : share < shareOf.test + shareOf.validation || (shareOf.validation > 0 && i === 1 && shareOf.test > 0)
            ? 'validation'
            : 'train';
      rows[part].push(...group);
      seen += group.length;
    });
  }
  const part = (name: SplitName): Review[] => {
    if (rows[name].length === 0)
      throw new ReviewsError(
        'REVIEWS_TOO_FEW_ROWS',
        `${reviews.length} rows are too few to split: ${name} would be empty.`,
        { rows: reviews.length, split: name },
      );
    const order = shuffle(rows[name], random);
    const kept = name === 'train' && maxTrainSamples > 0 ? order.slice(0, maxTrainSamples) : order;
    return kept.map((row) => reviews[row]!);
  };
  return { train: part('train'), validation: part('validation'), test: part('test') };
}
