/**
 * Label errors according to a fine-tuned model. Its predictions of rows that it was trained on say nothing about their
 * labels, so only the other rows are predicted.
 */
import path from 'node:path';
import { evaluate } from '../evaluation/evaluate.js';
import { labelNoiseOf, type LabelNoise } from '../evaluation/label-noise.js';
import { softmax } from '../model/softmax.js';
import { TextClassifier } from '../model/text-classifier.js';
import { loadReviews } from '../reviews/load-reviews.js';
import { normalizedText, type Review } from '../reviews/review.js';
import { modelFolderOf, RunFolder } from './run-folder.js';
import { runsFolder } from '../runs-folder.js';

/** The result of heldOutLabelNoise. */
export interface HeldOutNoise {
  noise: LabelNoise;
  /** Number of predicted reviews. */
  reviews: number;
}

/** Maximum number of reviews that are predicted: a minute for DistilBERT on two cores. */
const maxPredicted = 2000;

/** Finds the run that a model name means: a run folder, a name in `runs`, or the `model` folder of a run. */
export const runOfModel = (name: string): RunFolder | undefined =>
  [name, path.join(runsFolder, name), path.dirname(name)]
    .map((folder) => new RunFolder(folder))
    .find((run, i) => run.isRun && (i < 2 || path.basename(name) === 'model'));

/**
 * Predicts the reviews that a fine-tuning run has not trained on, and finds their probable label errors.
 * @param reviews labeled reviews; they need not be those of the run
 * @param labelNames class names by class number
 * @returns the result, or the reason why there is none
 */
export async function heldOutLabelNoise(
  run: RunFolder,
  reviews: Review[],
  labelNames: string[],
): Promise<HeldOutNoise | string> {
  const { command, settings, sources } = run.settings!;
  if (command !== 'finetune') return `${run.folder} is not a fine-tuning run`;
  const model = await TextClassifier.load(modelFolderOf(run), {});
  try {
    if (model.labels.join('\n') !== labelNames.join('\n'))
      return `the classes of ${run.folder} are ${model.labels.join(', ')}, not ${labelNames.join(', ')}`;
    const takesPairs = model.reading?.textPairColumn !== undefined;
    if (takesPairs !== (reviews[0]?.pair !== undefined))
      return `${run.folder} was trained on ${takesPairs ? 'pairs of texts, and these are single texts' : 'single texts, and these are pairs'}`;
    const { train, validation, test } = await loadReviews(sources.dataset, settings);
    const textsOf = (parts: Review[][]) => new Set(parts.flat().map(normalizedText));
    // A streaming run has trained on all texts except those of validation and test.
    const [known, isHeldOut] = settings.streaming ? [textsOf([validation, test]), true] : [textsOf([train]), false];
    const heldOut = reviews.filter((review) => known.has(normalizedText(review)) === isHeldOut).slice(0, maxPredicted);
    if (heldOut.length === 0) return `${run.folder} was trained on all of these reviews`;
    const { logits } = await evaluate(model, model.encode(heldOut, settings.maxLength));
    const classes = labelNames.length;
    const probabilities = heldOut.map((_, row) => [...softmax(logits.subarray(row * classes, (row + 1) * classes))]);
    return { noise: labelNoiseOf(heldOut, probabilities), reviews: heldOut.length };
  } finally {
    model.dispose();
  }
}
