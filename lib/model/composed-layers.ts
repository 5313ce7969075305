/** The parts of a transformer composed of TensorFlow's own kernels: they run on every device that TensorFlow knows. */
import type { Tensor } from '@tensorflow/tfjs';
import { batchMatMul, softmax, statelessKeep } from '../tensorflow/kernels.js';
import { tf } from '../tensorflow/runtime.js';
import { customGradient, type Save } from './custom-gradient.js';
import { applyMask } from './dropout.js';
import { addBias, layerNorm, type Layers } from './layers.js';

const plainGelu: (x: Tensor) => Tensor = customGradient((...inputs) => {
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
    // Kept numbers grow by 1 / (1 - rate), so that sums stay the same on average.
    const factors = applyMask(tf.scalar(1 / (1 - rate)), statelessKeep(x.shape, rate, seed));
    save([factors]);
    return { value: tf.mul(x, factors), gradFunc: (dy, [factors]) => tf.mul(dy, factors!) };
  })(x);
};

const attention: Layers['attention'] = (query, key, value, lengths, rate, source) => {
  const [batch, , , width] = query.shape as [number, number, number, number];
  const tokens = key.shape[2]!;
  const scale = 1 / Math.sqrt(width);
  const seed = rate > 0 ? source?.nextSeed() : undefined;
  // Padding must not be attended to: e^-1e9 is 0 in float32.
  const padding = tf.greaterEqual(tf.range(0, tokens, 1, 'int32'), tf.reshape(lengths, [batch, 1])); // [batch, tokens]
  const bias = tf.reshape(tf.mul(tf.cast(padding, 'float32'), -1e9), [batch, 1, 1, tokens]);
  return customGradient((...inputs) => {
    const [query, key, value, save] = inputs as [Tensor, Tensor, Tensor, Save];
    const scaled = tf.mul(query, scale);
    const scores = batchMatMul(scaled, key, false, true); // [batch, heads, asking tokens, tokens]
    const weights = softmax(tf.add(scores, bias));
    const keep = seed && statelessKeep(weights.shape, rate, seed);
    const used = keep ? applyMask(weights, keep) : weights;
    // Dropout's 1 / (1 - rate) is applied to the products, which are smaller than the weights.
    const grown = (x: Tensor) => (keep ? tf.mul(x, 1 / (1 - rate)) : x);
    save([scaled, key, value, weights, ...(keep ? [used, keep] : [])]);
    return {
      value: grown(batchMatMul(used, value)), // [batch, heads, asking tokens, width]
      gradFunc: (dy, saved) => {
        const [scaled, key, value, weights, used, keep] = saved as [Tensor, Tensor, Tensor, Tensor, Tensor?, Tensor?];
        const dProduct = grown(dy);
        const dUsed = batchMatMul(dProduct, value, false, true);
        const dWeights = keep ? applyMask(dUsed, keep) : dUsed;
        const weighted = tf.mul(dWeights, weights);
        const dScores = tf.sub(weighted, tf.mul(weights, tf.sum(weighted, -1, true)));
        return [
          tf.mul(batchMatMul(dScores, key), scale),
          batchMatMul(dScores, scaled, true, false),
          batchMatMul(used ?? weights, dProduct, true, false),
        ];
      },
    };
  })(query, key, value);
};

export const composedLayers: Layers = {
  gelu: (x, bias) => plainGelu(addBias(x, bias)),
  dropout,
  residualLayerNorm: (a, b, { bias, scale, shift }, rate, source) =>
    layerNorm(tf.add(a, dropout(addBias(b, bias), rate, source)), scale, shift),
  splitHeads(x, bias, batch, heads) {
    const width = x.shape[1]! / heads;
    return tf.transpose(tf.reshape(addBias(x, bias), [batch, -1, heads, width]), [0, 2, 1, 3]);
  },
  attention,
};
