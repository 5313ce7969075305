/**
 * `tf.function` for tfjs: code that computes with tensors, run as one TensorFlow graph.
 *
 * tfjs runs kernel by kernel: JavaScript between any two of them, every result held until JavaScript lets go of it. That
 * is how code should be read and debugged, and it costs time. A captured function runs its code once as it is, and every
 * kernel that it runs is written down: the graph of them is added to TensorFlow's eager runtime as a function of its own,
 * which from then on runs in place of the code, in one call, for inputs of the same shapes.
 *
 * As with Python's tf.function, the code is seen once: what JavaScript does in it (an `if`, a number, a random draw)
 * happens at capture and is a constant ever after. What shall change from call to call comes in as a tensor, or is a
 * resource variable, which the graph reads and updates in place: functions for any number of shapes share it with each
 * other and with code that is not captured. Reads and writes of a variable keep the order that the code has them in.
 */
import type { Tensor } from '@tensorflow/tfjs';
import { ArgumentError, CaptureError } from '../errors.js';
import { Graph } from './graph.js';
import {
  backend,
  binding,
  boolAttribute,
  nativeType,
  outputTensor,
  tf,
  typeOf,
  type Attribute,
  type OutputMetadata,
} from './runtime.js';
import { variableOf, type ResourceVariable } from './variables.js';

/** What a captured function takes and returns. */
export type NamedTensors = Record<string, Tensor>;

/** How a function is captured and run. */
export interface FunctionOptions {
  /** What errors call it. @default 'function' */
  name?: string;
  /** Runs the code itself at every call, kernel by kernel. @default false */
  eager?: boolean;
  /** Has XLA compile each graph, which takes seconds and may run faster. @default false */
  jitCompile?: boolean;
  /** Graphs kept; beyond that the one that has not been used for longest goes. @default 128 */
  limit?: number;
}

interface ConcreteFunction {
  name: string;
  variables: ResourceVariable[];
  outputs: string[];
  calls: number;
}

/** Constants above this many bytes have no business in a graph. */
const largestConstant = 1 << 20;

/** TensorFlow's name of the i-th result of a node. */
const resultOf = (node: string, index: number) => (index === 0 ? node : `${node}:${index}`);

/** Where in the caller's code this happens: the first line that is neither a package's nor the recording's. */
function callersLine(): string {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 100;
  const frames = new Error().stack?.split('\n').slice(1) ?? [];
  Error.stackTraceLimit = stackTraceLimit;
  const foreign = /node_modules|node:|<anonymous>|tensorflow\/(function|runtime|variables|kernels)\.[jt]s/;
  const own = frames.find((frame) => !foreign.test(frame));
  return own?.trim().replace(/^at /, '') ?? 'an unknown line';
}

/** Writes down, as a graph, the kernels that run while it listens. */
class Recording {
  readonly graph = new Graph();
  /** Nodes that change something and so run even if nobody takes a result. */
  readonly effects: string[] = [];
  /** The placeholders of the variables' handles, in the order of first use. */
  readonly variables = new Map<ResourceVariable, string>();
  /** By tensor id: the graph's name of it, and what it is. */
  readonly #known = new Map<number, { name: string; what: string }>();
  readonly #constants = new Map<number, { dtype: number; shape: number[]; values: ArrayBufferView }>();
  /** By variable: the last write, and what has read the value since. */
  readonly #lastWrite = new Map<ResourceVariable, string>();
  readonly #readers = new Map<ResourceVariable, Set<string>>();
  /** By a read's name in the graph: whose value it is. */
  readonly #valueOf = new Map<string, ResourceVariable>();
  /** The last sum over ranks: NCCL wants the same order of them everywhere. */
  #lastCollective: string | undefined;

  constructor(readonly title: string) {}

  refuse(what: string, remedy: string): never {
    throw new CaptureError(
      'CAPTURE_UNSUPPORTED',
      `${this.title} cannot be captured: ${what}, at ${callersLine()}. ${remedy}`,
      { name: this.title, what },
    );
  }

  input(id: number, dtype: number): string {
    const name = this.graph.placeholder(dtype);
    this.#known.set(id, { name, what: 'an input' });
    return name;
  }

