/**
 * The precision of matrix products. bfloat16 has the range of float32 and 8 bits of precision; float16 has 11 bits and
 * a range up to 65,504. Hardware with support for them multiplies at a multiple of the speed of float32 and accumulates
 * in float32. Parameters, normalization, softmax, loss and optimizer remain float32, as with PyTorch's autocast.
 *
 * The fastest precision is measured instead of derived from CPU flags: a CPU with AVX512-BF16 and without AMX has
 * instructions for bfloat16 but multiplies faster in float32.
 */
import fs from 'node:fs';
import type { Tensor } from '@tensorflow/tfjs';
import { computeCapability } from './device.js';
import { castTo, matMul, type Precision } from './kernels.js';
import { minSpeedup, storedMeasurement, median } from './measurements.js';
import { backend, tf } from './runtime.js';
import type { Settings } from '../settings/settings.js';

/** A precision, or `auto` for the fastest one, see `choosePrecision`. */
export type PrecisionSetting = Settings['precision'];

/** The widths of a model's matrix products. */
export interface ProductShape {
  /** Width of the hidden state of a token. */
  dim: number;
  /** Inner width of the feed-forward block. */
  hidden_dim: number;
}

/** A precision and the reason for its choice. */
export interface PrecisionChoice {
  precision: Precision;
  /** The measured rates, or the reason why nothing was measured; undefined if the precision was requested. */
  reason?: string | undefined;
}

/** Operations (multiplications and additions) per second, by precision. */
export type ProductRates = Partial<Record<Precision, number>>;

const distilbertBase: ProductShape = { dim: 768, hidden_dim: 3072 };

/** Time after which measuring stops, in milliseconds; at least two rounds are measured. */
const maxMilliseconds = 400;

const maxRounds = 7;

/** Minimum width of measured products. For narrower ones the overhead dominates. */
const minDim = 256;

/**
 * The precisions for which the device has instructions, float32 first. CPU: bfloat16 with AVX-512 BF16, AMX, or arm64's
 * bf16; other CPUs emulate it at a fraction of the speed of float32, or do not support it. GPU: bfloat16 from Ampere on
 * (compute capability 8), float16 on Volta and Turing (7), such as the T4.
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
 * Measures the matrix products of a feed-forward block, forward and backward, which are two thirds of an encoder's
 * operations. For 16-bit precisions this includes casting the input and weights, as in a training step. Takes under 1
 * s.
 * @param precisions precisions to measure in turns
 * @returns the rates by the median times
 */
export function measureProductRates(precisions: Precision[], shape: ProductShape = distilbertBase): ProductRates {
  const dim = Math.max(shape.dim, minDim);
  const hidden = Math.max(shape.hidden_dim, minDim);
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
      const y = matMul(h, outer, false, true); // [tokens, dim], also used as its own gradient
      const dh = matMul(y, outer); // [tokens, hidden]
      const gradients = [matMul(y, h, true, false), matMul(dh, x, true, false), matMul(dh, inner)];
      // Reading one value back waits until the products are computed.
      for (const gradient of gradients) castTo(gradient, 'float32').slice([0, 0], [1, 1]).dataSync();
    });
    return (performance.now() - from) / 1000;
  };
  const times = new Map(precisions.map((precision): [Precision, number[]] => [precision, []]));
  // The first products of a shape take longer.
  precisions.forEach(seconds);
  const from = performance.now();
  for (let round = 0; round < maxRounds && (round < 2 || performance.now() - from < maxMilliseconds); round++)
    for (const precision of precisions) times.get(precision)!.push(seconds(precision));
  tf.dispose(inputs);
  const operations = 12 * tokens * dim * hidden;
  return Object.fromEntries([...times].map(([precision, values]) => [precision, operations / median(values)]));
}

/**
 * Selects the fastest precision by measured rates; float32 unless another one is at least 10 % faster.
 * @param rates result of measureProductRates
 */
export function fastestPrecision(rates: ProductRates): PrecisionChoice {
  const others = (Object.keys(rates) as Precision[]).filter((precision) => precision !== 'float32');
  const float32 = rates.float32!;
  const best = others.reduce<Precision>((best, each) => (rates[each]! > rates[best]! ? each : best), 'float32');
  const precision = rates[best]! >= minSpeedup * float32 ? best : 'float32';
  const describeRate = (each: Precision) => `${(rates[each]! / 1e9).toFixed(0)} GFLOP/s in ${each}`;
  return { precision, reason: `measured: ${['float32' as const, ...others].map(describeRate).join(', ')}` };
}

/**
 * Resolves a precision setting: `auto` is the fastest precision for the widths of a model, measured once per device.
 * @param setting a precision or `auto`
 * @param shape widths of the model. @default those of DistilBERT-base
 */
export function choosePrecision(setting: PrecisionSetting, shape: ProductShape = distilbertBase): PrecisionChoice {
  if (setting !== 'auto') return { precision: setting };
  const candidates = candidatePrecisions();
  if (candidates.length === 1)
    return {
      precision: candidates[0]!,
      reason: `no instructions for 16-bit products on this ${backend.isUsingGpuDevice ? 'GPU' : 'CPU'}`,
    };
  const { value, store } = storedMeasurement<ProductRates>(`products, ${shape.dim}, ${shape.hidden_dim}`, (stored) =>
    candidates.every((each) => Number.isFinite(stored[each]) && stored[each]! > 0),
  );
  return fastestPrecision(value ?? store(measureProductRates(candidates, shape)));
}

/**
 * The precision of a setting without the reason, see choosePrecision.
 * @example
 * const precision = precisionOf('auto'); // 'bfloat16' where it is measured to be faster
 */
export const precisionOf = (setting: PrecisionSetting, shape?: ProductShape): Precision =>
  choosePrecision(setting, shape).precision;
