/**
 * Every setting of Tunebook, declared once: name, other names, type, range, default and description. The TypeScript type, the
 * flags with their help, the environment variables, settings files, the table in README.md, the validation in the library and the
 * record in a run's folder all follow from this list.
 */
import { formatClassWeights, readClassWeights, splitClassWeights, type ClassWeights } from './class-weights.js';
import { formatDelimiter, readDelimiter } from './delimiter.js';
import { formatFold, foldLimits, readFold, type Fold } from './fold.js';
import { formatLabelMapping, readLabelMapping, type LabelMapping } from './label-mapping.js';
import { problemTypes } from './problem-type.js';
import { boolean, choice, either, integer, names, number, setting, text, type Kind } from './setting.js';

const labelMapping: Kind<LabelMapping> = {
  allowed: 'a mapping from labels to classes',
  read: readLabelMapping,
  format: formatLabelMapping,
};

const classWeights: Kind<ClassWeights> = {
  allowed: 'none, balanced, or weights by class such as negative=1,positive=2',
  read: readClassWeights,
  format: formatClassWeights,
  split: splitClassWeights,
};

const fold: Kind<Fold> = {
  allowed: `a fold and the number of folds, ${foldLimits.min} to ${foldLimits.max}, such as 1/5`,
  read: readFold,
  format: formatFold,
};

const trackerNames = ['mlflow', 'tensorboard'] as const;

/** Where a run is tracked. */
export type TrackerName = (typeof trackerNames)[number];

const trackers: Kind<TrackerName[]> = {
  allowed: `${trackerNames.join(', ')}, both separated by a comma, or none`,
  read(value) {
    const given = (Array.isArray(value) ? value.map(String) : String(value).split(',')).map((name) => name.trim());
    if (given.length === 0 || (given.length === 1 && given[0] === 'none')) return [];
    const found = trackerNames.filter((name) => given.includes(name));
    return given.every((name) => trackerNames.some((known) => known === name)) ? found : undefined;
  },
  format: (value) => value.join(',') || 'none',
};

const delimiter: Kind<string> = {
  allowed: 'a character, or comma, semicolon, tab or pipe',
  read: readDelimiter,
  format: formatDelimiter,
};

