/**
 * Quantizes weights to 8 bits with one scale per row, that is, per output, like onnxruntime's quantize_dynamic with
 * per_channel. Activations are quantized at run time, so no calibration data is needed. Only 7 of the 8 bits are used,
 * as with reduce_range: on processors without VNNI instructions, sums of two products overflow otherwise.
 */

/** Maximum absolute quantized value of weights that are multiplied as integers. */
const maxQuantized = 64;

/** Maximum absolute quantized value of weights that are stored in 8 bits and converted to float32 before they are multiplied. */
export const largestStored = 127;

/** Transposes a matrix: [rows, columns] to [columns, rows]. */
export function transposed<Data extends Float32Array | Int8Array>(data: Data, rows: number, columns: number): Data {
  const result = data.slice() as Data;
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) result[column * rows + row] = data[row * columns + column]!;
  return result;
}

/**
 * Quantizes a matrix row by row.
 * @param data [rows, columns]
 * @param largest maximum absolute quantized value. @default that of weights that are multiplied as integers
 * @returns values which, times the scale of their row, differ from the data by at most half the scale
 */
export function quantizeRows(
  data: Float32Array,
  rows: number,
  columns: number,
  largest = maxQuantized,
): { values: Int8Array; scales: Float32Array } {
  const scales = new Float32Array(rows);
  const values = new Int8Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const numbers = data.subarray(row * columns, (row + 1) * columns);
    // The scale of a row of zeros is arbitrary.
    scales[row] = numbers.reduce((max, number) => Math.max(max, Math.abs(number)), 0) / largest || 1;
    const scale = scales[row]!;
    numbers.forEach((number, i) => (values[row * columns + i] = Math.round(number / scale)));
  }
  return { values, scales };
}
