/** The training loss of multi-label classification: the binary cross-entropy of each class, as PyTorch's BCEWithLogitsLoss. */
import type { Tensor, Tensor2D } from '@tensorflow/tfjs';
import { rowCount } from '../tensorflow/kernels.js';
import { tf } from '../tensorflow/runtime.js';
import { customGradient, type Save } from './custom-gradient.js';

/**
 * The mean binary cross-entropy over all rows and classes, which is the loss of `transformers` for the problem type
 * multi_label_classification.
 * @param logits [batch, classes]
 * @param labels 1 for each class that applies, else 0; [batch, classes], float32
 * @returns a scalar
 */
export const multiLabelLoss = (logits: Tensor, labels: Tensor2D): Tensor =>
  customGradient((...inputs) => {
    const [logits, save] = inputs as [Tensor, Save];
    // A captured graph computes batches of any size, so that the size is no constant.
    const count = tf.mul(tf.cast(rowCount(labels), 'float32'), logits.shape[1]!); // scalar
    save([tf.div(tf.sub(tf.sigmoid(logits), labels), count)]); // [batch, classes]
    // max(x, 0) - x * y + log(1 + exp(-|x|)) does not overflow.
    const losses = tf.add(tf.sub(tf.relu(logits), tf.mul(logits, labels)), tf.log1p(tf.exp(tf.neg(tf.abs(logits))))); // [batch, classes]
    return {
      value: tf.div(tf.sum(losses), count),
      gradFunc: (dy, [gradient]) => tf.mul(gradient!, dy),
    };
  })(logits);
