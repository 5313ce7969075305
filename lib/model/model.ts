/** A model with any head: its configuration, its parameters on the device, and its engine settings. */
import path from 'node:path';
import { ModelFormatError } from '../errors.js';
import { readModelJson } from '../hub/model-json.js';
import type { Settings } from '../settings/settings.js';
import { settingText } from '../settings/setting-text.js';
import { hasFusedKernels } from '../tensorflow/fused-kernels.js';
import { capturesGraphs, type FunctionOptions } from '../tensorflow/function.js';
import { castTo, statelessNormal } from '../tensorflow/kernels.js';
import {
  choosePrecision,
  type PrecisionChoice,
  type PrecisionSetting,
  type ProductShape,
} from '../tensorflow/precision.js';
import { backend, tf } from '../tensorflow/runtime.js';
import { ResourceVariable } from '../tensorflow/variables.js';
import { supportedJitCompile } from '../tensorflow/xla.js';
import type { DropoutSource } from './dropout.js';
import { composedLayers } from './composed-layers.js';
import { maxTokens, type EncoderConfig } from './config.js';
import { familyOf, isLayerWeight, partOf } from './families.js';
import type { Layers } from './layers.js';
import { checkModelFolder, weightFilesOf } from './model-folder.js';
import { readSafetensors, type StoredTensor } from './safetensors.js';
import { layersFor, type Weights } from './tensor-operations.js';

/** How a model is computed. */
export interface EngineOptions {
  /** Precision of matrix products; all else is float32. @default 'auto', the fastest one for the model's widths */
  precision?: PrecisionSetting | PrecisionChoice;
  /** Run eagerly, kernel by kernel, instead of as a captured graph. @default false */
  eager?: boolean;
  /**
   * Compile the captured graphs with XLA. `auto` compiles training steps on a GPU if this was measured to save time.
   * @default 'auto'
   */
  jitCompile?: JitCompileSetting;
}

/** Whether XLA compiles the captured graphs; training resolves `auto`, see chooseJitCompile. */
export type JitCompileSetting = Settings['jitCompile'];

/** How a model is computed, with the selected precision. */
export interface Engine extends PrecisionChoice {
  eager: boolean;
  /** `auto` is kept on a GPU only, until each training run resolves it. Outside training it means false. */
  jitCompile: JitCompileSetting;
  /** Implementation of the layers. */
  layers: Layers;
  /** Whether the project's own kernels can be used. */
  fused: boolean;
}

/** What a forward pass requires. */
export interface Model {
  config: EncoderConfig;
  /** Parameters by their Hugging Face names, in the order in which they are stored. */
  parameters: Map<string, ResourceVariable>;
  engine: Engine;
  /** Computes the weights of a forward pass from the parameters, for an adapter. @default the parameters themselves */
  forwardWeights?: (parameters: Weights, source: DropoutSource | undefined) => Weights;
}

/** The content of a model folder. */
export interface ModelFolder {
  /** The parsed config.json. */
  json: Record<string, unknown>;
  config: EncoderConfig;
  /** The stored tensors by their current names in transformers. */
  stored: Map<string, StoredTensor>;
}

/**
 * Reads a model folder in Hugging Face format: a model of a supported family, in one file or in shards, in
 * float32 or half precision.
 * @throws ModelFormatError if a file is missing or invalid
 */
export function readModelFolder(folder: string): ModelFolder {
  const config = checkModelFolder(folder);
  const json = readModelJson(path.join(folder, 'config.json'));
  const { prefix } = familyOf(config);
  const stored = new Map<string, StoredTensor>();
  const tensors = weightFilesOf(folder).flatMap((file) => [...readSafetensors(file)]);
  const hasPrefix = tensors.some(([name]) => name.startsWith(`${prefix}.`));
  for (const [name, tensor] of tensors) {
    // An encoder without a head is stored without the prefix. Early BERT models have other names for layer norm
    // parameters.
    const fullName = hasPrefix ? name : `${prefix}.${name}`;
    stored.set(
      fullName.replace(/LayerNorm\.gamma$/, 'LayerNorm.weight').replace(/LayerNorm\.beta$/, 'LayerNorm.bias'),
      tensor,
    );
  }

  return { json, config, stored };
}

