/**
 * The classification head, applied to the hidden state of the first token (parity with `transformers`'
 * DistilBertForSequenceClassification, BertForSequenceClassification and RobertaForSequenceClassification).
 */
import type { Tensor, Tensor2D } from '@tensorflow/tfjs';
import { tf } from '../tensorflow/runtime.js';
import type { EncoderConfig } from './config.js';
import { encode, encoderShapes, layersFor, type ForwardOptions, type Weights } from './encoder.js';
import { families } from './families.js';
import { addBias, product, relu } from './layers.js';
import type { PackedTexts } from './packed-texts.js';

/** The shape of every weight of a classifier, by its Hugging Face name, in the order in which they are stored. */
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
  const { source, precision = 'float32', layers = layersFor(precision) } = options;
  const family = families[config.model_type];
  const x = encode(weights, texts, config, 'cls', options); // [batch, dim]
  // Two small products: float32 costs little time here and keeps the logits precise.
  const linear = (x: Tensor, name: string) =>
    addBias(product(x, weights[`${name}.weight`]!, 'float32'), weights[`${name}.bias`]!);
  const drop = (x: Tensor) => layers.dropout(x, config.seq_classif_dropout, source);
  const pooled = linear(family.dropsFirst ? drop(x) : x, family.dense); // [batch, dim]
  return linear(drop(family.activation === 'relu' ? relu(pooled) : tf.tanh(pooled)), family.classifier) as Tensor2D;
}
