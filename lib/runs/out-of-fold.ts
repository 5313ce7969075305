/**
 * Out-of-fold predictions: of each review by the model that was not trained on it, as scikit-learn's cross_val_predict gives them. A run
 * of one fold writes those of its fold; a cross-validation joins them.
 */
import type { Evaluation } from '../evaluation/evaluate.js';
import { predictedClass, probabilitiesOf } from '../model/calibration.js';
import type { Review } from '../reviews/review.js';
import type { Fold } from '../settings/fold.js';
import type { RunFolder } from './run-folder.js';

/** The file in the folder of a run or a cross-validation, one JSON object per line. */
export const outOfFoldFile = 'out-of-fold.jsonl';

/** A line of the file. */
export interface OutOfFoldPrediction {
  /** Number of the review in the order in which the reviews were read, from 0; rows that were left out are not counted. */
  row: number;
  /** The fold of the review, from 1. */
  fold: number;
  text: string;
  /** The second text of a pair. @default a single text */
  pair?: string;
  label: string;
  prediction: string;
  /** By class name; uncalibrated. */
  probabilities: Record<string, number>;
}

/** Text with one JSON object per line. */
export const jsonLines = (values: object[]): string => values.map((value) => `${JSON.stringify(value)}\n`).join('');

/**
 * Writes the predictions of the test set of a run of one fold.
 * @param test reviews of splitFold
 * @param evaluation the evaluation of the same reviews
 */
export function writeOutOfFold(
  run: RunFolder,
  { number }: Fold,
  test: Review[],
  { logits }: Evaluation,
  labelNames: string[],
): void {
  const classes = labelNames.length;
  const predictions = test.map(({ row, text, pair, label }, i): OutOfFoldPrediction => {
    const probabilities = probabilitiesOf(
      logits.subarray(i * classes, (i + 1) * classes),
      'single_label_classification',
    );
    return {
      row: row!,
      fold: number,
      text,
      ...(pair !== undefined && { pair }),
      label: labelNames[label]!,
      prediction: labelNames[predictedClass(probabilities).label]!,
      probabilities: Object.fromEntries(labelNames.map((name, each) => [name, probabilities[each]!])),
    };
  });
  run.write(outOfFoldFile, jsonLines(predictions.sort((a, b) => a.row - b.row)));
}
