/** Where XLA, TensorFlow's compiler of graphs, can be used. */
import { ArgumentError } from '../errors.js';
import { settingText } from '../settings/setting-text.js';
import type { Settings } from '../settings/settings.js';
import { computeCapability } from './device.js';
import { backend } from './runtime.js';

/**
 * First compute capability, that of Blackwell, for which XLA of TensorFlow 2.21 cannot compile: its compiler ends the process
 * (github.com/tensorflow/tensorflow/issues/111958).
 */
const firstUnsupported = 10;

/**
 * Whether XLA compiles: on a CPU if it is requested, on a GPU also if `auto` measures it to be faster, unless the GPU is not supported.
 * @throws ArgumentError if it is requested on a GPU that is not supported
 */
export function supportedJitCompile(wanted: true | 'auto'): Settings['jitCompile'] {
  if (!backend.isUsingGpuDevice) return wanted === 'auto' ? false : wanted;
  const capability = computeCapability();
  if (capability < firstUnsupported) return wanted;
  if (wanted === 'auto') return false;
  throw new ArgumentError(
    'ARGUMENT_XLA_UNSUPPORTED',
    `XLA of this TensorFlow cannot compile for GPUs of compute capability ${capability.toFixed(1)} (Blackwell). ` +
      `Leave ${settingText('jitCompile')} at auto.`,
    { capability },
  );
}
