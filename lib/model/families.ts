/** The supported model families. A new one is one file, listed here. */
import { albert } from './families/albert.js';
import { bert } from './families/bert.js';
import { debertaV2 } from './families/deberta-v2.js';
import { distilbert } from './families/distilbert.js';
import { electra } from './families/electra.js';
import type { EncoderConfig, Family, ModelType } from './families/family.js';
import { modernbert } from './families/modernbert.js';
import { mpnet } from './families/mpnet.js';
import { roberta, xlmRoberta } from './families/roberta.js';

/** The families by `model_type` in config.json. */
export const families: Record<ModelType, Family> = {
  distilbert,
  bert,
  roberta,
  'xlm-roberta': xlmRoberta,
  electra,
  albert,
  mpnet,
  'deberta-v2': debertaV2,
  modernbert,
};

/** The family of a model. */
export const familyOf = ({ model_type: type }: Pick<EncoderConfig, 'model_type'>): Family => families[type];

const prefixes = new Set(Object.values(families).map(({ prefix }) => prefix));

/**
 * The part of a model that a parameter belongs to: the number of its layer, `embeddings` with all that precedes the layers
 * or is shared by them, `norm` after the last layer, or `head`, with the pooler.
 */
export function partOf(name: string): number | 'embeddings' | 'norm' | 'head' {
  const layer = /\.(?:layer|layers|albert_layer_groups)\.(\d+)\./.exec(name)?.[1];
  if (layer !== undefined) return Number(layer);
  if (!prefixes.has(name.split('.')[0]!) || name.includes('.pooler.')) return 'head';
  return name.includes('.final_norm.') ? 'norm' : 'embeddings';
}

/**
 * Number of layers with parameters of their own. Layers that share their parameters, as in ALBERT, count once.
 * @param names of all parameters
 */
export const layerCount = (names: string[]): number =>
  1 + Math.max(...names.map(partOf).filter((part) => typeof part === 'number'));

/** Whether a parameter is the weight of a dense layer of the encoder's layers. */
export const isLayerWeight = (name: string, { shape }: { shape: number[] }): boolean =>
  typeof partOf(name) === 'number' && shape.length === 2;