/**
 * Creates the parameters of a model: from the stored tensors, or randomly initialized.
 * @param seed random seed for the initialization
 * @returns the parameters, and the names of the randomly initialized ones
 * @throws ModelFormatError if the shape of a stored tensor differs
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
    const tensor = stored.get(name);
    if (tensor && tensor.shape.join() !== shape.join())
      throw new ModelFormatError(
        'MODEL_SHAPE_MISMATCH',
        `${name} is stored with the shape [${tensor.shape.join(', ')}], but config.json requires [${shape.join(', ')}].`,
        { name, stored: tensor.shape, expected: shape },
      );
    if (!tensor) fresh.push(name);
    const value = tf.tidy(() => {
      if (tensor) return tf.tensor(tensor.data, shape);
      // The initialization of transformers: weights normally distributed, biases 0, layer norms 1.
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
 * Checks that a folder contains all weights of the encoder. The head may be missing.
 * @param folder folder name for the error message
 * @param config configuration of the encoder
 * @param parameters parameters of the model, which are disposed of if the check fails
 * @param fresh names of the randomly initialized parameters, from `buildParameters`
 * @throws ModelFormatError if weights of the encoder are missing
 */
export function checkEncoder(
  folder: string,
  config: EncoderConfig,
  parameters: Map<string, ResourceVariable>,
  fresh: string[],
): void {
  // The pooler of BERT may be missing: masked-language models have none.
  const missing = fresh.filter((name) => partOf(name) !== 'head');
  if (missing.length === 0) return;
  parameters.forEach((parameter) => parameter.dispose());
  throw new ModelFormatError(
    'MODEL_NO_WEIGHTS',
    `${folder} lacks ${missing.length} weights of the encoder, including ${missing[0]}. Check that it is a ${config.model_type} model.`,
    { folder, names: missing },
  );
}

/**
 * Selects how a model is computed: the precision, and the project's own kernels if available, unless XLA compiles.
 * @param options see EngineOptions
 * @param shape widths of the model
 * @param layers implementation of the layers. @default the fastest one here
 * @throws ArgumentError if XLA is requested and does not support the GPU
 */
export function engineOf(
  { precision: wanted = 'auto', eager = false, jitCompile: compiled = 'auto' }: EngineOptions = {},
  shape?: ProductShape,
  layers?: Layers,
): Engine {
  const choice = typeof wanted === 'string' ? choosePrecision(wanted, shape) : wanted;
  const jitCompile = compiled === false ? false : supportedJitCompile(compiled);
  // XLA supports TensorFlow's kernels but not the project's own.
  const fused = hasFusedKernels && jitCompile === false;
  return {
    ...choice,
    eager: eager || !capturesGraphs,
    jitCompile,
    fused,
    layers: layers ?? (fused ? layersFor(choice.precision) : composedLayers),
  };
}

/**
 * A note if the requested maximum sequence length exceeds that of the model, to which the tokenizer truncates.
 * @param maxLength requested maximum sequence length in tokens
 * @param config configuration of the encoder
 * @returns at most one note
 */
export const notesOnLength = (maxLength: number | undefined, config: EncoderConfig): string[] =>
  maxLength !== undefined && maxLength > maxTokens(config)
    ? [
        `The model accepts at most ${maxTokens(config)} tokens: texts are truncated to these, not to ${maxLength} (${settingText('maxLength')}).`,
      ]
    : [];

/**
 * A short description of an engine, for summaries.
 * @param engine engine of a model
 */
export const describeEngine = ({ precision, reason, eager, jitCompile }: Engine): string =>
  `${eager ? 'eager' : jitCompile === true ? 'graph compiled by XLA' : 'graph'}, ${precision}` +
  (reason === undefined ? '' : `; ${reason}`) +
  (hasFusedKernels || backend.isUsingGpuDevice ? '' : ', without fused kernels (slower)');

/** Options of a captured function that computes a model, see tensorFunction. */
export const captureOptions = ({ eager, jitCompile, layers }: Engine): FunctionOptions => ({
  eager,
  jitCompile: jitCompile === true,
  anyShape: layers.anyShape,
});

/**
 * Reads all parameters for one step. Call it inside tf.tidy, which frees the tensors.
 * @param model model with the parameters
 */
export const readWeights = ({ parameters }: Pick<Model, 'parameters'>): Weights =>
  Object.fromEntries([...parameters].map(([name, parameter]) => [name, parameter.read()]));

/**
 * Casts the weights of products to the precision of the engine once, for several forward passes before the next update.
 * Otherwise each pass would cast them again. The caller disposes of them.
 * @param model model with the weights
 * @returns no weights in float32, which needs no cast
 */
export function prepareWeights({ parameters, engine: { precision } }: Model): Weights {
  const products = [...parameters].filter(([name, variable]) => isLayerWeight(name, variable));
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

/** Restores values copied by `parameterValues`. */
export function restoreParameters(classifier: Pick<Model, 'parameters'>, values: Map<string, StoredTensor>): void {
  for (const [name, { shape, data }] of values) {
    const value = tf.tensor(data, shape);
    classifier.parameters.get(name)!.assign(value);
    value.dispose();
  }
}
