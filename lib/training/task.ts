/**
 * What a model is trained to do: how a batch becomes tensors, and these a loss. The step, the loop and the checkpoints know
 * nothing else of it, so that classification and masked-language modelling are trained by the same code.
 */
import type { Scalar, Tensor1D } from '@tensorflow/tfjs';
import { batchTensors, type ForwardInputs, type Model } from '../model/model.js';
import type { DropoutSource } from '../model/dropout.js';
import type { Weights } from '../model/encoder.js';
import { sequenceClassification } from '../model/sequence-classification.js';
import { crossEntropy } from '../model/layers.js';
import type { NamedTensors } from '../tensorflow/function.js';
import { tf } from '../tensorflow/runtime.js';
import { everyNth } from '../batching/batches.js';
import type { EncodedBatch, LabelledBatch } from '../model/batch.js';

/** What the training loop must know of a task. */
export interface TrainingTask<Batch extends EncodedBatch, Inputs extends NamedTensors = NamedTensors> {
  /** A batch as the tensors that `loss` takes. */
  tensors(batch: Batch): Inputs;
  /**
   * The mean loss of a batch, a scalar.
   * @param source of dropout's random numbers; none switches dropout off
   */
  loss(weights: Weights, inputs: Inputs, model: Model, source: DropoutSource | undefined): Scalar;
  /** What a batch counts for in the mean of an update that is made of several. */
  weight(batch: Batch): number;
  /** The part of a batch that one of n ranks takes, counted from 0; nothing where there is nothing left for it. */
  share(batch: Batch, rank: number, n: number): Batch | undefined;
}

/** Ids and lengths as the forward pass takes them; labels [batch], int32. */
export type LabelledInputs = ForwardInputs & { labels: Tensor1D };

/** Texts to classes: the mean cross-entropy over rows. */
export const classification: TrainingTask<LabelledBatch, LabelledInputs> = {
  tensors: (batch) => ({ ...batchTensors(batch), labels: tf.tensor1d(batch.labels, 'int32') }),
  loss(weights, { ids, lengths, labels }, { config, engine }, source) {
    const logits = sequenceClassification(weights, ids, config, { lengths, source, ...engine });
    return crossEntropy(logits, labels) as Scalar;
  },
  weight: ({ batch }) => batch,
  share(batch, rank, n) {
    const found = everyNth(batch, rank, n);
    return found && { ...found.part, labels: Int32Array.from(found.rows, (row) => batch.labels[row]!) };
  },
};
