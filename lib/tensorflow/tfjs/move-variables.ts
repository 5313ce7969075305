/** Moves the values of variables from one of tfjs's backends to another. */
import type { ResourceVariable } from '../variables.js';
import { tf, useBackend } from './runtime.js';

/**
 * Moves variables to another backend, which computes from now on. tfjs moves tensors by itself, but without waiting, which is not possible
 * from WebGPU.
 * @param variables such as the values of a model's `parameters`
 * @param name of the backend, see useBackend
 * @throws TensorFlowLoadError if the backend cannot be used
 */
export async function moveVariables(variables: Iterable<ResourceVariable>, name: string): Promise<void> {
  const values: [ResourceVariable, Float32Array][] = [];
  for (const variable of variables) {
    const value = variable.read();
    values.push([variable, await value.data<'float32'>()]);
    value.dispose();
  }
  await useBackend(name);
  for (const [variable, value] of values) {
    const tensor = tf.tensor(value, variable.shape);
    variable.assign(tensor);
    tensor.dispose();
  }
}
