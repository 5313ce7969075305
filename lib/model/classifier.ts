/** A text classifier as an object: its configuration and its parameters on the device, loaded from and saved to a Hugging Face folder. */
import fs from 'node:fs';
import path from 'node:path';
import type { Tensor } from '@tensorflow/tfjs';
import { tensorFunction, type TensorFunction } from '../tensorflow/function.js';
import { tf } from '../tensorflow/runtime.js';
import type { ResourceVariable } from '../tensorflow/variables.js';
import type { EncodedBatch } from './batch.js';
import { readTokenizer, writeTokenizer } from '../tokenizer/tokenizer.js';
import { classifierConfigJson, labelNames, maxTokens, type EncoderConfig } from './config.js';
import type { Weights } from './encoder.js';
import { families } from './families.js';
import type { Layers } from './layers.js';
import {
  batchTensors,
  buildParameters,
  checkEncoder,
  engineOf,
  parameterValues,
  notesOnLength,
  readModelFolder,
  readWeights,
  type Engine,
  type EngineOptions,
  type ForwardInputs,
  type Model,
} from './model.js';
import { writeSafetensors } from './safetensors.js';
import { classifierShapes, sequenceClassification } from './sequence-classification.js';

/** A model with a classification head, of `loadClassifier`. */
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

const shapesOf = (config: EncoderConfig) => classifierShapes(config, labelNames(config).length);

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
    { name: 'the forward pass', eager: engine.eager, jitCompile: engine.jitCompile === true },
  );
  const dispose = () => {
    forward.dispose();
    parameters.forEach((parameter) => parameter.dispose());
  };
  return { config, parameters, engine, forward, freshHead, notes, dispose };
}

/**
 * A classifier with fresh random weights, as for a benchmark or a test.
 * @param config its shape, class names included
 * @param options how it is computed, see EngineOptions
 * @param options.seed of the weights, default 42
 * @param options.layers default: the ones that are best here
 */
export function createClassifier(
  config: EncoderConfig,
  { seed = 42, layers, ...engine }: { seed?: number; layers?: Layers } & EngineOptions = {},
): Classifier {
  const { parameters } = buildParameters(config, shapesOf(config), new Map(), seed);
  return assemble(config, parameters, engineOf(engine, config, layers), [], true);
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
 * @param folder with config.json, weights and tokenizer, of fetchModel or saveClassifier
 * @param options how it is computed, see EngineOptions
 * @param options.labels class names; default: the ones in config.json, for a base model negative and positive
 * @param options.seed of the fresh head's weights, default 42
 * @param options.layers default: the ones that are best here
 * @param options.maxLength tokens that texts will be cut to; `notes` says so if the model takes fewer
 * @throws ModelFormatError when a file is missing or does not fit
 */
export function loadClassifier(
  folder: string,
  {
    labels,
    seed = 42,
    layers,
    maxLength,
    ...engine
  }: { labels?: string[]; seed?: number; layers?: Layers; maxLength?: number } & EngineOptions = {},
): Classifier {
  const { json, config, stored } = readModelFolder(folder);
  const { classifier: headName } = families[config.model_type];
  const notes = notesOnLength(maxLength, config);
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

  const { parameters, fresh } = buildParameters(config, shapesOf(config), stored, seed);
  checkEncoder(folder, config, parameters, fresh);
  if (fresh.length > 0) notes.push(`Freshly initialised, to be learnt: ${fresh.join(', ')}.`);
  const unused = [...stored.keys()].filter((name) => !parameters.has(name));
  if (unused.length > 0) notes.push(`Left aside, since they belong to another task: ${unused.join(', ')}.`);
  return assemble(config, parameters, engineOf(engine, config, layers), notes, fresh.includes(`${headName}.weight`));
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

/**
 * Saves a folder that `transformers`, transformers.js and loadClassifier load: config.json with the label names,
 * model.safetensors, and the tokenizer's files.
 * @param tokenizerFolder where the tokenizer's files are
 */
export function saveClassifier(classifier: Classifier, folder: string, tokenizerFolder: string): void {
  fs.mkdirSync(folder, { recursive: true });
  writeTokenizer(readTokenizer(tokenizerFolder), folder, maxTokens(classifier.config));
  fs.writeFileSync(
    path.join(folder, 'config.json'),
    `${JSON.stringify(classifierConfigJson(classifier.config), null, 2)}\n`,
  );
  writeSafetensors(path.join(folder, 'model.safetensors'), parameterValues(classifier));
}
