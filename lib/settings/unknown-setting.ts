/**
 * What to use in place of a setting that does not exist: a similar name, or, for the arguments of Hugging Face's Trainer and example
 * scripts (TrainingArguments, run_classification.py) that have no alias here, a sentence.
 */
import { closestName, plainName } from './did-you-mean.js';
import type { schema } from './schema.js';

/** Writes a setting with a value, as where the unknown one was found: `--precision float16`. */
type Write = (name: keyof typeof schema, value?: string) => string;

const notNeeded = 'It is not needed: ';

/** Sentences by the names for which they apply. */
const replacements: [names: string[], sentence: (write: Write) => string][] = [
  [['fp16', 'fp16_full_eval'], (write) => `Use ${write('precision', 'float16')}.`],
  [['bf16', 'bf16_full_eval'], (write) => `Use ${write('precision', 'bfloat16')}.`],
  [['mixed_precision'], (write) => `Use ${write('precision', 'float16')} or ${write('precision', 'bfloat16')}.`],
  [['no_cuda', 'use_cpu'], () => 'Set the environment variable CUDA_VISIBLE_DEVICES to an empty text.'],
  [
    ['torch_compile'],
    (write) => `${notNeeded}training runs as a graph. ${write('jitCompile', 'true')} compiles it with XLA.`,
  ],
  [
    ['do_train', 'do_eval', 'do_predict'],
    () => `${notNeeded}finetune always trains, evaluates on the validation set, and tests on the test set.`,
  ],
  [
    ['evaluation_strategy', 'eval_strategy'],
    (write) => `Use ${write('evalSteps', '500')}; without it, training evaluates after each epoch.`,
  ],
  [
    ['save_strategy', 'checkpointing_steps'],
    (write) => `Use ${write('saveSteps', '500')}; checkpoints are also written at each evaluation.`,
  ],
  [
    ['logging_steps', 'logging_strategy', 'logging_dir', 'logging_first_step'],
    () => `${notNeeded}journal.jsonl in the run's folder contains every step.`,
  ],
  [
    ['report_to', 'with_tracking', 'run_name'],
    () => 'Runs are sent to MLflow if the environment variable MLFLOW_TRACKING_URI names a server.',
  ],
  [
    ['metric_for_best_model', 'greater_is_better'],
    () => 'The best model is that with the best validation accuracy (adapt: loss).',
  ],
  [['overwrite_output_dir'], (write) => `Choose another folder (${write('runFolder')}), or delete the folder.`],
  [['resume_from_checkpoint'], () => 'Use --resume RUN.'],
  [
    ['train_file', 'validation_file', 'test_file', 'train_dir', 'data_dir'],
    (write) =>
      `Use ${write('dataset', 'FILE')}, or a folder with files such as train.csv, validation.csv and test.csv.`,
  ],
  [
    ['text_column_name', 'text_column_names', 'text_column'],
    (write) => `Use ${write('textColumns', 'title,content')}.`,
  ],
  [['text_pair', 'text_pair_column_name'], (write) => `Use ${write('textPairColumn', 'answer')}.`],
  [['label_column_name'], (write) => `Use ${write('labelColumn', 'stars')}.`],
  [['task_name'], (write) => `Use ${write('dataset', 'glue')} and ${write('datasetConfig', 'sst2')}, for example.`],
  [['num_labels'], () => `${notNeeded}the classes are those of the reviews.`],
  [
    ['max_eval_samples', 'max_predict_samples', 'max_val_samples'],
    (write) => `Use ${write('rows', '2000')}, which samples all splits.`,
  ],
  [['data_seed'], (write) => `Use ${write('seed', '42')}.`],
  [['num_warmup_steps'], (write) => `Use ${write('warmupSteps', '100')}.`],
  [['optim'], () => 'The optimizer is AdamW.'],
  [['model_revision'], (write) => `Use ${write('model', 'owner/name@REVISION')}.`],
  [['tokenizer_name', 'config_name', 'use_fast_tokenizer'], () => `${notNeeded}both are read from the model's folder.`],
  [['cache_dir'], () => 'Set the environment variable HF_HOME.'],
  [['token', 'use_auth_token', 'hub_token'], () => 'Set the environment variable HF_TOKEN.'],
  [['push_to_hub', 'hub_model_id'], () => "Upload the run's folder model with Hugging Face's command 'hf upload'."],
  [
    ['pad_to_max_length', 'group_by_length', 'train_sampling_strategy'],
    () => `${notNeeded}the texts of a batch follow one another, without padding.`,
  ],
  [
    ['dataloader_num_workers', 'preprocessing_num_workers', 'overwrite_cache'],
    () => `${notNeeded}texts are encoded once.`,
  ],
];

const sentences = new Map(
  replacements.flatMap(([names, sentence]) => names.map((name) => [plainName(name), sentence] as const)),
);

/**
 * What to use in place of a setting that does not exist.
 * @param wrong the name as written
 * @param shown the known names, and how each is shown
 * @param write writes a setting with a value
 * @returns a sentence with a space before it; empty if nothing is similar
 */
export function insteadOf(wrong: string, shown: ReadonlyMap<string, string>, write: Write): string {
  const sentence = sentences.get(plainName(wrong));
  if (sentence) return ` ${sentence(write)}`;
  const name = closestName(wrong, [...shown.keys()]);
  if (name === undefined) return '';
  return plainName(name) === plainName(wrong) ? ` Use ${shown.get(name)}.` : ` Did you mean ${shown.get(name)}?`;
}
