/**
 * Temperature and decision threshold of a classifier, which are fitted on validation data after training, and their use: the same
 * for TensorFlow, onnxruntime and evaluation.
 */
import type { ProblemType } from '../settings/problem-type.js';
import { sigmoid, softmax } from './softmax.js';

/** What turns logits into calibrated probabilities and a decision. */
export interface ModelCalibration {
  /** Logits are divided by it before the softmax (temperature scaling, Guo et al., 2017). */
  temperature: number;
  /**
   * Of two classes, the second one is predicted if its calibrated probability is at least this. Null predicts the most probable
   * class, always with more than two classes.
   */
  threshold: number | null;
  /** Number of validation rows on which both were fitted. */
  rows: number;
}

/** From logits to what a model of each problem type predicts, as in the pipeline of `transformers`. */
const activations: Record<ProblemType, (logits: ArrayLike<number>) => number[]> = {
  single_label_classification: softmax,
  multi_label_classification: (logits) => Array.from(logits, sigmoid),
  regression: (logits) => Array.from(logits),
};

/**
 * The probabilities of a row of logits: of multi-label classification each class has one of its own, and they do not sum to 1. The only
 * logit of a regression is the predicted number, and is returned as it is.
 * @param calibration whose temperature applies. @default none
 */
export const probabilitiesOf = (
  logits: ArrayLike<number>,
  problemType: ProblemType,
  calibration?: Pick<ModelCalibration, 'temperature'>,
): number[] =>
  activations[problemType](calibration ? Array.from(logits, (logit) => logit / calibration.temperature) : logits);

/**
 * The predicted class of a row and its probability, or of a regression the number. The probability is below one half if a threshold decides against the more probable class.
 * @param probabilities of `probabilitiesOf` with the same calibration
 * @param calibration whose threshold applies. @default none: the most probable class
 */
export function predictedClass(
  probabilities: number[],
  calibration?: Pick<ModelCalibration, 'threshold'>,
): { label: number; score: number } {
  const threshold = calibration?.threshold ?? null;
  const label =
    threshold === null ? probabilities.indexOf(Math.max(...probabilities)) : probabilities[1]! >= threshold ? 1 : 0;
  return { label, score: probabilities[label]! };
}
