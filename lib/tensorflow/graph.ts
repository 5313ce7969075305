/**
 * Builds a TensorFlow graph node by node (native/graph.cc). Nothing is computed, but TensorFlow infers the shapes of all
 * results. The tensors of a graph have negative ids, which no tensor in memory has; tfjs does not free tensors with such ids.
 */
import { createRequire } from 'node:module';
import { binding, loadAddon, typeAttributeOf, type Attribute, type OutputMetadata } from './runtime.js';

/** A graph under construction. */
type NativeGraph = object;

/** A node of a graph, by its number, and its results. */
export interface GraphNode {
  node: number;
  /** Sizes that depend on values are -1; the shape is [-1] if also their number does. */
  outputs: OutputMetadata[];
}

/** The functions of native/graph.cc. A copy, so that tests can replace them. */
export const graphAddon = {
  ...loadAddon<{
    createGraph: () => NativeGraph;
    /** The serialized OpDef of a kernel. */
    kernelDefinition: (graph: NativeGraph, kernel: string) => Uint8Array;
    addNode: (
      graph: NativeGraph,
      kernel: string,
      attributes: Attribute[],
      inputs: (number | number[])[],
      controlInputs: number[],
      shape?: number[],
    ) => GraphNode;
    addConstant: (graph: NativeGraph, dtype: number, shape: number[], values: ArrayBufferView) => GraphNode;
    /** The serialized FunctionDef. */
    toFunction: (
      graph: NativeGraph,
      name: string,
      inputs: number[],
      outputs: number[],
      effects: number[],
    ) => Uint8Array;
  }>('graph'),
};

// The generated code has no types. These are the parts that are used here.
interface Messages {
  OpDef: { deserializeBinary(bytes: Uint8Array): { getInputArgList(): { getNumberAttr(): string }[] } };
}
const messages = createRequire(import.meta.url)('@tensorflow/tfjs-node-gpu/dist/proto/api_pb') as Messages;

/** By kernel: for each argument, the attribute with the number of its tensors, or '' if it is one tensor. */
const countAttributes = new Map<string, string[]>();

export class Graph {
  readonly #graph = graphAddon.createGraph();

  /** Groups the inputs of a kernel by its arguments: a list of tensors is one argument. */
  #groupInputs(kernel: string, attributes: Attribute[], inputs: number[]): (number | number[])[] {
    let counts = countAttributes.get(kernel);
    if (!counts) {
      const definition = messages.OpDef.deserializeBinary(graphAddon.kernelDefinition(this.#graph, kernel));
      counts = definition.getInputArgList().map((argument) => argument.getNumberAttr());
      countAttributes.set(kernel, counts);
    }
    if (counts.every((name) => name === '')) return inputs;
    let next = 0;
    return counts.map((name) => {
      if (name === '') return inputs[next++]!;
      const count = attributes.find((attribute) => attribute.name === name)!.value as number;
      return inputs.slice(next, (next += count));
    });
  }

  /**
   * Adds a node.
   * @param inputs ids of tensors of this graph
   * @param controlInputs nodes that must run before this one without being its inputs
   * @param shape shape of the only result, where it cannot be inferred
   * @throws Error from TensorFlow with the name of the node, for invalid shapes or types
   */
  node(
    kernel: string,
    attributes: Attribute[],
    inputs: number[],
    controlInputs: Iterable<number> = [],
    shape?: number[],
  ): GraphNode {
    const grouped = this.#groupInputs(kernel, attributes, inputs);
    return graphAddon.addNode(this.#graph, kernel, attributes, grouped, [...controlInputs], shape);
  }

  /**
   * Adds an input. Its shape serves to infer the shapes of results and does not become part of the graph.
   * @returns the id of the tensor
   */
  placeholder(dtype: number, shape: number[]): number {
    return this.node('Placeholder', [typeAttributeOf(dtype, 'dtype')], [], [], shape).outputs[0]!.id;
  }

  /**
   * Adds a constant.
   * @returns the id of the tensor
   */
  constant(dtype: number, shape: number[], values: ArrayBufferView): number {
    return graphAddon.addConstant(this.#graph, dtype, shape, values).outputs[0]!.id;
  }

  /**
   * Adds the graph to TensorFlow as a function, which runs as a kernel of that name.
   * @param inputs ids of the placeholders
   * @param outputs ids of the results
   * @param effects nodes that always run
   */
  addFunction(name: string, inputs: number[], outputs: number[], effects: number[]): void {
    binding.addFunction(graphAddon.toFunction(this.#graph, name, inputs, outputs, effects));
  }
}
