/** The steps of finetune.ipynb as two functions, for the other notebooks. */
import { chooseSources, type Sources } from '../hub/sources.js';
import type { EncodedReviews } from '../model/batch.js';
import { readModelConfig } from '../model/config.js';
import { fetchModel } from '../model/fetch-model.js';
import { encodeReviews } from '../model/encode-reviews.js';
import { loadTokenizer } from '../model/load-tokenizer.js';
import { notesOnLength } from '../model/model.js';
import { TextClassifier } from '../model/text-classifier.js';
import { describeSource } from '../reviews/describe-source.js';
import { textNotes } from '../quality/text-notes.js';
import { loadReviews } from '../reviews/load-reviews.js';
import type { ReviewSource } from '../reviews/review-source.js';
import type { ReviewSplit } from '../reviews/split.js';
import type { Settings } from '../settings/settings.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { Trainer, type TrainingResult } from '../training/trainer.js';
import type { ClassificationMetrics } from '../evaluation/metrics.js';
import { imbalanceWarnings } from '../evaluation/warnings.js';
import { showWarnings } from './html.js';
import { interruptible } from './interrupt.js';
import { trainingProgress } from './progress.js';

/** Everything that training needs, except the model. */
export interface PreparedReviews {
  sources: Sources;
  source: ReviewSource;
  split: ReviewSplit;
  /** Folder of the base model and its tokenizer. */
  modelFolder: string;
  tokenizer: Tokenizer;
  train: EncodedReviews;
  validation: EncodedReviews;
  test: EncodedReviews;
}

/**
 * Loads, splits and tokenizes the reviews that the settings select. Prints what was read, warnings of rare classes, how
 * many texts are truncated, and whether they fit the model's vocabulary.
 * @throws ReviewsError, ModelFormatError, HubError
 * @example
 * const prepared = await prepareReviews(readSettings({ rows: 500 }));
 */
export async function prepareReviews(settings: Settings): Promise<PreparedReviews> {
  const sources = await chooseSources(settings);
  const { folder: modelFolder } = await fetchModel(sources.model);
  const { source, labels: _, ...split } = await loadReviews(sources.dataset, settings);
  describeSource(source).forEach((sentence) => console.log(sentence));
  showWarnings(imbalanceWarnings(split.train, source.labelNames, settings));
  const tokenizer = loadTokenizer(modelFolder);
  const config = readModelConfig(modelFolder);
  notesOnLength(settings.maxLength, config).forEach((note) => console.log(note));
  const encode = (part: keyof ReviewSplit) => encodeReviews(split[part], tokenizer, config, settings.maxLength);
  const [train, validation, test] = [encode('train'), encode('validation'), encode('test')];
  const texts = [split.train, split.validation, split.test].flat();
  const ids = [train, validation, test].flatMap((part) => part.ids);
  textNotes(texts, ids, tokenizer, settings.maxLength).forEach((note) => console.log(note));
  return { sources, source, split, modelFolder, tokenizer, train, validation, test };
}

/** A fine-tuned model and the result of its training. */
export interface FineTuned {
  model: TextClassifier;
  training: TrainingResult<ClassificationMetrics>;
}

/**
 * Fine-tunes a model, with live curves below the cell. The stop button stops training after the current step.
 * @param prepared reviews and the base model
 * @param settings of training, head and engine
 * @param options training rows, base model and display
 * @param options.train training rows. @default the whole training set
 * @param options.modelFolder model to fine-tune. @default the base model
 * @param options.quiet shows no curves, for many models in one cell. @default false
 * @returns the model, which the caller must dispose, and the result of training
 * @example
 * const { model, training } = await fineTune(await prepareReviews(settings), settings);
 * model.dispose();
 */
export async function fineTune(
  prepared: PreparedReviews,
  settings: Settings,
  {
    train = prepared.train,
    modelFolder = prepared.modelFolder,
    quiet = false,
  }: { train?: EncodedReviews; modelFolder?: string; quiet?: boolean } = {},
): Promise<FineTuned> {
  const { validation, source } = prepared;
  const model = await TextClassifier.load(modelFolder, { ...settings, reading: source.reading });
  const progress = quiet ? undefined : trainingProgress();
  try {
    const trainer = new Trainer(model, settings);
    const onRecord = (record: Parameters<NonNullable<typeof progress>['update']>[0]) => progress?.update(record);
    const training = await interruptible((signal) => trainer.train(train, { validation, onRecord, signal }));
    await progress?.finish();
    return { model, training };
  } catch (error) {
    model.dispose();
    throw error;
  }
}
