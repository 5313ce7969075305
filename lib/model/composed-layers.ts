/**
 * Transformer layers composed of TensorFlow's own kernels, for every device that TensorFlow supports. They pad texts inside
 * attention only.
 */
import type { Rank, Tensor, Tensor1D, Tensor2D } from '@tensorflow/tfjs';
import {
  batchMatMul,
  castTo,
  columnOf,
  gatherRows,
  padRows,
  rowCount,
  sliceRows,
  softmax,
  statelessKeep,
  sumRows,
} from '../tensorflow/kernels.js';
import { tf } from '../tensorflow/runtime.js';
import { customGradient, type Save } from './custom-gradient.js';
import { activations, gatedGelu } from './activations.js';
import { relativeScores, rotate } from './attention-positions.js';
import { applyMask } from './dropout.js';
import { addBias, layerNorm, product, type Layers, type TensorAttentionOptions } from './layers.js';
import type { Dense, Projections } from './operations.js';

/** Rows of a weight: [rows, width] -> [count, width]. */
const rowsOf = (weight: Tensor, from: number, count: number): Tensor =>
  customGradient((...inputs) => {
    const [weight] = inputs as [Tensor, Save];
    const after = weight.shape[0] - from - count;
    return { value: sliceRows(weight, from, count), gradFunc: (dy) => padRows(dy, from, after) };
  })(weight);

/** Queries, keys and values as separate projections. */
function separate(projections: Projections<Tensor>): {
  query: Dense<Tensor>;
  key: Dense<Tensor>;
  value: Dense<Tensor>;
} {
  if (!('joint' in projections)) return projections;
  const { joint } = projections;
  const dim = joint.shape[1]!;
  return {
    query: { weight: rowsOf(joint, 0, dim) },
    key: { weight: rowsOf(joint, dim, dim) },
    value: { weight: rowsOf(joint, 2 * dim, dim) },
  };
}

const dropout: Layers['dropout'] = (x, rate, source) => {
  if (!source || rate === 0) return x;
  const seed = source.nextSeed();
  return customGradient((...inputs) => {
    const [x, save] = inputs as [Tensor, Save];
    // Kept values are scaled by 1 / (1 - rate), so that the expected value stays the same.
    const factors = applyMask(tf.scalar(1 / (1 - rate)), statelessKeep(x.shape, rate, seed));
    save([factors]);
    return { value: tf.mul(x, factors), gradFunc: (dy, [factors]) => tf.mul(dy, factors!) };
  })(x);
};

/** Ids of rows, with any row for padding, which attention ignores. */
const rowIds = (ids: Tensor): Tensor1D => tf.maximum<Tensor1D>(ids, tf.scalar(0, 'int32'));

/** Packed rows as padded texts: x [tokens, dim], slots [batch, longest] -> [batch * longest, dim]. */
const padTexts = (x: Tensor, slots: Tensor2D): Tensor => {
  const ids = tf.reshape<Rank.R1>(slots, [-1]);
  return customGradient((...inputs) => {
    const [x, save] = inputs as [Tensor, Save];
    save([rowCount(x), ids]);
    return {
      value: gatherRows(x, rowIds(ids)),
      gradFunc: (dy, [rows, ids]) => sumRows(dy, ids!, rows!),
    };
  })(x);
};

/** Padded texts as packed rows: x [batch * longest, dim], slots [batch, longest] -> [tokens, dim]. */
const unpadTexts = (x: Tensor, slots: Tensor2D, tokens: number): Tensor => {
  const ids = tf.reshape<Rank.R1>(slots, [-1]);
  return customGradient((...inputs) => {
    const [x, save] = inputs as [Tensor, Save];
    save([ids]);
    return {
      value: sumRows(x, ids, tf.scalar(tokens, 'int32')),
      gradFunc: (dy, saved) => {
        const [ids] = saved as [Tensor1D];
        const isToken = tf.cast(tf.greaterEqual(ids, tf.scalar(0, 'int32')), 'float32'); // [batch * longest]
        return tf.mul(gatherRows(dy, rowIds(ids)), columnOf(isToken as Tensor1D));
      },
    };
  })(x);
};

/**
 * Scaled dot-product attention, softmax(query · keyᵀ · scale + relative) · value per head, with one gradient for the whole.
 * @param query [batch, heads, queries, width]
 * @param key [batch, heads, longest, width]
 * @param value [batch, heads, longest, width]
 * @param slots [batch, longest], negative for padding, which is excluded
 */
