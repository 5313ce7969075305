/**
 * The interface of the transformer layers and the functions that its two implementations share: layers composed of
 * TensorFlow's kernels, for any device (composed-layers.ts), and layers of the project's fused kernels, for CPUs
 * (fused-layers.ts). Each layer has a hand-written gradient. tfjs could derive the gradients, but the hand-written ones
 * save fewer tensors for the backward pass and need fewer kernels.
 *
 * Weights are stored as [out, in], as in PyTorch: products transpose them inside the kernel at no cost. The output of a
 * block does not include the bias of its last product; the layer norm that follows adds it. The output, and gradients
 * of weights, may have the precision of the products. The input of a block is float32.
 *
 * Code in which nothing depends on the number of tokens or texts can be captured once for all of them: no `x.shape[0]`, no
 * tf.reshape of rows, and no tfjs gradient that reshapes, such as that of tf.add.
 */
import type { Tensor, Tensor1D } from '@tensorflow/tfjs';
import {
  biasAdd,
  biasAddGradient,
  castTo,
  castToType,
  columnOf,
  gatherRows,
  indicesOf,
  matMul,
  rowCount,
  sectionOf,
  sparseCrossEntropy,
  sumRows,
  withoutLast,
  withZeroRow,
} from '../tensorflow/kernels.js';
import type { Precision } from '../tensorflow/kernels.js';
import { nativeType, tf } from '../tensorflow/runtime.js';
import { customGradient, type Save } from './custom-gradient.js';
import type { DropoutSource } from './dropout.js';
import type { Activation, AttentionOptions, Dense, Projections } from './operations.js';
import type { PackedTexts } from './packed-texts.js';

/** Options of attention on tensors. */
export interface TensorAttentionOptions extends Omit<AttentionOptions<Tensor>, 'rotaryBase'> {
  texts: PackedTexts;
  /**
   * Angles by which queries and keys are rotated: [tokens, width], the cosines of each token's angles, then the sines.
   * @default no rotation
   */
  rotation?: Tensor | undefined;
  /** Seeds for dropout; undefined outside training. */
  source: DropoutSource | undefined;
  /** Precision of matrix products. */
  precision: Precision;
}

