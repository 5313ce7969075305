// Loads TensorFlow and multiplies two matrices, in a process of its own, since a broken addon may end its process
// instead of throwing. Prints one line of JSON; what TensorFlow itself says is on standard error.
//   node lib/setup/doctor/multiply.mjs
// @ts-check
import path from 'node:path';
import { root } from '../paths.mjs';

const size = 2048;
const corner = 4;
/** Milliseconds that the products of one precision may take, the first of them aside. */
const patience = 700;
/** Of the largest number in the corner: TensorFloat-32, which GPUs take for float32, keeps 10 bits, bfloat16 keeps 7. */
const tolerances = { float32: 3e-3, float16: 1e-2, bfloat16: 5e-2 };

/** Numbers in [-0.5, 0.5) without a pattern, the same ones each time. @param {number} seed */
function matrix(seed) {
  const numbers = new Float32Array(size * size);
  for (let i = 0, state = seed; i < numbers.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    numbers[i] = state / 2 ** 32 - 0.5;
  }
  return numbers;
}

/** The upper left corner of the product. @param {Float32Array} a @param {Float32Array} b */
const cornerOfProduct = (a, b) =>
  Array.from({ length: corner * corner }, (_, at) => {
    const [row, column] = [Math.floor(at / corner), at % corner];
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
    // Reading the corner back waits for the product.
    const multiply = () =>
      tf.tidy(() => tf.slice(castTo(matMul(left, right), 'float32'), 0, [corner, corner]).dataSync());
    const found = multiply();
    const wrongBy = Math.max(
      ...expected.map((value, i) => (Number.isFinite(found[i]) ? Math.abs(found[i] - value) : Infinity)),
    );
    const times = [];
    const from = performance.now();
    do {
      const started = performance.now();
      multiply();
      times.push(performance.now() - started);
    } while (times.length < 5 && performance.now() - from < patience);
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
