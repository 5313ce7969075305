/**
 * The parts a transformer is made of, as one interface with two makings: composed of TensorFlow's kernels, for any
 * device (composed-layers.ts), and of the project's fused ones, for a processor (fused-layers.ts). Here is what both
 * share. Each part has its own gradient. tfjs could derive them all; written out, they save less for the way back and
 * spend fewer kernels on it.
 *
 * Weights are stored [out, in] as PyTorch's are: products transpose inside the kernel, at no cost. What a block returns
 * lacks the bias of its last product, which the layer norm behind it adds on its way. It may be in the products' own
 * precision, and so may gradients of weights; what goes into a block is float32.
 */
import type { Tensor, Tensor1D } from '@tensorflow/tfjs';
import {
  biasAdd,
  biasAddGradient,
  castTo,
  gatherRows,
  matMul,
  sparseCrossEntropy,
  sumRows,
} from '../tensorflow/kernels.js';
import type { Precision } from '../tensorflow/kernels.js';
import { tf } from '../tensorflow/runtime.js';
import { customGradient, type Save } from './custom-gradient.js';
import type { DropoutSource } from './dropout.js';

/** A dense layer: weight [out, in], bias [out]. */
export interface Dense {
  weight: Tensor;
  bias: Tensor;
}

/** What attention must know besides tensors. */
export interface AttentionOptions {
  batch: number;
  heads: number;
  /** [batch], int32: how many tokens of each text are no padding; none where there is no padding at all. */
  lengths: Tensor1D | undefined;
  /** Of dropout on the attention weights. */
  rate: number;
  /** Dropout's random numbers, while training. */
  source: DropoutSource | undefined;
  /** Of the products. */
  precision: Precision;
}

/** The blocks of an encoder, made of TensorFlow's kernels or of the project's own. */
export interface Layers {
  /**
   * Each head for itself: softmax(query · keyᵀ / √width) · value, padding left out; heads joined, and the last product.
   * @param x [batch * tokens, dim], which keys and values are made of
   * @param asking [batch * asking tokens, dim], which queries are made of; x itself for self-attention of all tokens
   * @param outWeight [dim, dim]
   * @returns [batch * asking tokens, dim], without the last bias
   */
  attention(
    x: Tensor,
    asking: Tensor,
    projections: { query: Dense; key: Dense; value: Dense },
    outWeight: Tensor,
    options: AttentionOptions,
  ): Tensor;
  /**
   * GELU(x · innerᵀ + bias) · outerᵀ, the exact GELU, x Φ(x) (Hendrycks and Gimpel, 2016).
   * @param x [n, dim]
   * @param inner weight [hidden, dim], bias [hidden]
   * @param outerWeight [dim, hidden]
   * @returns [n, dim], without the last bias
   */
  feedForward(x: Tensor, inner: Dense, outerWeight: Tensor, precision: Precision): Tensor;
  /** Layer norm of a + dropout(b + bias): a and b [n, width], the others [width] -> [n, width]. */
  residualLayerNorm(
    a: Tensor,
    b: Tensor,
    parameters: { bias: Tensor; scale: Tensor; shift: Tensor; epsilon: number },
    rate: number,
    source: DropoutSource | undefined,
  ): Tensor;
  /** Drops a share of the numbers while training (a source is given), else nothing. */
  dropout(x: Tensor, rate: number, source: DropoutSource | undefined): Tensor;
}

/** x · weightᵀ, taken in some precision: [n, in], [out, in] -> [n, out], all float32. */
export const product = (x: Tensor, weight: Tensor, precision: Precision): Tensor =>
  customGradient((...inputs) => {
    const [x, weight, save] = inputs as [Tensor, Tensor, Save];
    const [left, right] = [castTo(x, precision), castTo(weight, precision)];
    save([left, right]);
    return {
      value: castTo(matMul(left, right, false, true), 'float32'), // [n, out]
      gradFunc: (dy, saved) => {
        const [left, right] = saved as [Tensor, Tensor];
        const narrow = castTo(dy, precision);
        return [
          castTo(matMul(narrow, right), 'float32'), // [n, in]
          castTo(matMul(narrow, left, true, false), 'float32'), // [out, in]
        ];
      },
    };
  })(x, weight);