  #nameOf(id: number, kernel: string): string {
    const known = this.#known.get(id);
    if (known) return known.name;
    const variable = variableOf(id);
    if (variable) {
      let name = this.variables.get(variable);
      if (!name) this.variables.set(variable, (name = this.graph.placeholder(binding.TF_RESOURCE)));
      return name;
    }
    const constant = this.#constants.get(id);
    if (!constant)
      this.refuse(
        `${kernel} takes a tensor that was made before`,
        'Pass it as an input, or keep it in a ResourceVariable.',
      );
    if (constant.values.byteLength > largestConstant)
      this.refuse(
        `${kernel} takes ${constant.values.byteLength} bytes of numbers that JavaScript made`,
        'They would be written into the graph. Pass them as an input, or make them with a kernel (tf.fill, tf.range).',
      );
    const name = this.graph.constant(constant.dtype, constant.shape, constant.values);
    this.#known.set(id, { name, what: 'a constant' });
    return name;
  }

  tensorMade(id: number, shape: number[], dtype: number, values: unknown): void {
    if (ArrayBuffer.isView(values)) this.#constants.set(id, { dtype, shape: [...shape], values });
  }

  tensorRead(id: number): never {
    return this.refuse(
      `${this.#known.get(id)?.what ?? 'a tensor'} is read back to JavaScript`,
      'Return it, and read it where the function is called.',
    );
  }

  /** Runs a kernel, and writes it down when all its inputs are known. */
  run(kernel: string, attributes: Attribute[], inputs: number[], execute: () => OutputMetadata[]): OutputMetadata[] {
    if (kernel === 'VarHandleOp' || kernel === 'DestroyResourceOp')
      this.refuse('a variable is made or disposed of in it', 'Do that outside.');
    const names = inputs.map((id) => this.#nameOf(id, kernel));
    const outputs = execute();
    const variables = inputs.flatMap((id) => variableOf(id) ?? []);
    const isRead = kernel === 'ReadVariableOp';
    const after = new Set<string>();
    for (const variable of variables) {
      const written = this.#lastWrite.get(variable);
      if (written) after.add(written);
      // A write waits for all that reads the value so far: it can then be done in place.
      if (!isRead) this.#readers.get(variable)?.forEach((reader) => after.add(reader));
    }
    const isCollective = kernel.startsWith('Collective');
    if (isCollective && this.#lastCollective) after.add(this.#lastCollective);
    const node = this.graph.node(kernel, names, attributes, after);
    if (isCollective) this.#lastCollective = node;
    outputs.forEach(({ id }, index) =>
      this.#known.set(id, { name: resultOf(node, index), what: `the result of ${kernel}` }),
    );

    for (const name of names) {
      const variable = this.#valueOf.get(name);
      if (variable) this.#readers.get(variable)!.add(node);
    }
    for (const variable of variables)
      if (isRead) {
        this.#valueOf.set(node, variable);
        this.#readers.set(variable, (this.#readers.get(variable) ?? new Set()).add(node));
      } else {
        this.#lastWrite.set(variable, node);
        this.#readers.delete(variable);
      }
    if (outputs.length === 0 || (variables.length > 0 && !isRead)) this.effects.push(node);
    return outputs;
  }

  /** The node of a result, under a name that is no other's. */
  output(tensor: Tensor): string {
    const [id] = backend.getInputTensorIds([tensor]) as [number];
    return this.graph.node('Identity', [this.#nameOf(id, 'a result')], [typeOf(tensor)]);
  }

  /** Runs code with this recording listening. */
  listen<T>(run: () => T): T {
    const { createTensor, executeOp, tensorDataSync } = binding;
    binding.createTensor = (shape, dtype, values) => {
      const id = createTensor(shape, dtype, values);
      this.tensorMade(id, shape, dtype, values);
      return id;
    };
    binding.executeOp = (kernel, attributes, inputs, outputs) =>
      this.run(kernel, attributes, inputs, () => executeOp(kernel, attributes, inputs, outputs));
    binding.tensorDataSync = (id) => this.tensorRead(id);
    try {
      return run();
    } finally {
      Object.assign(binding, { createTensor, executeOp, tensorDataSync });
    }
  }
}

let named = 0;
let recording = false;

/** See the file's header. Made by `tensorFunction`. */
export class TensorFunction<Inputs extends NamedTensors, Outputs extends NamedTensors> {
  readonly #body: (inputs: Inputs) => Outputs;
  readonly #options: Required<FunctionOptions>;
  /** By the inputs' types and shapes, the one used last at the end. */
  readonly #concrete = new Map<string, ConcreteFunction>();
  #captures = 0;
  #captureSeconds = 0;

  constructor(body: (inputs: Inputs) => Outputs, options: FunctionOptions = {}) {
    this.#body = body;
    this.#options = {
      name: options.name ?? 'function',
      eager: options.eager ?? false,
      jitCompile: options.jitCompile ?? false,
      limit: options.limit ?? 128,
    };
  }

  /** How many graphs were made so far. */
  get captures(): number {
    return this.#captures;
  }

  /** Seconds spent on making graphs, XLA's compilation included, the code's own run left out. */
  get captureSeconds(): number {
    return this.#captureSeconds;
  }

  /**
   * Runs the function; the caller disposes of what it returns.
   * @throws CaptureError when the code cannot become a graph: what it did until then is done
   * @throws Error from TensorFlow, naming the node, for what fails while it runs
   */
  call(inputs: Inputs): Outputs {
    // Inside another capture the code itself is what that capture needs to see.
    if (this.#options.eager || recording) return tf.tidy(() => this.#body(inputs));
    const names = Object.keys(inputs).sort();
    const tensors = names.map((name) => inputs[name]!);
    const ids = backend.getInputTensorIds(tensors);
    // A tensor that comes in under two names is one input: the graph cannot tell its uses apart.
    const signature = tensors
      .map((tensor, i) => `${names[i]}:${nativeType(tensor)}[${tensor.shape.join()}]${ids.indexOf(ids[i]!)}`)
      .join();
    const concrete = this.#concrete.get(signature);
    if (!concrete) return this.#capture(signature, inputs, ids, tensors);

    // Moves to the end: the first is the one that has not been used for longest.
    this.#concrete.delete(signature);
    this.#concrete.set(signature, concrete);
    if (concrete.variables.some((variable) => variable.isDisposed))
      throw new ArgumentError(
        'ARGUMENT_VARIABLE_DISPOSED',
        `${this.#options.name} uses a variable that was disposed of after the capture.`,
        { name: this.#options.name },
      );
    const from = performance.now();
    const results = binding.executeOp(
      concrete.name,
      this.#options.jitCompile ? [boolAttribute('_XlaMustCompile', true)] : [],
      [...new Set(ids), ...concrete.variables.map((variable) => variable.handle)],
      concrete.outputs.length,
    );
    // The first call of a graph prepares it: XLA compiles here.
    if (concrete.calls++ === 0 && this.#options.jitCompile) this.#captureSeconds += (performance.now() - from) / 1000;
    return Object.fromEntries(results.map((result, i) => [concrete.outputs[i]!, outputTensor(result)])) as Outputs;
  }

  #capture(signature: string, inputs: Inputs, ids: number[], tensors: Tensor[]): Outputs {
    const { name: title, limit } = this.#options;
    const record = new Recording(title);
    const types = new Map(tensors.map((tensor, i) => [ids[i]!, nativeType(tensor)]));
    const placeholders = Array.from(types, ([id, type]) => record.input(id, type));
    let results: Outputs;
    recording = true;
    try {
      results = record.listen(() => tf.tidy(() => this.#body(inputs)));
    } finally {
      recording = false;
    }
    const from = performance.now();
    const outputs = Object.keys(results);
    const ends = outputs.map((name) => record.output(results[name]!));
    const name = `${title.replace(/\W+/g, '_')}_${named++}`;
    binding.addGraph(
      name,
      record.graph.serialize(),
      [...placeholders, ...record.variables.values()],
      ends,
      record.effects,
    );
    this.#concrete.set(signature, { name, variables: [...record.variables.keys()], outputs, calls: 0 });
    this.#captures++;
    this.#captureSeconds += (performance.now() - from) / 1000;
    const [oldest] = this.#concrete.keys();
    if (this.#concrete.size > limit) this.#remove(oldest!);
    return results;
  }

  #remove(signature: string): void {
    binding.removeFunction(this.#concrete.get(signature)!.name);
    this.#concrete.delete(signature);
  }

  /** Removes the graphs; a later call makes them anew. */
  dispose(): void {
    for (const signature of [...this.#concrete.keys()]) this.#remove(signature);
  }
}

/**
 * Makes a function that runs as a graph from its second call on, for each set of shapes.
 * @param body computes with the inputs and with resource variables, and returns tensors by name; what it makes on the way
 * is disposed of
 */
export const tensorFunction = <Inputs extends NamedTensors, Outputs extends NamedTensors>(
  body: (inputs: Inputs) => Outputs,
  options?: FunctionOptions,
): TensorFunction<Inputs, Outputs> => new TensorFunction(body, options);
