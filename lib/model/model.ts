/** A model as an object: its configuration, its parameters on the device, and how it is computed; whatever its head. */
import fs from 'node:fs';
import path from 'node:path';
import type { Tensor1D, Tensor2D } from '@tensorflow/tfjs';
import { ModelFormatError } from '../errors.js';
import type { Settings } from '../settings/settings.js';
import { hasFusedKernels } from '../tensorflow/fused-kernels.js';
import { castTo, statelessNormal } from '../tensorflow/kernels.js';
import {
  choosePrecision,
  type PrecisionChoice,
  type PrecisionSetting,
  type ProductShape,
} from '../tensorflow/precision.js';
import { backend, tf } from '../tensorflow/runtime.js';
import { ResourceVariable } from '../tensorflow/variables.js';
import type { EncodedBatch } from './batch.js';
import { composedLayers } from './composed-layers.js';
import { maxTokens, parseConfig, type EncoderConfig } from './config.js';
import { layersFor, type Weights } from './encoder.js';
import { families, layerOf } from './families.js';
import type { Layers } from './layers.js';
import { readSafetensorsFolder, type StoredTensor } from './safetensors.js';

/** How a model is computed. */
export interface EngineOptions {
  /** Of matrix products; parameters and all else are float32. @default 'auto', the fastest one for the model's widths */
  precision?: PrecisionSetting | PrecisionChoice;
  /** Kernel by kernel from JavaScript, as the code reads, not as one captured graph. @default false */
  eager?: boolean;
  /** Has XLA compile the captured graphs; `auto` those of training, on a GPU where it was measured to save time. @default 'auto' */
  jitCompile?: JitCompileSetting;
}

/** Whether XLA compiles the captured graphs; `auto` is decided by training, see chooseJitCompile. */
export type JitCompileSetting = Settings['jitCompile'];

/** How a model is computed, the precision decided. */
export interface Engine extends PrecisionChoice {
  eager: boolean;
  /** `auto` on a GPU only, where each training run decides; until then, and for all but training, it means false. */
  jitCompile: JitCompileSetting;
  /** Which making of the parts. */
  layers: Layers;
  /** Whether the project's own kernels may be used. */
  fused: boolean;
}

/** What a pass through a model needs. */
export interface Model {
  config: EncoderConfig;
  /** By Hugging Face's names, in the order in which they are stored. */
  parameters: Map<string, ResourceVariable>;
  engine: Engine;
}

/** What a model's folder holds. */
export interface ModelFolder {
  /** config.json as it is. */
  json: Record<string, unknown>;
  config: EncoderConfig;
  /** By the names that transformers gives them today. */
  stored: Map<string, StoredTensor>;
}

/**
 * Reads a folder of Hugging Face's layout, of a DistilBERT, BERT or RoBERTa, in one file or in shards, in float32 or in half
 * precision.
 * @throws ModelFormatError when a file is missing or does not fit
 */
export function readModelFolder(folder: string): ModelFolder {
  const need = (name: string): string => {
    const file = path.join(folder, name);
    if (!fs.existsSync(file)) {
      const others = fs.existsSync(folder) ? fs.readdirSync(folder).join(', ') : 'no such folder';
      throw new ModelFormatError(
        'MODEL_NO_FILE',
        `${folder} has no ${name} (it holds: ${others}). A Hugging Face model folder has config.json and model.safetensors.`,
        { folder, file: name },
      );
    }
    return file;
  };
  const json = JSON.parse(fs.readFileSync(need('config.json'), 'utf8')) as Record<string, unknown>;
  const config = parseConfig(json, path.join(folder, 'config.json'));
  const { prefix } = families[config.model_type];
  const stored = new Map<string, StoredTensor>();
  for (const [name, tensor] of readSafetensorsFolder(folder)) {
    // A bare encoder is stored without the prefix, and early BERTs name their layer norms' numbers otherwise.
    const whole = /^(embeddings|transformer|encoder|pooler)\./.test(name) ? `${prefix}.${name}` : name;
    stored.set(
      whole.replace(/LayerNorm\.gamma$/, 'LayerNorm.weight').replace(/LayerNorm\.beta$/, 'LayerNorm.bias'),
      tensor,
    );
  }

  return { json, config, stored };
}

/**
 * Parameters of some shapes: as they are stored, else fresh, and the names of the fresh ones.
 * @param seed of the fresh ones
 * @throws ModelFormatError where a stored shape is another
 */
export function buildParameters(
  config: EncoderConfig,
  shapes: Map<string, number[]>,
  stored: Map<string, StoredTensor>,
  seed: number,
): { parameters: Map<string, ResourceVariable>; fresh: string[] } {
  const parameters = new Map<string, ResourceVariable>();
  const fresh: string[] = [];
  let count = 0;
  for (const [name, shape] of shapes) {
    const found = stored.get(name);
    if (found && found.shape.join() !== shape.join())
      throw new ModelFormatError(
        'MODEL_SHAPE_MISMATCH',
        `${name} is stored as [${found.shape.join(', ')}], but config.json asks for [${shape.join(', ')}].`,
        { name, stored: found.shape, expected: shape },
      );
    if (!found) fresh.push(name);
    const value = tf.tidy(() => {
      if (found) return tf.tensor(found.data, shape);
      // As transformers starts new weights: normal, biases 0, layer norms 1.
      if (name.endsWith('bias')) return tf.fill(shape, 0);
      if (/norm\.weight$/i.test(name)) return tf.fill(shape, 1);
      const normal = statelessNormal(shape, tf.tensor1d([seed | 0, count], 'int32'));
      return tf.mul(normal, config.initializer_range);
    });
    count++;
    parameters.set(name, new ResourceVariable(value));
    value.dispose();
  }
  return { parameters, fresh };
}

