/** A text classifier as an object: its configuration and its parameters on the device, loaded from and saved to a Hugging Face folder. */
import fs from 'node:fs';
import path from 'node:path';
import type { Tensor, Tensor1D, Tensor2D } from '@tensorflow/tfjs';
import { tensorFunction, type TensorFunction } from '../tensorflow/function.js';
import { fusedKernelsRun } from '../tensorflow/fused-kernels.js';
import { castTo, statelessNormal } from '../tensorflow/kernels.js';
import { precisionOf, type Precision, type PrecisionSetting } from '../tensorflow/precision.js';
import { tf } from '../tensorflow/runtime.js';
import { ResourceVariable } from '../tensorflow/variables.js';
import { configJson, labelNames, ModelFormatError, parseConfig, type EncoderConfig } from './config.js';
import { composedLayers } from './composed-layers.js';
import { layersFor, sequenceClassification, weightShapes, type Weights } from './encoder.js';
import { families, layerOf } from './families.js';
import type { Layers } from './layers.js';
import { readSafetensorsFolder, writeSafetensors, type StoredTensor } from './safetensors.js';
import type { EncodedBatch } from '../text/batches.js';
import { readTokenizer, writeTokenizer } from '../text/tokenizer.js';

/** How a model is computed. */
export interface EngineOptions {
  /** Of the products with weights; parameters and all else are float32. @default 'auto', what is best here */
  precision?: PrecisionSetting;
  /** Kernel by kernel from JavaScript, as the code reads, not as one captured graph. @default false */
  eager?: boolean;
  /** Has XLA compile the captured graphs. @default false */
  jitCompile?: boolean;
}

