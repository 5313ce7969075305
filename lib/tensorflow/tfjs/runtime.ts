/**
 * tfjs on a backend of its own instead of TensorFlow's library, for browsers. The modules of this folder replace those of the same
 * names above it in a bundle (lib/browser/bundle.mjs).
 */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import type { Tensor } from '@tensorflow/tfjs';
import { TensorFlowLoadError } from '../../errors.js';

/** tfjs without the parts that are not used here. */
export { tf };

/** TensorFlow's GPU is not used. */
export const backend = { isUsingGpuDevice: false };

/** TensorFlow's number of the only type of values. */
export const binding = { TF_FLOAT: 1 };

/** The number of the type of a tensor: float32, since tfjs has no 16-bit types. */
export const nativeType = (_: Tensor): number => binding.TF_FLOAT;

/**
 * Selects a backend, before a model is created. The program imports its package, which registers it.
 * @param name `wasm` or `webgpu`
 * @throws TensorFlowLoadError if its package is not imported, or the browser cannot load it
 */
export async function useBackend(name: string): Promise<void> {
  if (!tf.findBackendFactory(name) || !(await tf.setBackend(name)))
    throw new TensorFlowLoadError(
      'TENSORFLOW_BACKEND_UNAVAILABLE',
      `tfjs's backend ${name} cannot be used here. Import its package, such as @tensorflow/tfjs-backend-wasm, and call its setWasmPaths ` +
        'with the address of its .wasm files.',
      { backend: name },
    );
  if (name !== 'wasm') return;
  // The kernel of the WASM backend copies its input. tfjs clones each tensor that it keeps for the backward pass.
  tf.unregisterKernel('Identity', name);
  tf.registerKernel({
    kernelName: 'Identity',
    backendName: name,
    kernelFunc({ inputs, backend }) {
      const { dataId, shape, dtype } = inputs['x']!;
      (backend as tf.KernelBackend).incRef(dataId);
      return { dataId, shape, dtype };
    },
  });
}
