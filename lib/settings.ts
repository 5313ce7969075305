/**
 * Everything a run of the notebook can be told, in one typed object with a default for each. Environment variables
 * override it (TUNEBOOK_ and the name in capitals), so the same notebook does a quick run, the usual one and a long one.
 */
import { z } from 'zod';
import type { PrecisionSetting } from './tensorflow/precision.js';
import type { Freeze } from './training/freeze.js';
import type { TrainingArguments } from './training/training-arguments.js';

export interface Settings {
  /** TUNEBOOK_MODEL: `embedded`, or a DistilBERT folder of Hugging Face's layout. @default 'embedded' */
  model: string;
  /** TUNEBOOK_REVIEWS: `embedded`, or a .csv, .jsonl, .ndjson or .parquet file. @default 'embedded' */
  reviews: string;
  /** TUNEBOOK_TEXT_COLUMNS: columns that make the text, by commas. @default ['text'] */
  textColumns: string[];
  /** TUNEBOOK_LABEL_COLUMN. @default 'label' */
  labelColumn: string;
  /** TUNEBOOK_EPOCHS: passes over the training rows. @default 3 */
  epochs: number;
  /** TUNEBOOK_MAX_STEPS: ends training after so many updates; -1 for no such end. @default -1 */
  maxSteps: number;
  /** TUNEBOOK_MAX_ROWS: takes that many reviews by chance; -1 for all. @default -1 */
  maxRows: number;
  /** TUNEBOOK_LEARNING_RATE. @default 5e-5 */
  learningRate: number;
  /** TUNEBOOK_BATCH_SIZE. @default 16 */
  batchSize: number;
  /** TUNEBOOK_MAX_LENGTH: tokens after which a text is cut. @default 128 */
  maxLength: number;
  /** TUNEBOOK_FREEZE: `none`, `embeddings`, `encoder`, or how many layers from below stay as they are. @default 'none' */
  freeze: Freeze;
  /** TUNEBOOK_PRECISION: of matrix products, `float32`, `bfloat16`, `float16`, or `auto` for what the device does well. @default 'auto' */
  precision: PrecisionSetting;
  /** TUNEBOOK_EAGER: kernel by kernel, as the code reads, not as captured graphs. @default false */
  eager: boolean;
  /** TUNEBOOK_JIT_COMPILE: has XLA compile the captured graphs. @default false */
  jitCompile: boolean;
  /** TUNEBOOK_SEED: of everything that chance decides. @default 42 */
  seed: number;
  /** TUNEBOOK_RUN_FOLDER: where the journal and the model go. @default 'runs/notebook' beside the notebooks' folder */
  runFolder: string;
}

/** A setting that cannot be; the message names its environment variable and what it may be. */
export class SettingsError extends Error {
  override name = 'SettingsError';
}

const count = (least: number) => z.coerce.number().int().min(least);
const limit = z.coerce
  .number()
  .int()
  .refine((value) => value === -1 || value >= 1, 'must be -1 or a whole number of at least 1');

const flag = z.preprocess(
  (value) => (value === 'true' || value === '1' ? true : value === 'false' || value === '0' ? false : value),
  z.boolean('must be true or false'),
);

const schema = z.object({
  model: z.string().min(1).default('embedded'),
  reviews: z.string().min(1).default('embedded'),
  textColumns: z
    .preprocess((value) => (typeof value === 'string' ? value.split(',') : value), z.array(z.string().min(1)).min(1))
    .default(['text']),
  labelColumn: z.string().min(1).default('label'),
  epochs: z.coerce.number().positive().default(3),
  maxSteps: limit.default(-1),
  maxRows: limit.default(-1),
  learningRate: z.coerce.number().positive().max(1).default(5e-5),
  batchSize: count(1).default(16),
  maxLength: count(8).default(128),
  freeze: z
    .union(
      [z.enum(['none', 'embeddings', 'encoder']), count(1)],
      'must be none, embeddings, encoder or a number of layers',
    )
    .default('none'),
  precision: z.enum(['auto', 'float32', 'bfloat16', 'float16']).default('auto'),
  eager: flag.default(false),
  jitCompile: flag.default(false),
  seed: z.coerce.number().int().default(42),
  runFolder: z.string().min(1).default('../runs/notebook'),
});

const variableOf = (name: string) => `TUNEBOOK_${name.replace(/[A-Z]/g, '_$&').toUpperCase()}`;

/** The settings as rows of a table: each with the environment variable that overrides it. */
export const describeSettings = (settings: Settings): { setting: string; variable: string; value: string }[] =>
  Object.entries(settings).map(([setting, value]) => ({
    setting,
    variable: variableOf(setting),
    value: String(value),
  }));

/**
 * The settings: defaults, then what the code gives, then the environment.
 * @throws SettingsError naming the variable, its value and what is wrong
 */
export function readSettings(given: Partial<Settings> = {}, environment: NodeJS.ProcessEnv = process.env): Settings {
  const raw: Record<string, unknown> = { ...given };
  for (const name of Object.keys(schema.shape)) {
    const value = environment[variableOf(name)];
    if (value !== undefined && value !== '') raw[name] = value;
  }
  const result = schema.safeParse(raw);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const name = String(issue?.path[0]);
  throw new SettingsError(`${variableOf(name)} (${name}) is '${String(raw[name])}': ${issue?.message}.`);
}

/** What training is told of the settings, under the names of Hugging Face's TrainingArguments. */
export const trainingArguments = (settings: Settings): Partial<TrainingArguments> => ({
  learningRate: settings.learningRate,
  numTrainEpochs: settings.epochs,
  maxSteps: settings.maxSteps,
  perDeviceTrainBatchSize: settings.batchSize,
  freeze: settings.freeze,
  seed: settings.seed,
});
