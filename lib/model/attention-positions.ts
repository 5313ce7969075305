/** How attention depends on the positions of tokens, composed of TensorFlow's kernels, with hand-written gradients. */
import type { Tensor } from '@tensorflow/tfjs';
import { batchMatMul, castTo, type Precision } from '../tensorflow/kernels.js';
import { tf } from '../tensorflow/runtime.js';
import { customGradient, type Save } from './custom-gradient.js';
import { embeddingLookup } from './layers.js';
import type { RelativePositions } from './operations.js';

/** [..., width] with the halves of each row (x1, x2) as (-x2, x1). */
const rotateHalves = (x: Tensor): Tensor => {
  const [first, second] = tf.split(x, 2, -1) as [Tensor, Tensor];
  return tf.concat([tf.neg(second), first], -1);
};

/**
 * Rotates queries or keys by angles that grow with the position of the token, so that scores depend on distances (RoPE, Su
 * et al., 2021, arXiv:2104.09864).
 * @param x [tokens, dim]
 * @param rotation [tokens, width], see TensorAttentionOptions
 */
export const rotate = (x: Tensor, rotation: Tensor, heads: number): Tensor =>
  customGradient((...inputs) => {
    const [x, save] = inputs as [Tensor, Save];
    const [, dim] = x.shape as [number, number];
    const width = dim / heads;
    const [cosines, sines] = tf.split(rotation, 2, 1).map((half) => tf.reshape(tf.tile(half, [1, 2]), [-1, 1, width]));
    save([cosines!, sines!]);
    const turn = (rows: Tensor, cosines: Tensor, sines: Tensor) => {
      const split = tf.reshape(rows, [-1, heads, width]);
      return tf.reshape(tf.add(tf.mul(split, cosines), tf.mul(rotateHalves(split), sines)), [-1, dim]);
    };
    return {
      value: turn(x, cosines!, sines!),
      // The gradient is rotated back.
      gradFunc: (dy, [cosines, sines]) => turn(dy, cosines!, tf.neg(sines!)),
    };
  })(x);

/** a · bᵀ per text and head in a given precision, where `b` may be the same for all texts. */
const scoresOf = (a: Tensor, b: Tensor, precision: Precision): Tensor =>
  customGradient((...inputs) => {
    const [a, b, save] = inputs as [Tensor, Tensor, Save];
    const multiply = (a: Tensor, b: Tensor, transposeA = false, transposeB = false) =>
      castTo(batchMatMul(castTo(a, precision), castTo(b, precision), transposeA, transposeB), 'float32');
    save([a, b]);
    return {
      value: multiply(a, b, false, true), // [batch, heads, rows of a, rows of b]
      gradFunc: (dy, saved) => {
        const [a, b] = saved as [Tensor, Tensor];
        const db = multiply(dy, a, true, false); // [batch, heads, rows of b, width]
        return [multiply(dy, b), b.shape[0] === 1 ? tf.sum(db, 0, true) : db];
      },
    };
  })(a, b);

/**
 * Scores by distance as scores by key: x [batch, heads, n, 2 n - 1], where column n - 1 + distance of row i has the score of
 * the key at i + distance -> [batch, heads, n, n]. Rows that are one element longer have that element at the same column
 * (Dai et al., 2019, arXiv:1901.02860, appendix B).
 */
const byKey = (x: Tensor): Tensor =>
  customGradient((...inputs) => {
    const [x] = inputs as [Tensor, Save];
    const [batch, heads, n] = x.shape as [number, number, number];
    const wide = 2 * n - 1;
    const flat = tf.reshape(
      tf.pad(x, [
        [0, 0],
        [0, 0],
        [0, 0],
        [0, 1],
      ]),
      [batch * heads, n * (wide + 1)],
    );
    const shifted = tf.slice(flat, [0, n - 1], [batch * heads, n * wide]);
    const value = tf.slice(tf.reshape(shifted, [batch, heads, n, wide]), [0, 0, 0, 0], [batch, heads, n, n]);
    return {
      value,
      gradFunc: (dy) => {
        const rows = tf.reshape(
          tf.pad(dy, [
            [0, 0],
            [0, 0],
            [0, 0],
            [0, n - 1],
          ]),
          [batch * heads, n * wide],
        );
        const flat = tf.pad(rows, [
          [0, 0],
          [n - 1, 1],
        ]); // [batch * heads, 2 n²]
        return tf.slice(tf.reshape(flat, [batch, heads, n, wide + 1]), [0, 0, 0, 0], [batch, heads, n, wide]);
      },
    };
  })(x);

/**
 * The scores that depend on distances, which are added to those of queries and keys.
 * @param query [batch, heads, queries, width], scaled
 * @param key [batch, heads, longest, width], scaled
 * @returns [batch or 1, heads, queries, longest]
 */
export function relativeScores(
  query: Tensor,
  key: Tensor,
  relative: RelativePositions<Tensor>,
  queries: 'all' | 'first',
  precision: Precision,
): Tensor {
  const [, heads, n, width] = key.shape as [number, number, number, number];
  const { buckets } = relative;
  const center = (buckets.length - 1) / 2;
  const bucketOf = (distance: number) => buckets[Math.max(0, Math.min(buckets.length - 1, center + distance))]!;
  const rows = queries === 'all' ? n : 1;
  if ('bias' in relative) {
    const ids = Int32Array.from({ length: rows * n }, (_, i) => bucketOf((i % n) - Math.floor(i / n)));
    const bias = embeddingLookup(relative.bias, tf.tensor1d(ids, 'int32')); // [rows * n, heads]
    return tf.transpose(tf.reshape(bias, [1, rows, n, heads]), [0, 3, 1, 2]); // [1, heads, rows, n]
  }
  const embedded = (table: Tensor, sign: number) => {
    const ids = Int32Array.from({ length: 2 * n - 1 }, (_, i) => bucketOf(sign * (i - n + 1)));
    const split = tf.reshape(embeddingLookup(table, tf.tensor1d(ids, 'int32')), [1, 2 * n - 1, heads, width]);
    return tf.transpose(split, [0, 2, 1, 3]); // [1, heads, 2 n - 1, width]
  };
  // Scores of a first token only: the first row of those of n equal queries.
  const all = queries === 'all' ? query : tf.tile(query, [1, 1, n, 1]);
  const ofQueries = byKey(scoresOf(all, embedded(relative.key, 1), precision)); // [batch, heads, n, n]
  const ofKeys = byKey(scoresOf(key, embedded(relative.query, -1), precision)); // [batch, heads, n keys, n queries]
  const sum = tf.add(ofQueries, tf.transpose(ofKeys, [0, 1, 3, 2]));
  return queries === 'all' ? sum : tf.slice(sum, [0, 0, 0, 0], [sum.shape[0], heads, 1, n]);
}
