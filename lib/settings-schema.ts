/** Every setting there is: what it may be, its default, and what is told of it. */
import { z } from 'zod';
import { parseLabelMapping } from './reviews/labels.js';

/** What is told of a setting, besides what it may be. */
export interface SettingDescription {
  group: SettingGroup;
  /** In half a sentence, with its unit. */
  description: string;
  /** What it may be, as an error says it: "it must be …". */
  allowed: string;
  /** What the value stands for on a command line: `<number>`. */
  argument?: string;
  /** The default, where it is no fixed value. */
  otherwise?: string;
  /** The original project's name of it, or a usual short one. */
  alias?: string;
  /** The command that alone has it. @default all, notebooks included */
  only?: 'finetune' | 'adapt' | 'notebooks';
  /** Changes nothing of what is learnt: a run may go on with another value. @default false */
  harmless?: boolean;
}

/** Headings under which `--help` shows settings. */
export type SettingGroup =
  | 'Model and reviews'
  | 'Training'
  | 'Evaluation and checkpoints'
  | 'Masking'
  | 'Engine'
  | 'Several ranks'
  | 'Smoke tests'
  | 'Run';

/** What is told of each. */
export const descriptions = z.registry<SettingDescription>();
const described = <Type extends z.ZodType>(type: Type, description: SettingDescription): Type => {
  descriptions.add(type, description);
  return type;
};

/** Numbers may come as text, from the environment and the command line; empty text is none. */
const number = (check: (type: z.ZodNumber) => z.ZodNumber = (type) => type) =>
  z.preprocess(
    (value) => (typeof value === 'string' && value.trim() !== '' ? Number(value) : value),
    check(z.number()),
  );
const count = (least: number) => number((type) => type.int().min(least));
const limit = number((type) => type.int().refine((value) => value === -1 || value >= 1));
const flag = z.preprocess(
  (value) => (value === 'true' || value === '1' ? true : value === 'false' || value === '0' ? false : value),
  z.boolean(),
);
const name = z.string().min(1);
const wholeNumber = (least: number) => `a whole number of at least ${least}`;
const orNone = `-1 or ${wholeNumber(1)}`;
const trueOrFalse = 'true or false';

