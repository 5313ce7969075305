/** The precision of tfjs's backends, which is float32 only. */
import { ArgumentError } from '../../errors.js';
import type * as Native from '../precision.js';
import { tf } from './runtime.js';

/**
 * Resolves a precision setting.
 * @throws ArgumentError for bfloat16 and float16
 */
export const choosePrecision: typeof Native.choosePrecision = (setting) => {
  if (setting !== 'auto' && setting !== 'float32')
    throw new ArgumentError(
      'ARGUMENT_PRECISION_UNSUPPORTED',
      `The precision is ${setting}. tfjs's backend ${tf.getBackend()} computes in float32 only: use 'auto' or 'float32'.`,
      { precision: setting },
    );
  return { precision: 'float32', reason: `tfjs's backend ${tf.getBackend()}` };
};
