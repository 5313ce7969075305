/**
 * Weights in 8 bits, a scale for each row, which is an output (as onnxruntime's quantize_dynamic does it with per_channel): what goes into a
 * product is rounded when it is known, so no examples are needed. Of the 8 bits 7 are used (its reduce_range): on processors
 * without VNNI instructions sums of two products overflow otherwise.
 */

const largest = 64;

/** A matrix turned: [rows, columns] to [columns, rows]. */
export function transposed<Data extends Float32Array | Int8Array>(data: Data, rows: number, columns: number): Data {
  const turned = data.slice() as Data;
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) turned[column * rows + row] = data[row * columns + column]!;
  return turned;
}

/**
 * @param data [rows, columns]
 * @returns values that times the row's scale are the numbers again, to half a scale
 */
export function quantizeRows(
  data: Float32Array,
  rows: number,
  columns: number,
): { values: Int8Array; scales: Float32Array } {
  const scales = new Float32Array(rows);
  const values = new Int8Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const numbers = data.subarray(row * columns, (row + 1) * columns);
    // A row of nothing but 0 has any scale.
    const scale = numbers.reduce((most, number) => Math.max(most, Math.abs(number)), 0) / largest || 1;
    scales[row] = scale;
    numbers.forEach((number, i) => (values[row * columns + i] = Math.round(number / scale)));
  }
  return { values, scales };
}
