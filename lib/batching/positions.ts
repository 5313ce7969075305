/** Batches with the position after each of them, at which training can resume. */
import type { StreamPosition } from './stream.js';

/** A batch, and the position after it. */
export interface NextBatch<Batch> {
  batch: Batch;
  /** Whether it is the last batch of its epoch. */
  endsEpoch: boolean;
  next: StreamPosition;
}

/** Endless batches of rows in memory, epoch after epoch, starting at a position. */
export function* batchesInMemory<Batch>(
  batchesOf: (epoch: number) => Batch[],
  from: StreamPosition,
): Generator<NextBatch<Batch>> {
  for (let { epoch, batch: first } = from; ; epoch++, first = 0) {
    const batches = batchesOf(epoch);
    for (let i = first; i < batches.length; i++) {
      const endsEpoch = i === batches.length - 1;
      const next = endsEpoch ? { epoch: epoch + 1, block: 0, batch: 0 } : { epoch, block: 0, batch: i + 1 };
      yield { batch: batches[i]!, endsEpoch, next };
    }
  }
}
