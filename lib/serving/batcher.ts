/**
 * Requests that arrive together are scored together. While the model is at work whatever comes waits; when it is free it takes
 * what waits, as batches of like length. So nobody waits for company, and under load batches are full. What waits is bounded:
 * who comes when it is full is told to come again.
 */
import { OverloadedError, TimeoutError } from '../errors.js';
import type { SentimentModel } from './sentiment.js';

interface Waiting {
  texts: string[];
  resolve: (shares: number[][]) => void;
  reject: (error: unknown) => void;
  /** Nobody waits for the answer any more. */
  given: boolean;
}

export interface BatcherOptions {
  /** Texts that may wait. @default 2048 */
  mostWaiting?: number;
  /** Texts that the model takes at once. @default 128 */
  mostAtOnce?: number;
  /** Seconds after which a request is given up. @default 30 */
  timeout?: number;
}

export class Batcher {
  readonly #model: SentimentModel;
  readonly #mostWaiting: number;
  readonly #mostAtOnce: number;
  readonly #timeout: number;
  #queue: Waiting[] = [];
  #waiting = 0;
  #working = false;
  /** Seconds a text takes, of late. */
  #pace = 0.01;

  constructor(model: SentimentModel, { mostWaiting = 2048, mostAtOnce = 128, timeout = 30 }: BatcherOptions = {}) {
    this.#model = model;
    this.#mostWaiting = mostWaiting;
    this.#mostAtOnce = mostAtOnce;
    this.#timeout = timeout;
  }

  /** Texts that wait. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * @returns probabilities of all classes for each text
   * @throws OverloadedError when too much waits, TimeoutError
   */
  score(texts: string[]): Promise<number[][]> {
    if (texts.length === 0) return Promise.resolve([]);
    // One request may be larger than what may wait, if it comes to an empty queue.
    if (this.#waiting > 0 && this.#waiting + texts.length > this.#mostWaiting)
      return Promise.reject(new OverloadedError(Math.max(1, Math.ceil(this.#waiting * this.#pace))));
    return new Promise<number[][]>((resolve, reject) => {
      const entry: Waiting = { texts, resolve, reject, given: false };
      const timer = setTimeout(() => {
        entry.given = true;
        reject(new TimeoutError('REQUEST_TIMEOUT', `No answer within ${this.#timeout} s.`, { seconds: this.#timeout }));
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
      this.#waiting += texts.length;
      if (!this.#working) void this.#work();
    });
  }

  /** Takes what waits, until nothing does. Never throws: what fails is told to those who asked. */
  async #work(): Promise<void> {
    this.#working = true;
    // What comes in the same turn goes together.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#queue.length > 0) {
      const taken: Waiting[] = [];
      let count = 0;
      while (this.#queue.length > 0 && (count === 0 || count + this.#queue[0]!.texts.length <= this.#mostAtOnce)) {
        const entry = this.#queue.shift()!;
        this.#waiting -= entry.texts.length;
        if (entry.given) continue;
        taken.push(entry);
        count += entry.texts.length;
      }
      if (count === 0) continue;
      const from = performance.now();
      try {
        const shares = await this.#model.predictProbabilities(taken.flatMap(({ texts }) => texts));
        let at = 0;
        for (const { texts, resolve } of taken) resolve(shares.slice(at, (at += texts.length)));
      } catch (error) {
        for (const { reject } of taken) reject(error);
      }
      this.#pace = 0.8 * this.#pace + 0.2 * ((performance.now() - from) / 1000 / count);
    }
    this.#working = false;
  }
}
