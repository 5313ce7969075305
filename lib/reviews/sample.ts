/**
 * A random sample of reviews, determined by a seed. Of large sets only some runs of rows are read, chosen
 * by chance: at least four times as many rows as are wanted, from at least sixteen places as long as they are small, since
 * neighbours in a file may be alike.
 */
import { ReviewsError } from '../errors.js';
import type { SplitName } from '../hub/dataset.js';
import { seededRandom, shuffle } from './random.js';
import { columnsOf, describeDropped, reviewsOfRows, type Review } from './review.js';
import { groupBy } from './group.js';
import { chunksOfFiles, readChunks, type FileChunk, type RowFile } from './row-file.js';
import { labelsOf } from './open-reviews.js';
import type { ReviewSource } from './review-source.js';

/** Rows read for each that is wanted. */
const oversampling = 4;
/** Places in the files that a sample comes from at least, … */
const leastChunks = 16;
/** … as long as they are not more bytes than this. */
const fewestBytes = 64e6;

/** More rows do not fit into memory. */
export const maxRowsInMemory = 1_000_000;

/** The share of a sample that each of a data set's own splits gives; what a set does not have, training gives. */
const shares: Record<SplitName, number> = { train: 0.7, validation: 0.1, test: 0.2 };

/** How many of each class: whole shares first, what is left over to the largest remainders. */
function allotment(counts: Map<number, number>, rows: number): Map<number, number> {
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

/** `rows` of the reviews, each class in its share. */
function stratified(reviews: Review[], rows: number, random: () => number): Review[] {
  const members = groupBy(reviews, ({ label }) => label);
  const wanted = allotment(new Map([...members].map(([label, { length }]) => [label, length])), rows);
  return shuffle(
    [...wanted].flatMap(([label, count]) => shuffle(members.get(label)!, random).slice(0, count)),
    random,
  );
}

/** Runs of rows to draw from. */
function chooseChunks(files: RowFile[], rows: number, random: () => number): FileChunk[] {
  const all = chunksOfFiles(files);
  const order = shuffle([...all.keys()], random);
  const chosen = new Set<number>();
  let [count, bytes] = [0, 0];
  for (const index of order) {
    if (count >= oversampling * rows && (chosen.size >= leastChunks || bytes >= fewestBytes)) break;
    chosen.add(index);
    count += all[index]!.chunk.rows;
    bytes += all[index]!.chunk.bytes;
  }
  return all.filter((_, index) => chosen.has(index));
}

async function sampleSplit(
  source: ReviewSource,
  files: RowFile[],
  rows: number,
  { random, stratify }: { random: () => number; stratify: boolean },
): Promise<Review[]> {
  const total = files.reduce((sum, file) => sum + file.rows, 0);
  const chunks = rows < 0 || rows >= total ? chunksOfFiles(files) : chooseChunks(files, rows, random);
  const reviews: Review[] = [];
  for await (const { file, rows } of readChunks(chunks, columnsOf(source.reading)))
    for (const review of reviewsOfRows(rows, source.reading, source.dropped, file.name)) reviews.push(review);
  if (rows < 0 || rows >= reviews.length) return reviews;
  return stratify ? stratified(reviews, rows, random) : shuffle(reviews, random).slice(0, rows);
}

/**
 * Draws reviews. A data set's own splits are kept, in `split`: a fifth of the rows comes from its test
 * rows and a tenth from its validation rows, where it has them.
 * @param source of openReviews; its `dropped` counts what is left out
 * @param options how many, and by which chance
 * @param options.rows how many in all; -1 or more than there are for all of them, in their order. @default -1
 * @param options.seed @default 42
 * @param options.stratify each class in its share, not by chance alone. @default true
 * @throws ReviewsError when no row can be used, or for more than a million rows; HubError
 */
export async function sampleReviews(
  source: ReviewSource,
  { rows = -1, seed = 42, stratify = true }: { rows?: number; seed?: number; stratify?: boolean } = {},
): Promise<Review[]> {
  const splits = (Object.keys(shares) as SplitName[]).filter((split) =>
    source.splits[split]?.some((file) => file.rows > 0),
  );
  const sizes = splits.map((split) => source.splits[split]!.reduce((sum, file) => sum + file.rows, 0));
  const all = sizes.reduce((a, b) => a + b, 0);
  if ((rows < 0 ? all : Math.min(rows, all)) > maxRowsInMemory)
    throw new ReviewsError(
      'REVIEWS_TOO_MANY_ROWS',
      `${source.name} has ${all.toLocaleString('en')} rows, too many for memory. Take a sample (TUNEBOOK_ROWS=20000), and train on all by TUNEBOOK_STREAMING=true.`,
      { name: source.name, rows: all },
    );
  const others = splits.filter((split) => split !== 'train').reduce((sum, split) => sum + shares[split], 0);
  const drawn: Review[] = [];
  for (const [i, split] of splits.entries()) {
    const share = split === 'train' ? 1 - others : shares[split];
    const wanted = rows < 0 || rows >= all ? -1 : Math.min(Math.round(rows * share), sizes[i]!);
    const random = seededRandom(seed, i);
    const reviews = await sampleSplit(source, source.splits[split]!, wanted, { random, stratify });
    for (const review of reviews) drawn.push({ ...review, split });
  }
  if (drawn.length === 0) throw await noReviews(source);
  return drawn;
}

/** Labels that an error lists. */
const mostListed = 10;

/** The error for a source without a usable row: what was left out, and what to check. */
async function noReviews(source: ReviewSource): Promise<ReviewsError> {
  const { textColumns, labelColumn, classes } = source.reading;
  const columns = textColumns.join(', ');
  const message = `No row of ${source.name} can be used: ${describeDropped(source.dropped)}.`;
  if (labelColumn === undefined)
    return new ReviewsError('REVIEWS_NO_ROWS', `${message} Is '${columns}' the right column?`, {
      name: source.name,
      dropped: source.dropped,
      textColumns,
    });
  if (source.dropped.unmappedLabel === 0)
    return new ReviewsError('REVIEWS_NO_ROWS', `${message} Are '${columns}' and '${labelColumn}' the right columns?`, {
      name: source.name,
      dropped: source.dropped,
      textColumns,
      labelColumn,
    });
  const found = await labelsOf(source);
  const listed = found.slice(0, mostListed).map((label) => `'${label}'`);
  return new ReviewsError(
    'REVIEWS_NO_ROWS',
    `${message} '${labelColumn}' holds ${listed.join(', ')}${found.length > mostListed ? ', …' : ''}; the label mapping names ` +
      `${Object.keys(classes.numberOf).join(', ')}. Name the labels as they are: --label-mapping '${found[0]} -> negative; …'.`,
    { name: source.name, labelColumn, labels: found, dropped: source.dropped, mapped: Object.keys(classes.numberOf) },
  );
}

/**
 * How many rows to draw where nobody says: all; of a data set on the hub, and of one that is streamed, 20,000 with a GPU and
 * 2,000 without.
 * @param settings `rows`, where somebody says, and whether all is streamed
 * @param source of openReviews
 * @param device of describeDevice
 * @returns what sampleReviews takes: -1 for all
 */
export function sampleSize(
  { rows, streaming }: { rows?: number | undefined; streaming: boolean },
  { files }: ReviewSource,
  { kind }: { kind: 'CPU' | 'GPU' },
): number {
  if (rows !== undefined) return rows;
  const whole = files.some(({ from }) => from === 'embedded' || from === 'local') && !streaming;
  return whole ? -1 : kind === 'GPU' ? 20_000 : 2_000;
}
