// Where the tests find the checkout's files, and the reference's fixtures.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const fixtures = path.join(root, 'test/fixtures');
export const embeddedModel = path.join(root, 'data/embedded/model');

/** The embedded model cut to its first two layers: half of a notebook's time, and enough to learn eight reviews by heart. */
export function writeTwoLayers(folder: string): void {
  fs.cpSync(embeddedModel, folder, { recursive: true });
  const file = path.join(folder, 'config.json');
  const config = JSON.parse(fs.readFileSync(file, 'utf8')) as object;
  fs.writeFileSync(file, JSON.stringify({ ...config, n_layers: 2 }));
}

/** A tensor as make.py packs it. */
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

/** The largest difference, measured by the reference's largest number. */
export function relativeDifference(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (found.length !== expected.length) return Infinity;
  let difference = 0;
  let size = 0;
  for (let i = 0; i < expected.length; i++) {
    difference = Math.max(difference, Math.abs(found[i]! - expected[i]!));
    size = Math.max(size, Math.abs(expected[i]!));
  }
  return difference / Math.max(size, 1e-12);
}

/** The largest difference of any gradient, measured by the largest of all gradients' numbers; all of the reference's must be there. */
export function gradientsDiffer(
  gradients: Map<string, { dataSync: <Type extends 'float32'>() => Record<Type, Float32Array>[Type] }>,
  expected: Record<string, Packed>,
): { parameter: string; difference: number } {
  const [found, wanted] = [[...gradients.keys()].sort(), Object.keys(expected).sort()];
  if (found.join() !== wanted.join())
    return { parameter: `${found.join()} against ${wanted.join()}`, difference: Infinity };
  const references = Object.entries(expected).map(([name, packed]) => [name, unpack(packed)] as const);
  const size = Math.max(...references.flatMap(([, reference]) => Array.from(reference, Math.abs)));
  return references
    .map(([parameter, reference]) => ({
      parameter,
      difference:
        gradients
          .get(parameter)!
          .dataSync<'float32'>()
          .reduce((most, value, i) => Math.max(most, Math.abs(value - reference[i]!)), 0) / size,
    }))
    .reduce((worst, each) => (each.difference > worst.difference ? each : worst));
}
