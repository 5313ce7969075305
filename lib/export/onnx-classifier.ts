/**
 * A classifier as an ONNX graph: the same computation as in model/encoder.ts and model/sequence-classification.ts, in ONNX's
 * operators, for any number of texts of any length. Inputs and output have the names that transformers.js and Optimum use.
 */
import { firstPosition, labelNames, type EncoderConfig } from '../model/config.js';
import { families } from '../model/families.js';
import type { StoredTensor } from '../model/safetensors.js';
import { OnnxGraph, type OnnxValue } from './onnx-graph.js';
import { quantizeRows, transposed } from './quantize.js';

/** Whether products are taken of 8-bit numbers. */
export type OnnxPrecision = 'float32' | 'int8';

/** Far below every score: softmax makes 0 of it. */
const hidden = -1e9;

/**
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

  /** x · weightᵀ + bias; weights are stored turned, so that the product is plain. */
  const linear = (x: OnnxValue, name: string, exact = precision === 'float32'): OnnxValue => {
    const { shape, data } = stored(`${name}.weight`);
    const [out, into] = shape as [number, number];
    const bias = parameter(`${name}.bias`);
    if (exact) {
      const turned = transposed(data, out, into); // [in, out]
      return add(graph.node('MatMul', [x, graph.initializer(`${name}.weight`, 'float32', [into, out], turned)]), bias);
    }
    const { values, scales } = quantizeRows(data, out, into);
    const narrowWeight = transposed(values, out, into); // [in, out]
    const [narrow, scale, zero] = graph.nodes('DynamicQuantizeLinear', [x], 3) as [OnnxValue, OnnxValue, OnnxValue];
    const product = graph.node('MatMulInteger', [
      narrow,
      graph.initializer(`${name}.weight`, 'int8', [into, out], narrowWeight),
      zero,
    ]);
    const wide = graph.node('Cast', [product], { to: 1 });
    const factors = multiply(scale, graph.initializer(`${name}.weight_scale`, 'float32', [out], scales));
    return add(multiply(wide, factors), bias);
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
  const split = (x: OnnxValue) => graph.node('Reshape', [x, ints(0, 0, heads, width)]); // [batch, tokens, heads, width]
  const slice = (x: OnnxValue, from: OnnxValue, to: OnnxValue, axis: number) =>
    graph.node('Slice', [x, from, to, ints(axis)]);
  const firstOf = (x: OnnxValue) => slice(x, ints(0), ints(1), 1); // [batch, 1, dim]

  const ids = graph.input('input_ids', 'int64', ['batch_size', 'sequence_length']);
  const mask = graph.input('attention_mask', 'int64', ['batch_size', 'sequence_length']);
  const embeddings = `${family.prefix}.embeddings`;
  /** Rows of the words' table, which is half of a small model: in 8 bits, with a scale a word. */
  const wordRows = (): OnnxValue => {
    const name = `${embeddings}.word_embeddings.weight`;
    if (precision === 'float32') return graph.node('Gather', [parameter(name), ids]);
    const { shape, data } = stored(name);
    const [rows] = shape as [number, number];
    const { values, scales } = quantizeRows(data, rows, dim);
    const table = graph.initializer(name, 'int8', [rows, dim], values);
    const wide = graph.node('Cast', [graph.node('Gather', [table, ids])], { to: 1 });
    const scale = graph.initializer(`${name}_scale`, 'float32', [rows, 1], scales);
    return multiply(wide, graph.node('Gather', [scale, ids]));
  };
  const words = wordRows(); // [batch, tokens, dim]
  const tokens = slice(graph.node('Shape', [ids]), ints(1), ints(2), 0); // [1]
  const from = firstPosition(config);
  let positions = slice(
    parameter(`${embeddings}.position_embeddings.weight`),
    ints(from),
    from > 0 ? add(tokens, ints(from)) : tokens,
    0,
  ); // [tokens, dim]
  // A single text's tokens all have type 0.
  if (config.type_vocab_size > 0)
    positions = add(positions, slice(parameter(`${embeddings}.token_type_embeddings.weight`), ints(0), ints(1), 0));
  let x = norm(add(words, positions), `${embeddings}.LayerNorm`);
  const padding = graph.node('Sub', [float(1), graph.node('Cast', [mask], { to: 1 })]);
  const bias = graph.node('Unsqueeze', [multiply(padding, float(hidden)), ints(1, 2)]); // [batch, 1, 1, tokens]

  for (let i = 0; i < config.n_layers; i++) {
    const part = (name: string) => `${family.prefix}.${family.layers}.${i}.${name}`;
    // The head reads the last layer's first token alone, see model/encoder.ts.
    const asking = i === config.n_layers - 1 ? firstOf(x) : x;
    const query = graph.node('Transpose', [split(linear(asking, part(family.query)))], { perm: [0, 2, 1, 3] });
    const key = graph.node('Transpose', [split(linear(x, part(family.key)))], { perm: [0, 2, 3, 1] });
    const value = graph.node('Transpose', [split(linear(x, part(family.value)))], { perm: [0, 2, 1, 3] });
    const scaled = multiply(query, float(1 / Math.sqrt(width)));
    const scores = add(graph.node('MatMul', [scaled, key]), bias); // [batch, heads, asking, tokens]
    const shares = graph.node('Softmax', [scores], { axis: -1 });
    const context = graph.node('Transpose', [graph.node('MatMul', [shares, value])], { perm: [0, 2, 1, 3] });
    const joined = graph.node('Reshape', [context, ints(0, 0, dim)]); // [batch, asking, dim]
    x = norm(add(asking, linear(joined, part(family.attentionOut))), part(family.attentionNorm));
    x = norm(add(x, linear(gelu(linear(x, part(family.inner))), part(family.outer))), part(family.outerNorm));
  }

  const first = graph.node('Squeeze', [firstOf(x), ints(1)]); // [batch, dim]
  // Two small products: exact ones cost nothing here.
  const pooled = graph.node(family.activation === 'relu' ? 'Relu' : 'Tanh', [linear(first, family.dense, true)]);
  graph.output(linear(pooled, family.classifier, true), 'logits', 'float32', ['batch_size', labelNames(config).length]);
  return graph;
}
