/** The training loss of regression: the mean squared error, as PyTorch's MSELoss. */
import type { Tensor, Tensor1D } from '@tensorflow/tfjs';
import { columnOf, rowCount } from '../tensorflow/kernels.js';
import { tf } from '../tensorflow/runtime.js';
import { customGradient, type Save } from './custom-gradient.js';

/**
 * The mean squared error of predicted numbers, which is the loss of `transformers` for the problem type regression.
 * @param logits the predicted numbers, [batch, 1]
 * @param labels the true numbers, [batch], float32
 * @returns a scalar
 */
export const regressionLoss = (logits: Tensor, labels: Tensor1D): Tensor =>
  customGradient((...inputs) => {
    const [logits, save] = inputs as [Tensor, Save];
    const errors = tf.sub(logits, columnOf(labels)); // [batch, 1]
    // A captured graph computes batches of any size, so that the size is no constant.
    const count = tf.cast(rowCount(labels), 'float32'); // scalar
    const scaled = tf.div(errors, count); // [batch, 1]
    save([scaled]);
    return {
      value: tf.sum(tf.mul(errors, scaled)),
      gradFunc: (dy, [scaled]) => tf.mul(scaled!, tf.mul(dy, 2)),
    };
  })(logits);
