/**
 * Scores requests that arrive together in one batch. Requests queue while the model is busy; once it is free, it takes
 * the queued requests, in batches of texts of similar length. A request never waits for a batch to fill, and under load
 * batches are full. The queue is limited: a request that exceeds it is rejected with the time after which to retry.
 */
import { OverloadedError, TimeoutError } from '../errors.js';
import type { SentimentModel } from './sentiment.js';

interface PendingRequest {
  texts: string[];
  resolve: (probabilities: number[][]) => void;
  reject: (error: unknown) => void;
  /** Timed out: the result is not needed. */
  timedOut: boolean;
}

/** Options of a batcher. */
export interface BatcherOptions {
  /** Maximum number of queued texts. @default 2048 */
  maxQueuedTexts?: number;
  /** Maximum number of texts per call of the model. @default 128 */
  maxBatchSize?: number;
  /** Seconds after which a request times out. @default 30 */
  timeout?: number;
}

/** A queue of requests in front of a model. */
export class Batcher {
  readonly #model: SentimentModel;
  readonly #maxQueued: number;
  readonly #maxBatchSize: number;
  readonly #timeout: number;
  #queue: PendingRequest[] = [];
  #queuedTexts = 0;
  #running = false;
  /** Moving average of the seconds per text. */
  #secondsPerText = 0.01;

  constructor(model: SentimentModel, { maxQueuedTexts = 2048, maxBatchSize = 128, timeout = 30 }: BatcherOptions = {}) {
    this.#model = model;
    this.#maxQueued = maxQueuedTexts;
    this.#maxBatchSize = maxBatchSize;
    this.#timeout = timeout;
  }

  /** Number of queued texts. */
  get waiting(): number {
    return this.#queuedTexts;
  }

  /**
   * Scores texts.
   * @returns probabilities of all classes for each text
   * @throws OverloadedError if the queue is full, TimeoutError
   */
  score(texts: string[]): Promise<number[][]> {
    if (texts.length === 0) return Promise.resolve([]);
    // A single request may exceed the limit if the queue is empty.
    if (this.#queuedTexts > 0 && this.#queuedTexts + texts.length > this.#maxQueued)
      return Promise.reject(new OverloadedError(Math.max(1, Math.ceil(this.#queuedTexts * this.#secondsPerText))));
    return new Promise<number[][]>((resolve, reject) => {
      const entry: PendingRequest = { texts, resolve, reject, timedOut: false };
      const timer = setTimeout(() => {
        entry.timedOut = true;
        reject(
          new TimeoutError(
            'REQUEST_TIMEOUT',
            `The request timed out after ${this.#timeout} s. Send fewer texts per request, or retry later.`,
            { seconds: this.#timeout },
          ),
        );
      }, 1000 * this.#timeout);
      const done =
        <Value>(settle: (value: Value) => void) =>
        (value: Value) => {
          clearTimeout(timer);
          settle(value);
        };
      entry.resolve = done(resolve);
      entry.reject = done(reject);
      this.#queue.push(entry);
      this.#queuedTexts += texts.length;
      if (!this.#running) void this.#run();
    });
  }

  /** Processes the queue until it is empty. Never throws: an error rejects the requests of its batch. */
  async #run(): Promise<void> {
    this.#running = true;
    // Requests that arrive in the same turn of the event loop share a batch.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#queue.length > 0) {
      const requests: PendingRequest[] = [];
      let count = 0;
      while (this.#queue.length > 0 && (count === 0 || count + this.#queue[0]!.texts.length <= this.#maxBatchSize)) {
        const entry = this.#queue.shift()!;
        this.#queuedTexts -= entry.texts.length;
        if (entry.timedOut) continue;
        requests.push(entry);
        count += entry.texts.length;
      }
      if (count === 0) continue;
      const start = performance.now();
      try {
        const probabilities = await this.#model.predictProbabilities(requests.flatMap(({ texts }) => texts));
        let offset = 0;
        for (const { texts, resolve } of requests) resolve(probabilities.slice(offset, (offset += texts.length)));
      } catch (error) {
        for (const { reject } of requests) reject(error);
      }
      this.#secondsPerText = 0.8 * this.#secondsPerText + 0.2 * ((performance.now() - start) / 1000 / count);
    }
    this.#running = false;
  }
}