/** All settings, in the order of `--help`. */
export const schema = {
  source: setting(choice('auto', 'hub', 'embedded'), {
    group: 'Model and reviews',
    description:
      'default model and reviews: embedded, or from the hub; auto is the hub, but notebooks and inspect use the embedded ones without it',
    default: 'auto',
  }),
  model: setting(text('a name'), {
    group: 'Model and reviews',
    description: 'embedded, a folder in Hugging Face format, or a model on the hub: owner/name@revision',
    aliases: ['model_name_or_path', 'distilbert_model'],
    default: undefined,
    defaultText: 'depends on source',
  }),
  teacher: setting(text('a name'), {
    group: 'Model and reviews',
    description: 'fine-tuned model, run or model on the hub, whose predictions the model learns, with the same classes',
    default: undefined,
    defaultText: 'none',
    only: 'finetune',
  }),
  dataset: setting(text('a name'), {
    group: 'Model and reviews',
    description: 'embedded, a file (CSV, JSON, Excel, Arrow, Parquet, …) or a folder, or a data set on the hub',
    aliases: ['dataset_name'],
    default: undefined,
    defaultText: 'depends on source',
  }),
  datasetConfig: setting(text('a name'), {
    group: 'Model and reviews',
    description: 'configuration of the data set on the hub',
    aliases: ['dataset_config_name'],
    default: undefined,
    defaultText: 'its default configuration',
  }),
  textColumns: setting(names, {
    group: 'Model and reviews',
    description: 'columns with the text, joined in this order: title,content',
    aliases: ['text_col'],
    argument: 'names',
    default: undefined,
    defaultText: 'text, or another common name',
  }),
  textPairColumn: setting(text('the name of a column'), {
    group: 'Model and reviews',
    description: 'column with the second text of sentence pairs, such as the answers to questions',
    aliases: ['text_pair_col'],
    argument: 'name',
    default: undefined,
    defaultText: 'none: single texts',
    only: 'finetune',
  }),
  labelColumn: setting(text('the name of a column'), {
    group: 'Model and reviews',
    description:
      'column with the label: numbers, stars, booleans or names; of multi-label classification a column of lists, or several columns of 0 and 1 (toxic,obscene,threat)',
    aliases: ['label_col'],
    argument: 'name',
    default: undefined,
    defaultText: 'label, or another common name',
  }),
  labelMapping: setting(labelMapping, {
    group: 'Model and reviews',
    description: 'classes by label, others are left out: 1-2 -> negative; 4-5 -> positive, or stars for the same',
    argument: 'mapping',
    default: undefined,
    defaultText: 'one class per label',
  }),
  problemType: setting(choice(...problemTypes), {
    group: 'Model and reviews',
    description:
      'what is predicted: a class; all classes that apply (multi_label_classification), from a column of lists or several columns of 0 and 1; or the number in the label column (regression)',
    default: 'single_label_classification',
  }),
  encoding: setting(text('the name of an encoding'), {
    group: 'Model and reviews',
    description: 'encoding of text files, such as windows-1252',
    argument: 'name',
    default: undefined,
    defaultText: 'detected: UTF-8, UTF-16 or Windows-1252',
  }),
  delimiter: setting(delimiter, {
    group: 'Model and reviews',
    description: 'delimiter of the columns in text files',
    argument: 'character',
    default: undefined,
    defaultText: 'detected: comma, semicolon, tab or vertical bar',
  }),
  header: setting(either(choice('auto'), boolean), {
    group: 'Model and reviews',
    description: 'whether the first line of a text or Excel file contains column names',
    default: 'auto',
  }),
  columns: setting(names, {
    group: 'Model and reviews',
    description: 'names of all columns of a text or Excel file, in order, in place of a header: label,title,text',
    argument: 'names',
    default: undefined,
    defaultText: 'those of the header',
  }),
  skipBadRows: setting(boolean, {
    group: 'Model and reviews',
    description: 'leave out malformed rows and count them, instead of stopping at the first',
    default: false,
  }),
  rows: setting(integer({ min: 1, orMinusOne: true }), {
    group: 'Model and reviews',
    description: 'number of reviews to sample at random; -1 for all',
    default: undefined,
    defaultText: 'all; of a data set on the hub 20,000 with a GPU, 2,000 without',
  }),
  streaming: setting(boolean, {
    group: 'Model and reviews',
    description: 'stream the full training set; rows then sets the sample for validation and test',
    default: false,
  }),
  fold: setting(fold, {
    group: 'Model and reviews',
    description:
      'the fold that is the test set, for cross-validation: 2/5 is the second of five; cross-validate trains all',
    argument: 'fold',
    default: undefined,
    defaultText: 'no cross-validation',
    only: 'finetune',
  }),
  maxLength: setting(integer({ min: 8 }), {
    group: 'Model and reviews',
    description: 'maximum sequence length in tokens',
    aliases: ['max_seq_length'],
    default: 128,
  }),

  method: setting(choice('full', 'head', 'setfit'), {
    group: 'Training',
    description:
      'full fine-tuning; head, logistic regression on features of the frozen encoder; or setfit, contrastive pairs and then the head, for 4 to 64 labels per class',
    default: 'full',
    only: 'finetune',
  }),
  epochs: setting(number({ above: 0 }), {
    group: 'Training',
    description: 'passes over the training set; with setfit over its pairs, 1 by default',
    aliases: ['num_train_epochs'],
    default: 3,
  }),
  maxSteps: setting(integer({ min: 1, orMinusOne: true }), {
    group: 'Training',
    description: 'optimizer steps after which training stops; -1 for no limit',
    default: -1,
  }),
  learningRate: setting(number({ above: 0, max: 1 }), {
    group: 'Training',
    description: 'peak learning rate; with setfit 0.00002 by default',
    aliases: ['lr'],
    default: 5e-5,
    scale: 'log',
  }),
  batchSize: setting(integer({ min: 1 }), {
    group: 'Training',
    description: 'training batch size, in total over all workers',
    aliases: ['per_device_train_batch_size', 'train_batch_size'],
    default: 16,
  }),
  gradientAccumulationSteps: setting(integer({ min: 1 }), {
    group: 'Training',
    description: 'batches per optimizer step',
    default: 1,
  }),
  weightDecay: setting(number({ min: 0 }), {
    group: 'Training',
    description: 'weight decay of AdamW, except for biases and layer norms',
    default: 0.01,
    scale: 'log',
  }),
  warmupSteps: setting(number({ min: 0 }), {
    group: 'Training',
    description: 'warmup steps; below 1, their fraction of all steps',
    aliases: ['warmup_ratio'],
    fractionAlias: 'warmup_ratio',
    default: 0.1,
  }),
  lrSchedulerType: setting(choice('linear', 'cosine', 'constant'), {
    group: 'Training',
    description: 'learning-rate schedule after warmup: linear, cosine or constant',
    default: 'linear',
  }),
  maxGradNorm: setting(number({ min: 0 }), {
    group: 'Training',
    description: 'maximum gradient norm for clipping; 0 disables it',
    default: 1,
  }),
  adamBeta1: setting(number({ min: 0, below: 1 }), { group: 'Training', description: 'beta1 of AdamW', default: 0.9 }),
  adamBeta2: setting(number({ min: 0, below: 1 }), {
    group: 'Training',
    description: 'beta2 of AdamW',
    default: 0.999,
  }),
  adamEpsilon: setting(number({ above: 0 }), {
    group: 'Training',
    description: 'epsilon of AdamW',
    default: 1e-8,
    scale: 'log',
  }),
  classWeights: setting(classWeights, {
    group: 'Training',
    description:
      'class weights of the training loss: none; balanced (default of the methods head and setfit), which is rows / (classes * rows of the class); or weights by class name, 1 for the others',
    argument: 'weights',
    default: 'none',
    only: 'finetune',
  }),
  labelSmoothingFactor: setting(number({ min: 0, below: 1 }), {
    group: 'Training',
    description: 'label smoothing: the part of each training target that is divided equally among all classes',
    aliases: ['label_smoothing'],
    default: 0,
    only: 'finetune',
  }),
  focalGamma: setting(number({ min: 0, max: 10 }), {
    group: 'Training',
    description: 'gamma of focal loss, in which rows that are predicted well count less; 0 for cross-entropy',
    aliases: ['focal_loss_gamma'],
    default: 0,
    only: 'finetune',
  }),
  layerwiseLearningRateDecay: setting(number({ above: 0, max: 1 }), {
    group: 'Training',
    description:
      'learning rate of each layer as a fraction of that of the next higher one; 1 for the same in all layers',
    aliases: ['layerwise_lr_decay', 'layer_decay', 'llrd'],
    default: 1,
  }),
  freeze: setting(either(choice('none', 'embeddings', 'encoder'), integer({ min: 1 })), {
    group: 'Training',
    description: 'parameters to freeze: none, embeddings, encoder, or the number of lowest layers',
    default: 'none',
  }),
  distillationAlpha: setting(number({ min: 0, max: 1 }), {
    group: 'Training',
    description: "distillation: weight of the labels' loss; that of the teacher's predictions is 1 - alpha",
    default: 0.5,
    only: 'finetune',
  }),
  distillationTemperature: setting(number({ above: 0 }), {
    group: 'Training',
    description: 'distillation: temperature at which the predictions of teacher and model are compared',
    default: 2,
    only: 'finetune',
  }),
  loraRank: setting(integer({ min: 0 }), {
    group: 'Training',
    description:
      'LoRA: rank of the matrices that are trained instead of the weights of the encoder; 0 trains the weights',
    aliases: ['lora_r'],
    default: 0,
    only: 'finetune',
  }),
  loraAlpha: setting(number({ above: 0 }), {
    group: 'Training',
    description: 'LoRA: alpha; the product of the matrices is multiplied by alpha / rank',
    default: 16,
    only: 'finetune',
  }),
  loraDropout: setting(number({ min: 0, below: 1 }), {
    group: 'Training',
    description: 'LoRA: dropout rate of the input features',
    default: 0,
    only: 'finetune',
  }),
  loraTargetModules: setting(either(choice('all-linear'), names), {
    group: 'Training',
    description: 'LoRA: names of the dense layers, or all-linear for all of the encoder',
    argument: 'names',
    default: undefined,
    defaultText: 'queries and values of attention',
    only: 'finetune',
  }),
  seed: setting(integer(), { group: 'Training', description: 'random seed', default: 42 }),

  evalBatchSize: setting(integer({ min: 1 }), {
    group: 'Evaluation and checkpoints',
    description: 'evaluation batch size',
    aliases: ['per_device_eval_batch_size'],
    default: 64,
    neutral: true,
  }),
  evalSteps: setting(integer({ min: 0 }), {
    group: 'Evaluation and checkpoints',
    description: 'steps between evaluations; 0 for once per epoch, ten times if streaming',
    default: 0,
  }),
  earlyStoppingPatience: setting(integer({ min: 0 }), {
    group: 'Evaluation and checkpoints',
    description:
      'evaluations without improvement of the validation accuracy (multi-label: micro F1; adapt and regression: loss) before training stops; 0 disables it',
    default: 3,
  }),
  earlyStoppingThreshold: setting(number({ min: 0 }), {
    group: 'Evaluation and checkpoints',
    description:
      'smallest change of the validation accuracy (multi-label: micro F1; adapt and regression: loss) that counts as improvement',
    default: 0.001,
  }),
  loadBestModelAtEnd: setting(boolean, {
    group: 'Evaluation and checkpoints',
    description:
      'keep the parameters of the evaluation with the best validation accuracy (multi-label: micro F1; adapt and regression: loss) instead of the last',
    default: true,
  }),
  saveSteps: setting(integer({ min: 0 }), {
    group: 'Evaluation and checkpoints',
    description: 'steps between checkpoints; 0 writes them only at evaluations, where they are written in any case',
    default: 500,
    neutral: true,
  }),
  saveTotalLimit: setting(integer({ min: 1 }), {
    group: 'Evaluation and checkpoints',
    description: 'number of checkpoints to keep, in addition to the best one',
    default: 2,
    neutral: true,
  }),

  mlmProbability: setting(number({ above: 0, below: 1 }), {
    group: 'Masking',
    description: 'fraction of tokens to mask',
    default: 0.15,
    only: 'adapt',
  }),
  wholeWordMask: setting(boolean, {
    group: 'Masking',
    description: 'mask whole words instead of single tokens',
    default: false,
    only: 'adapt',
  }),

  precision: setting(choice('auto', 'float32', 'bfloat16', 'float16'), {
    group: 'Engine',
    description: 'number type of matrix products: float32, bfloat16, float16, or auto for the fastest, as measured',
    default: 'auto',
  }),
  eager: setting(boolean, {
    group: 'Engine',
    description: 'run eagerly instead of as a captured graph; same results, for debugging',
    default: false,
  }),
  jitCompile: setting(either(choice('auto'), boolean), {
    group: 'Engine',
    description: 'compile graphs with XLA; auto if that is faster on this GPU, as measured',
    default: 'auto',
  }),

  clusterTimeout: setting(integer({ min: 1 }), {
    group: 'Distributed training',
    description: 'seconds to wait for all workers to join',
    default: 600,
    neutral: true,
  }),
  allowPublicCluster: setting(boolean, {
    group: 'Distributed training',
    description: 'allow workers with public addresses; TensorFlow servers have no authentication',
    default: false,
    neutral: true,
  }),

  maxTrainSamples: setting(integer({ min: 1, orMinusOne: true }), {
    group: 'Quick checks',
    description: 'maximum number of training reviews; -1 for all',
    default: -1,
  }),
  fastDevRun: setting(boolean, {
    group: 'Quick checks',
    description:
      'run two steps on 64 reviews through the whole pipeline; in notebooks, one epoch on 800 reviews with learning rate 2e-4',
    default: false,
  }),
  overfitBatches: setting(integer({ min: 0 }), {
    group: 'Quick checks',
    description: 'train and evaluate on this many batches only, to see whether the model can fit them; 0 disables it',
    default: 0,
    only: 'finetune',
  }),

  reportTo: setting(trackers, {
    group: 'Run',
    description:
      'where to track: mlflow, if MLFLOW_TRACKING_URI names a server; tensorboard, in the run folder; or none',
    argument: 'trackers',
    default: ['mlflow'],
    neutral: true,
  }),
  runFolder: setting(text('a folder'), {
    group: 'Run',
    description: 'folder for everything that the run writes',
    aliases: ['output_dir'],
    argument: 'folder',
    default: undefined,
    defaultText: 'a new folder in runs/, in notebooks in ../runs',
    neutral: true,
  }),
};

/**
 * Settings in place of the defaults by method. Epochs and learning rate are those of the Python package `setfit`. Classes are
 * weighted, since with few rows the penalty of the logistic regression makes it predict the larger class only.
 */
export const methodDefaults: Record<string, { epochs?: number; learningRate?: number; classWeights?: ClassWeights }> = {
  head: { classWeights: 'balanced' },
  setfit: { epochs: 1, learningRate: 2e-5, classWeights: 'balanced' },
};

/** Settings in place of the defaults under `fastDevRun`. */
export const fastDevRun = {
  command: { rows: 64, maxLength: 32, maxSteps: 2, evalSteps: 1 },
  notebook: { rows: 800, epochs: 1, learningRate: 2e-4 },
} as const;
