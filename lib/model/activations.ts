/** Activation functions composed of TensorFlow's kernels, with hand-written gradients. */
import type { Tensor } from '@tensorflow/tfjs';
import { concatenate, reluGradient, sliceColumns } from '../tensorflow/kernels.js';
import { tf } from '../tensorflow/runtime.js';
import { customGradient, type Save } from './custom-gradient.js';
import type { Activation } from './operations.js';

/** GELU and its derivative, elementwise. */
interface Gelu {
  /** Φ(x), or an approximation: the factor of x. */
  factor: (x: Tensor) => Tensor;
  /** The derivative of x · factor(x). */
  derivative: (x: Tensor, factor: Tensor) => Tensor;
}

/** The exact GELU, x Φ(x) (Hendrycks and Gimpel, 2016). */
const exactGelu: Gelu = {
  factor: (x) => tf.mul(tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1), 0.5),
  derivative(x, factor) {
    const density = tf.mul(tf.exp(tf.mul(tf.square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
    return tf.add(factor, tf.mul(x, density));
  },
};

/** GELU with tanh instead of the error function (Hendrycks and Gimpel, 2016), `gelu_new` in `transformers`. */
const tanhGelu: Gelu = {
  factor: (x) => {
    const inner = tf.mul(tf.mul(x, tf.add(tf.mul(tf.square(x), 0.044715), 1)), Math.sqrt(2 / Math.PI));
    return tf.mul(tf.add(tf.tanh(inner), 1), 0.5);
  },
  derivative(x, factor) {
    const slope = tf.mul(tf.add(tf.mul(tf.square(x), 3 * 0.044715), 1), 2 * Math.sqrt(2 / Math.PI));
    return tf.add(factor, tf.mul(tf.mul(x, slope), tf.mul(factor, tf.sub(1, factor))));
  },
};

const geluOf =
  ({ factor, derivative }: Gelu) =>
  (x: Tensor): Tensor =>
    customGradient((...inputs) => {
      const [x, save] = inputs as [Tensor, Save];
      const factors = factor(x);
      save([x, factors]);
      return {
        value: tf.mul(x, factors),
        gradFunc: (dy, saved) => {
          const [x, factors] = saved as [Tensor, Tensor];
          return tf.mul(dy, derivative(x, factors));
        },
      };
    })(x);

/** max(x, 0). The gradient of tf.relu depends on the shape at capture. */
const relu: (x: Tensor) => Tensor = customGradient((...inputs) => {
  const [x, save] = inputs as [Tensor, Save];
  const value = tf.relu(x);
  save([value]);
  return { value, gradFunc: (dy, [y]) => reluGradient(dy, y!) };
});

/** The activation functions, elementwise. */
export const activations: Record<Activation, (x: Tensor) => Tensor> = {
  gelu: geluOf(exactGelu),
  gelu_new: geluOf(tanhGelu),
  relu,
  tanh: (x) => tf.tanh(x),
};

/** GELU(a) * b, where a and b are the halves of each row: [n, 2 width] -> [n, width]. */
export const gatedGelu = (x: Tensor): Tensor =>
  customGradient((...inputs) => {
    const [x, save] = inputs as [Tensor, Save];
    const width = x.shape[1]! / 2;
    const [a, b] = [sliceColumns(x, 0, width), sliceColumns(x, width, width)];
    const factors = exactGelu.factor(a);
    save([a, b, factors]);
    return {
      value: tf.mul(tf.mul(a, factors), b),
      gradFunc: (dy, saved) => {
        const [a, b, factors] = saved as [Tensor, Tensor, Tensor];
        const da = tf.mul(tf.mul(dy, b), exactGelu.derivative(a, factors));
        return concatenate([da, tf.mul(dy, tf.mul(a, factors))], 1);
      },
    };
  })(x);
