/** Functions run kernel by kernel: tfjs's backends have no graphs. */
import type { FunctionOptions, NamedTensors, TensorFunction } from '../function.js';
import { tf } from './runtime.js';

/** Whether functions are captured as graphs. */
export const capturesGraphs: boolean = false;

/**
 * Creates a function with the interface of a captured one.
 * @param body see the function of this name on TensorFlow's library
 */
export const tensorFunction = <Inputs extends NamedTensors, Outputs extends NamedTensors>(
  body: (inputs: Inputs) => Outputs,
  _options?: FunctionOptions,
): TensorFunction<Inputs, Outputs> => ({
  captures: 0,
  captureSeconds: 0,
  call(inputs) {
    const given = new Set(Object.values(inputs));
    const results = tf.tidy(() => body(inputs));
    return Object.fromEntries(
      Object.entries(results).map(([name, result]) => [name, given.has(result) ? result.clone() : result]),
    ) as Outputs;
  },
  dispose() {},
});
