/**
 * The head that tells classes apart, on what the encoder makes of a text's first token (parity with `transformers`'
 * DistilBertForSequenceClassification and its like).
 */
import type { Tensor, Tensor2D } from '@tensorflow/tfjs';
import { tf } from '../tensorflow/runtime.js';
import type { EncoderConfig } from './config.js';
import { encode, encoderShapes, layersFor, type ForwardOptions, type Weights } from './encoder.js';
import { families } from './families.js';
import { addBias, product } from './layers.js';

/** The shape of every weight of a classifier, by Hugging Face's names, in the order in which they are stored. */
export function classifierShapes(config: EncoderConfig, labels: number): Map<string, number[]> {
  const { dense, classifier } = families[config.model_type];
  return new Map([
    ...encoderShapes(config),
    [`${dense}.weight`, [config.dim, config.dim]],
    [`${dense}.bias`, [config.dim]],
    [`${classifier}.weight`, [labels, config.dim]],
    [`${classifier}.bias`, [labels]],
  ]);
}

/**
 * Texts to logits.
 * @param inputIds [batch, tokens], int32
 * @param options see ForwardOptions
 * @returns [batch, labels]
 */
export function sequenceClassification(
  weights: Weights,
  inputIds: Tensor2D,
  config: EncoderConfig,
  options: ForwardOptions = {},
): Tensor2D {
  const { source, precision = 'float32', layers = layersFor(precision) } = options;
  const family = families[config.model_type];
  const x = encode(weights, inputIds, config, 'first', options); // [batch, dim]
  // Two small products: float32 costs nothing here, and the logits have all their digits.
  const linear = (x: Tensor, name: string) =>
    addBias(product(x, weights[`${name}.weight`]!, 'float32'), weights[`${name}.bias`]!);
  const drop = (x: Tensor) => layers.dropout(x, config.seq_classif_dropout, source);
  const pooled = linear(family.dropsFirst ? drop(x) : x, family.dense); // [batch, dim]
  return linear(drop(family.activation === 'relu' ? tf.relu(pooled) : tf.tanh(pooled)), family.classifier) as Tensor2D;
}
