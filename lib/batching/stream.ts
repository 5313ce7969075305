/**
 * A data set of any size as batches to train on, in constant memory. Rows are read, cleaned and tokenized by workers, a
 * block of some thousand at a time and a few blocks ahead of the trainer. Each epoch takes the runs of rows that the files
 * are made of in another order; inside a block rows are shuffled and grouped by length, as trainingBatches does.
 *
 * Several ranks share the reading: each reads every n-th block, and gives it to the others, so that batches are those of one
 * rank, whatever their number.
 *
 * Everything follows from the seed, so a position in the stream (epoch, block, batch) is all that is needed to go on from
 * there, and going on reads one block anew.
 */
import { hash } from 'node:crypto';
import os from 'node:os';
import { Piscina } from 'piscina';
import { ReviewsError } from '../errors.js';
import { groupBy } from '../reviews/group.js';
import type { Dropped, Review } from '../reviews/review.js';
import type { RowFile } from '../reviews/row-file.js';
import type { ReviewSource } from '../reviews/review-source.js';
import { alone, type Ranks } from '../distributed/ranks.js';
import { unpackError } from './thread-error.js';
import type { PretrainedModel } from '../model/pretrained-model.js';
import { trainingBatches } from './batches.js';
import { seededRandom, shuffle } from '../reviews/random.js';
import { textKey, type BlockPart, type PackedBlock, type WorkerSettings } from './stream-block.js';
import type { EncodedReviews, IndexedBatch } from '../model/batch.js';

/** Where a stream is: the batch that comes next. */
export interface StreamPosition {
  epoch: number;
  /** Of the epoch. */
  block: number;
  /** Of the block. */
  batch: number;
}

/** A batch of a stream; its indices are those of its block. */
export interface StreamedBatch extends IndexedBatch {
  /** The position behind it. */
  next: StreamPosition;
}

/** How a stream is read. */
export interface StreamOptions {
  /** Its tokenizer is used, and its maximum sequence length. */
  model: Pick<PretrainedModel, 'tokenizerFiles' | 'maxTokens'>;
  /** Tokens after which a text is cut. @default 128 */
  maxLength?: number;
  /** Texts to be left out of training, wherever they come: those to choose and test by. */
  without?: Review[][];
  /** Rows that are shuffled together. @default 16384 */
  blockRows?: number;
  /** Threads that read and tokenize. @default as many as there are cores, 8 at most */
  workers?: number;
  /** Who reads together: each reads its share of the blocks, and all get all. @default this process alone */
  ranks?: Ranks;
}

function unpackBlock({ packed, rows }: PackedBlock): EncodedReviews {
  let at = 2 * rows;
  const ids = Array.from({ length: rows }, (_, row) => packed.subarray(at, (at += packed[row]!)));
  return { ids, labels: packed.subarray(rows, 2 * rows) };
}

/** Gives all ranks the block that one of them has read: some MB, where the gradients of its batches are some ten thousand. */
function shareBlock(ranks: Ranks, reader: number, block: PackedBlock | undefined): PackedBlock {
  if (ranks.size === 1) return block!;
  const header = ranks.exchange(block && { ...block, packed: block.packed.length })[reader]!;
  // Token ids are whole numbers that float32 holds exactly.
  const numbers = block ? Float32Array.from(block.packed) : new Float32Array(header.packed);
  return { ...header, packed: Int32Array.from(ranks.sumNumbers(numbers)) };
}

/** Blocks of an epoch: groups of chunks in an order of their own, cut where there are enough rows. */
function blocksOf(files: RowFile[], blockRows: number, random: () => number): BlockPart[][] {
  const groups = files.flatMap((file, number) => [
    ...groupBy(
      file.chunks.map((chunk): BlockPart => ({ file: number, chunk })),
      ({ chunk }) => chunk.group,
    ).values(),
  ]);
  const blocks: BlockPart[][] = [];
  let rows = Infinity;
  // Somebody is waiting for the first, so it is small.
  const enough = () => (blocks.length === 1 ? Math.min(blockRows, firstBlockRows) : blockRows);
  for (const part of shuffle(groups, random).flatMap((group) => shuffle(group, random))) {
    if (rows >= enough()) {
      blocks.push([]);
      rows = 0;
    }
    blocks.at(-1)!.push(part);
    rows += part.chunk.rows;
  }
  return blocks;
}

const firstBlockRows = 1024;

/** Epochs' blocks are numbered on, so that each has a chance of its own. */
const mostBlocks = 2 ** 20;

/** How rows become batches, see trainingBatches. */
export interface BatchOptions {
  batchSize: number;
  seed: number;
  groupByLength?: boolean;
  maxTokens?: number;
}

