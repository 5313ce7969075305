/**
 * A classifier as an ONNX graph: the forward pass of its family, in ONNX nodes. Inputs and output have the names that
 * transformers.js and Optimum use.
 */
import { labelNames, type EncoderConfig } from '../model/config.js';
import { hasTokenTypes } from '../model/families/family.js';
import { familyOf } from '../model/families.js';
import type { Operations } from '../model/operations.js';
import type { StoredTensor } from '../model/safetensors.js';
import { uncalibratedOutput } from './onnx-engine.js';
import { OnnxGraph, type OnnxValue } from './onnx-graph.js';
import { onnxOperations, type OnnxFormats, type OnnxOperand } from './onnx-operations.js';

/** The operations of a graph with the inputs of the model. */
function operationsOf(
  graph: OnnxGraph,
  config: EncoderConfig,
  parameters: Map<string, StoredTensor>,
  formats: OnnxFormats,
): Operations<OnnxOperand> {
  const input = (name: string) => graph.input(name, 'int64', ['batch_size', 'sequence_length']);
  const ids = input('input_ids');
  const mask = input('attention_mask');
  const types = hasTokenTypes(config) ? input('token_type_ids') : undefined;
  return onnxOperations(graph, parameters, { ids, mask, types }, formats);
}

/**
 * Builds the ONNX graph of a classifier.
 * @param parameters by Hugging Face's names
 * @param options of the graph
 * @param options.precision see OnnxFormats
 * @param options.temperature by which the logits are divided; the logits before it are the second output. @default none
 * @returns a graph from input_ids, attention_mask and, for families with token types, token_type_ids, all int64
 *   [batch, sequence], to logits, float32 [batch, labels]
 */
export function classifierGraph(
  config: EncoderConfig,
  parameters: Map<string, StoredTensor>,
  { temperature, ...formats }: OnnxFormats & { temperature?: number | undefined } = {},
): OnnxGraph {
  const graph = new OnnxGraph();
  const labels = labelNames(config).length;
  const operations = operationsOf(graph, config, parameters, formats);
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

/**
 * Builds the ONNX graph of a model's features, the input of its classifier, see textFeatures.
 * @param config see prepareFeatures
 * @param parameters by Hugging Face's names; the classifier's are not used
 * @param formats see OnnxFormats
 * @returns a graph with the inputs of `classifierGraph`, to features, float32 [batch, dim]
 */
export function featuresGraph(
  config: EncoderConfig,
  parameters: Map<string, StoredTensor>,
  formats: OnnxFormats = {},
): OnnxGraph {
  const graph = new OnnxGraph();
  const family = familyOf(config);
  const operations = operationsOf(graph, config, parameters, formats);
  const isClassifier = (weight: OnnxOperand) =>
    typeof weight !== 'string' && weight.name === `${family.classifier}.weight`;
  const linear: typeof operations.linear = (x, dense, exact) =>
    isClassifier(dense.weight) ? x : operations.linear(x, dense, exact);
  const features = family.classify({ ...operations, linear }, config, labelNames(config).length) as OnnxValue; // [batch, 1, dim]
  graph.output(graph.node('Squeeze', [features, graph.constant('int64', [1])]), 'features', 'float32', [
    'batch_size',
    config.dim,
  ]);
  return graph;
}
