/**
 * The operations of a forward pass on tensors: with the weights of a model, a batch of packed texts, and an implementation of
 * the layers. When it runs eagerly, a breakpoint works anywhere.
 */
import type { Tensor } from '@tensorflow/tfjs';
import { hasFusedKernels } from '../tensorflow/fused-kernels.js';
import { columnOf, concatenate, matMul, withoutLast, type Precision } from '../tensorflow/kernels.js';
import { tf } from '../tensorflow/runtime.js';
import { activations } from './activations.js';
import { composedLayers } from './composed-layers.js';
import type { DropoutSource } from './dropout.js';
import { familyOf } from './families.js';
import type { EncoderConfig } from './config.js';
import { fusedLayers } from './fused-layers.js';
import {
  addBias,
  embeddingLookup,
  floatGradient,
  meanOfTexts,
  neighbors,
  product,
  residual,
  type Layers,
} from './layers.js';
import type { Norm, Operations } from './operations.js';
import type { PackedTexts } from './packed-texts.js';

/** Weights by their Hugging Face names. */
export type Weights = Record<string, Tensor>;

export interface ForwardOptions {
  /** Seeds for dropout; given only during training. */
  source?: DropoutSource | undefined;
  /** Implementation of the layers. @default fused if available, see layersFor */
  layers?: Layers | undefined;
  /** Precision of matrix products with weights. @default 'float32' */
  precision?: Precision;
}

/** The fused layers if their kernels are available and support the precision, else the composed layers. */
export const layersFor = (precision: Precision): Layers =>
  hasFusedKernels && precision !== 'float16' ? fusedLayers : composedLayers;

/** The parameters of a layer norm, with zeros for a missing shift. */
const withShift = ({ scale, shift, epsilon }: Norm<Tensor>) => ({
  scale,
  shift: shift ?? tf.zerosLike(scale),
  epsilon,
});

/**
 * Creates the operations for a batch.
 * @param options see ForwardOptions
 */
export function tensorOperations(
  weights: Weights,
  texts: PackedTexts,
  config: EncoderConfig,
  { source, precision = 'float32', layers = layersFor(precision) }: ForwardOptions = {},
): Operations<Tensor> {
  const { sharesParameters = false } = familyOf(config);
  const rotations = new Map<number, Tensor>();
  /** The angles of each token for a base: [tokens, width], the cosines, then the sines. All layers share them. */
  const rotationOf = (base: number, width: number): Tensor => {
    const known = rotations.get(base);
    if (known) return known;
    const frequencies = tf.tensor2d([Array.from({ length: width / 2 }, (_, i) => base ** ((-2 * i) / width))]);
    const angles = matMul(columnOf(tf.cast(texts.positions, 'float32')), frequencies); // [tokens, width / 2]
    const rotation = concatenate([tf.cos(angles), tf.sin(angles)], 1);
    rotations.set(base, rotation);
    return rotation;
  };
  return {
    parameter: (name) => (sharesParameters ? floatGradient(weights[name]!) : weights[name]!),
    row(table, index) {
      const width = table.shape[1]!;
      return tf.reshape(tf.slice(table, [index, 0], [1, width]), [width]);
    },
    tokenEmbedding: (table) => embeddingLookup(table, texts.ids),
    tokenTypeEmbedding: (table) => texts.types && embeddingLookup(table, texts.types),
    positionEmbedding: (table, first) => embeddingLookup(table, tf.add(texts.positions, tf.scalar(first, 'int32'))),
    linear(x, { weight, bias }, exact = false) {
      const y = product(x, weight, exact ? 'float32' : precision);
      return bias ? addBias(y, bias) : y;
    },
    activation: (x, name) => activations[name](x),
    residual: (a, b, rate) => residual(a, layers.dropout(b, rate, source)),
    layerNorm: (x, norm) => layers.layerNorm(x, withShift(norm)),
    residualLayerNorm: (a, b, bias, norm, rate) =>
      layers.residualLayerNorm(a, b, { bias: bias ?? tf.zerosLike(norm.scale), ...withShift(norm) }, rate, source),
    dropout: (x, rate) => layers.dropout(x, rate, source),
    firstTokens: (x) => embeddingLookup(x, withoutLast(texts.offsets)),
    meanOfTokens: (x) => meanOfTexts(x, texts.offsets),
    convolution(x, { weight, bias }) {
      const inputs = [neighbors(x, texts.positions, 'before'), x, neighbors(x, texts.positions, 'after')];
      const weights = tf.unstack(weight, 2); // 3 x [out, in]
      const y = tf.addN(inputs.map((rows, i) => product(rows, weights[i]!, precision))); // [tokens, out]
      return bias ? addBias(y, bias) : y;
    },
    attention(x, queryInput, projections, outWeight, { rotaryBase, ...options }) {
      const rotation = rotaryBase === undefined ? undefined : rotationOf(rotaryBase, x.shape[1]! / options.heads);
      return layers.attention(x, queryInput, projections, outWeight, {
        ...options,
        texts,
        source,
        precision,
        rotation,
      });
    },
    feedForward: (x, inner, outerWeight, activation) =>
      layers.feedForward(x, inner, outerWeight, activation, precision),
    gatedFeedForward: (x, innerWeight, outerWeight, rate) =>
      layers.gatedFeedForward(x, innerWeight, outerWeight, { rate, source }, precision),
  };
}
