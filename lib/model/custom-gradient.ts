/** tf.customGrad with types that know several inputs: what layers with a gradient of their own are made with. */
import type { Tensor } from '@tensorflow/tfjs';
import { tf } from '../tensorflow/runtime.js';

type Save = (tensors: Tensor[]) => void;

/**
 * @param forward gets the inputs and a function that keeps tensors for the way back; returns the value, and the function
 * that turns the value's gradient, and what was kept, into one gradient an input
 */
export const customGradient = tf.customGrad as unknown as (
  forward: (...inputsAndSave: [...Tensor[], Save]) => {
    value: Tensor;
    gradFunc: (dy: Tensor, saved: Tensor[]) => Tensor | Tensor[];
  },
) => (...inputs: Tensor[]) => Tensor;

export type { Save };
