/**
 * The operations in which the forward pass of every model family is written, once for all that computes or describes it:
 * tensors on a device (tensor-operations.ts), nodes of an ONNX graph (export/onnx-operations.ts), and the shapes of the
 * parameters (parameter-shapes.ts). A value is a tensor, a node, or a shape.
 *
 * Texts are packed: `[tokens, width]` has a row for each token of each text, and `[batch, width]` one for each text. ONNX
 * nodes have `[batch, longest, width]` instead.
 */

/** A dense layer: weight [out, in], as in PyTorch, and bias [out]. */
export interface Dense<Value> {
  weight: Value;
  /** @default no bias */
  bias?: Value | undefined;
}

/** A layer norm. */
export interface Norm<Value> {
  /** [width]. */
  scale: Value;
  /** [width]. @default no shift */
  shift?: Value | undefined;
  /** Added to the variance. */
  epsilon: number;
}

/** Activation functions, by their names in config.json: the exact GELU, and its approximation with tanh. */
export type Activation = 'gelu' | 'gelu_new' | 'relu' | 'tanh';

/**
 * How attention depends on the distance of two tokens, key - query. A table has a row for a bucket of distances.
 */
export type RelativePositions<Value> = {
  /** The bucket of each distance from 1 - maxTokens to maxTokens - 1: [2 maxTokens - 1]. */
  buckets: Int32Array;
} & (
  | {
      /** Added to the scores: [buckets, heads] (Song et al., 2020, arXiv:2004.09297). */
      bias: Value;
    }
  | {
      /**
       * Disentangled attention: query · key of the distance + key · query of the distance is added to query · key, before
       * the scores are scaled; [buckets, dim] each (He et al., 2020, arXiv:2006.03654).
       */
      key: Value;
      query: Value;
    }
);

/** The projections of queries, keys and values: [dim, dim] each, or all in one matrix without biases, [3 dim, dim]. */
export type Projections<Value> = { query: Dense<Value>; key: Dense<Value>; value: Dense<Value> } | { joint: Value };

/** Options of attention. */
export interface AttentionOptions<Value> {
  heads: number;
  /** Dropout rate of the attention weights. */
  rate: number;
  /** Which tokens have a query: all of them, or the first one of each text. */
  queries: 'all' | 'first';
  /** Factor of the scores. @default 1 / √width */
  scale?: number;
  /** Maximum distance of the tokens that a token attends to. @default unlimited */
  window?: number;
  /** Base of the angles by which queries and keys are rotated (Su et al., 2021, arXiv:2104.09864). @default no rotation */
  rotaryBase?: number;
  /** @default none */
  relative?: RelativePositions<Value>;
}

/** The operations of a forward pass. */
export interface Operations<Value> {
  /** A parameter, by its Hugging Face name. */
  parameter(name: string, shape: number[]): Value;
  /** One row of a parameter: [rows, width] -> [width]. */
  row(table: Value, index: number): Value;
  /** The row of each token's id: [vocabulary, width] -> [tokens, width]. */
  tokenEmbedding(table: Value): Value;
  /** The row of each token's type: [types, width] -> [tokens, width]; undefined if all tokens have type 0. */
  tokenTypeEmbedding(table: Value): Value | undefined;
  /** The row of each token's position in its text, counted from `first`: [positions, width] -> [tokens, width]. */
  positionEmbedding(table: Value, first: number): Value;
  /**
   * x · weightᵀ + bias: [n, in] -> [n, out], float32.
   * @param exact compute it in float32 in any precision of the engine, for small products. @default false
   */
  linear(x: Value, dense: Dense<Value>, exact?: boolean): Value;
  /** An activation function, applied to each element. */
  activation(x: Value, name: Activation): Value;
  /** a + dropout(b): `a` and `b` [n, width] -> [n, width]. */
  residual(a: Value, b: Value, rate: number): Value;
  /** Layer norm of each row: [n, width] -> [n, width]. */
  layerNorm(x: Value, norm: Norm<Value>): Value;
  /** Layer norm of a + dropout(b + bias): `a` and `b` [n, width], bias [width] -> [n, width]. */
  residualLayerNorm(a: Value, b: Value, bias: Value | undefined, norm: Norm<Value>, rate: number): Value;
  /** Dropout during training; else the identity. */
  dropout(x: Value, rate: number): Value;
  /** The row of the first token of each text: [tokens, width] -> [batch, width]. */
  firstTokens(x: Value): Value;
  /** The mean of the rows of each text: [tokens, width] -> [batch, width]. */
  meanOfTokens(x: Value): Value;
  /**
   * Convolution over the tokens of each text, with zeros before the first and after the last one: [tokens, in] ->
   * [tokens, out], float32.
   * @param dense weight [out, in, 3] for the token before, the token itself and the token after, as in PyTorch; bias [out]
   */
  convolution(x: Value, dense: Dense<Value>): Value;
  /**
   * Multi-head attention: softmax(query · keyᵀ · scale) · value per text and head; then the output projection.
   * @param x [tokens, dim], input of keys and values
   * @param queryInput [queries, dim], input of queries; `x` itself for self-attention of all tokens
   * @param outWeight [dim, dim]
   * @returns [queries, dim], without the output bias
   */
  attention(
    x: Value,
    queryInput: Value,
    projections: Projections<Value>,
    outWeight: Value,
    options: AttentionOptions<Value>,
  ): Value;
  /**
   * Feed-forward block: activation(x · innerᵀ + bias) · outerᵀ.
   * @param x [n, dim]
   * @param inner weight [hidden, dim], bias [hidden]
   * @param outerWeight [dim, hidden]
   * @returns [n, dim], without the outer bias
   */
  feedForward(x: Value, inner: Dense<Value>, outerWeight: Value, activation: Activation): Value;
  /**
   * Gated feed-forward block: dropout(GELU(a) * b) · outerᵀ, where a and b are the halves of x · innerᵀ (Shazeer, 2020,
   * arXiv:2002.05202).
   * @param x [n, dim]
   * @param innerWeight [2 hidden, dim]
   * @param outerWeight [dim, hidden]
   * @returns [n, dim]
   */
  gatedFeedForward(x: Value, innerWeight: Value, outerWeight: Value, rate: number): Value;
}

/** A dense layer with a bias: `name.weight` [out, into] and `name.bias` [out]. */
export const dense = <Value>(
  operations: Operations<Value>,
  name: string,
  out: number,
  into: number,
): Dense<Value> & { bias: Value } => ({
  weight: operations.parameter(`${name}.weight`, [out, into]),
  bias: operations.parameter(`${name}.bias`, [out]),
});

/** A layer norm with a shift: `name.weight` and `name.bias` [width]. */
export const norm = <Value>(
  operations: Operations<Value>,
  name: string,
  width: number,
  epsilon: number,
): Norm<Value> => ({
  scale: operations.parameter(`${name}.weight`, [width]),
  shift: operations.parameter(`${name}.bias`, [width]),
  epsilon,
});
