/** Probabilities of logits on the JavaScript side, where there is no tensor. */

/** The logistic function of one logit, without overflow. */
export const sigmoid = (logit: number): number =>
  logit >= 0 ? 1 / (1 + Math.exp(-logit)) : Math.exp(logit) / (1 + Math.exp(logit));

/** Softmax of one row of logits. */
export function softmax(logits: ArrayLike<number>): number[] {
  const largest = Math.max(...Array.from(logits));
  const powers = Array.from(logits, (logit) => Math.exp(logit - largest));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

/** The class with the highest probability; the first one of equal ones. */
export const mostProbable = (probabilities: number[]): number => probabilities.indexOf(Math.max(...probabilities));