/** The blocks of an encoder, with TensorFlow's or the project's own kernels. */
export interface Layers {
  /** Whether a captured graph of these layers computes any number of tokens and texts. */
  anyShape: boolean;
  /** See Operations. The result may have the precision of products. */
  attention(
    x: Tensor,
    queryInput: Tensor,
    projections: Projections<Tensor>,
    outWeight: Tensor,
    options: TensorAttentionOptions,
  ): Tensor;
  /** See Operations. The result may have the precision of products. */
  feedForward(
    x: Tensor,
    inner: Dense<Tensor>,
    outerWeight: Tensor,
    activation: Activation,
    precision: Precision,
  ): Tensor;
  /** See Operations. The result may have the precision of products. */
  gatedFeedForward(
    x: Tensor,
    innerWeight: Tensor,
    outerWeight: Tensor,
    dropout: { rate: number; source: DropoutSource | undefined },
    precision: Precision,
  ): Tensor;
  /** See Operations. */
  layerNorm(x: Tensor, parameters: { scale: Tensor; shift: Tensor; epsilon: number }): Tensor;
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

/** x, whose gradient is float32 also if that of a use has the precision of products, so that several can be added up. */
export const floatGradient: (x: Tensor) => Tensor = customGradient((...inputs) => {
  const [x] = inputs as [Tensor, Save];
  return { value: tf.clone(x), gradFunc: (dy) => castTo(dy, 'float32') };
});

/** a + b, where b may have the precision of products: [n, width] each -> [n, width], float32. */
export const residual = (a: Tensor, b: Tensor): Tensor =>
  customGradient((...inputs) => {
    const [a, b] = inputs as [Tensor, Tensor, Save];
    const type = nativeType(b);
    return {
      value: tf.addN([a, castTo(b, 'float32')]),
      // Two tensors, since tfjs disposes of each gradient.
      gradFunc: (dy) => [tf.clone(dy), castToType(dy, type)],
    };
  })(a, b);

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

/** Rows by their ids, such as those of an embedding: [rows, width], [n] -> [n, width]. */
export const embeddingLookup = (table: Tensor, ids: Tensor1D): Tensor =>
  customGradient((...inputs) => {
    const [table, save] = inputs as [Tensor, Save];
    save([ids, rowCount(table)]);
    return { value: gatherRows(table, ids), gradFunc: (dy, [ids, rows]) => sumRows(dy, ids!, rows!) };
  })(table);

/** The mean of the rows of each text: [tokens, width] -> [batch, width]. */
export const meanOfTexts = (x: Tensor, offsets: Tensor1D): Tensor =>
  customGradient((...inputs) => {
    const [x, save] = inputs as [Tensor, Save];
    // The text of each token; padding after the last text belongs to one more.
    const texts = sectionOf(x, offsets); // [tokens]
    const ones = tf.cast<Tensor1D>(tf.greaterEqual(texts, tf.scalar(0, 'int32')), 'float32'); // [tokens]
    const counts = sumRows(columnOf(ones), texts, rowCount(offsets)); // [batch + 1, 1]
    const weights = tf.div(tf.scalar(1), tf.maximum(counts, tf.scalar(1))); // [batch + 1, 1]
    save([texts, weights]);
    const means = tf.mul(sumRows(x, texts, rowCount(offsets)), weights); // [batch + 1, width]
    return {
      value: withoutLast(means),
      gradFunc: (dy, saved) => {
        const [texts, weights] = saved as [Tensor1D, Tensor];
        return gatherRows(tf.mul(withZeroRow(dy), weights), texts); // [tokens, width]
      },
    };
  })(x);

/**
 * The row of each token's neighbor in its text, 0 for a token without one: x [tokens, width], positions [tokens], int32 ->
 * [tokens, width].
 */
export const neighbors = (x: Tensor, positions: Tensor1D, neighbor: 'before' | 'after'): Tensor =>
  customGradient((...inputs) => {
    const [x, save] = inputs as [Tensor, Save];
    // The token before each one, -1 for the first of a text, and for the padding after the last text. Not by tf.where, which
    // broadcasts to the shape of the first batch.
    const hasBefore = tf.cast(tf.greater(positions, tf.scalar(0, 'int32')), 'int32');
    const before = tf.sub(tf.mul(indicesOf(x), hasBefore), tf.scalar(1, 'int32')); // [tokens]
    save([before]);
    /** Takes the row before; a row of zeros is the last one, to which -1 refers. */
    const shiftDown = (rows: Tensor, before: Tensor) => {
      const hasNone = tf.cast(tf.less(before, tf.scalar(0, 'int32')), 'int32');
      const ids = tf.add(before, tf.mul(hasNone, tf.add(rowCount(rows), tf.scalar(1, 'int32')))); // [tokens]
      return gatherRows(withZeroRow(rows), ids as Tensor1D);
    };
    const shiftUp = (rows: Tensor, before: Tensor) => sumRows(rows, before, rowCount(rows));
    const [shift, shiftBack] = neighbor === 'before' ? [shiftDown, shiftUp] : [shiftUp, shiftDown];
    return { value: shift(x, before), gradFunc: (dy, [before]) => shiftBack(dy, before!) };
  })(x);

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
      gradFunc: (dy, [gradient, rowWeights]) => tf.mul(gradient!, tf.mul(columnOf(rowWeights as Tensor1D), dy)),
    };
  })(logits);

/**
 * Mean of the squared differences between the cosine similarities of pairs and their targets, the CosineSimilarityLoss of
 * sentence-transformers (Reimers and Gurevych, 2019, arXiv:1908.10084): x [texts, width], row numbers of each pair's texts
 * [pairs] (int32), targets [pairs] -> scalar.
 * @param shift is subtracted from x
 */
export const cosineSimilarityLoss = (
  x: Tensor,
  { first, second, targets }: Record<'first' | 'second' | 'targets', Tensor1D>,
  shift: number,
): Tensor =>
  customGradient((...inputs) => {
    const [x, save] = inputs as [Tensor, Save];
    const shifted = tf.sub(x, shift); // [texts, width]
    const norms = tf.sqrt(tf.sum(tf.square(shifted), -1, true)); // [texts, 1]
    const unit = tf.div(shifted, norms); // [texts, width]
    const [a, b] = [gatherRows(unit, first), gatherRows(unit, second)]; // [pairs, width]
    const errors = tf.sub(tf.sum(tf.mul(a, b), -1, true), columnOf(targets)); // [pairs, 1]
    const count = tf.cast(rowCount(errors), 'float32');
    save([norms, unit, errors, count, first, second]);
    return {
      value: tf.div(tf.sum(tf.square(errors)), count),
      gradFunc: (dy, saved) => {
        const [norms, unit, errors, count, first, second] = saved as [
          Tensor,
          Tensor,
          Tensor,
          Tensor,
          Tensor1D,
          Tensor1D,
        ];
        const dCosines = tf.mul(errors, tf.div(tf.mul(dy, 2), count)); // [pairs, 1]
        const dOf = (own: Tensor1D, other: Tensor1D) =>
          sumRows(tf.mul(gatherRows(unit, other), dCosines), own, rowCount(unit));
        const dUnit = tf.addN([dOf(first, second), dOf(second, first)]); // [texts, width]
        const along = tf.mul(unit, tf.sum(tf.mul(unit, dUnit), -1, true)); // [texts, width]
        return tf.div(tf.sub(dUnit, along), norms);
      },
    };
  })(x);
