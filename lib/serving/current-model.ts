/**
 * The model that answers requests, and its replacement at run time without losing a request. The newer model is loaded first;
 * then all further requests go to it. The older one answers its pending requests and is released.
 */
import { ModelLoadError } from '../errors.js';
import { Batcher, type BatcherOptions } from './batcher.js';
import type { SentimentModel } from './sentiment.js';

/** A model that is loaded and warmed up. */
export interface LoadedModel {
  model: SentimentModel;
  /** The model's version in paths and responses, such as the name of its run. */
  version: string;
}

/** A model and its queue. */
export interface ActiveModel extends LoadedModel {
  batcher: Batcher;
}

/** The model that answers requests. */
export class CurrentModel {
  readonly #options: BatcherOptions;
  #active: ActiveModel;
  /** Older models with pending requests. */
  readonly #older = new Set<ActiveModel>();
  #loading: Promise<unknown> = Promise.resolve();
  #nextLoad: Promise<ActiveModel> | undefined;

  constructor(first: LoadedModel, options: BatcherOptions) {
    this.#options = options;
    this.#active = this.#activate(first);
  }

  /** The model for a request that arrives now, which must use it from its start to its end. */
  get active(): ActiveModel {
    return this.#active;
  }

  /** Number of queued texts, also of older models. */
  get waiting(): number {
    return [this.#active, ...this.#older].reduce((sum, { batcher }) => sum + batcher.waiting, 0);
  }

  /**
   * Replaces the model. Calls during a load share one further load, which starts afterwards, so that it finds what is newest.
   * @param load opens and warms up the newer model
   * @returns the newer model, which is active
   * @throws ModelLoadError if loading fails; the model is not replaced
   */
  replace(load: () => Promise<LoadedModel>): Promise<ActiveModel> {
    this.#nextLoad ??= this.#loading.then(() => {
      const replacement = this.#replaceNow(load);
      this.#nextLoad = undefined;
      this.#loading = replacement.catch(() => {});
      return replacement;
    });
    return this.#nextLoad;
  }

  async #replaceNow(load: () => Promise<LoadedModel>): Promise<ActiveModel> {
    let loaded: LoadedModel;
    try {
      loaded = await load();
    } catch (error) {
      throw new ModelLoadError(this.#active.version, error);
    }
    const older = this.#active;
    this.#active = this.#activate(loaded);
    void this.#release(older);
    return this.#active;
  }

  #activate(loaded: LoadedModel): ActiveModel {
    return { ...loaded, batcher: new Batcher(loaded.model, this.#options) };
  }

  async #release(older: ActiveModel): Promise<void> {
    this.#older.add(older);
    await older.batcher.idle;
    this.#older.delete(older);
    await older.model.dispose();
  }
}
