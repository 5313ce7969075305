/**
 * Training batches of a data set of any size, in constant memory. Worker threads read, clean and tokenize the rows, in
 * blocks of several thousand rows, a few blocks ahead of the trainer. Each epoch reads the chunks of the files in
 * another order. Within a block, rows are shuffled as in trainingBatches.
 *
 * Several ranks divide the reading: each reads every n-th block and sends it to the others. The batches are therefore
 * the same for every number of ranks.
 *
 * The order follows from the seed. Training can therefore resume at any position (epoch, block, batch), which requires
 * reading one block again.
 */
import { hash } from 'node:crypto';
import os from 'node:os';
import { Piscina } from 'piscina';
import { ReviewsError } from '../errors.js';
import { groupBy } from '../reviews/group.js';
import { labelRow, type Dropped, type Review } from '../reviews/review.js';
import type { RowFile } from '../reviews/row-file.js';
import type { ReviewSource } from '../reviews/review-source.js';
import type { ProblemType } from '../settings/problem-type.js';
import { settingForm } from '../settings/setting-text.js';
import { singleProcess, type Ranks } from '../distributed/ranks.js';
import { unpackError } from './thread-error.js';
import { hasTokenTypes } from '../model/families/family.js';
import type { PretrainedModel } from '../model/pretrained-model.js';
import { trainingBatches, type BatchOptions } from './batches.js';
import { seededRandom, shuffle } from '../reviews/random.js';
import { textKey, type BlockPart, type PackedBlock, type WorkerSettings } from './stream-block.js';
import { labelsOf, type EncodedReviews, type IndexedBatch, type Labels } from '../model/batch.js';

/** A position in a stream: the next batch. */
export interface StreamPosition {
  epoch: number;
  /** Block within the epoch. */
  block: number;
  /** Batch within the block. */
  batch: number;
}

/** A batch of a stream; `indices` are row numbers within its block. */
export interface StreamedBatch extends IndexedBatch {
  /** The position after the batch. */
  next: StreamPosition;
}

/** Options of a stream. */
export interface StreamOptions {
  /** The model whose tokenizer, token types and maximum sequence length are used. */
  model: Pick<PretrainedModel, 'config' | 'tokenizerFiles' | 'maxTokens'>;
  /** Maximum sequence length in tokens. @default 128 */
  maxLength?: number;
  /** Reviews to exclude from training, with all copies of their texts: those of validation and test. */
  without?: Review[][];
  /** Sample of the training rows, by which balanced class weights are estimated. */
  sample?: Review[];
  /** Rows per block, which are shuffled together. @default 16384 */
  blockRows?: number;
  /** Number of threads that read and tokenize. @default the number of cores, at most 8 */
  workers?: number;
  /** Processes that read together: each reads part of the blocks and receives the others. @default this process only */
  ranks?: Ranks;
}

/** What a stream needs to know to read a block: what its labels are, and whether its rows are pairs of a model with token types. */
interface BlockContent {
  problemType: ProblemType;
  hasPairTypes: boolean;
}

function unpackBlock(
  { packed, labels, rows }: PackedBlock,
  { problemType, hasPairTypes }: BlockContent,
): EncodedReviews {
  let at = 2 * rows;
  const ids = Array.from({ length: rows }, (_, row) => packed.subarray(at, (at += packed[row]!)));
  return {
    ids,
    labels: labelsOf(labels, problemType),
    ...(hasPairTypes && { pairStarts: packed.subarray(rows, 2 * rows) }),
  };
}

/** Sends the block that one rank has read to all ranks: a few MB, compared with tens of thousands for its gradients. */
function broadcastBlock(ranks: Ranks, reader: number, block: PackedBlock | undefined): PackedBlock {
  if (ranks.size === 1) return block!;
  const header = ranks.exchange(block && { ...block, packed: block.packed.length, labels: block.labels.length })[
    reader
  ]!;
  // Token ids are integers that float32 represents exactly.
  const numbers = block ? Float32Array.from(block.packed) : new Float32Array(header.packed);
  return {
    ...header,
    packed: Int32Array.from(ranks.sumNumbers(numbers)),
    labels: ranks.sumNumbers(block?.labels ?? new Float32Array(header.labels)),
  };
}

/** The blocks of an epoch: the chunk groups in random order, divided into blocks of at least `blockRows` rows. */
function blocksOf(files: RowFile[], blockRows: number, random: () => number): BlockPart[][] {
  const groups = files.flatMap((file, number) => [
    ...groupBy(
      file.chunks.map((chunk): BlockPart => ({ file: number, chunk })),
      ({ chunk }) => chunk.group,
    ).values(),
  ]);
  const blocks: BlockPart[][] = [];
  let rows = Infinity;
  // The first block is small, so that training starts early.
  const minRows = () => (blocks.length === 1 ? Math.min(blockRows, firstBlockRows) : blockRows);
  for (const part of shuffle(groups, random).flatMap((group) => shuffle(group, random))) {
    if (rows >= minRows()) {
      blocks.push([]);
      rows = 0;
    }
    blocks.at(-1)!.push(part);
    rows += part.chunk.rows;
  }
  return blocks;
}

const firstBlockRows = 1024;

