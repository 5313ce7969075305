// Paths of the checkout, and access to the fixtures that transformers computed.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { embeddedModelFolder as embeddedModel } from '#lib/hub/embedded.js';
import { packTexts, type EncodedBatch } from '#lib/model/batch.js';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const fixtures = path.join(root, 'test/fixtures');
export { embeddedModel };

/**
 * Writes the embedded model with only its first two layers. It halves the time of a notebook and can still overfit eight
 * reviews.
 */
export function writeTwoLayers(folder: string): void {
  fs.cpSync(embeddedModel, folder, { recursive: true });
  const file = path.join(folder, 'config.json');
  const config = JSON.parse(fs.readFileSync(file, 'utf8')) as object;
  fs.writeFileSync(file, JSON.stringify({ ...config, n_layers: 2 }));
}

/** A tensor as `packed` in fixtures/reference.py encodes it. */
export interface Packed {
  shape: number[];
  data: string;
}

export function unpack({ data }: Packed): Float32Array {
  const bytes = Buffer.from(data, 'base64');
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

export interface Reference {
  inputIds: number[];
  attentionMask: number[];
  batch: number;
  tokens: number;
  labels: number[];
  logits: Packed;
  loss: number;
  gradients: Record<string, Packed>;
  adamw: {
    learningRate: number;
    weightDecay: number;
    maxGradNorm: number;
    norm: number;
    parameters: Record<string, Packed>;
  };
  curve: {
    learningRate: number;
    weightDecay: number;
    warmupSteps: number;
    batches: { inputIds: number[]; labels: number[] }[];
    losses: number[];
  };
}

export const reference = (): Reference =>
  JSON.parse(fs.readFileSync(path.join(fixtures, 'reference.json'), 'utf8')) as Reference;

/** Returns the maximum absolute difference, relative to the maximum absolute value expected. */
export function relativeDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Infinity;
  let difference = 0;
  let size = 0;
  for (let i = 0; i < expected.length; i++) {
    difference = Math.max(difference, Math.abs(actual[i]! - expected[i]!));
    size = Math.max(size, Math.abs(expected[i]!));
  }
  return difference / Math.max(size, 1e-12);
}

/**
 * Returns the maximum absolute difference of all gradients, relative to the maximum absolute value of all expected
 * gradients, and its parameter. The difference is infinite if the names of the parameters differ.
 */
export function gradientsDiffer(
  gradients: Map<string, { dataSync: <Type extends 'float32'>() => Record<Type, Float32Array>[Type] }>,
  expected: Record<string, Packed>,
): { parameter: string; difference: number } {
  const [actualNames, expectedNames] = [[...gradients.keys()].sort(), Object.keys(expected).sort()];
  if (actualNames.join() !== expectedNames.join())
    return { parameter: `${actualNames.join()} instead of ${expectedNames.join()}`, difference: Infinity };
  const references = Object.entries(expected).map(([name, packed]) => [name, unpack(packed)] as const);
  const size = Math.max(...references.flatMap(([, reference]) => Array.from(reference, Math.abs)));
  return references
    .map(([parameter, reference]) => {
      const actual = gradients.get(parameter)!.dataSync<'float32'>();
      // NaN and a different length count as infinite differences.
      const difference = actual.reduce((max, value, i) => Math.max(max, Math.abs(value - reference[i]!)), 0) / size;
      return {
        parameter,
        difference: actual.length === reference.length && !Number.isNaN(difference) ? difference : Infinity,
      };
    })
    .reduce((worst, each) => (each.difference > worst.difference ? each : worst));
}

/** Packs the texts of a reference's padded batch. */
export function packPadded(inputIds: number[], lengths: number[]): EncodedBatch {
  const tokens = inputIds.length / lengths.length;
  return packTexts(lengths.map((length, row) => Int32Array.from(inputIds.slice(row * tokens, row * tokens + length))));
}

/** Number of tokens of each text of a reference's padded batch. */
export const referenceLengths = ({ attentionMask, batch, tokens }: Reference): number[] =>
  Array.from({ length: batch }, (_, row) =>
    attentionMask.slice(row * tokens, (row + 1) * tokens).reduce((a, b) => a + b),
  );
