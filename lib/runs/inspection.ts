/** The inspection of reviews before training: everything that `tunebook inspect` reports, as plain data. */
import { ReviewsError } from '../errors.js';
import { findLabelNoise, type DoubtfulLabel, type LabelNoise } from '../evaluation/label-noise.js';
import type { SplitName } from '../hub/dataset.js';
import { findDamagedTexts, type TextDamage } from '../quality/damaged-texts.js';
import { findDuplicates, type DuplicateText, type SharedRows } from '../quality/duplicates.js';
import { findLeakingColumns, type LeakingColumn } from '../quality/leaking-columns.js';
import { findLeakingWords, type LeakingWord } from '../quality/leaking-words.js';
import { findNearDuplicates, type NearDuplicate } from '../quality/near-duplicates.js';
import { textLengths, type TextLengths } from '../quality/text-lengths.js';
import { vocabularyFit, type VocabularyFit } from '../quality/vocabulary-fit.js';
import { seededRandom, shuffle } from '../reviews/random.js';
import { describeSource } from '../reviews/describe-source.js';
import { columnsOf, nothingDropped, reviewsOfRows, type Dropped, type Review } from '../reviews/review.js';
import type { ReviewSource } from '../reviews/review-source.js';
import { chunksOfFiles, readChunks, type Row } from '../reviews/row-file.js';
import { sampleReviews } from '../reviews/sample.js';
import { splitReviews, type ReviewSplit } from '../reviews/split.js';
import { textsOfInput, type Tokenizer } from '../tokenizer/tokenizer.js';
import { heldOutLabelNoise } from './held-out-predictions.js';
import type { RunFolder } from './run-folder.js';

/** The number of rows of a class. */
export interface ClassRows {
  name: string;
  rows: number;
  /** By split of the data set. */
  splits: Partial<Record<SplitName, number>>;
}

/** Probable label errors according to a model. */
export interface LabelErrors {
  /** `bag of words, cross-validated`, or the fine-tuned model. */
  model: string;
  /** Number of reviews that were predicted. */
  reviews: number;
  /** Fraction of them whose label equals the prediction. */
  agreement: number;
  /** Number of probable label errors. */
  count: number;
  /** The least plausible labels. */
  examples: DoubtfulLabel[];
}

/** The result of inspectReviews. Lists of examples are limited to the first 20; counts are not. */
export interface Inspection {
  /** For messages and reports. */
  name: string;
  textColumns: string[];
  /** What was read and how, see describeSource. */
  read: string[];
  /** Null for texts without labels. */
  labelColumn: string | null;
  /** Number of rows of all files. */
  totalRows: number;
  /** Number of reviews that were inspected. */
  reviews: number;
  /** Rows that were left out, by reason. */
  dropped: Dropped;
  /** Number of reviews by split of the data set. */
  splits: Partial<Record<SplitName, number>>;
  /** Empty for texts without labels. */
  classes: ClassRows[];
  lengths: TextLengths;
  vocabulary: VocabularyFit;
  duplicates: {
    copies: number;
    texts: number;
    conflicting: number;
    acrossSplits: SharedRows[];
    examples: DuplicateText[];
    conflictingExamples: DuplicateText[];
  };
  /** Undefined if the reviews cannot be split. */
  nearDuplicates?: { heldOut: number; count: number; examples: NearDuplicate[] };
  damage: TextDamage[];
  labelErrors: LabelErrors[];
  leakingWords: LeakingWord[];
  leakingColumns: LeakingColumn[];
  /** Why the labels are not read; undefined if they are. */
  labelProblem?: string;
  /** Why the reviews cannot be split for training; undefined if they can. */
  splitProblem?: string;
  /** Checks that were not made, and why, a sentence each. */
  skipped: string[];
}

/** Maximum number of examples in each list. */
const maxExamples = 20;

/** Maximum number of reviews for the bag of words, which would otherwise take minutes. */
const maxBagReviews = 10_000;

/** Number of rows whose other columns are examined. */
const columnRows = 20_000;

/** Reads rows with all columns, from chunks at even intervals. */
async function readRows(source: ReviewSource): Promise<Row[]> {
  const chunks = chunksOfFiles(Object.values(source.splits).flat());
  const total = chunks.reduce((sum, { chunk }) => sum + chunk.rows, 0);
  const step = Math.max(1, total / columnRows);
  const chosen = chunks.filter((_, i) => Math.floor(i / step) > Math.floor((i - 1) / step));
  const rows: Row[] = [];
  const columns = [...new Set(chosen.flatMap(({ file }) => file.columns))];
  for await (const { rows: some } of readChunks(chosen, columns)) for (const row of some) rows.push(row);
  return rows;
}

/** Finds columns, other than those of text and label, that give the label away. */
async function inspectColumns(source: ReviewSource): Promise<LeakingColumn[]> {
  const used = new Set(columnsOf(source.reading));
  const columns = [...new Set(Object.values(source.splits).flatMap((files) => files.flatMap((file) => file.columns)))];
  const others = columns.filter((column) => !used.has(column));
  if (others.length === 0) return [];
  const labeled = (await readRows(source)).flatMap((row) =>
    reviewsOfRows([row], source.reading, nothingDropped(), source.name).map(({ label }) => ({ row, label })),
  );
  return findLeakingColumns(
    labeled.map(({ row }) => row),
    labeled.map(({ label }) => label),
    others,
  );
}

