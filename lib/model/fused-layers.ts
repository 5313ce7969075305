/**
 * Transformer layers of the project's own kernels, for tensors on a CPU. All values between the products of a block
 * have the precision of the products: bfloat16 halves the memory traffic, and only the inputs of a block are cast.
 */
import type { Tensor, Tensor1D } from '@tensorflow/tfjs';
import {
  fusedAttention,
  fusedAttentionGradient,
  fusedDropout,
  fusedGelu,
  fusedGeluGradient,
  fusedResidualLayerNorm,
  fusedResidualLayerNormGradient,
  wideSum,
  type AttentionInputs,
} from '../tensorflow/fused-kernels.js';
import { castTo, indicesOf, matMul } from '../tensorflow/kernels.js';
import { binding, nativeType, tf } from '../tensorflow/runtime.js';
import { customGradient, type Save } from './custom-gradient.js';
import type { DropoutSource } from './dropout.js';
import { type Layers } from './layers.js';

/** Rate and seed for one use of dropout; outside training a rate of 0 with an unused seed. */
const dropoutArguments = (rate: number, source: DropoutSource | undefined): { rate: number; seed: Tensor1D } =>
  source && rate > 0 ? { rate, seed: source.nextSeed() } : { rate: 0, seed: tf.tensor1d([0, 0], 'int32') };

/** The float32 sum of gradients in the precision of the products. */
const sumOf = (parts: Tensor[]): Tensor =>
  nativeType(parts[0]!) === binding.TF_FLOAT ? tf.addN(parts) : wideSum(parts);

export const fusedLayers: Layers = {
  anyShape: true,

  attention(x, queryInput, { query, key, value }, outWeight, { texts, queries, heads, precision, ...dropout }) {
    const { rate, seed } = dropoutArguments(dropout.rate, dropout.source);
    const { offsets } = texts;
    const queryOffsets = queries === 'all' ? offsets : indicesOf(offsets);
    const sameRows = queryInput === x;
    // In self-attention of all tokens, the gradients of queries, keys and values are added up. Otherwise the query
    // input has its own gradient.
    const rows = sameRows ? [x] : [x, queryInput];
    const parameters = [query, key, value].flatMap(({ weight, bias }) => [weight, bias]);

    return customGradient((...inputs) => {
      const save = inputs.pop() as unknown as Save;
      const [x, queryInput = x] = (inputs as Tensor[]).splice(0, rows.length) as [Tensor, Tensor?];
      const biases = [inputs[1], inputs[3], inputs[5]] as [Tensor, Tensor, Tensor];
      const weights = [inputs[0], inputs[2], inputs[4], inputs[6]].map((weight) => castTo(weight as Tensor, precision));
      const [queryWeight, keyWeight, valueWeight, outWeight] = weights as [Tensor, Tensor, Tensor, Tensor];
      const inputRows = castTo(x, precision); // [tokens, dim]
      const queryRows = sameRows ? inputRows : castTo(queryInput, precision); // [queries, dim]
      const query = matMul(queryRows, queryWeight, false, true); // [queries, dim]
      const key = matMul(inputRows, keyWeight, false, true); // [tokens, dim]
      const value = matMul(inputRows, valueWeight, false, true); // [tokens, dim]
      const fused = { projections: [query, key, value], biases, queryOffsets, offsets, seed } as AttentionInputs;
      const [context, logSums] = fusedAttention(fused, heads, rate); // [queries, dim], [queries, heads]
      save([
        inputRows,
        queryRows,
        ...weights,
        query,
        key,
        value,
        ...biases,
        queryOffsets,
        offsets,
        seed,
        context,
        logSums,
      ]);
      return {
        value: matMul(context, outWeight, false, true), // [queries, dim]
        gradFunc: (dy, saved) => {
          const [inputRows, queryRows, queryWeight, keyWeight, valueWeight, outWeight, ...attention] = saved;
          const [query, key, value, queryBias, keyBias, valueBias, queryOffsets, offsets, seed, context, logSums] =
            attention as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
          const dContext = matMul(dy, outWeight!); // [queries, dim]
          const [dQuery, dKey, dValue, dQueryBias, dKeyBias, dValueBias] = fusedAttentionGradient(
            dContext,
            { projections: [query, key, value], biases: [queryBias, keyBias, valueBias], queryOffsets, offsets, seed },
            logSums,
            heads,
            rate,
          ) as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
          const dQueryInput = matMul(dQuery, queryWeight!);
          const dInput = [matMul(dKey, keyWeight!), matMul(dValue, valueWeight!)];
          return [
            ...(sameRows ? [sumOf([dQueryInput, ...dInput])] : [sumOf(dInput), sumOf([dQueryInput])]),
            matMul(dQuery, queryRows!, true, false),
            dQueryBias,
            matMul(dKey, inputRows!, true, false),
            dKeyBias,
            matMul(dValue, inputRows!, true, false),
            dValueBias,
            matMul(dy, context, true, false),
          ];
        },
      };
    })(...rows, ...parameters, outWeight);
  },

  feedForward: (x, { weight, bias }, outerWeight, precision) =>
    customGradient((...inputs) => {
      const [x, innerWeight, bias, outerWeight, save] = inputs as [Tensor, Tensor, Tensor, Tensor, Save];
      const [rows, inner, outer] = [x, innerWeight, outerWeight].map((tensor) => castTo(tensor, precision)) as [
        Tensor,
        Tensor,
        Tensor,
      ];
      const before = matMul(rows, inner, false, true); // [n, hidden]
      const hidden = fusedGelu(before, bias); // [n, hidden]
      save([rows, inner, outer, before, hidden, bias]);
      return {
        value: matMul(hidden, outer, false, true), // [n, dim]
        gradFunc: (dy, saved) => {
          const [rows, inner, outer, before, hidden, bias] = saved;
          const [dBefore, dBias] = fusedGeluGradient(matMul(dy, outer!), before!, bias!); // [n, hidden], [hidden]
          return [
            sumOf([matMul(dBefore, inner!)]), // [n, dim]
            matMul(dBefore, rows!, true, false), // [hidden, dim]
            dBias,
            matMul(dy, hidden!, true, false), // [dim, hidden]
          ];
        },
      };
    })(x, weight, bias, outerWeight),

  residualLayerNorm(a, b, { bias, scale, shift, epsilon }, dropoutRate, source) {
    const { rate, seed } = dropoutArguments(dropoutRate, source);
    return customGradient((...inputs) => {
      const [a, b, bias, scale, shift, save] = inputs as [Tensor, Tensor, Tensor, Tensor, Tensor, Save];
      const type = nativeType(b);
      const [y, sum, statistics] = fusedResidualLayerNorm(a, b, bias, scale, shift, epsilon, rate, seed);
      save([sum!, statistics!, scale, seed]);
      return {
        value: y!,
        gradFunc: (dy, saved) => {
          const [sum, statistics, scale, seed] = saved as [Tensor, Tensor, Tensor, Tensor];
          return fusedResidualLayerNormGradient(dy, sum, statistics, scale, rate, seed, type);
        },
      };
    })(a, b, bias, scale, shift);
  },

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
};