export interface Engine {
  precision: Precision;
  eager: boolean;
  jitCompile: boolean;
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

export interface Classifier extends Model {
  /** Ids [batch, tokens] and lengths [batch], int32, to logits [batch, labels], without dropout. */
  forward: TensorFunction<ForwardInputs & Weights, { logits: Tensor }>;
  /** Its classifier knows nothing yet: it was made by chance. */
  freshHead: boolean;
  /** What loading left aside or made afresh, in sentences. */
  notes: string[];
  /** Frees the parameters' memory. */
  dispose(): void;
}

function build(
  config: EncoderConfig,
  stored: Map<string, StoredTensor>,
  seed: number,
): { parameters: Map<string, ResourceVariable>; fresh: string[] } {
  const parameters = new Map<string, ResourceVariable>();
  const fresh: string[] = [];
  let count = 0;
  for (const [name, shape] of weightShapes(config, labelNames(config).length)) {
    const found = stored.get(name);
    if (found && found.shape.join() !== shape.join())
      throw new ModelFormatError(
        `${name} is stored as [${found.shape.join(', ')}], but config.json asks for [${shape.join(', ')}].`,
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

/** @param layers default: the ones that are best here */
export function engineOf(
  { precision: wanted = 'auto', eager = false, jitCompile = false }: EngineOptions = {},
  layers?: Layers,
): Engine {
  const precision = precisionOf(wanted);
  // XLA knows TensorFlow's kernels and not the project's own.
  const fused = fusedKernelsRun && !jitCompile;
  return { precision, eager, jitCompile, fused, layers: layers ?? (fused ? layersFor(precision) : composedLayers) };
}

/** An engine in a few words, for summaries. */
export const describeEngine = ({ precision, eager, jitCompile }: Engine): string =>
  `${eager ? 'eager' : jitCompile ? 'graph compiled by XLA' : 'graph'}, ${precision}`;

function assemble(
  config: EncoderConfig,
  parameters: Map<string, ResourceVariable>,
  engine: Engine,
  notes: string[],
  freshHead: boolean,
): Classifier {
  const forward = tensorFunction(
    ({ ids, lengths, ...prepared }: ForwardInputs & Weights) => ({
      logits: sequenceClassification({ ...readWeights({ parameters }), ...prepared }, ids, config, {
        lengths,
        ...engine,
      }),
    }),
    { name: 'the forward pass', eager: engine.eager, jitCompile: engine.jitCompile },
  );
  const dispose = () => {
    forward.dispose();
    parameters.forEach((parameter) => parameter.dispose());
  };
  return { config, parameters, engine, forward, freshHead, notes, dispose };
}

/**
 * A classifier with fresh random weights, as for a benchmark or a test.
 * @param options.seed default 42
 * @param options.layers default: the ones that are best here
 */
export function createClassifier(
  config: EncoderConfig,
  { seed = 42, layers, ...engine }: { seed?: number; layers?: Layers } & EngineOptions = {},
): Classifier {
  const { parameters } = build(config, new Map(), seed);
  return assemble(config, parameters, engineOf(engine, layers), [], true);
}

/**
 * Where each wanted class stands among those of a stored head: by name, whatever its case. Classes that were never named
 * (LABEL_0, …) are taken as they come.
 */
function orderOfClasses(stored: string[], wanted: string[]): number[] | 'others' {
  if (stored.every((name, i) => name === `LABEL_${i}`)) return wanted.map((_, i) => i);
  const lower = stored.map((name) => name.toLowerCase());
  const order = wanted.map((name) => lower.indexOf(name.toLowerCase()));
  return order.includes(-1) || new Set(order).size < order.length ? 'others' : order;
}

/**
 * Loads a folder of Hugging Face's layout, of a DistilBERT, BERT or RoBERTa: a base model, one with a masked-LM head, or a
 * finished classifier; in one file or in shards, in float32 or in half precision.
 * A head that is missing is made afresh, one of another task is left aside, and `notes` says so.
 * @param options.labels class names; default: the ones in config.json, for a base model negative and positive
 * @param options.seed of the fresh head's weights, default 42
 * @param options.layers default: the ones that are best here
 * @throws ModelFormatError when a file is missing or does not fit
 */
export function loadClassifier(
  folder: string,
  { labels, seed = 42, layers, ...engine }: { labels?: string[]; seed?: number; layers?: Layers } & EngineOptions = {},
): Classifier {
  const need = (name: string): string => {
    const file = path.join(folder, name);
    if (!fs.existsSync(file)) {
      const others = fs.existsSync(folder) ? fs.readdirSync(folder).join(', ') : 'no such folder';
      throw new ModelFormatError(
        `${folder} has no ${name} (it holds: ${others}). A Hugging Face model folder has config.json and model.safetensors.`,
      );
    }
    return file;
  };
  const json = JSON.parse(fs.readFileSync(need('config.json'), 'utf8')) as Record<string, unknown>;
  const config = parseConfig(json, path.join(folder, 'config.json'));
  const { prefix, classifier: headName } = families[config.model_type];
  const stored = new Map<string, StoredTensor>();
  for (const [name, tensor] of readSafetensorsFolder(folder)) {
    // A bare encoder is stored without the prefix, and early BERTs name their layer norms' numbers otherwise.
    const whole = /^(embeddings|transformer|encoder|pooler)\./.test(name) ? `${prefix}.${name}` : name;
    stored.set(
      whole.replace(/LayerNorm\.gamma$/, 'LayerNorm.weight').replace(/LayerNorm\.beta$/, 'LayerNorm.bias'),
      tensor,
    );
  }

  const notes: string[] = [];
  const wanted = labels ?? labelNames(config);
  const leaveAside = () => {
    for (const kind of ['weight', 'bias']) stored.delete(`${headName}.${kind}`);
  };
  const head = stored.get(`${headName}.weight`);
  const order = head && json['id2label'] ? orderOfClasses(labelNames(config), wanted) : undefined;
  const named = labelNames(config).join(', ');
  if (head && head.shape[0] !== wanted.length) {
    notes.push(`The stored classifier knows ${head.shape[0]} classes, ${wanted.length} are wanted: it is left aside.`);
    leaveAside();
  } else if (head && order === 'others') {
    notes.push(`The stored classifier tells ${named} apart, not ${wanted.join(', ')}: it is left aside.`);
    leaveAside();
  } else if (Array.isArray(order) && order.some((row, i) => row !== i)) {
    for (const kind of ['weight', 'bias']) {
      const { shape, data } = stored.get(`${headName}.${kind}`)!;
      const width = data.length / order.length;
      const rows = order.map((row) => data.subarray(row * width, (row + 1) * width));
      stored.set(`${headName}.${kind}`, { shape, data: Float32Array.from(rows.flatMap((row) => [...row])) });
    }
    notes.push(`The stored classifier's classes were ${named}; they are put in the order ${wanted.join(', ')}.`);
  }
  config.id2label = Object.fromEntries(wanted.map((name, id) => [String(id), name]));

  const { parameters, fresh } = build(config, stored, seed);
  // Of BERT's encoder the pooler may be missing: masked-language models have none.
  const missing = fresh.filter((name) => name.startsWith(`${prefix}.`) && !name.includes('.pooler.'));
  if (missing.length > 0) {
    parameters.forEach((parameter) => parameter.dispose());
    throw new ModelFormatError(
      `${folder} lacks ${missing.length} of the encoder's weights, ${missing[0]} among them. Is it a ${config.model_type}?`,
    );
  }
  if (fresh.length > 0) notes.push(`Freshly initialised, to be learnt: ${fresh.join(', ')}.`);
  const unused = [...stored.keys()].filter((name) => !parameters.has(name));
  if (unused.length > 0) notes.push(`Left aside, since they belong to another task: ${unused.join(', ')}.`);
  return assemble(config, parameters, engineOf(engine, layers), notes, fresh.includes(`${headName}.weight`));
}

/** Reads every parameter for one step; inside tf.tidy, which lets go of them afterwards. */
export const readWeights = ({ parameters }: Pick<Model, 'parameters'>): Weights =>
  Object.fromEntries([...parameters].map(([name, parameter]) => [name, parameter.read()]));

/** Ids and lengths as `sequenceClassification` takes them; without padding there are no lengths to tell. */
export type ForwardInputs = { ids: Tensor2D; lengths?: Tensor1D };

/** A batch as tensors. */
export const batchTensors = ({ inputIds, lengths, batch, tokens }: EncodedBatch): ForwardInputs => ({
  ids: tf.tensor2d(inputIds, [batch, tokens], 'int32'),
  ...(lengths.some((length) => length < tokens) && { lengths: tf.tensor1d(lengths, 'int32') }),
});

/**
 * The weights of products in the engine's precision, for several passes before the next update: each pass would round
 * them anew. The caller disposes of them.
 */
export function prepareWeights({ parameters, engine: { precision } }: Model): Weights {
  const products = [...parameters].filter(([name, { shape }]) => layerOf(name) !== undefined && shape.length === 2);
  if (precision === 'float32') return {};
  return tf.tidy(() =>
    Object.fromEntries(products.map(([name, parameter]) => [name, castTo(parameter.read(), precision)])),
  );
}

/**
 * Logits of a batch, without dropout.
 * @param prepared of `prepareWeights`, if there are more batches to come
 * @returns [batch * labels], row by row
 */
export function predictLogits(classifier: Classifier, batch: EncodedBatch, prepared: Weights = {}): Float32Array {
  const inputs = batchTensors(batch);
  const { logits } = classifier.forward.call({ ...inputs, ...prepared });
  const data = logits.dataSync<'float32'>();
  tf.dispose([inputs, logits]);
  return data;
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

/**
 * Saves a folder that `transformers`, transformers.js and loadClassifier load: config.json with the label names,
 * model.safetensors, and the tokenizer's files.
 * @param tokenizerFolder where the tokenizer's files are
 */
export function saveClassifier(classifier: Classifier, folder: string, tokenizerFolder: string): void {
  fs.mkdirSync(folder, { recursive: true });
  writeTokenizer(readTokenizer(tokenizerFolder), folder);
  fs.writeFileSync(path.join(folder, 'config.json'), `${JSON.stringify(configJson(classifier.config), null, 2)}\n`);
  writeSafetensors(path.join(folder, 'model.safetensors'), parameterValues(classifier));
}
