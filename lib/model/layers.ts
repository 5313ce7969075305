/**
 * The parts a transformer is made of, each with its own gradient. tfjs could derive them all; written out, they save
 * less for the way back and spend fewer kernels on it (layer norm: 9 instead of some 30).
 *
 * Weights are stored [out, in] as PyTorch's are: products transpose inside the kernel, at no cost.
 */
import type { Tensor, Tensor1D } from '@tensorflow/tfjs';
import {
  batchMatMul,
  biasAdd,
  biasAddGradient,
  matMul,
  softmax,
  sparseCrossEntropy,
  statelessKeep,
  sumRows,
} from '../tensorflow/kernels.js';
import { tf } from '../tensorflow/runtime.js';
import { applyMask, type DropoutSource } from './dropout.js';

// tf.customGrad's own types know one tensor and no list.
type Save = (tensors: Tensor[]) => void;
type GradientFunction = (dy: Tensor, saved: Tensor[]) => Tensor | Tensor[];
const customGradient = tf.customGrad as unknown as (
  forward: (...inputsAndSave: [...Tensor[], Save]) => { value: Tensor; gradFunc: GradientFunction },
) => (...inputs: Tensor[]) => Tensor;

/** x · weightᵀ + bias: [n, in], [out, in], [out] -> [n, out]. */
export const linear: (x: Tensor, weight: Tensor, bias: Tensor) => Tensor = customGradient((...inputs) => {
  const [x, weight, bias, save] = inputs as [Tensor, Tensor, Tensor, Save];
  save([x, weight]);
  return {
    value: biasAdd(matMul(x, weight, false, true), bias), // [n, out]
    gradFunc: (dy, saved) => {
      const [x, weight] = saved as [Tensor, Tensor];
      return [
        matMul(dy, weight), // [n, in]
        matMul(dy, x, true, false), // [out, in]
        biasAddGradient(dy), // [out]
      ];
    },
  };
});

/** DistilBERT's, and BERT's, and RoBERTa's. */
const layerNormEpsilon = 1e-12;

/** Each row to mean 0 and variance 1, then scaled and shifted: [n, width], [width], [width] -> [n, width]. */
export const layerNorm: (x: Tensor, scale: Tensor, shift: Tensor) => Tensor = customGradient((...inputs) => {
  const [x, scale, shift, save] = inputs as [Tensor, Tensor, Tensor, Save];
  const centered = tf.sub(x, tf.mean(x, -1, true)); // [n, width]
  const inverseDeviation = tf.rsqrt(tf.add(tf.mean(tf.square(centered), -1, true), layerNormEpsilon)); // [n, 1]
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
});

/** The exact GELU, x Φ(x) (Hendrycks and Gimpel, 2016), not its tanh approximation. */
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

/** Drops a share of the numbers while training (a source is given), else nothing. */
export function dropout(x: Tensor, rate: number, source: DropoutSource | undefined): Tensor {
  if (!source || rate === 0) return x;
  const seed = source.nextSeed();
  return customGradient((...inputs) => {
    const [x, save] = inputs as [Tensor, Save];
    // Kept numbers grow by 1 / (1 - rate), so that sums stay the same on average.
    const factors = applyMask(tf.scalar(1 / (1 - rate)), statelessKeep(x.shape, rate, seed));
    save([factors]);
    return { value: tf.mul(x, factors), gradFunc: (dy, [factors]) => tf.mul(dy, factors!) };
  })(x);
}

/** Looks rows up: [rows, width] by ids [n] -> [n, width]. */
export const embeddingLookup = (table: Tensor, ids: Tensor1D): Tensor =>
  customGradient((...inputs) => {
    const [table, save] = inputs as [Tensor, Save];
    const rows = table.shape[0];
    save([ids]);
    return { value: tf.gather(table, ids), gradFunc: (dy, [ids]) => sumRows(dy, ids!, rows) };
  })(table);

/**
 * softmax(query · keyᵀ / √width + bias) · value, each head for itself.
 * @param query [batch, heads, asking tokens, width]
 * @param key [batch, heads, tokens, width]
 * @param value [batch, heads, tokens, width]
 * @param bias [batch, 1, 1, tokens]: 0 where a token is, very negative where padding is; none when nothing is padded
 */
export function attention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  bias: Tensor | undefined,
  rate: number,
  source: DropoutSource | undefined,
): Tensor {
  const scale = 1 / Math.sqrt(query.shape[3]!);
  const seed = rate > 0 ? source?.nextSeed() : undefined;
  return customGradient((...inputs) => {
    const [query, key, value, save] = inputs as [Tensor, Tensor, Tensor, Save];
    const scaled = tf.mul(query, scale);
    const scores = batchMatMul(scaled, key, false, true); // [batch, heads, asking tokens, tokens]
    const weights = softmax(bias ? tf.add(scores, bias) : scores);
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
}

/** The mean cross-entropy over rows: logits [n, classes], labels [n] (int32) -> scalar. */
export const crossEntropy = (logits: Tensor, labels: Tensor1D): Tensor =>
  customGradient((...inputs) => {
    const [logits, save] = inputs as [Tensor, Save];
    const { losses, gradient } = sparseCrossEntropy(logits, labels);
    save([gradient]);
    const share = 1 / labels.shape[0];
    return { value: tf.mean(losses), gradFunc: (dy, [gradient]) => tf.mul(gradient!, tf.mul(dy, share)) };
  })(logits);
