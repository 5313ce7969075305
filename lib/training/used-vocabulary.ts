/**
 * Trains the rows of the word embedding that the training texts use, and no others. A small data set uses a few
 * thousand of 30,522 rows; the others' gradients are always 0, so all that AdamW does to them is weight decay, a factor
 * that can be applied at once when somebody looks. The result is the same, and the largest parameter (half of MiniLM's,
 * a third of DistilBERT-base's) costs a fraction of its gradient, its moments and its update.
 */
import type { Tensor1D } from '@tensorflow/tfjs';
import type { Model } from '../model/model.js';
import { wordEmbeddings } from '../model/families.js';
import { gatherRows, scatterRows } from '../tensorflow/kernels.js';
import { tf } from '../tensorflow/runtime.js';
import { ResourceVariable } from '../tensorflow/variables.js';
import type { EncodedReviews } from '../batching/batches.js';

/** Above this share of rows in use, a smaller table is not worth its copy. */
const worthwhileShare = 0.8;

export interface UsedVocabulary {
  /** The model to train: it shares every parameter but the word embedding, which has the used rows only. */
  model: Model;
  /** The same texts with rows of the smaller table as their ids. */
  reviews: EncodedReviews;
  /**
   * Brings the whole model up to date.
   * @param decay what weight decay has made of the unused rows since the start, as a factor
   */
  writeBack(decay: number): void;
  /** Frees the smaller table. */
  dispose(): void;
}

/**
 * Row 0 of the smaller table is that of padding, since batches are padded with 0.
 * @param reviews every text that will be trained on
 * @param trained names of parameters; where the word embedding is not among them, it stays as it is. Default: all
 * @param decay what the unused rows have been decayed by already, as a factor; default 1
 */
export function useVocabularyOf(
  { config, parameters, engine }: Model,
  reviews: EncodedReviews,
  trained: string[] = [...parameters.keys()],
  decay = 1,
): UsedVocabulary {
  const name = wordEmbeddings(config.model_type);
  const whole = parameters.get(name)!;
  const [rows] = whole.shape as [number, number];
  const used = new Set([config.pad_token_id]);
  for (const text of reviews.ids) for (const id of text) used.add(id);
  if (!trained.includes(name) || used.size > worthwhileShare * rows)
    return { model: { config, parameters, engine }, reviews, writeBack: () => {}, dispose: () => {} };

  const ids = Int32Array.from(used);
  const rowOf = new Int32Array(rows);
  ids.forEach((id, row) => (rowOf[id] = row));
  const indices = (): Tensor1D => tf.tensor1d(ids, 'int32');
  const initial = tf.tidy(() => gatherRows(whole.read(), indices()));
  const smaller = new ResourceVariable(initial);
  initial.dispose();
  let applied = decay;
  return {
    // Map.set keeps the place, so that parameters stay in their order.
    model: { config, engine, parameters: new Map(parameters).set(name, smaller) },
    reviews: { labels: reviews.labels, ids: reviews.ids.map((text) => text.map((id) => rowOf[id]!)) },
    writeBack(decay) {
      if (decay !== applied) {
        const decayed = tf.tidy(() => tf.mul(whole.read(), decay / applied));
        whole.assign(decayed);
        decayed.dispose();
        applied = decay;
      }
      tf.tidy(() => scatterRows(whole, indices(), smaller.read()));
    },
    dispose: () => smaller.dispose(),
  };
}