/** x + bias: [n, width], [width] -> [n, width]. */
export const addBias: (x: Tensor, bias: Tensor) => Tensor = customGradient((...inputs) => {
  const [x, bias] = inputs as [Tensor, Tensor, Save];
  return { value: biasAdd(x, bias), gradFunc: (dy) => [dy, biasAddGradient(dy)] };
});

/** Each row to mean 0 and variance 1, then scaled and shifted: [n, width], [width], [width] -> [n, width]. */
export const layerNorm = (x: Tensor, scale: Tensor, shift: Tensor, epsilon: number): Tensor =>
  customGradient((...inputs) => {
    const [x, scale, shift, save] = inputs as [Tensor, Tensor, Tensor, Save];
    const centered = tf.sub(x, tf.mean(x, -1, true)); // [n, width]
    const inverseDeviation = tf.rsqrt(tf.add(tf.mean(tf.square(centered), -1, true), epsilon)); // [n, 1]
    const normalized = tf.mul(centered, inverseDeviation); // [n, width]
    save([normalized, inverseDeviation, scale]);
    return {
      value: tf.add(tf.mul(normalized, scale), shift),
      gradFunc: (dy, saved) => {
        const [normalized, inverseDeviation, scale] = saved as [Tensor, Tensor, Tensor];
        const dNormalized = tf.mul(dy, scale); // [n, width]
        const along = tf.mean(tf.mul(dNormalized, normalized), -1, true); // [n, 1]
        const dx = tf.mul(
          inverseDeviation,
          tf.sub(tf.sub(dNormalized, tf.mean(dNormalized, -1, true)), tf.mul(normalized, along)),
        );
        return [dx, biasAddGradient(tf.mul(dy, normalized)), biasAddGradient(dy)];
      },
    };
  })(x, scale, shift);

/** Looks rows up: [rows, width] by ids [n] -> [n, width]. */
export const embeddingLookup = (table: Tensor, ids: Tensor1D): Tensor =>
  customGradient((...inputs) => {
    const [table, save] = inputs as [Tensor, Save];
    const rows = table.shape[0];
    save([ids]);
    return { value: gatherRows(table, ids), gradFunc: (dy, [ids]) => sumRows(dy, ids!, rows) };
  })(table);

/**
 * The mean cross-entropy over rows that count: logits [n, classes], labels [n] (int32), weights [n] (0 or 1, one of them 1 at
 * least) -> scalar.
 */
export const weightedCrossEntropy = (logits: Tensor, labels: Tensor1D, weights: Tensor1D): Tensor =>
  customGradient((...inputs) => {
    const [logits, save] = inputs as [Tensor, Save];
    const { losses, gradient } = sparseCrossEntropy(logits, labels);
    const shares = tf.div(weights, tf.sum(weights)); // [n]
    save([gradient, shares]);
    return {
      value: tf.sum(tf.mul(losses, shares)),
      gradFunc: (dy, [gradient, shares]) => tf.mul(gradient!, tf.mul(tf.reshape(shares!, [-1, 1]), dy)),
    };
  })(logits);

/** The mean cross-entropy over rows: logits [n, classes], labels [n] (int32) -> scalar. */
export const crossEntropy = (logits: Tensor, labels: Tensor1D): Tensor =>
  customGradient((...inputs) => {
    const [logits, save] = inputs as [Tensor, Save];
    const { losses, gradient } = sparseCrossEntropy(logits, labels);
    save([gradient]);
    const share = 1 / labels.shape[0];
    return { value: tf.mean(losses), gradFunc: (dy, [gradient]) => tf.mul(gradient!, tf.mul(dy, share)) };
  })(logits);
