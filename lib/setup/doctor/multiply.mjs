// Multiplies matrices with TensorFlow in a process of its own, because a broken addon can crash it instead of throwing.
// Prints one line of JSON; TensorFlow's own output goes to standard error.
//   node lib/setup/doctor/multiply.mjs
// @ts-check
import { compiled } from './probe.mjs';

const size = 256;
/**
 * Maximum error relative to the largest value of the product. TensorFloat-32, which GPUs use for float32, has 10 bits,
 * bfloat16 has 7.
 */
const tolerances = { float32: 3e-3, float16: 1e-2, bfloat16: 5e-2 };

/**
 * @typedef {object} Output
 * @property {string} [error] why TensorFlow does not load
 * @property {{ kind: 'CPU' | 'GPU', name: string, threads: number, tensorflow: string }} [device]
 * @property {{ precision: string, rate: number, error: number, tolerance: number }[]} [products] rate: operations/s
 * @property {string} [choice] the precision that the setting `auto` selects
 */

/** @returns {Promise<Output>} */
async function measure() {
  const { tf } = await compiled('tensorflow/runtime.js');
  const { describeDevice } = await compiled('tensorflow/device.js');
  const { castTo, matMul } = await compiled('tensorflow/kernels.js');
  const { candidatePrecisions, fastestPrecision, measureProductRates } = await compiled('tensorflow/precision.js');
  const numbers = Float32Array.from({ length: size * size }, (_, i) => Math.sin(i * i));
  // The numbers are the first matrix by rows and the second one by columns.
  const expected = Float32Array.from({ length: size * size }, (_, i) => {
    const [row, column] = [Math.floor(i / size) * size, (i % size) * size];
    let sum = 0;
    for (let k = 0; k < size; k++) sum += (numbers[row + k] ?? 0) * (numbers[column + k] ?? 0);
    return sum;
  });
  const largest = expected.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  /** @type {(keyof typeof tolerances)[]} */
  const candidates = candidatePrecisions();
  const rates = measureProductRates(candidates);
  const products = candidates.map((precision) => {
    const matrix = castTo(tf.tensor2d(numbers, [size, size]), precision);
    const actual = castTo(matMul(matrix, matrix, false, true), 'float32').dataSync();
    const errors = expected.map((value, i) => Math.abs(actual[i] - value) / largest);
    // NaN counts as infinite.
    const error = errors.reduce((max, each) => (each <= max ? max : Number.isFinite(each) ? each : Infinity), 0);
    return { precision, rate: rates[precision], error, tolerance: tolerances[precision] };
  });
  return { device: describeDevice(), products, choice: fastestPrecision(rates).precision };
}

measure().then(
  (result) => console.log(JSON.stringify(result)),
  (error) => console.log(JSON.stringify({ error: String(error?.cause?.message ?? error?.message ?? error) })),
);
