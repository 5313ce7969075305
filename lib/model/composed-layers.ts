/** Transformer layers composed of TensorFlow's own kernels, for every device that TensorFlow supports. */
import type { Tensor, Tensor1D } from '@tensorflow/tfjs';
import { batchMatMul, castTo, softmax, statelessKeep } from '../tensorflow/kernels.js';
import { tf } from '../tensorflow/runtime.js';
import { customGradient, type Save } from './custom-gradient.js';
import { applyMask } from './dropout.js';
import { addBias, layerNorm, product, type AttentionOptions, type Dense, type Layers } from './layers.js';

/** The exact GELU, x Φ(x) (Hendrycks and Gimpel, 2016). */
export const gelu: (x: Tensor) => Tensor = customGradient((...inputs) => {
  const [x, save] = inputs as [Tensor, Save];
  const cumulative = tf.mul(tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1), 0.5); // Φ(x)
  save([x, cumulative]);
  return {
    value: tf.mul(x, cumulative),
    gradFunc: (dy, saved) => {
      const [x, cumulative] = saved as [Tensor, Tensor];
      const density = tf.mul(tf.exp(tf.mul(tf.square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
      return tf.mul(dy, tf.add(cumulative, tf.mul(x, density)));
    },
  };
});

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

/**
 * Scaled dot-product attention, softmax(query · keyᵀ / √width) · value per head, with one gradient for the whole.
 * @param query [batch, heads, query tokens, width]
 * @param key [batch, heads, tokens, width]
 * @param value [batch, heads, tokens, width]
 */
function attend(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  { lengths, rate, source, precision }: AttentionOptions,
): Tensor {
  const [batch, , , width] = query.shape as [number, number, number, number];
  const tokens = key.shape[2]!;
  const scale = 1 / Math.sqrt(width);
  const seed = rate > 0 ? source?.nextSeed() : undefined;
  const multiply = (a: Tensor, b: Tensor, transposeA = false, transposeB = false) =>
    castTo(batchMatMul(castTo(a, precision), castTo(b, precision), transposeA, transposeB), 'float32');
  // Excludes padding from attention: e^-1e9 is 0 in float32.
  const isPadding = (lengths: Tensor1D) =>
    tf.greaterEqual(tf.range(0, tokens, 1, 'int32'), tf.reshape(lengths, [batch, 1])); // [batch, tokens]
  const bias = lengths && tf.reshape(tf.mul(tf.cast(isPadding(lengths), 'float32'), -1e9), [batch, 1, 1, tokens]);
  return customGradient((...inputs) => {
    const [query, key, value, save] = inputs as [Tensor, Tensor, Tensor, Save];
    const scaled = tf.mul(query, scale);
    const scores = multiply(scaled, key, false, true); // [batch, heads, query tokens, tokens]
    const weights = softmax(bias ? tf.add(scores, bias) : scores);
    const keep = seed && statelessKeep(weights.shape, rate, seed);
    const used = keep ? applyMask(weights, keep) : weights;
    // The factor 1 / (1 - rate) of dropout is applied to the products, which have fewer elements than the weights.
    const rescale = (x: Tensor) => (keep ? tf.mul(x, 1 / (1 - rate)) : x);
    save([scaled, key, value, weights, ...(keep ? [used, keep] : [])]);
    return {
      value: rescale(multiply(used, value)), // [batch, heads, query tokens, width]
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
        ];
      },
    };
  })(query, key, value);
}

export const composedLayers: Layers = {
  attention(x, queryInput, { query, key, value }, outWeight, options) {
    const { batch, heads, precision } = options;
    const dim = x.shape[1]!;
    // [batch * tokens, dim] -> [batch, heads, tokens, dim / heads]
    const project = (rows: Tensor, { weight, bias }: Dense) =>
      tf.transpose(
        tf.reshape(addBias(product(rows, weight, precision), bias), [batch, -1, heads, dim / heads]),
        [0, 2, 1, 3],
      );
    const context = attend(project(queryInput, query), project(x, key), project(x, value), options);
    return product(tf.reshape(tf.transpose(context, [0, 2, 1, 3]), [-1, dim]), outWeight, precision);
  },
  feedForward: (x, { weight, bias }, outerWeight, precision) =>
    product(gelu(addBias(product(x, weight, precision), bias)), outerWeight, precision),
  residualLayerNorm: (a, b, { bias, scale, shift, epsilon }, rate, source) =>
    layerNorm(tf.add(a, dropout(addBias(b, bias), rate, source)), scale, shift, epsilon),
  dropout,
};
