/** The prediction for a text from its probabilities: the same for TensorFlow, onnxruntime and the server. */
import type { ProblemType } from '../settings/problem-type.js';
import { predictedClass, type ModelCalibration } from './calibration.js';

/** The prediction for a text, in the format of the transformers pipeline. */
export interface Prediction {
  /**
   * The predicted class; for regression the name of the number. For multi-label classification the most probable class, or null if no
   * class applies, so that no reader of `label` alone takes a class that does not.
   */
  label: string | null;
  /** Probability of the class, and if none applies the highest one; for regression the predicted number. */
  score: number;
  /** For multi-label classification all classes that apply: those with a probability of at least 0.5. @default other problem types */
  labels?: string[];
  /** For multi-label classification the probability of each class, by name; they do not sum to 1. @default other problem types */
  probabilities?: Record<string, number>;
}

/** Probability from which on a class of multi-label classification applies. */
const minProbability = 0.5;

/** Whether a class of multi-label classification applies. */
export const applies = (probability: number): boolean => probability >= minProbability;

/**
 * The prediction of probabilities.
 * @param probabilities of `probabilitiesOf` with the same calibration
 * @param model its class names, what it predicts, and its calibration
 */
export function predictionOf(
  probabilities: number[],
  {
    labels,
    problemType,
    calibration,
  }: { labels: string[]; problemType: ProblemType; calibration?: ModelCalibration | undefined },
): Prediction {
  const { label, score } = predictedClass(probabilities, calibration);
  if (problemType !== 'multi_label_classification') return { label: labels[label]!, score };
  return {
    label: applies(score) ? labels[label]! : null,
    score,
    labels: labels.filter((_, i) => applies(probabilities[i]!)),
    probabilities: Object.fromEntries(labels.map((name, i) => [name, probabilities[i]!])),
  };
}