/** Training rows that are read while training runs, epoch after epoch, in memory that does not grow with them. */
export class ReviewStream {
  /** Rows of an epoch, those included that will turn out to be of no use. */
  readonly rows: number;
  /** The same files, read the same way, have the same: positions of one are positions of the other. */
  readonly fingerprint: string;
  /** Tokens of a text, at most. */
  readonly maxLength: number;
  /** Rows left out so far, by reason. */
  readonly dropped: Dropped;
  /** Rows left out so far since they are to choose or to test by. */
  heldOut = 0;
  readonly #files: RowFile[];
  readonly #pool: Piscina<BlockPart[], PackedBlock>;
  readonly #blockRows: number;
  readonly #ahead: number;
  readonly #ranks: Ranks;

  /**
   * @param source of openReviews with `streaming`
   * @param options how it is read
   * @throws ReviewsError for a source that is in memory and needs no streaming
   */
  constructor(
    { name, splits, locations, reading, dropped }: ReviewSource,
    {
      model: { tokenizerFiles, maxTokens },
      maxLength = 128,
      without = [],
      blockRows = 16_384,
      workers = Math.min(8, os.availableParallelism()),
      ranks = alone,
    }: StreamOptions,
  ) {
    this.#files = splits.train ?? [];
    this.rows = this.#files.reduce((sum, file) => sum + file.rows, 0);
    this.dropped = dropped;
    if (!locations.train || this.rows === 0)
      throw new ReviewsError('REVIEWS_NOT_STREAMABLE', `${name} has no rows to stream; it is read as a whole.`, {
        name,
      });
    this.maxLength = maxLength;
    this.#blockRows = blockRows;
    this.#ahead = workers + 1;
    this.#ranks = ranks;
    const settings: WorkerSettings = {
      files: locations.train.map((location, i) => ({ location, columns: this.#files[i]!.columns })),
      reading,
      tokenizerFiles,
      maxTokens,
      maxLength,
      without: without.flatMap((reviews) => reviews.map(({ text }) => textKey(text))),
    };
    this.fingerprint = hash(
      'sha256',
      JSON.stringify([
        ...[reading, maxLength, blockRows, settings.without],
        this.#files.map(({ name, chunks }) => [name, chunks]),
      ]),
    ).slice(0, 16);
    this.#pool = new Piscina({
      filename: new URL('./stream-worker.js', import.meta.url).href,
      workerData: settings,
      maxThreads: workers,
      minThreads: workers,
      // What a block needs on its way; V8 would let a worker's garbage grow to half the machine's memory.
      resourceLimits: { maxOldGenerationSizeMb: 512, maxYoungGenerationSizeMb: 32 },
    });
  }

  /**
   * Batches from a position on, epoch after epoch, without end: who takes them says when it is enough.
   * @throws ReviewsError or HubError, with the words of whatever stopped a worker
   */
  async *batches(
    options: BatchOptions,
    from: StreamPosition = { epoch: 0, block: 0, batch: 0 },
  ): AsyncGenerator<StreamedBatch> {
    const blocksInEpoch = (epoch: number) => blocksOf(this.#files, this.#blockRows, seededRandom(options.seed, epoch));
    let { epoch, block } = from;
    let blocks = blocksInEpoch(epoch);
    const { rank, size } = this.#ranks;
    const queue: { epoch: number; block: number; last: boolean; reader: number; work?: Promise<PackedBlock> }[] = [];
    let queued = 0;
    for (let skip = from.batch; ; skip = 0) {
      while (queue.length < this.#ahead * size) {
        const reader = queued++ % size;
        const work = reader === rank ? this.#encode(blocks[block]!) : undefined;
        // Whoever awaits it is told; until then nobody else need be.
        work?.catch(() => {});
        queue.push({ epoch, block, last: block === blocks.length - 1, reader, ...(work && { work }) });
        if (++block === blocks.length) [epoch, block, blocks] = [epoch + 1, 0, blocksInEpoch(epoch + 1)];
      }
      const current = queue.shift()!;
      const packed = shareBlock(this.#ranks, current.reader, await current.work);
      this.heldOut += packed.heldOut;
      for (const reason of Object.keys(packed.dropped) as (keyof Dropped)[])
        this.dropped[reason] += packed.dropped[reason];
      const batches =
        packed.rows === 0
          ? []
          : trainingBatches(unpackBlock(packed), { ...options, epoch: current.epoch * mostBlocks + current.block });
      const behind = current.last
        ? { epoch: current.epoch + 1, block: 0, batch: 0 }
        : { epoch: current.epoch, block: current.block + 1, batch: 0 };
      for (const [i, batch] of batches.entries()) {
        if (i < skip) continue;
        const next = i === batches.length - 1 ? behind : { epoch: current.epoch, block: current.block, batch: i + 1 };
        yield { ...batch, next };
      }
    }
  }

  async #encode(block: BlockPart[]): Promise<PackedBlock> {
    try {
      return await this.#pool.run(block);
    } catch (error) {
      throw unpackError(error);
    }
  }

  /** Ends the workers when what they have begun is done; ended at once, what they still say would find nobody. */
  async dispose(): Promise<void> {
    await this.#pool.close({ force: true });
  }
}
