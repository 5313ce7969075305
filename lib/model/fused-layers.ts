/**
 * Transformer layers of the project's own kernels, for tensors on a CPU. All values between the products of a block
 * have the precision of the products: bfloat16 halves the memory traffic, and only the inputs of a block are cast.
 */
import type { Tensor, Tensor1D } from '@tensorflow/tfjs';
import {
  fusedAttention,
  fusedAttentionGradient,
  fusedDropout,
  fusedGatedGelu,
  fusedGatedGeluGradient,
  fusedGelu,
  fusedGeluGradient,
  fusedLayerNorm,
  fusedLayerNormGradient,
  fusedResidualLayerNorm,
  fusedResidualLayerNormGradient,
  wideSum,
  type AttentionInputs,
  type PositionInputs,
} from '../tensorflow/fused-kernels.js';
import { castTo, concatenate, indicesOf, matMul, sliceRows } from '../tensorflow/kernels.js';
import { binding, nativeType, tf } from '../tensorflow/runtime.js';
import { customGradient, type Save } from './custom-gradient.js';
import type { DropoutSource } from './dropout.js';
import { composedLayers } from './composed-layers.js';
import { type Layers } from './layers.js';

/** Rate and seed for one use of dropout; outside training a rate of 0 with an unused seed. */
const dropoutArguments = (rate: number, source: DropoutSource | undefined): { rate: number; seed: Tensor1D } =>
  source && rate > 0 ? { rate, seed: source.nextSeed() } : { rate: 0, seed: tf.tensor1d([0, 0], 'int32') };

/** The float32 sum of gradients in the precision of the products. */
const sumOf = (parts: Tensor[]): Tensor =>
  nativeType(parts[0]!) === binding.TF_FLOAT ? tf.addN(parts) : wideSum(parts);

