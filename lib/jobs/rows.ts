/** The data of a training run as token ids: encoded or streamed, counted, and compared across ranks. */
import { hash } from 'node:crypto';
import { ReviewStream } from '../batching/stream.js';
import type { EncodedReviews } from '../model/batch.js';
import { readModelConfig } from '../model/config.js';
import { openModel } from '../model/fetch-model.js';
import { describeEngine } from '../model/model.js';
import type { PretrainedModel } from '../model/pretrained-model.js';
import type { ReviewSource } from '../reviews/review-source.js';
import type { ReviewSplit } from '../reviews/split.js';
import { textNotes } from '../quality/text-notes.js';
import { describeDevice } from '../tensorflow/device.js';
import { readTokenizer } from '../tokenizer/tokenizer.js';
import { choosePrecision, type PrecisionChoice } from '../tensorflow/precision.js';
import { fingerprintOf } from '../training/trainer.js';
import type { Job } from './job.js';

/** The data of a run. */
export interface Rows {
  train: EncodedReviews | ReviewStream;
  validation: EncodedReviews;
  test: EncodedReviews;
  /** How many texts are truncated, and whether they fit the model's vocabulary, see textNotes. */
  notes: string[];
}

/** Stores the precision of a run for a resume: another precision would give another result. */
const precisionFile = 'precision.json';

/**
 * The precision of a run, which is the same on all ranks: the stored one, or else the chief's choice.
 * @param modelFolder folder of the model; its layer sizes determine which precision is fastest
 */
function precisionOfRun({ run, settings, ranks }: Job, modelFolder: string): PrecisionChoice {
  const choose = (): PrecisionChoice => {
    const { kind } = describeDevice();
    const before = run.read<{ setting: string; device: string; choice: PrecisionChoice }>(precisionFile);
    if (before?.setting === settings.precision && before.device === kind) return before.choice;
    const choice = choosePrecision(settings.precision, readModelConfig(modelFolder));
    run.write(precisionFile, { setting: settings.precision, device: kind, choice });
    return choice;
  };
  return ranks.fromChief(ranks.isChief ? choose() : { precision: 'float32' });
}

/** The folder of a run's model, and its precision. */
export interface ModelOfJob {
  folder: string;
  precision: PrecisionChoice;
}

/**
 * Opens a run's model: called before reviews are read, so that an unusable model is rejected first.
 * @returns a function that downloads its weights. A resumed run downloads nothing: its checkpoint is a complete model.
 */
export async function openModelOfJob(job: Job): Promise<() => Promise<ModelOfJob>> {
  const { sources, checkpoint, download, note } = job;
  const opened = checkpoint ? undefined : await openModel(sources.model, download);
  opened?.notes.forEach(note);
  // A model without a tokenizer is rejected as early as possible.
  if (opened?.folder) readTokenizer(opened.folder);
  return async () => {
    const folder = checkpoint?.folder ?? (await opened!.fetch()).folder;
    readTokenizer(folder);
    return { folder, precision: precisionOfRun(job, folder) };
  };
}

/** Encodes a run's reviews with the model's tokenizer; the training set is streamed if `streaming` is set. */
export function encodeRows(
  { settings, ranks }: Job,
  model: PretrainedModel,
  source: ReviewSource,
  split: ReviewSplit,
): Rows {
  const encode = (part: keyof ReviewSplit) => model.encode(split[part], settings.maxLength);
  const train = settings.streaming
    ? new ReviewStream(source, {
        ...settings,
        model,
        without: [split.validation, split.test],
        sample: split.train,
        ranks,
      })
    : encode('train');
  const [validation, test] = [encode('validation'), encode('test')];
  // Of a streamed training set, validation and test are a sample.
  const encoded = train instanceof ReviewStream ? { validation, test } : { train, validation, test };
  const texts = (Object.keys(encoded) as (keyof ReviewSplit)[]).flatMap((part) => split[part]);
  const ids = Object.values(encoded).flatMap((part) => part.ids);
  const notes = ranks.isChief ? textNotes(texts, ids, model.tokenizer, settings.maxLength) : [];
  return { train, validation, test, notes };
}

/** The number of rows of each part. */
export const countRows = ({ train, validation, test }: Rows) => ({
  train: train instanceof ReviewStream ? train.rows : train.ids.length,
  validation: validation.ids.length,
  test: test.ids.length,
});

/**
 * Checks that all ranks train the same model on the same data.
 * @throws RanksDifferError
 */
export const assertSameData = (
  { assertSame }: Pick<Job, 'assertSame'>,
  { config, parameters, engine }: PretrainedModel,
  { train, validation, test }: Rows,
): void =>
  assertSame(() => ({
    'the model': hash('sha256', JSON.stringify([config, [...parameters.keys()]])).slice(0, 16),
    'the engine': describeEngine(engine),
    'the training set': fingerprintOf(train),
    'the validation set': fingerprintOf(validation),
    'the test set': fingerprintOf(test),
  }));
