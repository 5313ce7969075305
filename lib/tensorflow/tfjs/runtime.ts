/**
 * tfjs on a backend of its own instead of TensorFlow's library, for browsers. The program registers the backend and waits for
 * it before it creates a model: `await tf.setBackend('wasm')`. The modules of this folder replace those of the same names above
 * it in a bundle (lib/release/browser-bundle.mjs).
 */
import * as core from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import type { Tensor } from '@tensorflow/tfjs';

/** tfjs without the parts that are not used here. */
export const tf = core;

/** TensorFlow's GPU is not used. */
export const backend = { isUsingGpuDevice: false };

/** TensorFlow's number of the only type of values. */
export const binding = { TF_FLOAT: 1 };

/** The number of the type of a tensor: float32, since tfjs has no 16-bit types. */
export const nativeType = (_: Tensor): number => binding.TF_FLOAT;
