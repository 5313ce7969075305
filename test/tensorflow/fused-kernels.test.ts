// The project's kernels give the same results as layers composed of TensorFlow's kernels. The sizes fill whole vectors
// and leave a remainder.
// kernel-levels.test.ts runs this file again at each instruction-set level.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Tensor } from '@tensorflow/tfjs';
import { composedLayers } from '#lib/model/composed-layers.js';
import { fusedLayers } from '#lib/model/fused-layers.js';
import { packTexts } from '#lib/model/batch.js';
import { embeddingLookup } from '#lib/model/layers.js';
import { batchTensors } from '#lib/model/packed-texts.js';
import { fusedDropout, fusedSquareSum, kernelLevel, wideSum } from '#lib/tensorflow/fused-kernels.js';
import { castTo, statelessNormal, withoutLast } from '#lib/tensorflow/kernels.js';
import { binding, nativeType, tf } from '#lib/tensorflow/runtime.js';
import { AdamW, type UpdateScalars } from '#lib/optim/adamw.js';
import { ResourceVariable } from '#lib/tensorflow/variables.js';
import { relativeDifference } from '../checkout.js';

const [heads, dim, hidden] = [4, 300, 700];
/** Fewer and more tokens than the rows that attention processes at a time, and 7 tokens of padding. */
const lengths = [37, 64, 1, 16, 83];
const rows = 208;

let nextSeed = 0;
const normal = (...shape: number[]): Tensor =>
  tf.mul(statelessNormal(shape, tf.tensor1d([7, nextSeed++], 'int32')), 0.5);
const numbers = (tensor: Tensor): Float32Array => castTo(tensor, 'float32').dataSync<'float32'>();

/** Computes a layer's output and its gradients with respect to all inputs, for a given gradient of the output. */
function forwardAndBackward(layer: (...inputs: Tensor[]) => Tensor, inputs: Tensor[], dy: Tensor): Float32Array[] {
  return tf.tidy(() => {
    const output = layer(...inputs);
    // A block may return the precision of its matrix products; the gradient must have the same precision.
    const upstream = nativeType(output) === binding.TF_FLOAT ? tf.clone(dy) : castTo(dy, 'bfloat16');
    return [output, ...tf.grads(layer)(inputs, upstream)].map(numbers);
  });
}

/** Maximum relative differences. bfloat16 has 8 significant bits, and some values are rounded several times. */
const tolerances = { float32: 1e-5, bfloat16: 0.03 } as const;

/** Asserts that a layer has the same output and gradients with fused and with composed kernels. */
function assertAgreement(
  name: string,
  layer: (layers: typeof fusedLayers) => (...inputs: Tensor[]) => Tensor,
  inputs: Tensor[],
  dy: Tensor,
  tolerance: number,
) {
  const fused = forwardAndBackward(layer(fusedLayers), inputs, dy);
  // Between blocks, composed layers support only float32.
  const float32Inputs = inputs.map((input) => castTo(input, 'float32'));
  const composed = forwardAndBackward(layer(composedLayers), float32Inputs, dy);
  composed.forEach((expected, i) => {
    const difference = relativeDifference(fused[i]!, expected);
    assert.ok(
      difference < tolerance,
      `${name}, ${i === 0 ? 'output' : `gradient ${i}`}: ${difference} at ${kernelLevel}`,
    );
  });
}

test('the fused layer norm equals the composed layer', () => {
  assertAgreement(
    'layer norm',
    (layers) => (x, scale, shift) => layers.layerNorm(x, { scale, shift, epsilon: 1e-5 }),
    [normal(rows, dim), normal(dim), normal(dim)],
    normal(rows, dim),
    tolerances.float32,
  );
});