function attend(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  slots: Tensor2D,
  { rate, source, precision, window, relative, queries, ...options }: TensorAttentionOptions,
): Tensor {
  const [batch, , rows, width] = query.shape as [number, number, number, number];
  const longest = slots.shape[1];
  const scale = options.scale ?? 1 / Math.sqrt(width);
  const seed = rate > 0 ? source?.nextSeed() : undefined;
  const multiply = (a: Tensor, b: Tensor, transposeA = false, transposeB = false) =>
    castTo(batchMatMul(castTo(a, precision), castTo(b, precision), transposeA, transposeB), 'float32');
  // e^-1e9 is 0 in float32.
  const padding = tf.mul(tf.cast(tf.less(slots, tf.scalar(0, 'int32')), 'float32'), -1e9); // [batch, longest]
  const bias = tf.reshape(padding, [batch, 1, 1, -1]);
  const far = (window: number) =>
    Array.from({ length: rows }, (_, row) =>
      Array.from({ length: longest }, (_, column) => (Math.abs(row - column) > window ? -1e9 : 0)),
    );
  // [batch, 1, 1 or queries, longest]
  const mask = window === undefined ? bias : tf.add(bias, tf.tensor2d(far(window)));
  const added = relative && [relativeScores(tf.mul(query, scale), tf.mul(key, scale), relative, queries, precision)];
  return customGradient((...inputs) => {
    const save = inputs.pop() as unknown as Save;
    const [query, key, value, added] = inputs as unknown as [Tensor, Tensor, Tensor, Tensor?];
    const scaled = tf.mul(query, scale);
    const products = multiply(scaled, key, false, true);
    const scores = added ? tf.add(products, added) : products;
    const weights = softmax(tf.add(scores, mask)); // [batch, heads, queries, longest]
    const keep = seed && statelessKeep(weights.shape, rate, seed);
    const used = keep ? applyMask(weights, keep) : weights;
    // The factor 1 / (1 - rate) of dropout is applied to the products, which have fewer elements than the weights.
    const rescale = (x: Tensor) => (keep ? tf.mul(x, 1 / (1 - rate)) : x);
    save([scaled, key, value, weights, ...(keep ? [used, keep] : [])]);
    return {
      value: rescale(multiply(used, value)), // [batch, heads, queries, width]
      gradFunc: (dy, saved) => {
        const [scaled, key, value, weights, used, keep] = saved as [Tensor, Tensor, Tensor, Tensor, Tensor?, Tensor?];
        const dProduct = rescale(dy);
        const dUsed = multiply(dProduct, value, false, true);
        const dWeights = keep ? applyMask(dUsed, keep) : dUsed;
        const weighted = tf.mul(dWeights, weights);
        const dScores = tf.sub(weighted, tf.mul(weights, tf.sum(weighted, -1, true)));
        return [
          tf.mul(multiply(dScores, key), scale),
          multiply(dScores, scaled, true, false),
          multiply(used ?? weights, dProduct, true, false),
          ...(added ? [added.shape[0] === batch ? tf.clone(dScores) : tf.sum(dScores, 0, true)] : []),
        ];
      },
    };
  })(query, key, value, ...(added ?? []));
}

export const composedLayers: Layers = {
  anyShape: false,
  attention(x, queryInput, projections, outWeight, options) {
    const { texts, queries, heads, precision, rotation } = options;
    const { query, key, value } = separate(projections);
    const [tokens, dim] = x.shape as [number, number];
    const slots = texts.slots!;
    const [batch] = slots.shape;
    const project = (rows: Tensor, { weight, bias }: Dense<Tensor>) => {
      const projected = product(rows, weight, precision);
      return bias ? addBias(projected, bias) : projected;
    };
    // [batch * n, dim] -> [batch, heads, n, dim / heads]
    const split = (rows: Tensor) => tf.transpose(tf.reshape(rows, [batch, -1, heads, dim / heads]), [0, 2, 1, 3]);
    const position = (rows: Tensor) => (rotation ? rotate(rows, rotation, heads) : rows);
    const projectedQueries = project(queryInput, query); // [queries, dim]
    const context = attend(
      // The first token has the angle 0.
      split(queries === 'all' ? padTexts(position(projectedQueries), slots) : projectedQueries),
      split(padTexts(position(project(x, key)), slots)),
      split(padTexts(project(x, value), slots)),
      slots,
      options,
    );
    const joined = tf.reshape(tf.transpose(context, [0, 2, 1, 3]), [-1, dim]); // [batch * n, dim]
    return product(queries === 'all' ? unpadTexts(joined, slots, tokens) : joined, outWeight, precision);
  },
  feedForward(x, { weight, bias }, outerWeight, activation, precision) {
    const inner = product(x, weight, precision); // [n, hidden]
    return product(activations[activation](bias ? addBias(inner, bias) : inner), outerWeight, precision);
  },
  gatedFeedForward(x, innerWeight, outerWeight, { rate, source }, precision) {
    const gated = gatedGelu(product(x, innerWeight, precision)); // [n, hidden]
    return product(dropout(gated, rate, source), outerWeight, precision);
  },
  layerNorm: (x, { scale, shift, epsilon }) => layerNorm(x, scale, shift, epsilon),
  residualLayerNorm: (a, b, { bias, scale, shift, epsilon }, rate, source) =>
    layerNorm(tf.add(a, dropout(addBias(b, bias), rate, source)), scale, shift, epsilon),
  dropout,
};
