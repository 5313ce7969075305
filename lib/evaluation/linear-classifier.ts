/**
 * A classifier of features: logistic regression with the results of scikit-learn's LogisticRegression(), whose defaults SetFit
 * uses too, as a dense layer with a logit per class. Node fits the head of a model with it, the lesson page in the browser too.
 */
import { logisticRegression } from './logistic-regression.js';

/** Relative to the start, so that weights and intercepts have four correct digits. */
const tolerance = 1e-7;

/** A dense layer. */
export interface LinearClassifier {
  /** [classes, width], row by row. */
  weight: Float32Array;
  /** [classes]. */
  bias: Float32Array;
}

/**
 * Fits a classifier.
 * @param features [n, width], row by row
 * @param labels class number of each row; each class needs at least one row
 * @param classes number of classes
 * @param weightOf weight of the rows of each class. @default 1 for all
 */
export function fitLinearClassifier(
  features: Float32Array,
  labels: ArrayLike<number>,
  classes: number,
  weightOf?: number[],
): LinearClassifier {
  const count = labels.length;
  const width = features.length / count;
  // Without their means the features are better conditioned. The intercepts, which have no penalty, make up for it.
  const means = new Float64Array(width);
  features.forEach((value, i) => (means[i % width]! += value / count));
  const columns = Int32Array.from({ length: width }, (_, i) => i);
  const centered = Array.from({ length: count }, (_, row) => ({
    columns,
    values: Float64Array.from(columns, (i) => features[row * width + i]! - means[i]!),
  }));
  const { weights } = logisticRegression(centered, labels, {
    columns: width,
    classes,
    tolerance,
    ...(weightOf && { rowWeights: Array.from(labels, (label) => weightOf[label]!) }),
  });
  // The logit of two classes is the difference of those of the classes.
  const logits = weights.length > 1 ? weights : [-0.5, 0.5].map((half) => weights[0]!.map((value) => half * value));
  const interceptOf = (logit: Float64Array) =>
    logit[width]! - means.reduce((sum, mean, i) => sum + mean * logit[i]!, 0);
  return {
    weight: Float32Array.from(logits.flatMap((logit) => [...logit.subarray(0, width)])),
    bias: Float32Array.from(logits, interceptOf),
  };
}

/**
 * The logits of features.
 * @param features [n, width], row by row
 * @returns [n, classes], row by row
 */
export function linearLogits(features: Float32Array, { weight, bias }: LinearClassifier): Float32Array {
  const classes = bias.length;
  const width = weight.length / classes;
  const logits = new Float32Array((features.length / width) * classes);
  for (let i = 0; i < logits.length; i++) {
    const [row, label] = [Math.floor(i / classes), i % classes];
    let sum = bias[label]!;
    for (let column = 0; column < width; column++)
      sum += features[row * width + column]! * weight[label * width + column]!;
    logits[i] = sum;
  }
  return logits;
}