export const schema = z.object({
  source: described(z.enum(['auto', 'hub', 'embedded']).default('auto'), {
    group: 'Model and reviews',
    description:
      'where model and reviews come from that are not named: hub, embedded, or auto, the hub where it answers',
    allowed: 'auto, hub or embedded',
  }),
  model: described(name.optional(), {
    group: 'Model and reviews',
    description: "embedded, a folder of Hugging Face's layout, or a name on the hub: owner/name@revision",
    allowed: 'a name',
    otherwise: 'by source',
    alias: 'distilbert_model',
  }),
  dataset: described(name.optional(), {
    group: 'Model and reviews',
    description: 'embedded, a .csv, .jsonl, .ndjson or .parquet file, a folder of them, or a name on the hub',
    allowed: 'a name',
    otherwise: 'by source',
    alias: 'dataset_name',
  }),
  datasetConfig: described(name.optional(), {
    group: 'Model and reviews',
    description: 'which configuration of a data set on the hub',
    allowed: 'a name',
    otherwise: 'its default, or its only one',
  }),
  textColumns: described(
    z
      .preprocess((value) => (typeof value === 'string' ? value.split(',') : value), z.array(z.string().min(1)).min(1))
      .optional(),
    {
      group: 'Model and reviews',
      description: 'columns that make the text, by commas: title,content',
      allowed: 'names of columns, by commas',
      argument: 'names',
      otherwise: 'text, or what else it is usually called',
      alias: 'text_col',
    },
  ),
  labelColumn: described(name.optional(), {
    group: 'Model and reviews',
    description: 'column of the label: whole numbers, stars, booleans or names',
    allowed: 'the name of a column',
    argument: 'name',
    otherwise: 'label, or what else it is usually called',
    alias: 'label_col',
  }),
  labelMapping: described(
    name
      .superRefine((value, context) => {
        try {
          parseLabelMapping(value);
        } catch (error) {
          context.addIssue((error as Error).message);
        }
      })
      .optional(),
    {
      group: 'Model and reviews',
      description: 'what labels mean: 1,2 -> negative; 4,5 -> positive. Others are left out',
      allowed: "of the form '1,2 -> negative; 4,5 -> positive'",
      argument: 'mapping',
      otherwise: 'each value is a class',
    },
  ),
  rows: described(limit.optional(), {
    group: 'Model and reviews',
    description: 'takes that many reviews by chance; -1 for all',
    allowed: orNone,
    otherwise: 'all; of a data set on the hub 20,000 with a GPU, 2,000 without',
  }),
  streaming: described(flag.default(false), {
    group: 'Model and reviews',
    description: 'trains on all rows, read while training runs; --rows of them are looked at, and chosen and tested by',
    allowed: trueOrFalse,
  }),
  maxLength: described(count(8).default(128), {
    group: 'Model and reviews',
    description: 'tokens after which a text is cut',
    allowed: wholeNumber(8),
  }),

  epochs: described(number((type) => type.positive()).default(3), {
    group: 'Training',
    description: 'passes over the training rows',
    allowed: 'a number above 0',
  }),
  maxSteps: described(limit.default(-1), {
    group: 'Training',
    description: 'ends training after so many updates; -1 for no such end',
    allowed: orNone,
  }),
  learningRate: described(number((type) => type.positive().max(1)).default(5e-5), {
    group: 'Training',
    description: 'peak of the schedule',
    allowed: 'a number above 0 and at most 1',
    alias: 'lr',
  }),
  batchSize: described(count(1).default(16), {
    group: 'Training',
    description: 'rows of a training batch, of all ranks together',
    allowed: wholeNumber(1),
    alias: 'train_batch_size',
  }),
  gradientAccumulationSteps: described(count(1).default(1), {
    group: 'Training',
    description: 'batches whose gradients make one update',
    allowed: wholeNumber(1),
  }),
  weightDecay: described(number((type) => type.min(0)).default(0.01), {
    group: 'Training',
    description: 'of AdamW; not applied to biases and layer norms',
    allowed: 'a number of at least 0',
  }),
  warmupRatio: described(number((type) => type.min(0).lt(1)).default(0.1), {
    group: 'Training',
    description: 'share of the updates in which the learning rate rises',
    allowed: 'a number of at least 0 and below 1',
  }),
  lrSchedulerType: described(z.enum(['linear', 'cosine', 'constant']).default('linear'), {
    group: 'Training',
    description: 'how it falls afterwards: linear, cosine, or constant, not at all',
    allowed: 'linear, cosine or constant',
  }),
  maxGradNorm: described(number((type) => type.min(0)).default(1), {
    group: 'Training',
    description: 'gradients are scaled down to this joint length; 0 for never',
    allowed: 'a number of at least 0',
  }),
  groupByLength: described(flag.default(true), {
    group: 'Training',
    description: 'batches of texts of like length, padded to their longest',
    allowed: trueOrFalse,
  }),
  freeze: described(
    z
      .preprocess(
        (value) => (typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value),
        z.union([z.enum(['none', 'embeddings', 'encoder']), z.number().int().min(1)]),
      )
      .default('none'),
    {
      group: 'Training',
      description: 'what stays as it is: none, embeddings, encoder, or how many layers from below',
      allowed: 'none, embeddings, encoder or a number of layers',
    },
  ),
  seed: described(number((type) => type.int()).default(42), {
    group: 'Training',
    description: 'of everything that chance decides',
    allowed: 'a whole number',
  }),

  evalBatchSize: described(count(1).default(64), {
    group: 'Evaluation and checkpoints',
    description: 'rows of an evaluation batch',
    allowed: wholeNumber(1),
    harmless: true,
  }),
  evalSteps: described(count(0).default(0), {
    group: 'Evaluation and checkpoints',
    description: 'updates between two looks at the validation rows; 0 for one an epoch, of a stream ten',
    allowed: wholeNumber(0),
  }),
  earlyStoppingPatience: described(count(0).default(3), {
    group: 'Evaluation and checkpoints',
    description: 'looks without improvement after which training ends; 0 for never',
    allowed: wholeNumber(0),
  }),
  earlyStoppingThreshold: described(number((type) => type.min(0)).default(0.001), {
    group: 'Evaluation and checkpoints',
    description: 'the least gain that counts as improvement',
    allowed: 'a number of at least 0',
  }),
  saveSteps: described(count(0).default(500), {
    group: 'Evaluation and checkpoints',
    description: 'updates between two checkpoints, besides those at looks and at the end; 0 for no others',
    allowed: wholeNumber(0),
    harmless: true,
  }),
  saveTotalLimit: described(count(1).default(2), {
    group: 'Evaluation and checkpoints',
    description: 'the newest checkpoints that are kept, besides the best',
    allowed: wholeNumber(1),
    harmless: true,
  }),

  mlmProbability: described(number((type) => type.positive().lt(1)).default(0.15), {
    group: 'Masking',
    description: 'share of the tokens that are to be guessed',
    allowed: 'a number above 0 and below 1',
    only: 'adapt',
  }),
  wholeWordMask: described(flag.default(false), {
    group: 'Masking',
    description: 'masks all pieces of a word, not single ones',
    allowed: trueOrFalse,
    only: 'adapt',
  }),

  precision: described(z.enum(['auto', 'float32', 'bfloat16', 'float16']).default('auto'), {
    group: 'Engine',
    description: 'of matrix products: float32, bfloat16, float16, or auto for the fastest one, as measured',
    allowed: 'auto, float32, bfloat16 or float16',
  }),
  eager: described(flag.default(false), {
    group: 'Engine',
    description: 'kernel by kernel, as the code reads, for looking into it: the same numbers',
    allowed: trueOrFalse,
  }),
  jitCompile: described(z.union([z.literal('auto'), flag]).default('auto'), {
    group: 'Engine',
    description: 'has XLA compile the captured graphs; auto where that saves time on a GPU, as measured',
    allowed: 'auto, true or false',
  }),

  clusterTimeout: described(count(1).default(600), {
    group: 'Several ranks',
    description: 'seconds in which all ranks of TF_CONFIG must have come',
    allowed: wholeNumber(1),
    harmless: true,
  }),
  allowPublicCluster: described(flag.default(false), {
    group: 'Several ranks',
    description: 'takes ranks with public addresses; TensorFlow’s servers ask nobody for a password',
    allowed: trueOrFalse,
    harmless: true,
  }),

  maxTrainSamples: described(limit.default(-1), {
    group: 'Smoke tests',
    description: 'trains on so many of the training rows; -1 for all',
    allowed: orNone,
  }),
  quick: described(flag.default(false), {
    group: 'Smoke tests',
    description: 'a fraction of the reviews and of the training, to see that a notebook runs',
    allowed: trueOrFalse,
    only: 'notebooks',
  }),
  fastDevRun: described(flag.default(false), {
    group: 'Smoke tests',
    description: 'two updates on 64 short reviews, through everything there is',
    allowed: trueOrFalse,
  }),
  overfitBatches: described(count(0).default(0), {
    group: 'Smoke tests',
    description: 'trains on that many batches and looks at the same ones: the loss must fall to 0; 0 for not',
    allowed: wholeNumber(0),
    only: 'finetune',
  }),

  runFolder: described(name.default('../runs/notebook'), {
    group: 'Run',
    description: 'where all that a run makes goes',
    allowed: 'a folder',
    argument: 'folder',
    otherwise: 'runs/ and the time; of notebooks ../runs/notebook',
    harmless: true,
  }),
});
