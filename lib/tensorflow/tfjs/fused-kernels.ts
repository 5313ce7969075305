/** Without TensorFlow's library there are no kernels of the project's own: the layers are composed of those of tfjs. */

/** Whether these kernels can be used. */
export const hasFusedKernels: boolean = false;

function unavailable(): never {
  throw new Error('tfjs has no fused kernels.');
}

export {
  unavailable as fusedAdamW,
  unavailable as fusedAttention,
  unavailable as fusedAttentionGradient,
  unavailable as fusedDropout,
  unavailable as fusedGatedGelu,
  unavailable as fusedGatedGeluGradient,
  unavailable as fusedGelu,
  unavailable as fusedGeluGradient,
  unavailable as fusedLayerNorm,
  unavailable as fusedLayerNormGradient,
  unavailable as fusedResidualLayerNorm,
  unavailable as fusedResidualLayerNormGradient,
  unavailable as fusedSquareSum,
  unavailable as wideSum,
};
