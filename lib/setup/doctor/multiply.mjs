// Loads TensorFlow and multiplies two matrices. It runs as a separate process, because a broken addon can crash its
// process instead of throwing. Prints one line of JSON; TensorFlow's own output goes to standard error.
//   node lib/setup/doctor/multiply.mjs
// @ts-check
import path from 'node:path';
import { root } from '../paths.mjs';

const size = 2048;
const corner = 4;
/** Time limit for the products of one precision, without the first, in milliseconds. */
const maxMilliseconds = 700;
/**
 * Maximum error relative to the largest value in the corner. TensorFloat-32, which GPUs use for float32, has 10 bits,
 * bfloat16 has 7.
 */
const tolerances = { float32: 3e-3, float16: 1e-2, bfloat16: 5e-2 };

/** Fills a matrix with pseudorandom numbers in [-0.5, 0.5), the same for each seed. @param {number} seed */
function matrix(seed) {
  const numbers = new Float32Array(size * size);
  for (let i = 0, state = seed; i < numbers.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    numbers[i] = state / 2 ** 32 - 0.5;
  }
  return numbers;
}

/** Computes the upper left corner of the product. @param {Float32Array} a @param {Float32Array} b */
const cornerOfProduct = (a, b) =>
  Array.from({ length: corner * corner }, (_, index) => {
    const [row, column] = [Math.floor(index / corner), index % corner];
    let sum = 0;
    for (let k = 0; k < size; k++) sum += (a[row * size + k] ?? 0) * (b[k * size + column] ?? 0);
    return sum;
  });

/** @param {number[]} numbers */
const median = (numbers) => numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN;

async function measure() {
  /** @param {string} module */
  const compiled = (module) => import(path.join(root, 'lib/dist/tensorflow', module));
  const { tf } = await compiled('runtime.js');
  const { describeDevice } = await compiled('device.js');
  const { castTo, matMul } = await compiled('kernels.js');
  const { candidatePrecisions, fastestPrecision, measureProductRates } = await compiled('precision.js');
  const [a, b] = [matrix(1), matrix(2)];
  const expected = cornerOfProduct(a, b);
  const largest = Math.max(...expected.map(Math.abs));
  /** @type {(keyof typeof tolerances)[]} */
  const candidates = candidatePrecisions();
  /** @type {{ precision: string, gigaflops: number, wrongBy: number, tolerance: number }[]} */
  const products = [];
  for (const precision of candidates) {
    const left = castTo(tf.tensor2d(a, [size, size]), precision);
    const right = castTo(tf.tensor2d(b, [size, size]), precision);
    // Reading the corner waits until the product is computed.
    const multiply = () =>
      tf.tidy(() => tf.slice(castTo(matMul(left, right), 'float32'), 0, [corner, corner]).dataSync());
    const actual = multiply();
    const wrongBy = Math.max(
      ...expected.map((value, i) => (Number.isFinite(actual[i]) ? Math.abs(actual[i] - value) : Infinity)),
    );
    const times = [];
    const from = performance.now();
    do {
      const started = performance.now();
      multiply();
      times.push(performance.now() - started);
    } while (times.length < 5 && performance.now() - from < maxMilliseconds);
    products.push({
      precision,
      gigaflops: (2 * size ** 3) / median(times) / 1e6,
      wrongBy: wrongBy / largest,
      tolerance: tolerances[precision],
    });
  }
  return {
    device: describeDevice(),
    products,
    ...(candidates.length > 1 && { auto: fastestPrecision(measureProductRates(candidates)).precision }),
  };
}

measure().then(
  (result) => console.log(JSON.stringify(result)),
  (error) => console.log(JSON.stringify({ error: String(error?.cause?.message ?? error?.message ?? error) })),
);