for (const precision of ['float32', 'bfloat16'] as const) {
  for (const queries of ['all', 'first'] as const)
    test(`fused attention of packed texts with ${queries} queries equals the composed layer in ${precision}`, () => {
      const batch = packTexts(lengths.map((length) => new Int32Array(length)));
      const options = { queries, heads, rate: 0, source: undefined, precision };
      const weight = () => tf.div(normal(dim, dim), Math.sqrt(dim));
      const inputs = [normal(rows, dim), weight(), normal(dim), weight(), weight(), normal(dim), weight()];
      // The gradient of the keys' bias is not compared: the bias shifts all scores of a row equally, so its gradient
      // consists of rounding errors.
      const keyBias = normal(dim);
      assertAgreement(
        'attention',
        (layers) => (x, queryWeight, queryBias, keyWeight, valueWeight, valueBias, outWeight) => {
          const texts = batchTensors(batch, layers);
          assert.equal(texts.ids.shape[0], rows);
          const queryInput = queries === 'all' ? x : embeddingLookup(x, withoutLast(texts.offsets));
          return layers.attention(
            x,
            queryInput,
            {
              query: { weight: queryWeight, bias: queryBias },
              key: { weight: keyWeight, bias: keyBias },
              value: { weight: valueWeight, bias: valueBias },
            },
            outWeight,
            { ...options, texts },
          );
        },
        inputs,
        normal(queries === 'all' ? rows : lengths.length, dim),
        tolerances[precision],
      );
    });

  for (const queries of ['all', 'first'] as const) {
    const texts = (layers: typeof fusedLayers) =>
      batchTensors(packTexts(lengths.map((n) => new Int32Array(n))), layers);
    const inputOf = (x: Tensor, layers: typeof fusedLayers) =>
      queries === 'all' ? x : embeddingLookup(x, withoutLast(texts(layers).offsets));
    const weight = (rows = dim) => tf.div(normal(rows, dim), Math.sqrt(dim));
    const resultRows = queries === 'all' ? rows : lengths.length;
    const common = { queries, heads, rate: 0, source: undefined, precision };
    // Distances from -9 to 9 have a bucket each; the tables are for texts of at most 60 tokens.
    const buckets = Int32Array.from({ length: 119 }, (_, i) => Math.max(-9, Math.min(9, i - 59)) + 9);

    test(`fused attention with a window and rotations equals the composed layer: ${queries} queries, ${precision}`, () => {
      const heads = 6;
      const angles = tf.mul(normal(rows, dim / heads / 2), 3);
      // The first token of each text has the angle 0.
      const first = lengths.map((_, text) => lengths.slice(0, text).reduce((sum, length) => sum + length, 0));
      const isOther = tf.tensor2d(Array.from({ length: rows }, (_, row) => [first.includes(row) ? 0 : 1]));
      const turned = tf.mul(angles, isOther);
      const rotation = tf.concat([tf.cos(turned), tf.sin(turned)], 1);
      assertAgreement(
        'attention',
        (layers) => (x, joint, outWeight) =>
          layers.attention(x, inputOf(x, layers), { joint }, outWeight, {
            ...{ ...common, heads, window: 5, rotation },
            texts: texts(layers),
          }),
        [normal(rows, dim), weight(3 * dim), weight()],
        normal(resultRows, dim),
        tolerances[precision],
      );
    });

    test(`fused attention with relative positions equals the composed layer: ${queries} queries, ${precision}`, () => {
      const inputs = [normal(rows, dim), weight(), weight(), weight(), weight()];
      const attend =
        (tables: (first: Tensor, second: Tensor) => { bias: Tensor } | { key: Tensor; query: Tensor }) =>
        (layers: typeof fusedLayers) =>
        (x: Tensor, query: Tensor, key: Tensor, value: Tensor, out: Tensor, first: Tensor, second: Tensor) =>
          layers.attention(
            x,
            inputOf(x, layers),
            { query: { weight: query }, key: { weight: key }, value: { weight: value } },
            out,
            { ...common, texts: texts(layers), scale: 0.07, relative: { buckets, ...tables(first, second) } },
          );
      const dy = normal(resultRows, dim);
      const biases = attend((bias) => ({ bias }));
      assertAgreement('a bias', biases, [...inputs, tf.mul(normal(19, heads), 4)], dy, tolerances[precision]);
      const products = attend((key, query) => ({ key, query }));
      const tables = [tf.mul(normal(19, dim), 2), tf.mul(normal(19, dim), 2)];
      assertAgreement('products', products, [...inputs, ...tables], dy, tolerances[precision]);
    });
  }

  test(`the fused gated feed-forward block equals the composed layer in ${precision}`, () => {
    const inputs = [normal(rows, dim), tf.div(normal(2 * hidden, dim), 8), tf.div(normal(dim, hidden), 8)];
    const withoutDropout = { rate: 0, source: undefined };
    assertAgreement(
      'gated feed-forward',
      (layers) => (x, inner, outer) => layers.gatedFeedForward(x, inner, outer, withoutDropout, precision),
      inputs,
      normal(rows, dim),
      tolerances[precision],
    );
  });

  for (const activation of ['gelu', 'gelu_new'] as const)
    test(`the fused feed-forward block with ${activation} equals the composed layer in ${precision}`, () => {
      const inputs = [
        normal(rows, dim),
        tf.div(normal(hidden, dim), 8),
        normal(hidden),
        tf.div(normal(dim, hidden), 8),
      ];
      assertAgreement(
        'feed-forward',
        (layers) => (x, inner, bias, outer) =>
          layers.feedForward(x, { weight: inner, bias }, outer, activation, precision),
        inputs,
        normal(rows, dim),
        tolerances[precision],
      );
    });

  test(`the fused residual connection with layer norm equals the composed layer in ${precision}`, () => {
    const b = castTo(normal(rows, dim), precision);
    const inputs = [normal(rows, dim), b, normal(dim), normal(dim), normal(dim)];
    assertAgreement(
      'layer norm',
      (layers) => (a, b, bias, scale, shift) =>
        layers.residualLayerNorm(a, b, { bias, scale, shift, epsilon: 1e-12 }, 0, undefined),
      inputs,
      normal(rows, dim),
      tolerances[precision],
    );
  });
}

