/** Metrics of predicted sets of classes, with the results of scikit-learn. */
import { applies } from '../model/prediction.js';
import { sigmoid } from '../model/softmax.js';
import { mean, type ClassScores } from './metrics.js';

/** Precision, recall and F1; each is 0 if it is undefined, as with scikit-learn's `zero_division=0`. */
export type SetScores = Omit<ClassScores, 'rocAuc'>;

/** Metrics of predicted sets of classes. */
export interface LabelSetMetrics {
  /** Number of rows. */
  count: number;
  /** Of all entries of all rows together. */
  micro: SetScores;
  /** Unweighted means over the classes. */
  macro: SetScores;
  /** Scores by class number. `support` is the number of rows to which the class applies, `predicted` of those for which it is predicted. */
  perClass: (SetScores & { name: string; support: number; predicted: number })[];
  /** Fraction of the rows whose set of classes is predicted exactly. */
  subsetAccuracy: number;
  /** Fraction of all entries that are predicted wrongly. */
  hammingLoss: number;
}

/** Metrics of a model of multi-label classification. */
export interface MultiLabelMetrics extends LabelSetMetrics {
  /** Mean binary cross-entropy of all entries, natural logarithm. */
  loss: number;
}

const scoresOf = (truePositives: number, predicted: number, support: number): SetScores => ({
  precision: truePositives && truePositives / predicted,
  recall: truePositives && truePositives / support,
  f1: truePositives && (2 * truePositives) / (predicted + support),
});

/**
 * Compares sets of classes: scikit-learn's `precision_recall_fscore_support`, `accuracy_score` and `hamming_loss`.
 * @param predicted 1 for each predicted class, else 0; [n * classes], row by row
 * @param labels the same of the true classes
 * @param labelNames class names by class number
 */
export function labelSetMetrics(
  predicted: ArrayLike<number>,
  labels: ArrayLike<number>,
  labelNames: string[],
): LabelSetMetrics {
  const classes = labelNames.length;
  const count = labels.length / classes;
  const counts = labelNames.map(() => ({ truePositives: 0, predicted: 0, support: 0 }));
  let [exact, wrong] = [0, 0];
  for (let row = 0; row < count; row++) {
    let isExact = true;
    for (const [label, of] of counts.entries()) {
      const [guess, truth] = [predicted[row * classes + label]!, labels[row * classes + label]!];
      of.truePositives += guess * truth;
      of.predicted += guess;
      of.support += truth;
      if (guess === truth) continue;
      isExact = false;
      wrong++;
    }
    if (isExact) exact++;
  }
  const perClass = labelNames.map((name, label) => {
    const { truePositives, predicted, support } = counts[label]!;
    return { name, ...scoresOf(truePositives, predicted, support), support, predicted };
  });
  const total = (key: keyof (typeof counts)[0]) => counts.reduce((sum, each) => sum + each[key], 0);
  return {
    count,
    micro: scoresOf(total('truePositives'), total('predicted'), total('support')),
    macro: {
      precision: mean(perClass.map(({ precision }) => precision)),
      recall: mean(perClass.map(({ recall }) => recall)),
      f1: mean(perClass.map(({ f1 }) => f1)),
    },
    perClass,
    subsetAccuracy: exact / count,
    hammingLoss: wrong / labels.length,
  };
}

/** The binary cross-entropy of an entry, without overflow. */
export const entryLoss = (logit: number, label: number): number =>
  Math.max(logit, 0) - logit * label + Math.log1p(Math.exp(-Math.abs(logit)));

/** The predicted classes of logits: those with a probability of at least 0.5. @returns 1 or 0 for each logit */
export const predictedSets = (logits: ArrayLike<number>): Uint8Array =>
  Uint8Array.from(logits, (logit) => Number(applies(sigmoid(logit))));

/**
 * Computes all metrics of a model of multi-label classification.
 * @param logits [n * classes], row by row
 * @param labels 1 for each class that applies, else 0; [n * classes]
 * @param labelNames class names by class number
 */
export function multiLabelMetrics(
  logits: ArrayLike<number>,
  labels: ArrayLike<number>,
  labelNames: string[],
): MultiLabelMetrics {
  let loss = 0;
  for (let i = 0; i < labels.length; i++) loss += entryLoss(logits[i]!, labels[i]!);
  return { ...labelSetMetrics(predictedSets(logits), labels, labelNames), loss: loss / labels.length };
}
