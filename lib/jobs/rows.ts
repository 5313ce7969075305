/** The data of a run as token ids, for every command that trains: encoded or streamed, counted, and the same on all ranks. */
import { hash } from 'node:crypto';
import { ReviewStream } from '../batching/stream.js';
import { fetchModel } from '../hub/model.js';
import type { EncodedReviews } from '../model/batch.js';
import { readModelConfig } from '../model/config.js';
import { describeEngine } from '../model/model.js';
import type { PretrainedModel } from '../model/pretrained-model.js';
import type { ReviewSource } from '../reviews/review-source.js';
import type { ReviewSplit } from '../reviews/split.js';
import { describeDevice } from '../tensorflow/device.js';
import { choosePrecision, type PrecisionChoice } from '../tensorflow/precision.js';
import { fingerprintOf } from '../training/trainer.js';
import type { Job } from './job.js';

/** The data of a run. */
export interface Rows {
  train: EncodedReviews | ReviewStream;
  validation: EncodedReviews;
  test: EncodedReviews;
}

/** The precision of a run, kept for when it is resumed: another precision would give another result. */
const precisionFile = 'precision.json';

/**
 * The precision of a run, the same on all ranks: the chief's choice, or that of the run's start.
 * @param modelFolder its widths decide which precision is fastest
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

/** The folder of a run's model, and its precision. A checkpoint contains a model with its tokenizer, so that nothing is fetched. */
export async function modelOfJob(job: Job): Promise<{ folder: string; precision: PrecisionChoice }> {
  const { sources, checkpoint, download } = job;
  const folder = checkpoint?.folder ?? (await fetchModel(sources.model, download)).folder;
  return { folder, precision: precisionOfRun(job, folder) };
}

/** Encodes a run's reviews with the model's tokenizer; the training set is streamed if the settings say so. */
export function encodeRows(
  { settings, ranks }: Job,
  model: PretrainedModel,
  source: ReviewSource,
  split: ReviewSplit,
): Rows {
  const encode = (part: keyof ReviewSplit) => model.encode(split[part], settings.maxLength);
  const train = settings.streaming
    ? new ReviewStream(source, { ...settings, model, without: [split.validation, split.test], ranks })
    : encode('train');
  return { train, validation: encode('validation'), test: encode('test') };
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
export const agreeOn = (
  { agree }: Pick<Job, 'agree'>,
  { config, parameters, engine }: PretrainedModel,
  { train, validation, test }: Rows,
): void =>
  agree(() => ({
    'the model': hash('sha256', JSON.stringify([config, [...parameters.keys()]])).slice(0, 16),
    'the engine': describeEngine(engine),
    'the training set': fingerprintOf(train),
    'the validation set': fingerprintOf(validation),
    'the test set': fingerprintOf(test),
  }));
