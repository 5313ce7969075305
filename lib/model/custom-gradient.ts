/**
 * tf.customGrad with types that know several inputs: what layers with a gradient of their own are made with. tfjs lets go
 * of what a way forward and a way back make for themselves when the whole step is over; here it goes at once, which
 * halves a step's memory.
 */
import type { Tensor } from '@tensorflow/tfjs';
import { tf } from '../tensorflow/runtime.js';

type Save = (tensors: Tensor[]) => void;
type Gradient = (dy: Tensor, saved: Tensor[]) => Tensor | Tensor[];
type Forward = (...inputsAndSave: [...Tensor[], Save]) => { value: Tensor; gradFunc: Gradient };

const tfCustomGrad = tf.customGrad as unknown as (forward: Forward) => (...inputs: Tensor[]) => Tensor;

/**
 * @param forward gets the inputs and a function that keeps tensors for the way back; returns the value, and the function
 * that turns the value's gradient, and what was kept, into one gradient an input
 */
export const customGradient = (forward: Forward): ((...inputs: Tensor[]) => Tensor) =>
  tfCustomGrad((...inputsAndSave) => {
    let gradient: Gradient | undefined;
    const value = tf.tidy(() => {
      const { value, gradFunc } = forward(...inputsAndSave);
      gradient = gradFunc;
      return value;
    });
    return {
      value,
      gradFunc: (dy, saved) => {
        const gradients = tf.tidy(() => gradient!(dy, saved));
        // Nobody else needs the value's gradient any more, unless it was handed on; a scalar may be the caller's.
        if (dy.rank > 0 && ![gradients].flat().includes(dy)) dy.dispose();
        return gradients;
      },
    };
  });

export type { Save };
