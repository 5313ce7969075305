/**
 * LoRA adapters in the format of PEFT: adapter_config.json and adapter_model.safetensors, with the names of
 * peft.LoraConfig and the keys of PeftModel.save_pretrained.
 */
import fs from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { ModelFormatError } from '../errors.js';
import { readModelJson } from '../hub/model-json.js';
import { tf } from '../tensorflow/runtime.js';
import { partOf } from './families.js';
import { matricesOf, mergedWeight, nameInLayer, type Adapter } from './lora.js';
import { parameterValues, restoreParameters } from './model.js';
import { readSafetensors, writeSafetensors, type StoredTensor } from './safetensors.js';
import type { TextClassifier } from './text-classifier.js';

const files = { config: 'adapter_config.json', weights: 'adapter_model.safetensors' };

/** The files of an adapter. */
export const adapterFiles: string[] = Object.values(files);

/** The prefix of all keys: the wrappers of a PeftModel around the model. */
const keyPrefix = 'base_model.model.';

/** Names of modules as a regular expression, as peft reads them. */
const pattern = z.string().refine(
  (text) => {
    try {
      return Boolean(modulePattern(text));
    } catch {
      return false;
    }
  },
  { error: 'it contains an invalid regular expression' },
);
const modulePattern = (text: string) => new RegExp(`^(.*\\.)?(${text})$`);

/** What distinguishes adapters that can be merged from others. */
const adapterConfig = z.looseObject({
  base_model_name_or_path: z.string().nullish(),
  peft_type: z.literal('LORA'),
  r: z.int().min(1),
  lora_alpha: z.number(),
  use_rslora: z.boolean().default(false),
  use_dora: z.literal(false).default(false),
  use_qalora: z.literal(false).default(false),
  lora_bias: z.literal(false).default(false),
  fan_in_fan_out: z.literal(false).default(false),
  alpha_pattern: z.record(pattern, z.number()).default({}),
  rank_pattern: z.record(pattern, z.int().min(1)).default({}),
});

type AdapterConfig = z.infer<typeof adapterConfig>;

/**
 * Writes an adapter for PEFT: peft.PeftModel.from_pretrained(model, folder) loads it into a model with as many labels.
 * @param adapter of TrainingResult
 * @param folder is created if necessary
 * @param baseModel name or path of the model that the adapter belongs to
 * @example
 * const { adapter } = await trainer.train(reviews.train);
 * savePeftAdapter(adapter!, 'adapter', 'distilbert-base-uncased');
 */
export function savePeftAdapter(adapter: Adapter, folder: string, baseModel: string): void {
  const { config, tensors } = adapter;
  const targets = [...tensors.keys()].filter((name) => name.endsWith('.lora_A.weight'));
  const head = [...tensors.keys()].filter((name) => partOf(name) === 'head');
  // The module of a pooler has the encoder's prefix.
  const moduleOf = (name: string) => (name.includes('.pooler.') ? 'pooler' : name.split('.')[0]!);
  const { r, lora_alpha, lora_dropout } = config;
  const content = {
    base_model_name_or_path: baseModel,
    peft_type: 'LORA',
    task_type: 'SEQ_CLS',
    inference_mode: true,
    ...{ r, lora_alpha, lora_dropout },
    target_modules: [...new Set(targets.map((name) => nameInLayer(name.replace('.lora_A.weight', ''))))],
    modules_to_save: [...new Set(head.map(moduleOf))],
    bias: 'none',
    fan_in_fan_out: false,
  };
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, files.config), `${JSON.stringify(content, null, 2)}\n`);
  writeSafetensors(
    path.join(folder, files.weights),
    new Map([...tensors].map(([name, tensor]) => [keyPrefix + name, tensor])),
  );
}

/** An adapter as it is stored. */
export interface StoredAdapter {
  folder: string;
  config: AdapterConfig;
  /** Tensors by parameter name, without the prefixes of PEFT's wrappers. */
  tensors: Map<string, StoredTensor>;
}

/**
 * Reads an adapter.
 * @throws ModelFormatError if a file is missing or damaged, or for another method than LoRA with dense layers
 */
