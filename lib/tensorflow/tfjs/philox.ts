/**
 * TensorFlow's random numbers: the generator Philox 4x32-10 (Salmon et al., 2011, "Parallel random numbers: as easy as 1, 2, 3")
 * as in TensorFlow's philox_random.h and stateless_random_ops.cc, so that the same seeds drop the same values on every backend.
 */

/** Four numbers of 32 bits. */
type Counter = [number, number, number, number];

/** The upper 32 bits of the product of two numbers of 32 bits. */
function highProduct(a: number, b: number): number {
  const [aLow, aHigh, bLow, bHigh] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  return aHigh * bHigh + Math.floor(middle / 65536) + ((((middle % 65536) + aLow * bHigh) / 65536) | 0);
}

/**
 * Random int32 values.
 * @param counter that of the first four values; only its lower half is counted up
 */
export function philox(count: number, key: [number, number], counter: Counter): Int32Array {
  const values = new Int32Array(Math.ceil(count / 4) * 4);
  let [first, second] = counter;
  for (let at = 0; at < values.length; at += 4) {
    let [x0, x1, x2, x3] = [first, second, counter[2], counter[3]];
    let [key0, key1] = key;
    for (let round = 0; round < 10; round++) {
      const high0 = highProduct(0xd2511f53, x0);
      const high1 = highProduct(0xcd9e8d57, x2);
      const low0 = Math.imul(0xd2511f53, x0);
      const low1 = Math.imul(0xcd9e8d57, x2);
      [x0, x1, x2, x3] = [high1 ^ x1 ^ key0, low1, high0 ^ x3 ^ key1, low0];
      key0 = (key0 + 0x9e3779b9) | 0;
      key1 = (key1 + 0xbb67ae85) | 0;
    }
    values.set([x0, x1, x2, x3], at);
    first = (first + 1) | 0;
    if (first === 0) second = (second + 1) | 0;
  }
  return values.subarray(0, count);
}
