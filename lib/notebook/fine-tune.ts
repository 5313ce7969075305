/**
 * What finetune.ipynb does step by step, in two calls, for the notebooks after it: reviews made ready once, and models
 * fine-tuned on them as often as is wanted.
 */
import { chooseSources, type Sources } from '../hub/sources.js';
import { fetchModel } from '../hub/model.js';
import { loadClassifier, type Classifier } from '../model/classifier.js';
import type { ReviewSource } from '../reviews/review-source.js';
import type { ReviewSplit } from '../reviews/split.js';
import { runReviews } from '../jobs/reviews.js';
import type { Settings } from '../settings/settings.js';
import type { EncodedReviews } from '../batching/batches.js';
import { encodeReviews } from '../batching/encode.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import type { TrainingResult } from '../training/loop.js';
import type { ClassificationMetrics } from '../evaluation/metrics.js';
import { train } from '../training/train.js';
import { interruptible } from './interrupt.js';
import { trainingProgress } from './progress.js';
import { loadTokenizer } from '../model/load-tokenizer.js';

/** Everything that training needs but a model. */
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
 * Model files, reviews, their three parts, and their tokens, as the settings say.
 * @throws ReviewsError, ModelFormatError, HubError
 */
export async function prepareReviews(settings: Settings): Promise<PreparedReviews> {
  const sources = await chooseSources(settings);
  const { folder: modelFolder } = await fetchModel(sources.model);
  const { source, split } = await runReviews({ settings, sources });
  const tokenizer = loadTokenizer(modelFolder);
  const encoded = (part: keyof ReviewSplit) => encodeReviews(tokenizer, split[part], settings.maxLength);
  return {
    ...{ sources, source, split, modelFolder, tokenizer },
    ...{ train: encoded('train'), validation: encoded('validation'), test: encoded('test') },
  };
}

/** A fine-tuned model and how it became so. */
export interface FineTuned {
  model: Classifier;
  training: TrainingResult<ClassificationMetrics>;
}

/**
 * Fine-tunes the base model, or another one, with curves that move below the cell; the stop button ends it with the model as it is.
 * @param prepared reviews and the base model
 * @param settings of the training, of the head's chance and of the engine
 * @param options what is to be different
 * @param options.train other rows than all of the training part
 * @param options.modelFolder another model than the base
 * @param options.quiet no curves: for many models in one cell. @default false
 * @returns to be disposed of
 */
export async function fineTune(
  prepared: PreparedReviews,
  settings: Settings,
  {
    train: rows = prepared.train,
    modelFolder = prepared.modelFolder,
    quiet = false,
  }: { train?: EncodedReviews; modelFolder?: string; quiet?: boolean } = {},
): Promise<FineTuned> {
  const model = loadClassifier(modelFolder, { ...settings, labels: prepared.source.labelNames });
  const progress = quiet ? undefined : trainingProgress();
  try {
    const training = await interruptible((signal) =>
      train(
        model,
        { train: rows, validation: prepared.validation },
        {
          arguments: settings,
          onRecord: (record) => progress?.update(record),
          ...(signal && { signal }),
        },
      ),
    );
    await progress?.finish();
    return { model, training };
  } catch (error) {
    model.dispose();
    throw error;
  }
}
