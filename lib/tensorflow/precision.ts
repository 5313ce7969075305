/**
 * The precision of matrix products. bfloat16 has float32's range and 8 bits of precision, float16 has 11 bits and a range that
 * ends at 65,504: hardware that supports them multiplies at a multiple of float32's speed, and adds up in float32. Parameters,
 * normalisation, softmax, loss and optimizer stay float32, as under PyTorch's autocast.
 *
 * What is fastest is measured, not read off CPU flags: a CPU with AVX512-BF16 and without AMX has instructions for bfloat16 and
 * multiplies faster in float32.
 */
import fs from 'node:fs';
import type { Tensor } from '@tensorflow/tfjs';
import { computeCapability } from './device.js';
import { castTo, matMul, type Precision } from './kernels.js';
import { leastSpeedup, measuredOnce, median } from './measurements.js';
import { backend, tf } from './runtime.js';
import type { Settings } from '../settings/settings.js';

/** A precision, or `auto` for the fastest one, see `choosePrecision`. */
export type PrecisionSetting = Settings['precision'];

/** The widths of a model's matrix products: those of DistilBERT-base by default. */
export interface ProductShape {
  /** Width of a token's vector. */
  dim: number;
  /** Width inside the feed-forward block. */
  hidden_dim: number;
}

/** A precision, and why it was chosen. */
export interface PrecisionChoice {
  precision: Precision;
  /** The measured rates, or why nothing was measured; undefined if the precision was asked for. */
  reason?: string | undefined;
}

/** Operations (multiplications and additions) per second, by precision. */
export type ProductRates = Partial<Record<Precision, number>>;

const distilbertBase: ProductShape = { dim: 768, hidden_dim: 3072 };

/** Milliseconds after which measuring stops, after at least two rounds. */
const patience = 400;

const mostRounds = 7;

/** Narrower products are so short that overheads decide. */
const leastDim = 256;

/**
 * The precisions that the device has instructions for, float32 first. CPU: bfloat16 with AVX-512 BF16, AMX, or arm64's bf16
 * (others emulate it at a fraction of float32's speed, or not at all). GPU: bfloat16 from Ampere on (compute capability 8),
 * float16 on Volta and Turing (7), such as the T4.
 */
export function candidatePrecisions(): Precision[] {
  if (backend.isUsingGpuDevice) {
    const capability = computeCapability();
    return capability >= 8 ? ['float32', 'bfloat16'] : capability >= 7 ? ['float32', 'float16'] : ['float32'];
  }
  if (!fs.existsSync('/proc/cpuinfo')) return ['float32'];
  const features = /^(flags|Features).*$/m.exec(fs.readFileSync('/proc/cpuinfo', 'utf8'))?.[0] ?? '';
  return /\b(avx512_bf16|amx_bf16|bf16)\b/.test(features) ? ['float32', 'bfloat16'] : ['float32'];
}

/**
 * Measures the matrix products of a feed-forward block, forward and backward: two thirds of an encoder's operations. 16-bit
 * precisions include casting the block's input and weights, as a training step does. Takes less than a second.
 * @param precisions taken in turns; medians count
 */
export function measureProductRates(precisions: Precision[], shape: ProductShape = distilbertBase): ProductRates {
  const dim = Math.max(shape.dim, leastDim);
  const hidden = Math.max(shape.hidden_dim, leastDim);
  const tokens = backend.isUsingGpuDevice ? 8192 : 256;
  const inputs = tf.tidy(() => [
    tf.randomNormal([tokens, dim]),
    tf.randomNormal([hidden, dim]),
    tf.randomNormal([dim, hidden]),
  ]);
  const seconds = (precision: Precision): number => {
    const from = performance.now();
    tf.tidy(() => {
      const [x, inner, outer] = inputs.map((tensor) => castTo(tensor, precision)) as [Tensor, Tensor, Tensor];
      const h = matMul(x, inner, false, true); // [tokens, hidden]
      const y = matMul(h, outer, false, true); // [tokens, dim], its own gradient here
      const dh = matMul(y, outer); // [tokens, hidden]
      const gradients = [matMul(y, h, true, false), matMul(dh, x, true, false), matMul(dh, inner)];
      // Reading a number back waits for the products.
      for (const gradient of gradients) castTo(gradient, 'float32').slice([0, 0], [1, 1]).dataSync();
    });
    return (performance.now() - from) / 1000;
  };
  const times = new Map(precisions.map((precision): [Precision, number[]] => [precision, []]));
  // The first products of a shape take longer.
  precisions.forEach(seconds);
  const from = performance.now();
  for (let round = 0; round < mostRounds && (round < 2 || performance.now() - from < patience); round++)
    for (const precision of precisions) times.get(precision)!.push(seconds(precision));
  tf.dispose(inputs);
  const operations = 12 * tokens * dim * hidden;
  return Object.fromEntries([...times].map(([precision, values]) => [precision, operations / median(values)]));
}

/**
 * The fastest precision by measured rates; float32 unless another one is at least 10 % faster.
 * @param rates of measureProductRates
 */
export function fastestPrecision(rates: ProductRates): PrecisionChoice {
  const others = (Object.keys(rates) as Precision[]).filter((precision) => precision !== 'float32');
  const float32 = rates.float32!;
  const best = others.reduce<Precision>((best, each) => (rates[each]! > rates[best]! ? each : best), 'float32');
  const precision = rates[best]! >= leastSpeedup * float32 ? best : 'float32';
  const inWords = (each: Precision) => `${(rates[each]! / 1e9).toFixed(0)} GFLOP/s in ${each}`;
  return { precision, reason: `measured: ${['float32' as const, ...others].map(inWords).join(', ')}` };
}

/**
 * The precision of a setting: `auto` is the fastest one for products of a model's widths, measured once per device.
 * @param setting a precision, or `auto`
 * @param shape the model's widths. @default DistilBERT-base's
 */
export function choosePrecision(setting: PrecisionSetting, shape: ProductShape = distilbertBase): PrecisionChoice {
  if (setting !== 'auto') return { precision: setting };
  const candidates = candidatePrecisions();
  if (candidates.length === 1)
    return {
      precision: candidates[0]!,
      reason: `no instructions for 16-bit products on this ${backend.isUsingGpuDevice ? 'GPU' : 'CPU'}`,
    };
  const rates = measuredOnce<ProductRates>(
    `products, ${shape.dim}, ${shape.hidden_dim}`,
    (kept) => candidates.every((each) => Number.isFinite(kept[each]) && kept[each]! > 0),
    () => measureProductRates(candidates, shape),
  );
  return fastestPrecision(rates);
}

/** The precision of a setting, see choosePrecision. */
export const precisionOf = (setting: PrecisionSetting, shape?: ProductShape): Precision =>
  choosePrecision(setting, shape).precision;