/** Blocks per epoch at most, so that each block of each epoch has a random order of its own. */
const maxBlocks = 2 ** 20;

/**
 * A stream of training rows that are read during training, epoch after epoch, in constant memory.
 * @example
 * const stream = new ReviewStream(reviews.source, { model, without: [reviews.validation, reviews.test] });
 * await trainer.train(stream, { validation: reviews.validation });
 * await stream.dispose();
 */
export class ReviewStream {
  /** Number of rows per epoch, including those that will be dropped. */
  readonly rows: number;
  /** Fingerprint of the files and the reading options. Streams with the same fingerprint have the same positions. */
  readonly fingerprint: string;
  /** Maximum sequence length in tokens. */
  readonly maxLength: number;
  /** Labels of the sample; undefined without one. */
  readonly sampledLabels: Labels | undefined;
  /** Number of dropped rows so far, by reason. */
  readonly dropped: Dropped;
  /** Number of rows so far that were excluded since they belong to validation or test. */
  heldOut = 0;
  readonly #files: RowFile[];
  readonly #pool: Piscina<BlockPart[], PackedBlock>;
  readonly #blockRows: number;
  readonly #blocksAhead: number;
  readonly #ranks: Ranks;
  readonly #content: BlockContent;

  /**
   * @param source the result of openReviews with `streaming`
   * @param options see StreamOptions
   * @throws ReviewsError for a source that is already in memory
   */
  constructor(
    { name, splits, locations, reading, dropped }: ReviewSource,
    {
      model: { config, tokenizerFiles, maxTokens },
      maxLength = 128,
      without = [],
      sample,
      blockRows = 16_384,
      workers = Math.min(8, os.availableParallelism()),
      ranks = singleProcess,
    }: StreamOptions,
  ) {
    this.#files = splits.train ?? [];
    this.rows = this.#files.reduce((sum, file) => sum + file.rows, 0);
    this.dropped = dropped;
    if (!locations.train || this.rows === 0)
      throw new ReviewsError(
        'REVIEWS_NOT_STREAMABLE',
        `Cannot stream ${name}: it has no files to read in parts. Train without streaming.`,
        { name },
      );
    this.maxLength = maxLength;
    this.#content = {
      problemType: reading.classes.problemType ?? 'single_label_classification',
      hasPairTypes: reading.textPairColumn !== undefined && hasTokenTypes(config),
    };
    this.sampledLabels =
      sample &&
      labelsOf(
        sample.flatMap((review) => labelRow(review, reading.classes.names.length)),
        this.#content.problemType,
      );
    this.#blockRows = blockRows;
    this.#blocksAhead = workers + 1;
    this.#ranks = ranks;
    const settings: WorkerSettings = {
      files: locations.train,
      reading,
      tokenizerFiles,
      maxTokens,
      maxLength,
      without: without.flatMap((reviews) => reviews.map(textKey)),
      form: settingForm(),
    };
    this.fingerprint = hash(
      'sha256',
      JSON.stringify([
        reading,
        maxLength,
        blockRows,
        settings.without,
        this.#files.map(({ name, chunks }) => [name, chunks]),
      ]),
    ).slice(0, 16);
    this.#pool = new Piscina({
      filename: new URL('./stream-worker.js', import.meta.url).href,
      workerData: settings,
      maxThreads: workers,
      minThreads: workers,
      // Enough for a block. Without a limit V8 lets a worker's garbage grow to half of the machine's memory.
      resourceLimits: { maxOldGenerationSizeMb: 512, maxYoungGenerationSizeMb: 32 },
    });
  }

  /**
   * Endless batches from a position, epoch after epoch; the caller stops the iteration.
   * @throws ReviewsError or HubError from a worker
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
      while (queue.length < this.#blocksAhead * size) {
        const reader = queued++ % size;
        const work = reader === rank ? this.#encode(blocks[block]!) : undefined;
        // A rejection is handled at the `await` below, not as an unhandled rejection before it.
        work?.catch(() => {});
        queue.push({ epoch, block, last: block === blocks.length - 1, reader, ...(work && { work }) });
        if (++block === blocks.length) [epoch, block, blocks] = [epoch + 1, 0, blocksInEpoch(epoch + 1)];
      }
      const current = queue.shift()!;
      const packed = broadcastBlock(this.#ranks, current.reader, await current.work);
      this.heldOut += packed.heldOut;
      for (const reason of Object.keys(packed.dropped) as (keyof Dropped)[])
        this.dropped[reason] += packed.dropped[reason];
      const batches =
        packed.rows === 0
          ? []
          : trainingBatches(unpackBlock(packed, this.#content), {
              ...options,
              epoch: current.epoch * maxBlocks + current.block,
            });
      const blockEnd = current.last
        ? { epoch: current.epoch + 1, block: 0, batch: 0 }
        : { epoch: current.epoch, block: current.block + 1, batch: 0 };
      for (const [i, batch] of batches.entries()) {
        if (i < skip) continue;
        const next = i === batches.length - 1 ? blockEnd : { epoch: current.epoch, block: current.block, batch: i + 1 };
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

  /** Stops the workers after their current tasks, since a message from a worker that was killed would be lost. */
  async dispose(): Promise<void> {
    await this.#pool.close({ force: true });
  }
}