const errorsOf = (model: string, reviews: number, { agreement, doubtful }: LabelNoise): LabelErrors => ({
  model,
  reviews,
  agreement,
  count: doubtful.length,
  examples: doubtful.slice(0, maxExamples),
});

/** Finds probable label errors, by a bag of words and, if there is a run, by its model. */
async function inspectLabels(
  reviews: Review[],
  labelNames: string[],
  { seed, run, skipped }: { seed: number; run: RunFolder | undefined; skipped: string[] },
): Promise<LabelErrors[]> {
  const sample =
    reviews.length > maxBagReviews ? shuffle([...reviews], seededRandom(seed)).slice(0, maxBagReviews) : reviews;
  const errors = [errorsOf('bag of words, cross-validated', sample.length, findLabelNoise(sample, { seed }))];
  if (!run) return errors;
  const result = await heldOutLabelNoise(run, reviews, labelNames);
  if (typeof result === 'string') skipped.push(`Label errors according to the fine-tuned model: ${result}.`);
  else errors.push(errorsOf(`${run.folder}, on rows that it was not trained on`, result.reviews, result.noise));
  return errors;
}

/** Counts reviews by split. */
function countSplits(reviews: Review[]): Partial<Record<SplitName, number>> {
  const counts: Partial<Record<SplitName, number>> = {};
  for (const { split = 'train' } of reviews) counts[split] = (counts[split] ?? 0) + 1;
  return counts;
}

/** Inspected reviews, and the result. */
export interface InspectedReviews {
  inspection: Inspection;
  reviews: Review[];
}

/**
 * Inspects reviews: classes, lengths, vocabulary, duplicates, damaged texts, label errors and leakage. Checks that need
 * labels are skipped for texts without labels.
 * @param source of openReviews
 * @param options what to inspect
 * @param options.tokenizer of the model that will be trained
 * @param options.rows number of reviews to sample at random; -1 for all. @default -1
 * @param options.maxLength maximum sequence length in tokens. @default 128
 * @param options.seed random seed of sample, split and cross-validation. @default 42
 * @param options.labelProblem why the labels are not read. @default they are, if there are labels
 * @param options.run a fine-tuning run, whose model also looks for label errors. @default none
 * @throws ReviewsError if no row is usable
 */
export async function inspectReviews(
  source: ReviewSource,
  {
    tokenizer,
    rows = -1,
    maxLength = 128,
    seed = 42,
    labelProblem,
    run,
  }: {
    tokenizer: Tokenizer;
    rows?: number;
    maxLength?: number;
    seed?: number;
    labelProblem?: string | undefined;
    run?: RunFolder | undefined;
  },
): Promise<InspectedReviews> {
  const { labelColumn, textColumns } = source.reading;
  const { labelNames } = source;
  const reviews = await sampleReviews(source, { rows, seed });
  const texts = reviews.flatMap(textsOfInput);
  const labeled = labelColumn !== undefined;
  const skipped: string[] = [];
  if (!labeled)
    skipped.push(
      'There is no label column: classes, label errors, conflicting duplicates and leakage are not checked.',
    );

  let split: ReviewSplit | undefined;
  let splitProblem: string | undefined;
  try {
    split = splitReviews(reviews, { seed, labelNames, labeled });
  } catch (error) {
    if (!(error instanceof ReviewsError)) throw error;
    splitProblem = error.message;
    skipped.push('The reviews cannot be split: near-duplicates across splits are not checked.');
  }
  const near = split && findNearDuplicates(split);
  const duplicates = findDuplicates(reviews);
  const present = new Set(reviews.map(({ label }) => label));
  const hasClasses = labeled && present.size > 1;
  if (labeled && !hasClasses) skipped.push('There is one class: label errors and leakage are not checked.');
  return {
    reviews,
    inspection: {
      name: source.name,
      textColumns,
      read: describeSource(source),
      labelColumn: labelColumn ?? null,
      totalRows: Object.values(source.splits)
        .flat()
        .reduce((sum, file) => sum + file.rows, 0),
      reviews: reviews.length,
      dropped: source.dropped,
      splits: countSplits(reviews),
      classes: labeled
        ? labelNames.map((name, label) => {
            const members = reviews.filter((review) => review.label === label);
            return { name, rows: members.length, splits: countSplits(members) };
          })
        : [],
      lengths: textLengths(reviews, tokenizer, maxLength),
      vocabulary: vocabularyFit(texts, tokenizer),
      duplicates: {
        copies: duplicates.copies,
        texts: duplicates.texts.length,
        conflicting: duplicates.conflicting.length,
        acrossSplits: duplicates.acrossSplits,
        examples: duplicates.texts.slice(0, maxExamples),
        conflictingExamples: duplicates.conflicting.slice(0, maxExamples),
      },
      ...(split &&
        near && {
          nearDuplicates: {
            heldOut: split.validation.length + split.test.length,
            count: near.length,
            examples: near.slice(0, maxExamples),
          },
        }),
      damage: findDamagedTexts(texts),
      labelErrors: hasClasses ? await inspectLabels(reviews, labelNames, { seed, run, skipped }) : [],
      leakingWords: hasClasses ? findLeakingWords(reviews).slice(0, maxExamples) : [],
      leakingColumns: hasClasses ? await inspectColumns(source) : [],
      ...(labelProblem !== undefined && { labelProblem }),
      ...(splitProblem !== undefined && { splitProblem }),
      skipped,
    },
  };
}
