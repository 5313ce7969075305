/**
 * A classifier as an ONNX graph: the computation of model/encoder.ts and model/sequence-classification.ts in ONNX
 * operators, for any batch size and sequence length. Inputs and output have the names that transformers.js and Optimum
 * use.
 */
import { firstPosition, labelNames, type EncoderConfig } from '../model/config.js';
import { families } from '../model/families.js';
import type { StoredTensor } from '../model/safetensors.js';
import { OnnxGraph, type OnnxValue } from './onnx-graph.js';
import { quantizeRows, transposed } from './quantize.js';

/** Number format of weights and matrix products: float32, or 8-bit integers. */
export type OnnxPrecision = 'float32' | 'int8';

/** Added to the attention scores of padding, so that softmax gives 0. */
const paddingBias = -1e9;

/**
 * Builds the ONNX graph of a classifier.
 * @param parameters by Hugging Face's names
 * @returns a graph from input_ids and attention_mask, both int64 [batch, sequence], to logits, float32 [batch, labels]
 */
export function classifierGraph(
  config: EncoderConfig,
  parameters: Map<string, StoredTensor>,
  precision: OnnxPrecision = 'float32',
): OnnxGraph {
  const graph = new OnnxGraph();
  const family = families[config.model_type];
  const { dim, n_heads: heads, layer_norm_eps: epsilon } = config;
  const width = dim / heads;
  const stored = (name: string) => parameters.get(name)!;
  const parameter = (name: string): OnnxValue =>
    graph.initializer(name, 'float32', stored(name).shape, stored(name).data);
  const ints = (...values: number[]) => graph.constant('int64', values);
  const float = (value: number) => graph.constant('float32', [value], []);
  const add = (a: OnnxValue, b: OnnxValue) => graph.node('Add', [a, b]);
  const multiply = (a: OnnxValue, b: OnnxValue) => graph.node('Mul', [a, b]);

  /** x · weightᵀ + bias; weights are stored transposed, so that a plain MatMul suffices. */
  const linear = (x: OnnxValue, name: string, exact = precision === 'float32'): OnnxValue => {
    const { shape, data } = stored(`${name}.weight`);
    const [outputs, inputs] = shape as [number, number];
    const bias = parameter(`${name}.bias`);
    if (exact) {
      const weight = transposed(data, outputs, inputs); // [inputs, outputs]
      const weightValue = graph.initializer(`${name}.weight`, 'float32', [inputs, outputs], weight);
      return add(graph.node('MatMul', [x, weightValue]), bias);
    }
    const { values, scales } = quantizeRows(data, outputs, inputs);
    const quantizedWeight = transposed(values, outputs, inputs); // [inputs, outputs]
    const [rounded, scale, zero] = graph.nodes('DynamicQuantizeLinear', [x], 3) as [OnnxValue, OnnxValue, OnnxValue];
    const product = graph.node('MatMulInteger', [
      rounded,
      graph.initializer(`${name}.weight`, 'int8', [inputs, outputs], quantizedWeight),
      zero,
    ]);
    const floatProduct = graph.node('Cast', [product], { to: 1 });
    const scaleFactors = multiply(scale, graph.initializer(`${name}.weight_scale`, 'float32', [outputs], scales));
    return add(multiply(floatProduct, scaleFactors), bias);
  };
  const norm = (x: OnnxValue, name: string) =>
    graph.node('LayerNormalization', [x, parameter(`${name}.weight`), parameter(`${name}.bias`)], {
      axis: -1,
      epsilon: { float: epsilon },
    });
  const gelu = (x: OnnxValue) => {
    const cumulative = add(graph.node('Erf', [multiply(x, float(Math.SQRT1_2))]), float(1));
    return multiply(multiply(x, cumulative), float(0.5));
  };
  /** [batch, tokens, dim] to [batch, tokens, heads, width]. */
  const splitHeads = (x: OnnxValue) => graph.node('Reshape', [x, ints(0, 0, heads, width)]);
  const slice = (x: OnnxValue, from: OnnxValue, to: OnnxValue, axis: number) =>
    graph.node('Slice', [x, from, to, ints(axis)]);
  const firstToken = (x: OnnxValue) => slice(x, ints(0), ints(1), 1); // [batch, 1, dim]

  const ids = graph.input('input_ids', 'int64', ['batch_size', 'sequence_length']);
  const mask = graph.input('attention_mask', 'int64', ['batch_size', 'sequence_length']);
  const embeddings = `${family.prefix}.embeddings`;
  /** Word embeddings. Their table is half of a small model, so it is quantized too, with a scale per row. */
  const embedWords = (): OnnxValue => {
    const name = `${embeddings}.word_embeddings.weight`;
    if (precision === 'float32') return graph.node('Gather', [parameter(name), ids]);
    const { shape, data } = stored(name);
    const [rows] = shape as [number, number];
    const { values, scales } = quantizeRows(data, rows, dim);
    const table = graph.initializer(name, 'int8', [rows, dim], values);
    const quantizedRows = graph.node('Cast', [graph.node('Gather', [table, ids])], { to: 1 });
    const scale = graph.initializer(`${name}_scale`, 'float32', [rows, 1], scales);
    return multiply(quantizedRows, graph.node('Gather', [scale, ids]));
  };
  const words = embedWords(); // [batch, tokens, dim]
  const tokens = slice(graph.node('Shape', [ids]), ints(1), ints(2), 0); // [1]
  const from = firstPosition(config);
  let positions = slice(
    parameter(`${embeddings}.position_embeddings.weight`),
    ints(from),
    from > 0 ? add(tokens, ints(from)) : tokens,
    0,
  ); // [tokens, dim]
  // All tokens of a single text have type 0.
  if (config.type_vocab_size > 0)
    positions = add(positions, slice(parameter(`${embeddings}.token_type_embeddings.weight`), ints(0), ints(1), 0));
  let x = norm(add(words, positions), `${embeddings}.LayerNorm`);
  const padding = graph.node('Sub', [float(1), graph.node('Cast', [mask], { to: 1 })]);
  const bias = graph.node('Unsqueeze', [multiply(padding, float(paddingBias)), ints(1, 2)]); // [batch, 1, 1, tokens]

  for (let i = 0; i < config.n_layers; i++) {
    const part = (name: string) => `${family.prefix}.${family.layers}.${i}.${name}`;
    // The head uses only the first token of the last layer, see model/encoder.ts.
    const queryInput = i === config.n_layers - 1 ? firstToken(x) : x;
    const query = graph.node('Transpose', [splitHeads(linear(queryInput, part(family.query)))], { perm: [0, 2, 1, 3] });
    const key = graph.node('Transpose', [splitHeads(linear(x, part(family.key)))], { perm: [0, 2, 3, 1] });
    const value = graph.node('Transpose', [splitHeads(linear(x, part(family.value)))], { perm: [0, 2, 1, 3] });
    const scaled = multiply(query, float(1 / Math.sqrt(width)));
    const scores = add(graph.node('MatMul', [scaled, key]), bias); // [batch, heads, queries, tokens]
    const weights = graph.node('Softmax', [scores], { axis: -1 });
    const context = graph.node('Transpose', [graph.node('MatMul', [weights, value])], { perm: [0, 2, 1, 3] });
    const joined = graph.node('Reshape', [context, ints(0, 0, dim)]); // [batch, queries, dim]
    x = norm(add(queryInput, linear(joined, part(family.attentionOut))), part(family.attentionNorm));
    x = norm(add(x, linear(gelu(linear(x, part(family.inner))), part(family.outer))), part(family.outerNorm));
  }

  const first = graph.node('Squeeze', [firstToken(x), ints(1)]); // [batch, dim]
  // These two products are small and stay in float32.
  const pooled = graph.node(family.activation === 'relu' ? 'Relu' : 'Tanh', [linear(first, family.dense, true)]);
  graph.output(linear(pooled, family.classifier, true), 'logits', 'float32', ['batch_size', labelNames(config).length]);
  return graph;
}
