/**
 * The training loss of classification: cross-entropy with class weights and label smoothing, as PyTorch's
 * CrossEntropyLoss, or focal loss.
 */
import type { Tensor, Tensor1D } from '@tensorflow/tfjs';
import { columnOf, gatherRows, softmax, softmaxCrossEntropy } from '../tensorflow/kernels.js';
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

/** How the predictions of a teacher count. */
export interface DistillationOptions {
  /** Weight of the loss of the labels; that of the teacher has the weight 1 - alpha. */
  alpha: number;
  /** The logits of both models are divided by it in the loss of the teacher. */
  temperature: number;
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

/** The weight of each row's class: [batch, 1]. */
function weightsOf(labels: Tensor1D, classes: number, { classWeights = [] }: LossOptions): Tensor {
  const column = tf.tensor2d(Array.from({ length: classes }, (_, c) => [classWeights[c] ?? 1])); // [classes, 1]
  return gatherRows(column, labels);
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
    const { focalGamma = 0 } = options;
    const classes = logits.shape[1]!;
    const targets = gatherRows(targetsByClass(classes, options), labels); // [batch, classes]
    const weights = weightsOf(labels, classes, options); // [batch, 1]
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

/**
 * The loss of distillation (Hinton et al., 2015, arXiv:1503.02531): the divergence of the predictions from the teacher's,
 * KL(teacher || student), both at a temperature, times its square. Rows count with the weights of their classes.
 * @param logits [batch, classes]
 * @param teacher its logits, [batch, classes]
 * @param labels class numbers, [batch], int32
 * @returns a scalar
 */
export const distillationLoss = (
  logits: Tensor,
  teacher: Tensor,
  labels: Tensor1D,
  { temperature, ...options }: LossOptions & Pick<DistillationOptions, 'temperature'>,
): Tensor =>
  customGradient((...inputs) => {
    const [logits, save] = inputs as [Tensor, Save];
    const scaledTeacher = tf.div(teacher, temperature);
    const targets = softmax(scaledTeacher); // [batch, classes]
    const { losses, gradient } = softmaxCrossEntropy(tf.div(logits, temperature), targets);
    // The divergence is the cross-entropy without the entropy of the teacher, which has no gradient.
    const entropies = softmaxCrossEntropy(scaledTeacher, targets).losses; // [batch]
    const weights = weightsOf(labels, logits.shape[1]!, options); // [batch, 1]
    const rowWeights = tf.div(weights, tf.sum(weights)); // [batch, 1]
    save([gradient, rowWeights]);
    const divergences = columnOf(tf.sub<Tensor1D>(losses, entropies)); // [batch, 1]
    return {
      value: tf.mul(tf.sum(tf.mul(divergences, rowWeights)), temperature ** 2),
      // The derivative of logits / temperature takes one of the factors away.
      gradFunc: (dy, [gradient, rowWeights]) => tf.mul(gradient!, tf.mul(rowWeights!, tf.mul(dy, temperature))),
    };
  })(logits);
