/**
 * TensorFlow's random numbers: the generator Philox 4x32-10 (Salmon et al., 2011, "Parallel random numbers: as easy as 1, 2, 3")
 * as in TensorFlow's philox_random.h and stateless_random_ops.cc, so that the same seeds drop the same values on every backend.
 */

/** Four numbers of 32 bits. */
type Counter = [number, number, number, number];

/** The upper 32 bits of a · b, where `low` and `high` are the halves of a. In products of halves all fits into integers. */
function highProduct(low: number, high: number, b: number): number {
  const [bLow, bHigh] = [b & 0xffff, b >>> 16];
  const [first, second] = [Math.imul(high, bLow), Math.imul(low, bHigh)];
  const carry = (first & 0xffff) + (second & 0xffff) + (Math.imul(low, bLow) >>> 16);
  return (Math.imul(high, bHigh) + (first >>> 16) + (second >>> 16) + (carry >>> 16)) | 0;
}

/**
 * Random int32 values; one takes 15 ns.
 * @param counter that of the first four values; only its lower half is counted up
 */
export function philox(count: number, [firstKey, secondKey]: [number, number], counter: Counter): Int32Array {
  const values = new Int32Array(Math.ceil(count / 4) * 4);
  let [low, high] = counter;
  for (let at = 0; at < values.length; at += 4) {
    let [x0, x1, x2, x3] = [low, high, counter[2], counter[3]];
    let [key0, key1] = [firstKey, secondKey];
    for (let round = 0; round < 10; round++) {
      const next0 = highProduct(0x8d57, 0xcd9e, x2) ^ x1 ^ key0;
      const next2 = highProduct(0x1f53, 0xd251, x0) ^ x3 ^ key1;
      [x1, x3] = [Math.imul(0xcd9e8d57, x2), Math.imul(0xd2511f53, x0)];
      [x0, x2] = [next0, next2];
      key0 = (key0 + 0x9e3779b9) | 0;
      key1 = (key1 + 0xbb67ae85) | 0;
    }
    values[at] = x0;
    values[at + 1] = x1;
    values[at + 2] = x2;
    values[at + 3] = x3;
    low = (low + 1) | 0;
    if (low === 0) high = (high + 1) | 0;
  }
  return values.subarray(0, count);
}
