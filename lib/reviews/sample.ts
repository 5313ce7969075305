/**
 * Random samples of reviews, determined by a seed. Of large data sets only some chunks are read, chosen at random. They
 * contain at least four times as many rows as requested. At least 16 chunks are read, unless fewer have 64 MB, since
 * neighboring rows may be similar.
 */
import { ReviewsError } from '../errors.js';
import type { SplitName } from '../hub/dataset.js';
import { seededRandom, shuffle } from './random.js';
import { columnsOf, describeDropped, reviewsOfRows, type Review } from './review.js';
import { groupBy } from './group.js';
import { chunksOfFiles, readChunks, type FileChunk, type RowFile } from './row-file.js';
import { listColumns } from './columns.js';
import { listLabels, proposedMapping } from './labels.js';
import { labelsOfFiles } from './labels-of-files.js';
import { settingText } from '../settings/setting-text.js';
import type { ReviewSource } from './review-source.js';

/** Rows read per requested row. */
const oversampling = 4;
/** Minimum number of chunks to sample from. */
const minChunks = 16;

/** Bytes after which fewer chunks are sufficient. */
const sufficientBytes = 64e6;

/** Maximum number of rows in memory. */
export const maxRowsInMemory = 1_000_000;

/** Fraction of a sample from each split of the data set; the fractions of missing splits are taken from training. */
const splitFractions: Record<SplitName, number> = { train: 0.7, validation: 0.1, test: 0.2 };

/** Allocates rows to classes in proportion to their counts, rounded by the largest remainder method. */
function allocate(counts: Map<number, number>, rows: number): Map<number, number> {
  const all = [...counts.values()].reduce((a, b) => a + b, 0);
  const parts = [...counts]
    .sort(([a], [b]) => a - b)
    .map(([label, count]) => {
      const exact = (count * rows) / all;
      return { label, count: Math.floor(exact), remainder: exact % 1 };
    });
  const left = rows - parts.reduce((sum, { count }) => sum + count, 0);
  for (const part of [...parts].sort((a, b) => b.remainder - a.remainder).slice(0, left)) part.count++;
  return new Map(parts.map(({ label, count }) => [label, count]));
}

/** Samples `rows` reviews, with each class in proportion to its size. */
function stratified(reviews: Review[], rows: number, random: () => number): Review[] {
  const members = groupBy(reviews, ({ label }) => label);
  const allocation = allocate(new Map([...members].map(([label, { length }]) => [label, length])), rows);
  return shuffle(
    [...allocation].flatMap(([label, count]) => shuffle(members.get(label)!, random).slice(0, count)),
    random,
  );
}

/** Chooses random chunks to sample from. */
function chooseChunks(files: RowFile[], rows: number, random: () => number): FileChunk[] {
  const all = chunksOfFiles(files);
  const order = shuffle([...all.keys()], random);
  const chosen = new Set<number>();
  let [count, bytes] = [0, 0];
  for (const index of order) {
    if (count >= oversampling * rows && (chosen.size >= minChunks || bytes >= sufficientBytes)) break;
    chosen.add(index);
    count += all[index]!.chunk.rows;
    bytes += all[index]!.chunk.bytes;
  }
  return all.filter((_, index) => chosen.has(index));
}

/** Samples `rows` reviews of a split, or reads all of them if `rows` is -1. */
async function sampleSplit(
  source: ReviewSource,
  files: RowFile[],
  rows: number,
  { random, stratify }: { random: () => number; stratify: boolean },
): Promise<Review[]> {
  const total = files.reduce((sum, file) => sum + file.rows, 0);
  const chunks = rows < 0 || rows >= total ? chunksOfFiles(files) : chooseChunks(files, rows, random);
  const reviews: Review[] = [];
  for await (const { file, start, rows } of readChunks(chunks, columnsOf(source.reading)))
    for (const review of reviewsOfRows(rows, source.reading, source.dropped, file.name, start)) reviews.push(review);
  if (rows < 0 || rows >= reviews.length) return reviews;
  return stratify ? stratified(reviews, rows, random) : shuffle(reviews, random).slice(0, rows);
}

/**
 * Samples reviews at random. The splits of a data set are preserved in `split`: 20 % of the rows are from its test
 * split and 10 % from its validation split, if it has them.
 * @param source of openReviews; its `dropped` counts the rows that are left out
 * @param options size, seed and stratification
 * @param options.rows total number of rows; -1, or more than exist, for all rows in their order. @default -1
 * @param options.seed random seed. @default 42
 * @param options.stratify samples each class in proportion to its size. @default true
 * @throws ReviewsError if no row is usable or more than a million are requested, HubError
 * @example
 * const sample = await sampleReviews(source, { rows: 2000, seed: 42 });
 */
