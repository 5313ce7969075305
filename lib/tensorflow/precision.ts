/**
 * In how many bits matrix products are taken. bfloat16 has float32's range and 8 bits of precision, float16 has 11 bits
 * and a range that ends at 65,504: hardware that knows them multiplies at a multiple of float32's speed, and adds up in
 * float32. Parameters, normalisation, softmax, loss and optimizer stay float32, as under PyTorch's autocast.
 */
import fs from 'node:fs';
import { computeCapability } from './device.js';
import { backend } from './runtime.js';

/** The type of matrix products; all else is float32. */
export type Precision = 'float32' | 'bfloat16' | 'float16';
/** A precision, or `auto` for what the device does well, see `bestPrecision`. */
export type PrecisionSetting = 'auto' | Precision;

/** A setting as a precision: `auto` is what is best here. */
export const precisionOf = (setting: PrecisionSetting): Precision => (setting === 'auto' ? bestPrecision() : setting);

/**
 * What this device does well. GPU: bfloat16 from Ampere on (compute capability 8), float16 on Volta and Turing (7), such
 * as the T4. CPU: bfloat16 where the processor has instructions for it (AVX-512 BF16 or AMX). Else float32.
 */
export function bestPrecision(): Precision {
  if (backend.isUsingGpuDevice) {
    const capability = computeCapability();
    return capability >= 8 ? 'bfloat16' : capability >= 7 ? 'float16' : 'float32';
  }
  if (!fs.existsSync('/proc/cpuinfo')) return 'float32';
  const flags = /^flags.*$/m.exec(fs.readFileSync('/proc/cpuinfo', 'utf8'))?.[0] ?? '';
  return /\b(avx512_bf16|amx_bf16)\b/.test(flags) ? 'bfloat16' : 'float32';
}