test('a hash of seed and position determines which values dropout keeps', () => {
  const hash = (x: number): number => {
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
    x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
    return (x ^ (x >>> 16)) >>> 0;
  };
  const rate = 0.3;
  const key = hash(3 ^ hash((5 + 0x9e3779b9) | 0));
  const actual = fusedDropout(tf.ones([1001]), rate, tf.tensor1d([3, 5], 'int32')).dataSync();
  const expected = Float32Array.from(actual, (_, i) =>
    hash(Math.imul(i, 0x9e3779b1) ^ key) >= Math.round(rate * 2 ** 32) ? 1 / (1 - rate) : 0,
  );
  assert.ok(relativeDifference(actual, expected) < 1e-6);
});

test('sums of bfloat16 tensors and sums of squares are computed in float32', () => {
  const [a, b] = [normal(10_007), normal(10_007)].map((tensor) => castTo(tensor, 'bfloat16')) as [Tensor, Tensor];
  const [left, right] = [numbers(a), numbers(b)];
  assert.deepEqual(
    wideSum([a, b]).dataSync(),
    left.map((value, i) => value + right[i]!),
  );
  for (const [tensor, values] of [
    [a, left],
    [castTo(a, 'float32'), left],
  ] as const) {
    const expected = values.reduce((sum, value) => sum + value * value, 0);
    assert.ok(Math.abs(fusedSquareSum(tensor).dataSync()[0]! / expected - 1) < 1e-6);
  }
});

for (const precision of ['float32', 'bfloat16'] as const)
  test(`three fused AdamW steps with ${precision} gradients equal those of TensorFlow's kernels`, () => {
    const start = normal(1003);
    const gradients = [1, 2, 3].map(() => castTo(normal(1003), precision));
    const [fused, composed] = [true, false].map((fused) => {
      const parameter = new ResourceVariable(start);
      const optimizer = new AdamW(new Map([['a.weight', parameter]]), { weightDecay: 0.1, fused });
      for (const gradient of gradients)
        tf.tidy(() => {
          const scalars: UpdateScalars = {
            learningRate: tf.scalar(1e-3),
            factor: tf.scalar(0.5),
            finite: tf.scalar(true, 'bool'),
            ...optimizer.corrections(),
          };
          optimizer.apply(new Map([['a.weight', gradient]]), scalars);
          optimizer.applied();
        });
      const values = parameter.data().slice();
      optimizer.dispose();
      parameter.dispose();
      return values;
    });
    const before = numbers(start);
    const change = (values: Float32Array) => values.map((value, i) => value - before[i]!);
    // The changes are a thousandth of the parameters, whose rounding errors are 1e-7.
    assert.ok(relativeDifference(change(fused!), change(composed!)) < 3e-4);
  });
