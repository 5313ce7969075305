/**
 * Everything a run of the notebook can be told, in one typed object with a default for each. Environment variables
 * override it (TUNEBOOK_ and the name in capitals), so the same notebook does a quick run, the usual one and a long one.
 */
import { z } from 'zod';
import type { SourceSetting } from './hub/sources.js';
import { parseLabelMapping } from './reviews/labels.js';
import type { PrecisionSetting } from './tensorflow/precision.js';
import type { Freeze } from './training/freeze.js';
import type { TrainingArguments } from './training/training-arguments.js';

export interface Settings {
  /** TUNEBOOK_SOURCE: where model and reviews come from that are not named: `hub`, `embedded`, or `auto`, the hub where it answers. @default 'auto' */
  source: SourceSetting;
  /** TUNEBOOK_MODEL: `embedded`, a folder of Hugging Face's layout, or a name on the hub (`owner/name@revision`). @default by source */
  model?: string | undefined;
  /** TUNEBOOK_DATASET: `embedded`, a .csv, .jsonl, .ndjson or .parquet file or a folder of them, or a name on the hub. @default by source */
  dataset?: string | undefined;
  /** TUNEBOOK_DATASET_CONFIG: which configuration of a data set on the hub. @default its default, or its only one */
  datasetConfig?: string | undefined;
  /** TUNEBOOK_TEXT_COLUMNS: columns that make the text, by commas. @default `text`, or what a data set of reviews calls it */
  textColumns?: string[] | undefined;
  /** TUNEBOOK_LABEL_COLUMN. @default `label`, or what a data set of reviews calls it */
  labelColumn?: string | undefined;
  /** TUNEBOOK_LABEL_MAPPING: `1,2 -> negative; 4,5 -> positive`. @default each value is a class */
  labelMapping?: string | undefined;
  /** TUNEBOOK_EPOCHS: passes over the training rows. @default 3 */
  epochs: number;
  /** TUNEBOOK_MAX_STEPS: ends training after so many updates; -1 for no such end. @default -1 */
  maxSteps: number;
  /** TUNEBOOK_ROWS: takes that many reviews by chance; -1 for all. @default all; of a data set on the hub 20,000 on a GPU, else 2,000 */
  rows?: number | undefined;
  /** TUNEBOOK_STREAMING: trains on all rows, read while training runs; `rows` of them are sampled to look at, choose and test by. @default false */
  streaming: boolean;
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

const name = z.string().min(1).optional();

const schema = z.object({
  source: z
    .enum(['auto', 'hub', 'embedded'])
    .default('auto')
    .describe('where model and reviews come from that are not named: hub, embedded, or auto, the hub where it answers'),
  model: name.describe("embedded, a folder of Hugging Face's layout, or a name on the hub: owner/name@revision"),
  dataset: name.describe('embedded, a .csv, .jsonl, .ndjson or .parquet file, a folder of them, or a name on the hub'),
  datasetConfig: name.describe('which configuration of a data set on the hub'),
  textColumns: z
    .preprocess((value) => (typeof value === 'string' ? value.split(',') : value), z.array(z.string().min(1)).min(1))
    .optional()
    .describe('columns that make the text, by commas: title,content'),
  labelColumn: name.describe('whole numbers, stars, booleans or names'),
  labelMapping: z
    .string()
    .min(1)
    .superRefine((value, context) => {
      try {
        parseLabelMapping(value);
      } catch (error) {
        context.addIssue((error as Error).message);
      }
    })
    .optional()
    .describe('what labels mean: 1,2 -> negative; 4,5 -> positive. Others are left out'),
  epochs: z.coerce.number().positive().default(3).describe('passes over the training rows'),
  maxSteps: limit.default(-1).describe('ends training after so many updates; -1 for no such end'),
  rows: limit.optional().describe('takes that many reviews by chance; -1 for all'),
  streaming: flag
    .default(false)
    .describe('trains on all rows, read while training runs; --rows of them are looked at, and chosen and tested by'),
  learningRate: z.coerce.number().positive().max(1).default(5e-5).describe('peak of the schedule'),
  batchSize: count(1).default(16).describe('rows'),
  maxLength: count(8).default(128).describe('tokens after which a text is cut'),
  freeze: z
    .union(
      [z.enum(['none', 'embeddings', 'encoder']), count(1)],
      'must be none, embeddings, encoder or a number of layers',
    )
    .default('none')
    .describe('what stays as it is: none, embeddings, encoder, or how many layers from below'),
  precision: z
    .enum(['auto', 'float32', 'bfloat16', 'float16'])
    .default('auto')
    .describe('of matrix products; auto is what the device does well'),
  eager: flag.default(false).describe('kernel by kernel, as the code reads, for looking into it: the same numbers'),
  jitCompile: flag.default(false).describe('has XLA compile the captured graphs'),
  seed: z.coerce.number().int().default(42).describe('of everything that chance decides'),
  runFolder: z.string().min(1).default('../runs/notebook').describe('where the journal and the model go'),
});

/** The environment variable of a setting. */
const variableOf = (name: string) => `TUNEBOOK_${name.replace(/[A-Z]/g, '_$&').toUpperCase()}`;

/** Every setting, with what it is in a line and its default, if it has one of its own. */
export const settingsList = (Object.keys(schema.shape) as (keyof Settings)[]).map((setting) => ({
  setting,
  variable: variableOf(setting),
  description: schema.shape[setting].description!,
  default: schema.shape[setting].safeParse(undefined).data,
}));

/** The settings as rows of a table: each with the environment variable that overrides it. */
export const describeSettings = (settings: Settings): { setting: string; variable: string; value: string }[] =>
  settingsList.map(({ setting, variable }) => ({
    setting,
    variable,
    value: String(settings[setting] ?? 'by what there is'),
  }));

/**
 * The settings: defaults, then what the code gives, then the environment.
 * @throws SettingsError naming the variable, its value and what is wrong
 */
export function readSettings(given: Partial<Settings> = {}, environment: NodeJS.ProcessEnv = process.env): Settings {
  const raw: Record<string, unknown> = { ...given };
  for (const { setting: name, variable } of settingsList) {
    const value = environment[variable];
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
