/** A sequence classifier: an encoder with a classification head. */
import type { Tensor2D } from '@tensorflow/tfjs';
import { labelNames, type EncoderConfig } from './config.js';
import { familyOf } from './families.js';
import type { PackedTexts } from './packed-texts.js';
import { parameterShapes } from './parameter-shapes.js';
import { tensorOperations, type ForwardOptions, type Weights } from './tensor-operations.js';

/** The shape of every weight of a classifier, by its Hugging Face name, in the order in which they are stored. */
export const classifierShapes = (config: EncoderConfig): Map<string, number[]> =>
  parameterShapes((operations) => familyOf(config).classify(operations, config, labelNames(config).length));

/**
 * Computes the logits of packed texts.
 * @param options see ForwardOptions
 * @returns [batch, labels]
 */
export function sequenceClassification(
  weights: Weights,
  texts: PackedTexts,
  config: EncoderConfig,
  options: ForwardOptions = {},
): Tensor2D {
  const family = familyOf(config);
  const operations = tensorOperations(weights, texts, config, options);
  return family.classify(operations, config, labelNames(config).length) as Tensor2D;
}
