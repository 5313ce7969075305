/**
 * One pass through the model and back: the loss of a batch and every parameter's gradient. What a training step is made
 * of, apart from the update.
 */
import type { Scalar, Tensor, Tensor1D } from '@tensorflow/tfjs';
import { batchTensors, readWeights, type Classifier, type EncodedBatch } from '../model/classifier.js';
import { sequenceClassification } from '../model/distilbert.js';
import type { DropoutSource } from '../model/dropout.js';
import { crossEntropy, type Layers } from '../model/layers.js';
import { tf } from '../tensorflow/runtime.js';

export interface LabelledBatch extends EncodedBatch {
  /** [batch], class numbers. */
  labels: Int32Array;
}

/**
 * @param source dropout's random numbers; none switches dropout off
 * @param weight the loss is multiplied by it: 1, or a batch's share when gradients are accumulated
 * @param layers see ForwardOptions
 * @returns the mean cross-entropy before weighting, and gradients by parameter name; the caller disposes of them
 */
export function lossAndGradients(
  classifier: Classifier,
  batch: LabelledBatch,
  source?: DropoutSource,
  weight = 1,
  layers?: Layers,
): { loss: number; gradients: Map<string, Tensor> } {
  const names = [...classifier.parameters.keys()];
  const { value, grads } = tf.tidy(() => {
    const { ids, lengths } = batchTensors(batch);
    const labels: Tensor1D = tf.tensor1d(batch.labels, 'int32');
    const weights = readWeights(classifier);
    const lossOf = (...values: Tensor[]) => {
      const traced = Object.fromEntries(names.map((name, i) => [name, values[i]!]));
      const logits = sequenceClassification(traced, ids, lengths, classifier.config, {
        source,
        layers,
        precision: classifier.precision,
      });
      return crossEntropy(logits, labels) as Scalar;
    };
    return tf.valueAndGrads(lossOf)(
      names.map((name) => weights[name]!),
      tf.scalar(weight),
    );
  });
  const loss = value.dataSync()[0]!;
  value.dispose();
  return { loss, gradients: new Map(names.map((name, i) => [name, grads[i]!])) };
}
