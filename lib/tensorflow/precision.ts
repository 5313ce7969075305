/**
 * In how many bits matrix products are taken. bfloat16 has float32's range and 8 bits of precision: processors that know
 * it multiply at twice the speed and add up in float32. Parameters, normalisation, softmax, loss and optimizer stay
 * float32, as under PyTorch's autocast.
 */
import fs from 'node:fs';
import { backend } from './runtime.js';

export type Precision = 'float32' | 'bfloat16';
export type PrecisionSetting = 'auto' | Precision;

/** A setting as a precision: `auto` is what is best here. */
export const precisionOf = (setting: PrecisionSetting): Precision => (setting === 'auto' ? bestPrecision() : setting);

/** bfloat16 where the processor has instructions for it (AVX-512 BF16 or AMX), else float32. */
export function bestPrecision(): Precision {
  // A GPU's float32 products are TF32 already; bfloat16 has not been measured there.
  if (backend.isUsingGpuDevice || !fs.existsSync('/proc/cpuinfo')) return 'float32';
  const flags = /^flags.*$/m.exec(fs.readFileSync('/proc/cpuinfo', 'utf8'))?.[0] ?? '';
  return /\b(avx512_bf16|amx_bf16)\b/.test(flags) ? 'bfloat16' : 'float32';
}
