/**
 * The interface of the transformer layers and the functions that its two implementations share: layers composed of
 * TensorFlow's kernels, for any device (composed-layers.ts), and layers of the project's fused kernels, for CPUs
 * (fused-layers.ts). Each layer has a hand-written gradient. tfjs could derive the gradients, but the hand-written ones
 * save fewer tensors for the backward pass and need fewer kernels.
 *
 * Weights are stored as [out, in], as in PyTorch: products transpose them inside the kernel at no cost. The output of a
 * block does not include the bias of its last product; the layer norm that follows adds it. The output, and gradients
 * of weights, may have the precision of the products. The input of a block is float32.
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

/** Options of attention. */
export interface AttentionOptions {
  batch: number;
  heads: number;
  /** Number of tokens of each text without padding, [batch], int32; undefined if the batch has no padding. */
  lengths: Tensor1D | undefined;
  /** Dropout rate of the attention weights. */
  rate: number;
  /** Seeds for dropout; undefined outside training. */
  source: DropoutSource | undefined;
  /** Precision of matrix products. */
  precision: Precision;
}

/** The blocks of an encoder, with TensorFlow's or the project's own kernels. */
export interface Layers {
  /**
   * Multi-head attention: softmax(query · keyᵀ / √width) · value per head, without padding; then the output projection.
   * @param x [batch * tokens, dim], input of keys and values
   * @param queryInput [batch * query tokens, dim], input of queries; `x` itself for self-attention of all tokens
   * @param outWeight [dim, dim]
   * @returns [batch * query tokens, dim], without the output bias
   */
  attention(
    x: Tensor,
    queryInput: Tensor,
    projections: { query: Dense; key: Dense; value: Dense },
    outWeight: Tensor,
    options: AttentionOptions,
  ): Tensor;
  /**
   * Feed-forward block: GELU(x · innerᵀ + bias) · outerᵀ with the exact GELU, x Φ(x) (Hendrycks and Gimpel, 2016).
   * @param x [n, dim]
   * @param inner weight [hidden, dim], bias [hidden]
   * @param outerWeight [dim, hidden]
   * @returns [n, dim], without the outer bias
   */
  feedForward(x: Tensor, inner: Dense, outerWeight: Tensor, precision: Precision): Tensor;
  /** Layer norm of a + dropout(b + bias): `a` and `b` [n, width], parameters [width] -> [n, width]. */
  residualLayerNorm(
    a: Tensor,
    b: Tensor,
    parameters: { bias: Tensor; scale: Tensor; shift: Tensor; epsilon: number },
    rate: number,
    source: DropoutSource | undefined,
  ): Tensor;
  /** Dropout, if a source is given (during training); else the identity. */
  dropout(x: Tensor, rate: number, source: DropoutSource | undefined): Tensor;
}

/** x · weightᵀ, computed in a given precision: [n, in], [out, in] -> [n, out], all float32. */
export const product = (x: Tensor, weight: Tensor, precision: Precision): Tensor =>
  customGradient((...inputs) => {
    const [x, weight, save] = inputs as [Tensor, Tensor, Save];
    const [left, right] = [castTo(x, precision), castTo(weight, precision)];
    save([left, right]);
    return {
      value: castTo(matMul(left, right, false, true), 'float32'), // [n, out]
      gradFunc: (dy, saved) => {
        const [left, right] = saved as [Tensor, Tensor];
        const dyCast = castTo(dy, precision);
        return [
          castTo(matMul(dyCast, right), 'float32'), // [n, in]
          castTo(matMul(dyCast, left, true, false), 'float32'), // [out, in]
        ];
      },
    };
  })(x, weight);

/** x + bias: [n, width], [width] -> [n, width]. */
export const addBias: (x: Tensor, bias: Tensor) => Tensor = customGradient((...inputs) => {
  const [x, bias] = inputs as [Tensor, Tensor, Save];
  return { value: biasAdd(x, bias), gradFunc: (dy) => [dy, biasAddGradient(dy)] };
});

/** Layer norm: normalizes, scales and shifts each row: [n, width], [width], [width] -> [n, width]. */
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
        const projection = tf.mean(tf.mul(dNormalized, normalized), -1, true); // [n, 1]
        const dx = tf.mul(
          inverseDeviation,
          tf.sub(tf.sub(dNormalized, tf.mean(dNormalized, -1, true)), tf.mul(normalized, projection)),
        );
        return [dx, biasAddGradient(tf.mul(dy, normalized)), biasAddGradient(dy)];
      },
    };
  })(x, scale, shift);

/** Rows of an embedding by their ids: [rows, width], [n] -> [n, width]. */
export const embeddingLookup = (table: Tensor, ids: Tensor1D): Tensor =>
  customGradient((...inputs) => {
    const [table, save] = inputs as [Tensor, Save];
    const rows = table.shape[0];
    save([ids]);
    return { value: gatherRows(table, ids), gradFunc: (dy, [ids]) => sumRows(dy, ids!, rows) };
  })(table);

/**
 * Weighted mean of the cross-entropy of the rows: logits [n, classes], labels [n] (int32), weights [n] (at least 0, and
 * their sum above 0) -> scalar. With the weight of each row's class, it is PyTorch's CrossEntropyLoss(weight=...).
 */
export const weightedCrossEntropy = (logits: Tensor, labels: Tensor1D, weights: Tensor1D): Tensor =>
  customGradient((...inputs) => {
    const [logits, save] = inputs as [Tensor, Save];
    const { losses, gradient } = sparseCrossEntropy(logits, labels);
    const rowWeights = tf.div(weights, tf.sum(weights)); // [n]
    save([gradient, rowWeights]);
    return {
      value: tf.sum(tf.mul(losses, rowWeights)),
      gradFunc: (dy, [gradient, rowWeights]) => tf.mul(gradient!, tf.mul(tf.reshape(rowWeights!, [-1, 1]), dy)),
    };
  })(logits);

/** Mean cross-entropy of all rows: logits [n, classes], labels [n] (int32) -> scalar. */
export const crossEntropy = (logits: Tensor, labels: Tensor1D): Tensor =>
  customGradient((...inputs) => {
    const [logits, save] = inputs as [Tensor, Save];
    const { losses, gradient } = sparseCrossEntropy(logits, labels);
    save([gradient]);
    const rowWeight = 1 / labels.shape[0];
    return { value: tf.mean(losses), gradFunc: (dy, [gradient]) => tf.mul(gradient!, tf.mul(dy, rowWeight)) };
  })(logits);
