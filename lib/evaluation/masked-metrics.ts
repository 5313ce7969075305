/** What domain adaptation is measured by, apart from the task, so that reports need no TensorFlow. */

/** How well hidden words are guessed. */
export interface MaskedMetrics {
  /** Masked tokens. */
  count: number;
  /** Mean cross-entropy of a masked token, natural logarithm. */
  loss: number;
  /** e to the loss: among how many words the model wavers, as it were. */
  perplexity: number;
  /** Share of the masked tokens that were guessed. */
  accuracy: number;
}
