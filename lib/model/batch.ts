/** Batches of token ids, the input of a model. `batching` makes them. */

/** Padded texts as a model takes them. */
export interface EncodedBatch {
  /** Token ids, [batch * tokens], row by row. */
  inputIds: Int32Array;
  /** How many tokens of each text are no padding, which stands behind them; [batch]. */
  lengths: Int32Array;
  /** Texts. */
  batch: number;
  /** Tokens of each text, padding included. */
  tokens: number;
}

/** Padded texts with their classes, as training takes them. */
export interface LabelledBatch extends EncodedBatch {
  /** Class numbers, [batch]. */
  labels: Int32Array;
}
