/**
 * The training loss of classification: cross-entropy with class weights and label smoothing, as PyTorch's
 * CrossEntropyLoss, or focal loss.
 */
import type { Tensor, Tensor1D } from '@tensorflow/tfjs';
import { columnOf, gatherRows, softmaxCrossEntropy } from '../tensorflow/kernels.js';
import { tf } from '../tensorflow/runtime.js';
import { customGradient, type Save } from './custom-gradient.js';

/** How classes and rows count in the loss. */
export interface LossOptions {
  /** By class number. @default 1 for all */
  classWeights?: number[] | undefined;
  /** The part of each target that is divided equally among all classes. @default 0 */
  labelSmoothingFactor?: number | undefined;
  /** The exponent of focal loss; 0 for cross-entropy. @default 0 */
  focalGamma?: number | undefined;
}

/**
 * The targets of each class, as in PyTorch's CrossEntropyLoss: a row of class y has the target weight(c) * ((1 - smoothing)
 * [c = y] + smoothing / classes) for class c.
 * @returns [classes, classes], a row for each class y
 */
function targetsByClass(classes: number, { classWeights = [], labelSmoothingFactor: smoothing = 0 }: LossOptions) {
  const indices = [...Array(classes).keys()];
  const target = (y: number, c: number) =>
    (classWeights[c] ?? 1) * ((c === y ? 1 - smoothing : 0) + smoothing / classes);
  return tf.tensor2d(indices.map((y) => indices.map((c) => target(y, c))));
}

/** A number that 1 - p is not below, so that its powers are finite. */
const smallest = 1e-7;

/**
 * The mean loss of rows, divided by the sum of the weights of their classes. Focal loss (Lin et al., 2017,
 * arXiv:1708.02002) multiplies the cross-entropy of a row by (1 - p) ** gamma, where p is the probability of its class:
 * rows that are predicted well count less.
 * @param logits [batch, classes]
 * @param labels class numbers, [batch], int32
 * @param options see LossOptions; focal loss has no label smoothing
 * @returns a scalar
 */
export const classificationLoss = (logits: Tensor, labels: Tensor1D, options: LossOptions = {}): Tensor =>
  customGradient((...inputs) => {
    const [logits, save] = inputs as [Tensor, Save];
    const { classWeights = [], focalGamma = 0 } = options;
    const classes = logits.shape[1]!;
    const targets = gatherRows(targetsByClass(classes, options), labels); // [batch, classes]
    const weightColumn = tf.tensor2d(Array.from({ length: classes }, (_, c) => [classWeights[c] ?? 1]));
    const weights = gatherRows(weightColumn, labels); // [batch, 1]
    const sums = tf.sum(targets, 1, true); // [batch, 1]
    const { losses, gradient } = softmaxCrossEntropy(logits, tf.div(targets, sums)); // [batch], [batch, classes]
    const column = columnOf(losses as Tensor1D); // [batch, 1]
    const rowWeights = tf.div(sums, tf.sum(weights)); // [batch, 1]
    let [factor, gradientFactor] = [rowWeights, rowWeights];
    if (focalGamma > 0) {
      const p = tf.exp(tf.neg(column)); // [batch, 1]
      const rest = tf.maximum(tf.sub(1, p), smallest);
      const power = tf.pow(rest, focalGamma);
      // The derivative of -(1 - p) ** gamma * log(p) by the logits is that of -log(p), times this factor.
      const slope = tf.add(power, tf.mul(tf.mul(tf.mul(p, column), focalGamma), tf.div(power, rest)));
      [factor, gradientFactor] = [tf.mul(rowWeights, power), tf.mul(rowWeights, slope)];
    }
    save([gradient, gradientFactor]);
    return {
      value: tf.sum(tf.mul(column, factor)),
      gradFunc: (dy, [gradient, gradientFactor]) => tf.mul(gradient!, tf.mul(gradientFactor!, dy)),
    };
  })(logits);
