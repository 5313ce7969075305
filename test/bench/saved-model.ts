// Compares the logits that a model computes with those that Python's transformers computes from the folder where it was saved.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { packTexts, type EncodedReviews } from '#lib/model/batch.js';
import type { TextClassifier } from '#lib/model/text-classifier.js';
import { root } from '../checkout.js';
import { findPyTorch } from './pytorch-environment.js';
import type { AccuracyResults } from './results.js';

/**
 * Compares the logits of a model and of transformers, and prints the largest difference.
 * @param folder where the model was saved
 */
export function compareSavedModel(
  model: TextClassifier,
  folder: string,
  reviews: EncodedReviews,
): AccuracyResults['savedModel'] {
  fs.writeFileSync(path.join(folder, 'rows.json'), JSON.stringify(reviews.ids.map((ids) => [...ids])));
  const logits = Float32Array.from(reviews.ids.flatMap((ids) => [...model.logits(packTexts([ids]))]));
  const python = spawnSync(findPyTorch(), [path.join(root, 'test/bench/saved-model.py'), folder], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  if (python.status !== 0) throw new Error(python.stderr);
  const { logits: transformersLogits, warnings } = JSON.parse(python.stdout) as { logits: number[]; warnings: string };
  const largestDifference = transformersLogits.reduce(
    (max, logit, i) => Math.max(max, Math.abs(logit - logits[i]!)),
    0,
  );
  console.log(
    `transformers: maximum difference of ${transformersLogits.length} logits ${largestDifference.toExponential(1)}, ${warnings ? `warnings: ${warnings}` : 'no warnings'}`,
  );
  return { logits: transformersLogits.length, largestDifference, words: warnings };
}
