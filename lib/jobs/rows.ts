/** The rows of a run as tokens, for every command that trains: encoded or streamed, counted, and the same on all ranks. */
import { hash } from 'node:crypto';
import { fetchModel } from '../hub/model.js';
import { describeEngine, type Model } from '../model/model.js';
import { readModelConfig } from '../model/config.js';
import type { ReviewSource } from '../reviews/review-source.js';
import type { ReviewSplit } from '../reviews/split.js';
import { describeDevice } from '../tensorflow/device.js';
import { choosePrecision, type PrecisionChoice } from '../tensorflow/precision.js';
import type { EncodedReviews } from '../batching/batches.js';
import { encodeReviews } from '../batching/encode.js';
import { ReviewStream } from '../batching/stream.js';
import { loadTokenizer } from '../model/load-tokenizer.js';
import { fingerprintOf } from '../training/train.js';
import type { Job } from './job.js';
import { keepTokenizer } from '../runs/result.js';

/** Rows to learn from, to choose by, and for the test. */
export interface Rows {
  train: EncodedReviews | ReviewStream;
  validation: EncodedReviews;
  test: EncodedReviews;
}

/** A run's choice of precision, kept for when it is resumed: another precision would be another run. */
const precisionFile = 'precision.json';

/**
 * The precision of a run, the same on all ranks: the chief's choice, or what the run was begun with.
 * @param modelFolder whose widths decide which precision is fastest
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

/**
 * Fetches the model and encodes a run's reviews with its tokenizer; those to learn from are streamed where the settings say so.
 * @returns the rows, the model's folder, its precision, and where the run keeps the tokenizer
 */
export async function encodeRows(
  job: Job,
  source: ReviewSource,
  split: ReviewSplit,
): Promise<Rows & { folder: string; precision: PrecisionChoice; tokenizerFolder: string }> {
  const { run, settings, sources, checkpoint, download, ranks } = job;
  // A checkpoint is a model with its tokenizer: nothing else need be fetched.
  const folder = checkpoint?.folder ?? (await fetchModel(sources.model, download)).folder;
  const tokenizerFolder = keepTokenizer(run, folder);
  const tokenizer = loadTokenizer(tokenizerFolder);
  const encoded = (part: keyof ReviewSplit) => encodeReviews(tokenizer, split[part], settings.maxLength);
  const [validation, test] = [encoded('validation'), encoded('test')];
  const train = settings.streaming
    ? new ReviewStream(source, { ...settings, tokenizerFolder, without: [split.validation, split.test], ranks })
    : encoded('train');
  return { folder, precision: precisionOfRun(job, folder), tokenizerFolder, train, validation, test };
}

/** How many rows there are of each kind. */
export const countRows = ({ train, validation, test }: Rows) => ({
  train: train instanceof ReviewStream ? train.rows : train.ids.length,
  validation: validation.ids.length,
  test: test.ids.length,
});

/**
 * Makes sure that all ranks train the same model on the same rows.
 * @param rows by what errors call them
 * @throws RanksDifferError
 */
export const agreeOn = (
  { agree }: Pick<Job, 'agree'>,
  { config, parameters, engine }: Model,
  rows: Record<string, Rows[keyof Rows]>,
): void =>
  agree(() => ({
    'the model': hash('sha256', JSON.stringify([config, [...parameters.keys()]])).slice(0, 16),
    'how it is computed': describeEngine(engine),
    ...Object.fromEntries(Object.entries(rows).map(([name, each]) => [name, fingerprintOf(each)])),
  }));
