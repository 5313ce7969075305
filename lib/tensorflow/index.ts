/**
 * TensorFlow's native runtime for tfjs: `tf.function` with captured graphs, and variables on the device. Does not
 * require the rest of Tunebook.
 * @module tunebook/tensorflow
 */
export { tensorFunction } from './function.js';
export type { NamedTensors, FunctionOptions, TensorFunction } from './function.js';
export { tf } from './runtime.js';
export { ResourceVariable, zerosVariable } from './variables.js';
