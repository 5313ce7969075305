/**
 * A classifier as an ONNX graph: the forward pass of its family, in ONNX nodes. Inputs and output have the names that
 * transformers.js and Optimum use.
 */
import { labelNames, type EncoderConfig } from '../model/config.js';
import { hasTokenTypes } from '../model/families/family.js';
import { familyOf } from '../model/families.js';
import type { StoredTensor } from '../model/safetensors.js';
import { uncalibratedOutput } from './onnx-engine.js';
import { OnnxGraph, type OnnxValue } from './onnx-graph.js';
import { onnxOperations, type OnnxPrecision } from './onnx-operations.js';

/**
 * Builds the ONNX graph of a classifier.
 * @param parameters by Hugging Face's names
 * @param options of the graph
 * @param options.precision of its weights. @default 'float32'
 * @param options.temperature by which the logits are divided; the logits before it are the second output. @default none
 * @returns a graph from input_ids, attention_mask and, for families with token types, token_type_ids, all int64
 *   [batch, sequence], to logits, float32 [batch, labels]
 */
export function classifierGraph(
  config: EncoderConfig,
  parameters: Map<string, StoredTensor>,
  { precision = 'float32', temperature }: { precision?: OnnxPrecision; temperature?: number | undefined } = {},
): OnnxGraph {
  const graph = new OnnxGraph();
  const input = (name: string) => graph.input(name, 'int64', ['batch_size', 'sequence_length']);
  const ids = input('input_ids');
  const mask = input('attention_mask');
  const types = hasTokenTypes(config) ? input('token_type_ids') : undefined;
  const operations = onnxOperations(graph, parameters, { ids, mask, types }, precision);
  const labels = labelNames(config).length;
  const logits = familyOf(config).classify(operations, config, labels) as OnnxValue; // [batch, 1, labels]
  const flat = graph.node('Squeeze', [logits, graph.constant('int64', [1])]); // [batch, labels]
  const shape = ['batch_size', labels];
  if (temperature === undefined) graph.output(flat, 'logits', 'float32', shape);
  else {
    graph.output(graph.node('Div', [flat, graph.constant('float32', [temperature])]), 'logits', 'float32', shape);
    graph.output(flat, uncalibratedOutput, 'float32', shape);
  }
  return graph;
}