export async function sampleReviews(
  source: ReviewSource,
  { rows = -1, seed = 42, stratify = true }: { rows?: number; seed?: number; stratify?: boolean } = {},
): Promise<Review[]> {
  const splits = (Object.keys(splitFractions) as SplitName[]).filter((split) =>
    source.splits[split]?.some((file) => file.rows > 0),
  );
  const sizes = splits.map((split) => source.splits[split]!.reduce((sum, file) => sum + file.rows, 0));
  const all = sizes.reduce((a, b) => a + b, 0);
  if ((rows < 0 ? all : Math.min(rows, all)) > maxRowsInMemory)
    throw new ReviewsError(
      'REVIEWS_TOO_MANY_ROWS',
      `${source.name} has ${all.toLocaleString('en')} rows, too many for memory. ` +
        `Sample fewer rows (${settingText('rows', '20000')}); to train on all of them, also set ${settingText('streaming', 'true')}.`,
      { name: source.name, rows: all },
    );
  const others = splits.filter((split) => split !== 'train').reduce((sum, split) => sum + splitFractions[split], 0);
  const sample: Review[] = [];
  for (const [i, split] of splits.entries()) {
    const fraction = split === 'train' ? 1 - others : splitFractions[split];
    const count = rows < 0 || rows >= all ? -1 : Math.min(Math.round(rows * fraction), sizes[i]!);
    const random = seededRandom(seed, i);
    const reviews = await sampleSplit(source, source.splits[split]!, count, { random, stratify });
    for (const review of reviews) sample.push({ ...review, split });
  }
  if (sample.length === 0) throw await noRowsError(source);
  await checkMapping(source, sample);
  return sample;
}

/** What the labels are, and a mapping that fits them. */
async function describeMapping({ splits, reading: { labelColumn, classes } }: ReviewSource) {
  const files = Object.values(splits).flat();
  const names = files.find((file) => file.classNames[labelColumn!])?.classNames[labelColumn!];
  const labels = new Map(
    [...(await labelsOfFiles(files, labelColumn!))].map(([label, count]) => [names?.[Number(label)] ?? label, count]),
  );
  const mapped = [...Object.keys(classes.numberOf), ...(classes.ranges ?? []).map(({ low, high }) => `${low}-${high}`)];
  return {
    text:
      `'${labelColumn}' contains ${listLabels(labels)}; the label mapping contains ${mapped.join(', ')}. ` +
      `Map the labels that exist: ${proposedMapping(labels.keys())}.`,
    values: { labelColumn, labels: [...labels.keys()].sort(), mapped },
  };
}

/** Creates the error for a source without usable rows: why rows were left out, and what to check. */
async function noRowsError(source: ReviewSource): Promise<ReviewsError> {
  const { name, dropped, reading } = source;
  const { textPairColumn, labelColumn } = reading;
  const textColumns = [...reading.textColumns, ...(textPairColumn === undefined ? [] : [textPairColumn])];
  const message = `${name} has no usable rows: ${describeDropped(dropped)}.`;
  if (labelColumn !== undefined && dropped.unmappedLabel > 0) {
    const { text, values } = await describeMapping(source);
    return new ReviewsError('REVIEWS_NO_ROWS', `${message} ${text}`, { name, dropped, ...values });
  }
  const label = labelColumn === undefined ? '' : ` and the label column '${labelColumn}'`;
  return new ReviewsError('REVIEWS_NO_ROWS', `${message} Check the text columns ${listColumns(textColumns)}${label}.`, {
    name,
    dropped,
    textColumns,
    labelColumn,
  });
}

/** @throws ReviewsError if the label mapping leaves only one class */
async function checkMapping(source: ReviewSource, sample: Review[]): Promise<void> {
  const { name, dropped, labelNames } = source;
  if (dropped.unmappedLabel === 0 || sample.some(({ label }) => label !== sample[0]!.label)) return;
  const { text, values } = await describeMapping(source);
  const label = labelNames[sample[0]!.label]!;
  const allRows = sample.length === 1 ? 'The only row' : `All ${sample.length} rows`;
  throw new ReviewsError(
    'REVIEWS_ONE_CLASS',
    `${allRows} of ${name} that the label mapping contains ${sample.length === 1 ? 'has' : 'have'} the class ${label}; training needs two classes. ${text}`,
    { name, label, rows: sample.length, ...values },
  );
}

/**
 * The number of rows to sample: `rows` if it is set. The default is all rows; of a data set on the hub, or one that is
 * streamed, 20,000 with a GPU and 2,000 without.
 * @param settings requested number of rows, and whether the data set is streamed
 * @param source of openReviews
 * @param device of describeDevice
 * @returns `rows` for sampleReviews; -1 for all
 * @example
 * const rows = sampleSize(settings, source, describeDevice());
 * const sample = await sampleReviews(source, { rows });
 */
export function sampleSize(
  { rows, streaming }: { rows?: number | undefined; streaming: boolean },
  { files }: ReviewSource,
  { kind }: { kind: 'CPU' | 'GPU' },
): number {
  if (rows !== undefined) return rows;
  const isLocal = files.some(({ from }) => from === 'embedded' || from === 'local') && !streaming;
  return isLocal ? -1 : kind === 'GPU' ? 20_000 : 2_000;
}