export function readPeftAdapter(folder: string): StoredAdapter {
  for (const file of adapterFiles)
    if (!fs.existsSync(path.join(folder, file)))
      throw new ModelFormatError(
        'MODEL_NO_FILE',
        `${folder} has no ${file}. An adapter has ${adapterFiles.join(' and ')}.`,
        { folder, file },
      );
  const file = path.join(folder, files.config);
  const parsed = adapterConfig.safeParse(readModelJson(file));
  const unsupported = (reason: string, values: Record<string, unknown>) =>
    new ModelFormatError(
      'MODEL_CONFIG_UNSUPPORTED',
      `${file} describes an unsupported adapter: ${reason}. Supported is LoRA on dense layers, without DoRA. Merge others in Python: merge_and_unload() of peft.`,
      { file, ...values },
    );
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const name = issue!.path.join('.');
    throw unsupported(`${name}: ${issue!.message}`, { name });
  }
  const tensors = new Map<string, StoredTensor>();
  for (const [key, tensor] of readSafetensors(path.join(folder, files.weights))) {
    const name = key.replace(keyPrefix, '').replace(/\.(base_layer|modules_to_save(\.default)?)\./, '.');
    if (/\.lora_(embedding|magnitude)/.test(name)) throw unsupported(`it contains ${key}`, { name: key });
    tensors.set(name, tensor);
  }
  return { folder, config: parsed.data, tensors };
}

/** The rank of a module, and the factor of B · A, as peft.tuners.lora computes them. */
function rankAndScaling(config: AdapterConfig, weight: string): { r: number; scaling: number } {
  const module = weight.replace(/\.weight$/, '');
  const valueOf = (patterns: Record<string, number>, standard: number) =>
    Object.entries(patterns).find(([key]) => modulePattern(key).test(module))?.[1] ?? standard;
  const r = valueOf(config.rank_pattern, config.r);
  return { r, scaling: valueOf(config.alpha_pattern, config.lora_alpha) / (config.use_rslora ? Math.sqrt(r) : r) };
}

/**
 * Adds an adapter to the weights of a model (merge_and_unload of peft).
 * @param model is changed; its classes are those of the adapter
 * @throws ModelFormatError if the adapter belongs to another model, does not contain all of its head, or has values that are not finite
 */
export function mergeAdapter(model: TextClassifier, { folder, config, tensors }: StoredAdapter): void {
  const mismatch = (name: string, shape: number[], expected: number[] | undefined) =>
    new ModelFormatError(
      'MODEL_SHAPE_MISMATCH',
      `${folder} has ${name} with the shape [${shape.join(', ')}], but the model ${expected ? `requires [${expected.join(', ')}]` : 'has no such parameter'}. Name the model that the adapter was trained for with --model.`,
      { folder, name, stored: shape, expected },
    );
  const values = parameterValues(model);
  const merged = new Map<string, StoredTensor>();
  for (const [name, tensor] of tensors) {
    if (name.includes('.lora_B.')) continue;
    const weight = name.replace('.lora_A.', '.');
    const base = values.get(weight);
    if (weight === name) {
      if (base?.shape.join() !== tensor.shape.join()) throw mismatch(name, tensor.shape, base?.shape);
      merged.set(name, tensor);
      continue;
    }
    if (!base) throw mismatch(name, tensor.shape, undefined);
    const [out, width] = base.shape as [number, number];
    const { r, scaling } = rankAndScaling(config, weight);
    if (tensor.shape.join() !== [r, width].join()) throw mismatch(name, tensor.shape, [r, width]);
    const { b: otherName } = matricesOf(weight);
    const other = tensors.get(otherName);
    if (!other)
      throw new ModelFormatError(
        'MODEL_NO_WEIGHTS',
        `${folder} has ${name}, but not ${otherName}. Save the adapter again.`,
        {
          folder,
          names: [otherName],
        },
      );
    if (other.shape.join() !== [out, r].join()) throw mismatch(otherName, other.shape, [out, r]);
    const sum = tf.tidy(() => {
      const [w, a, b] = [base, tensor, other].map(({ data, shape }) => tf.tensor(data, shape));
      return mergedWeight(w!, a!, b!, scaling).dataSync<'float32'>(); // [out, in]
    });
    merged.set(weight, { shape: base.shape, data: Float32Array.from(sum) });
  }
  for (const [name, { data }] of merged)
    if (!data.every(Number.isFinite))
      throw new ModelFormatError(
        'MODEL_FILE_DAMAGED',
        `With the adapter ${folder}, ${name} contains values that are not finite: a file is damaged, its training diverged, or lora_alpha is too large.`,
        { folder, name },
      );
  const missing = model.initialized.filter((name) => !merged.has(name));
  if (missing.length > 0)
    throw new ModelFormatError(
      'MODEL_NO_WEIGHTS',
      `${folder} lacks ${missing.join(', ')}, which the model does not have either. Name the model that the adapter was trained for with --model, or train the adapter with modules_to_save=[${[...new Set(missing.map((name) => `'${name.split('.')[0]}'`))].join(', ')}].`,
      { folder, names: missing },
    );
  restoreParameters(model, merged);
  // It was fitted for the model without the adapter.
  model.calibration = undefined;
}
