/**
 * Trains only those rows of the word embedding whose tokens occur in the training texts. A small data set uses a few thousand of
 * 30,522 rows; the gradients of the others are always 0, so AdamW only applies weight decay to them, which is one factor that
 * can be applied later. The result is the same, and the largest parameter (half of MiniLM, a third of DistilBERT-base) takes a
 * fraction of the time and memory for its gradient, moments and update. Used inside the training step only.
 */
import type { Tensor1D } from '@tensorflow/tfjs';
import type { EncodedBatch } from '../model/batch.js';
import { familyOf } from '../model/families.js';
import type { Model } from '../model/model.js';
import { gatherRows, scatterRows } from '../tensorflow/kernels.js';
import { tf } from '../tensorflow/runtime.js';
import { ResourceVariable } from '../tensorflow/variables.js';

/** If more rows than this fraction are used, a smaller table does not pay. */
const maxUsedFraction = 0.8;

/** Weight decay of the unused rows, as factors since the start of training. */
export interface UnusedDecay {
  /** What the optimizer would have applied. */
  total: number;
  /** What has been applied to the model. */
  applied: number;
}

/** A model whose word embedding has the used rows only. */
export class UsedVocabulary {
  /** Shares all parameters with the full model except the word embedding. */
  readonly model: Model;
  decay: UnusedDecay = { total: 1, applied: 1 };
  readonly #full: ResourceVariable;
  readonly #used: ResourceVariable;
  /** Token ids by row of the smaller table. */
  readonly #ids: Int32Array;
  /** Rows by token id. */
  readonly #rowOf: Int32Array;

  private constructor({ config, engine, parameters }: Model, ids: Int32Array) {
    const { wordEmbeddings: name } = familyOf(config);
    this.#full = parameters.get(name)!;
    this.#ids = ids;
    this.#rowOf = new Int32Array(this.#full.shape[0]!);
    ids.forEach((id, row) => (this.#rowOf[id] = row));
    const initial = tf.tidy(() => gatherRows(this.#full.read(), this.#indices()));
    this.#used = new ResourceVariable(initial);
    initial.dispose();
    // Map.set keeps the position of the parameter.
    this.model = { config, engine, parameters: new Map(parameters).set(name, this.#used) };
  }

  /**
   * @param texts all token ids of the training
   * @param trained names of the trained parameters
   * @returns undefined if the word embedding is frozen, or most of its rows are used
   */
  static create(model: Model, texts: Iterable<Int32Array>, trained: string[]): UsedVocabulary | undefined {
    const { wordEmbeddings: name } = familyOf(model.config);
    if (!trained.includes(name)) return undefined;
    // Batches are padded with token 0, which therefore needs row 0.
    const used = new Set([0, model.config.pad_token_id]);
    for (const text of texts) for (const id of text) used.add(id);
    const [rows] = model.parameters.get(name)!.shape as [number, number];
    return used.size > maxUsedFraction * rows ? undefined : new UsedVocabulary(model, Int32Array.from(used));
  }

  #indices(): Tensor1D {
    return tf.tensor1d(this.#ids, 'int32');
  }

  /** A batch with rows of the smaller table as token ids. */
  mapBatch<Batch extends EncodedBatch>(batch: Batch): Batch {
    return { ...batch, inputIds: batch.inputIds.map((id) => this.#rowOf[id]!) };
  }

  /**
   * Copies the used rows to the full model.
   * @param applyDecay also applies the weight decay of the unused rows. Each application rounds them, so it must not depend on
   * when a run is interrupted
   */
  sync(applyDecay: boolean): void {
    const { total, applied } = this.decay;
    if (applyDecay && total !== applied) {
      const decayed = tf.tidy(() => tf.mul(this.#full.read(), total / applied));
      this.#full.assign(decayed);
      decayed.dispose();
      this.decay.applied = total;
    }
    tf.tidy(() => scatterRows(this.#full, this.#indices(), this.#used.read()));
  }

  /** Frees the smaller table. */
  dispose(): void {
    this.#used.dispose();
  }
}
