/** Weights of a model that are stored in the file of its ONNX graph, matrices in 8 bits, see onnx-operations.ts. */
import { transposed } from '../export/quantize.js';
import type { StoredTensor } from '../model/safetensors.js';

/** Where a parameter is stored in the file. */
export interface WeightPlace {
  shape: number[];
  /** Position of its first byte: of float32 values, or of a matrix in 8 bits. */
  offset: number;
  /** Position of the scales of the rows of a matrix, float32. @default no matrix */
  scales?: number;
  /** The matrix is stored column by column. @default false */
  isTransposed?: boolean;
}

/**
 * Reads the parameters as float32.
 * @param file content of the file
 * @param places by parameter name
 */
export function readStoredWeights(file: ArrayBuffer, places: Record<string, WeightPlace>): Map<string, StoredTensor> {
  // Positions need not be multiples of 4, as views of float32 values require.
  const floats = (offset: number, count: number) => new Float32Array(file.slice(offset, offset + 4 * count));
  return new Map(
    Object.entries(places).map(([name, { shape, offset, scales, isTransposed }]): [string, StoredTensor] => {
      const size = shape.reduce((product, each) => product * each, 1);
      if (scales === undefined) return [name, { shape, data: floats(offset, size) }];
      const [rows, columns] = shape as [number, number];
      const bytes = new Int8Array(file, offset, size);
      const values = isTransposed ? transposed(bytes, columns, rows) : bytes;
      const ofRows = floats(scales, rows);
      return [name, { shape, data: Float32Array.from(values, (value, i) => value * ofRows[Math.floor(i / columns)]!) }];
    }),
  );
}
