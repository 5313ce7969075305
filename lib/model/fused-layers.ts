/** The parts of a transformer by the project's own kernels, one or two a part: for tensors on a processor. */
import type { Tensor, Tensor1D } from '@tensorflow/tfjs';
import {
  fusedAttentionWeights,
  fusedAttentionWeightsGradient,
  fusedDropout,
  fusedGelu,
  fusedGeluGradient,
  fusedResidualLayerNorm,
  fusedResidualLayerNormGradient,
  fusedSplitHeads,
  fusedSplitHeadsGradient,
} from '../tensorflow/fused-kernels.js';
import { batchMatMul } from '../tensorflow/kernels.js';
import { tf } from '../tensorflow/runtime.js';
import { customGradient, type Save } from './custom-gradient.js';
import type { DropoutSource } from './dropout.js';
import { layerNormEpsilon, type Layers } from './layers.js';

/** The rate and the seed of a use of dropout; outside training a rate of 0, whose seed nobody reads. */
const chanceOf = (rate: number, source: DropoutSource | undefined): { rate: number; seed: Tensor1D } =>
  source && rate > 0 ? { rate, seed: source.nextSeed() } : { rate: 0, seed: tf.tensor1d([0, 0], 'int32') };

export const fusedLayers: Layers = {
  gelu: customGradient((...inputs) => {
    const [x, bias, save] = inputs as [Tensor, Tensor, Save];
    save([x, bias]);
    return {
      value: fusedGelu(x, bias),
      gradFunc: (dy, saved) => fusedGeluGradient(dy, ...(saved as [Tensor, Tensor])),
    };
  }),

  dropout(x, rate, source) {
    if (!source || rate === 0) return x;
    const seed = source.nextSeed();
    return customGradient((...inputs) => {
      const [x, save] = inputs as [Tensor, Save];
      save([seed]);
      return {
        value: fusedDropout(x, rate, seed),
        gradFunc: (dy, [seed]) => fusedDropout(dy, rate, seed as Tensor1D),
      };
    })(x);
  },

  residualLayerNorm(a, b, { bias, scale, shift }, wantedRate, source) {
    const { rate, seed } = chanceOf(wantedRate, source);
    return customGradient((...inputs) => {
      const [a, b, bias, scale, shift, save] = inputs as [Tensor, Tensor, Tensor, Tensor, Tensor, Save];
      const [y, sum, statistics] = fusedResidualLayerNorm(a, b, bias, scale, shift, layerNormEpsilon, rate, seed);
      save([sum!, statistics!, scale, seed]);
      return {
        value: y!,
        gradFunc: (dy, saved) => {
          const [sum, statistics, scale, seed] = saved as [Tensor, Tensor, Tensor, Tensor];
          return fusedResidualLayerNormGradient(dy, sum, statistics, scale, rate, seed);
        },
      };
    })(a, b, bias, scale, shift);
  },

  splitHeads: (x, bias, batch, heads) =>
    customGradient((...inputs) => {
      const [x, bias] = inputs as [Tensor, Tensor, Save];
      return { value: fusedSplitHeads(x, bias, batch, heads), gradFunc: (dy) => fusedSplitHeadsGradient(dy) };
    })(x, bias),

  attention(query, key, value, lengths, wantedRate, source) {
    const { rate, seed } = chanceOf(wantedRate, source);
    const scale = 1 / Math.sqrt(query.shape[3]!);
    return customGradient((...inputs) => {
      const [query, key, value, save] = inputs as [Tensor, Tensor, Tensor, Save];
      const scores = batchMatMul(query, key, false, true); // [batch, heads, asking tokens, tokens]
      const [weights, used] = fusedAttentionWeights(scores, lengths, scale, rate, seed);
      save([query, key, value, weights!, used!, seed]);
      return {
        value: batchMatMul(used!, value), // [batch, heads, asking tokens, width]
        gradFunc: (dy, saved) => {
          const [query, key, value, weights, used, seed] = saved as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
          const dUsed = batchMatMul(dy, value, false, true);
          const dScores = fusedAttentionWeightsGradient(dUsed, weights, scale, rate, seed);
          return [
            batchMatMul(dScores, key),
            batchMatMul(dScores, query, true, false),
            batchMatMul(used, dy, true, false),
          ];
        },
      };
    })(query, key, value);
  },
};