/**
 * Refuses a folder whose weights are not those of an encoder, and frees what was read of it. A missing head is no fault.
 * @param folder named in the error
 * @param config the encoder's
 * @param parameters disposed of where it refuses
 * @param fresh names of the parameters that were made, of `buildParameters`
 * @throws ModelFormatError when the encoder's are among them
 */
export function checkEncoder(
  folder: string,
  { model_type: type }: EncoderConfig,
  parameters: Map<string, ResourceVariable>,
  fresh: string[],
): void {
  // Of BERT's encoder the pooler may be missing: masked-language models have none.
  const missing = fresh.filter((name) => name.startsWith(`${families[type].prefix}.`) && !name.includes('.pooler.'));
  if (missing.length === 0) return;
  parameters.forEach((parameter) => parameter.dispose());
  throw new ModelFormatError(
    'MODEL_NO_WEIGHTS',
    `${folder} lacks ${missing.length} of the encoder's weights, ${missing[0]} among them. Is it a ${type}?`,
    { folder, names: missing },
  );
}

/**
 * Decides how a model is computed: the precision, and the project's own kernels where they are, unless XLA compiles.
 * @param options see EngineOptions
 * @param shape the model's widths
 * @param layers default: the ones that are best here
 */
export function engineOf(
  { precision: wanted = 'auto', eager = false, jitCompile: compiled = 'auto' }: EngineOptions = {},
  shape?: ProductShape,
  layers?: Layers,
): Engine {
  const choice = typeof wanted === 'string' ? choosePrecision(wanted, shape) : wanted;
  const jitCompile = compiled === 'auto' && !backend.isUsingGpuDevice ? false : compiled;
  // XLA knows TensorFlow's kernels and not the project's own.
  const fused = hasFusedKernels && jitCompile === false;
  return {
    ...choice,
    ...{ eager, jitCompile, fused },
    layers: layers ?? (fused ? layersFor(choice.precision) : composedLayers),
  };
}

/**
 * The note for a maximum sequence length that the model cannot take; tokenizers clamp it.
 * @param maxLength wanted, in tokens
 * @param config the encoder's
 * @returns none, or one note
 */
export const notesOnLength = (maxLength: number | undefined, config: EncoderConfig): string[] =>
  maxLength !== undefined && maxLength > maxTokens(config)
    ? [
        `The model accepts at most ${maxTokens(config)} tokens: texts are truncated to these, not to ${maxLength} (--max-length).`,
      ]
    : [];

/**
 * An engine in a few words, for summaries.
 * @param engine of a model
 */
export const describeEngine = ({ precision, reason, eager, jitCompile }: Engine): string =>
  `${eager ? 'eager' : jitCompile === true ? 'graph compiled by XLA' : 'graph'}, ${precision}` +
  (reason === undefined ? '' : `; ${reason}`) +
  (hasFusedKernels || backend.isUsingGpuDevice ? '' : ', without fused kernels (slower)');

/**
 * Reads every parameter for one step; inside tf.tidy, which lets go of them afterwards.
 * @param model whose parameters are read
 */
export const readWeights = ({ parameters }: Pick<Model, 'parameters'>): Weights =>
  Object.fromEntries([...parameters].map(([name, parameter]) => [name, parameter.read()]));

/** Ids and lengths as `sequenceClassification` takes them; without padding there are no lengths to tell. */
export type ForwardInputs = { ids: Tensor2D; lengths?: Tensor1D };

/**
 * A batch as tensors, ids [batch, tokens] and lengths [batch], int32; the caller disposes of them.
 * @param batch padded texts
 */
export const batchTensors = ({ inputIds, lengths, batch, tokens }: EncodedBatch): ForwardInputs => ({
  ids: tf.tensor2d(inputIds, [batch, tokens], 'int32'),
  ...(lengths.some((length) => length < tokens) && { lengths: tf.tensor1d(lengths, 'int32') }),
});

/**
 * The weights of products in the engine's precision, for several passes before the next update: each pass would round
 * them anew. The caller disposes of them.
 * @param model whose weights are read
 * @returns none in float32, where there is nothing to round
 */
export function prepareWeights({ parameters, engine: { precision } }: Model): Weights {
  const products = [...parameters].filter(([name, { shape }]) => layerOf(name) !== undefined && shape.length === 2);
  if (precision === 'float32') return {};
  return tf.tidy(() =>
    Object.fromEntries(products.map(([name, parameter]) => [name, castTo(parameter.read(), precision)])),
  );
}

/** Copies every parameter to JavaScript. */
export function parameterValues(classifier: Pick<Model, 'parameters'>): Map<string, StoredTensor> {
  return new Map(
    [...classifier.parameters].map(([name, parameter]) => [name, { shape: parameter.shape, data: parameter.data() }]),
  );
}

/** Puts values back that `parameterValues` took. */
export function restoreParameters(classifier: Pick<Model, 'parameters'>, values: Map<string, StoredTensor>): void {
  for (const [name, { shape, data }] of values) {
    const value = tf.tensor(data, shape);
    classifier.parameters.get(name)!.assign(value);
    value.dispose();
  }
}