export const fusedLayers: Layers = {
  anyShape: true,

  attention(x, queryInput, projections, outWeight, options) {
    const { texts, queries, heads, precision, rotation, relative } = options;
    const dim = x.shape[1]!;
    const { rate, seed } = dropoutArguments(options.rate, options.source);
    const scores = {
      heads,
      rate,
      scale: options.scale ?? 1 / Math.sqrt(dim / heads),
      window: options.window ?? -1,
    };
    const { offsets } = texts;
    const queryOffsets = queries === 'all' ? offsets : indicesOf(offsets);
    const buckets = relative && tf.tensor1d(relative.buckets, 'int32');
    const hasBias = relative && 'bias' in relative;
    const tables = !relative ? [] : hasBias ? [relative.bias] : [relative.query, (relative as { key: Tensor }).key];
    const positionsOf = (rotation?: Tensor, buckets?: Tensor, tables: Tensor[] = []): PositionInputs => ({
      rotation,
      buckets,
      ...(hasBias ? { bias: tables[0] } : { query: tables[0], key: tables[1] }),
    });
    const sameRows = queryInput === x;
    // In self-attention of all tokens, the gradients of queries, keys and values are added up. Otherwise the query
    // input has its own gradient.
    const rows = sameRows ? [x] : [x, queryInput];
    const isJoint = 'joint' in projections;
    const noBias = tf.zeros([dim]);
    const parts = isJoint ? [] : [projections.query, projections.key, projections.value];
    const weights = isJoint ? [projections.joint] : parts.map(({ weight }) => weight);
    const biases = isJoint ? [] : parts.map(({ bias = noBias }) => bias);

    return customGradient((...inputs) => {
      const save = inputs.pop() as unknown as Save;
      const take = (count: number) => (inputs as Tensor[]).splice(0, count);
      const [x, queryInput = x] = take(rows.length) as [Tensor, Tensor?];
      const weightsOfProducts = [...take(weights.length), ...take(1)].map((weight) => castTo(weight, precision));
      const outWeight = weightsOfProducts.pop()!;
      const [queryWeight, keyWeight, valueWeight] = (
        isJoint ? [0, 1, 2].map((part) => sliceRows(weightsOfProducts[0]!, part * dim, dim)) : weightsOfProducts
      ) as [Tensor, Tensor, Tensor];
      const taken = take(biases.length);
      const used = (isJoint ? [noBias, noBias, noBias] : taken) as AttentionInputs['biases'];
      const tables = take(inputs.length);
      const inputRows = castTo(x, precision); // [tokens, dim]
      const queryRows = sameRows ? inputRows : castTo(queryInput, precision); // [queries, dim]
      const query = matMul(queryRows, queryWeight, false, true); // [queries, dim]
      const key = matMul(inputRows, keyWeight, false, true); // [tokens, dim]
      const value = matMul(inputRows, valueWeight, false, true); // [tokens, dim]
      const fused = { projections: [query, key, value] as AttentionInputs['projections'], biases: used };
      const [context, logSums] = fusedAttention(
        { ...fused, queryOffsets, offsets, seed, positions: positionsOf(rotation, buckets, tables) },
        scores,
      ); // [queries, dim], [queries, heads]
      const optional = [rotation, buckets].filter((tensor) => tensor !== undefined);
      save([
        ...[inputRows, queryRows, queryWeight, keyWeight, valueWeight, outWeight],
        ...[query, key, value, ...used, queryOffsets, offsets, seed, context, logSums],
        ...optional,
        ...tables,
      ]);
      return {
        value: matMul(context, outWeight, false, true), // [queries, dim]
        gradFunc: (dy, saved) => {
          const [inputRows, queryRows, queryWeight, keyWeight, valueWeight, outWeight, ...attention] = saved;
          const [query, key, value, queryBias, keyBias, valueBias, queryOffsets, offsets, seed, context, logSums] =
            attention.splice(0, 11) as [Tensor, Tensor, ...Tensor[]] & Record<number, Tensor>;
          const savedRotation = rotation && attention.shift();
          const savedBuckets = buckets && attention.shift();
          const dContext = matMul(dy, outWeight!); // [queries, dim]
          const [dQuery, dKey, dValue, ...others] = fusedAttentionGradient(
            dContext,
            {
              projections: [query, key, value!],
              biases: [queryBias!, keyBias!, valueBias!],
              queryOffsets: queryOffsets!,
              offsets: offsets!,
              seed: seed!,
              positions: positionsOf(savedRotation, savedBuckets, attention),
            },
            logSums!,
            scores,
          ) as [Tensor, Tensor, Tensor, ...Tensor[]];
          const dQueryInput = matMul(dQuery, queryWeight!);
          const dInput = [matMul(dKey, keyWeight!), matMul(dValue, valueWeight!)];
          const dWeights = [
            matMul(dQuery, queryRows!, true, false),
            matMul(dKey, inputRows!, true, false),
            matMul(dValue, inputRows!, true, false),
          ];
          const [dBias, ...dTables] = others.splice(3);
          return [
            ...(sameRows ? [sumOf([dQueryInput, ...dInput])] : [sumOf(dInput), sumOf([dQueryInput])]),
            ...(isJoint ? [concatenate(dWeights, 0)] : dWeights),
            matMul(dy, context!, true, false),
            ...(isJoint ? [] : others),
            ...(hasBias ? [dBias!] : relative ? dTables : []),
          ];
        },
      };
    })(...rows, ...weights, outWeight, ...biases, ...tables);
  },

  feedForward: (x, { weight, bias = tf.zeros([weight.shape[0]]) }, outerWeight, activation, precision) => {
    if (activation !== 'gelu' && activation !== 'gelu_new')
      return composedLayers.feedForward(x, { weight, bias }, outerWeight, activation, precision);
    const tanh = activation === 'gelu_new';
    return customGradient((...inputs) => {
      const [x, innerWeight, bias, outerWeight, save] = inputs as [Tensor, Tensor, Tensor, Tensor, Save];
      const [rows, inner, outer] = [x, innerWeight, outerWeight].map((tensor) => castTo(tensor, precision)) as [
        Tensor,
        Tensor,
        Tensor,
      ];
      const before = matMul(rows, inner, false, true); // [n, hidden]
      const hidden = fusedGelu(before, bias, tanh); // [n, hidden]
      save([rows, inner, outer, before, hidden, bias]);
      return {
        value: matMul(hidden, outer, false, true), // [n, dim]
        gradFunc: (dy, saved) => {
          const [rows, inner, outer, before, hidden, bias] = saved;
          const dHidden = matMul(dy, outer!); // [n, hidden]
          const [dBefore, dBias] = fusedGeluGradient(dHidden, before!, bias!, tanh); // [n, hidden], [hidden]
          return [
            sumOf([matMul(dBefore, inner!)]), // [n, dim]
            matMul(dBefore, rows!, true, false), // [hidden, dim]
            dBias,
            matMul(dy, hidden!, true, false), // [dim, hidden]
          ];
        },
      };
    })(x, weight, bias, outerWeight);
  },

  gatedFeedForward(x, innerWeight, outerWeight, dropout, precision) {
    // No published model has dropout here.
    if (dropout.source && dropout.rate > 0)
      return composedLayers.gatedFeedForward(x, innerWeight, outerWeight, dropout, precision);
    return customGradient((...inputs) => {
      const save = inputs.pop() as unknown as Save;
      const [rows, inner, outer] = (inputs as Tensor[]).map((tensor) => castTo(tensor, precision)) as [
        Tensor,
        Tensor,
        Tensor,
      ];
      const before = matMul(rows, inner, false, true); // [n, 2 hidden]
      const hidden = fusedGatedGelu(before); // [n, hidden]
      save([rows, inner, outer, before, hidden]);
      return {
        value: matMul(hidden, outer, false, true), // [n, dim]
        gradFunc: (dy, saved) => {
          const [rows, inner, outer, before, hidden] = saved;
          const dBefore = fusedGatedGeluGradient(matMul(dy, outer!), before!); // [n, 2 hidden]
          return [
            sumOf([matMul(dBefore, inner!)]), // [n, dim]
            matMul(dBefore, rows!, true, false), // [2 hidden, dim]
            matMul(dy, hidden!, true, false), // [dim, hidden]
          ];
        },
      };
    })(x, innerWeight, outerWeight);
  },

  layerNorm: (x, { scale, shift, epsilon }) =>
    customGradient((...inputs) => {
      const [x, scale, shift, save] = inputs as [Tensor, Tensor, Tensor, Save];
      const [y, statistics] = fusedLayerNorm(x, scale, shift, epsilon);
      save([x, statistics, scale]);
      return {
        value: y,
        gradFunc: (dy, saved) => {
          const [x, statistics, scale] = saved as [Tensor, Tensor, Tensor];
          return fusedLayerNormGradient(dy, x, statistics, scale);
        },
      };
    })(x, scale, shift),

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
