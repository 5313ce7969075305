/** What a model is made of, in a table: where its parameters are. */
import { isEmbedding, layerOf } from './families.js';
import type { Classifier } from './classifier.js';

/** A row of the table. */
export interface ModelPart {
  /** `embeddings`, `layer 1`, `classification head`, `all`. */
  part: string;
  /** How many numbers. */
  parameters: number;
  /** Of all parameters. */
  share: string;
}

/** Parameters by part: embeddings, each layer, head, and all. */
export function modelParts(classifier: Classifier): ModelPart[] {
  const counts = new Map<string, number>();
  for (const [name, { size }] of classifier.parameters) {
    const layer = layerOf(name);
    const part = isEmbedding(name) ? 'embeddings' : layer === undefined ? 'classification head' : `layer ${layer + 1}`;
    counts.set(part, (counts.get(part) ?? 0) + size);
  }
  const all = [...counts.values()].reduce((a, b) => a + b, 0);
  return [...counts, ['all', all] as const].map(([part, parameters]) => ({
    part,
    parameters,
    share: `${((100 * parameters) / all).toFixed(1)} %`,
  }));
}
