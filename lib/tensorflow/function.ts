/**
 * `tf.function` for tfjs: code that computes with tensors, run as one TensorFlow graph.
 *
 * tfjs runs kernel by kernel, with JavaScript between the kernels, and keeps every result until JavaScript frees it.
 * This is easy to read and debug but slow. A captured function runs its code once, with tensors that have a shape but no
 * values, and records every kernel as a node of a graph. The graph is added as a function to TensorFlow's eager runtime.
 * One call of this function replaces the code for inputs of the same shapes.
 *
 * As with Python's tf.function, the code runs only once per graph: what JavaScript does in it (an `if`, a number, a
 * random draw) happens at capture and is a constant afterwards. A value that changes between calls must be an input
 * tensor or a resource variable. The graph reads and updates variables in place, so that functions for any number of shapes
 * share them with each other and with code that is not captured. Reads and writes of a variable keep their order in the
 * code.
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
  type Attribute,
  type OutputMetadata,
} from './runtime.js';
import { variableOf, type ResourceVariable } from './variables.js';

/** Inputs or results of a captured function. */
export type NamedTensors = Record<string, Tensor>;

/** Options of `tensorFunction`. */
export interface FunctionOptions {
  /** Name for error messages. @default 'function' */
  name?: string;
  /** Run the code eagerly, kernel by kernel, at every call. @default false */
  eager?: boolean;
  /** Compile each graph with XLA, which takes seconds and may run faster. @default false */
  jitCompile?: boolean;
  /**
   * Capture one graph for inputs of all sizes, for code in which nothing depends on them: a size that JavaScript reads
   * (`x.shape[0]`) is a constant in the graph. Some functions of tfjs read it too, such as `tf.losses`: compare with
   * `eager` for two sizes. Sizes of 0 and 1, which tfjs may treat in another way, have their own graphs.
   * @default false
   */
  anyShape?: boolean;
  /** Maximum number of graphs; beyond it the least recently used graph is removed. @default 128 */
  limit?: number;
}

/** A function that runs as a captured graph; created by `tensorFunction`. */
export interface TensorFunction<Inputs extends NamedTensors, Outputs extends NamedTensors> {
  /** Number of graphs captured so far. */
  readonly captures: number;
  /** Seconds spent on creating graphs, including XLA compilation. */
  readonly captureSeconds: number;
  /**
   * Runs the function. The caller disposes of the results, none of which is an input. In the computation of a gradient
   * (tf.grads) the code runs kernel by kernel, since tfjs has the gradients of kernels only.
   * @throws CaptureError if the code cannot be captured; no variable was changed
   * @throws Error from TensorFlow with the name of the node, if a kernel fails
   */
  call(inputs: Inputs): Outputs;
  /** Removes the graphs. A later call captures them again. */
  dispose(): void;
}

/** Whether functions are captured as graphs. */
export const capturesGraphs: boolean = true;

interface ConcreteFunction {
  name: string;
  variables: ResourceVariable[];
  outputs: string[];
  calls: number;
}

/** Maximum size of a constant in a graph, in bytes. */
const maxConstantBytes = 1 << 20;

/** The current line of the caller's code: the first stack frame outside packages and this engine. */
function callersLine(): string {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 100;
  const frames = new Error().stack?.split('\n').slice(1) ?? [];
  Error.stackTraceLimit = stackTraceLimit;
  const internal = /node_modules|node:|<anonymous>|tensorflow\/(function|runtime|variables|kernels)\.[jt]s/;
  const callerFrame = frames.find((frame) => !internal.test(frame));
  return callerFrame?.trim().replace(/^at /, '') ?? 'an unknown line';
}

/** Records the kernels of the code in `listen` as a graph, instead of running them. */
class Recording {
  readonly graph = new Graph();
  /** Nodes with side effects, which run even if their results are not used. */
  readonly effects: number[] = [];
  /** Placeholders of the handles of variables, in the order of first use. */
  readonly variables = new Map<ResourceVariable, number>();
  /** By the id of a tensor in the code: its id in the graph, and a description for errors. */
  readonly #tensors = new Map<number, { id: number; what: string }>();
  readonly #constants = new Map<number, { dtype: number; shape: number[]; values: unknown }>();
  /** By variable: the node of the last write, and the nodes that have read the value since. */
  readonly #lastWrite = new Map<ResourceVariable, number>();
  readonly #readers = new Map<ResourceVariable, Set<number>>();
  /** The variable of each read, by the id of the value in the graph. */
  readonly #variableOfRead = new Map<number, ResourceVariable>();
  /** The last sum over ranks: NCCL requires the same order of sums on all ranks. */
  #lastCollective: number | undefined;
  /** Why the code cannot be captured. It counts also if the code catches the error. */
  #failure: CaptureError | undefined;

  constructor(readonly title: string) {}

  /** Throws the error for code that cannot be captured. */
  fail(what: string, remedy: string): never {
    this.#failure ??= new CaptureError(
      'CAPTURE_UNSUPPORTED',
      `${this.title} cannot be captured: ${what}, at ${callersLine()}. ${remedy}`,
      { name: this.title, what },
    );
    throw this.#failure;
  }

  input(id: number, dtype: number, shape: number[]): number {
    const placeholder = this.graph.placeholder(dtype, shape);
    this.#tensors.set(id, { id: placeholder, what: 'an input' });
    return placeholder;
  }

  #inGraph(id: number, kernel: string): number {
    const known = this.#tensors.get(id);
    if (known) return known.id;
    const variable = variableOf(id);
    if (variable) {
      let handle = this.variables.get(variable);
      if (handle === undefined)
        this.variables.set(variable, (handle = this.graph.placeholder(binding.TF_RESOURCE, [])));
      return handle;
    }
    const constant = this.#constants.get(id);
    if (!constant)
      this.fail(
        `${kernel} takes a tensor created before the capture`,
        'Pass it as an input, or store it in a ResourceVariable.',
      );
    const { dtype, shape, values } = constant;
    if (!ArrayBuffer.isView(values))
      this.fail(`${kernel} takes a constant of strings`, 'Pass it as an input, or compute it outside the function.');
    if (values.byteLength > maxConstantBytes)
      this.fail(
        `${kernel} takes a constant of ${values.byteLength} bytes, more than the maximum of ${maxConstantBytes}`,
        'Constants are stored in the graph. Pass it as an input, or create it with a kernel (tf.fill, tf.range).',
      );
    const inGraph = this.graph.constant(dtype, shape, values);
    this.#tensors.set(id, { id: inGraph, what: 'a constant' });
    return inGraph;
  }

  tensorMade(id: number, shape: number[], dtype: number, values: unknown): void {
    this.#constants.set(id, { dtype, shape: [...shape], values });
  }

  tensorRead(id: number): never {
    return this.fail(
      `${this.#tensors.get(id)?.what ?? 'a tensor'} is read back to JavaScript`,
      'Return it and read it after the call.',
    );
  }

  /** Records a kernel. */
  record(kernel: string, attributes: Attribute[], inputs: number[]): OutputMetadata[] {
    if (kernel === 'VarHandleOp' || kernel === 'DestroyResourceOp')
      this.fail('it creates or disposes of a variable', 'Do that outside the function.');
    const ids = inputs.map((id) => this.#inGraph(id, kernel));
    const variables = inputs.flatMap((id) => variableOf(id) ?? []);
    const isRead = kernel === 'ReadVariableOp';
    const controlInputs = new Set<number>();
    for (const variable of variables) {
      const lastWrite = this.#lastWrite.get(variable);
      if (lastWrite !== undefined) controlInputs.add(lastWrite);
      // A write waits for all previous reads of the value, so that it can be done in place.
      if (!isRead) this.#readers.get(variable)?.forEach((reader) => controlInputs.add(reader));
    }
    const isCollective = kernel.startsWith('Collective');
    if (isCollective && this.#lastCollective !== undefined) controlInputs.add(this.#lastCollective);
    const shape = isRead ? variables[0]!.shape : undefined;
    const { node, outputs } = this.graph.node(kernel, attributes, ids, controlInputs, shape);
    if (isCollective) this.#lastCollective = node;
    for (const output of outputs) {
      if (output.shape.includes(-1))
        this.fail(`the shape of the result of ${kernel} depends on values`, 'Compute it outside the function.');
      this.#tensors.set(output.id, { id: output.id, what: `the result of ${kernel}` });
    }

    for (const id of ids) {
      const variable = this.#variableOfRead.get(id);
      if (variable) this.#readers.get(variable)!.add(node);
    }
    for (const variable of variables)
      if (isRead) {
        this.#variableOfRead.set(outputs[0]!.id, variable);
        this.#readers.set(variable, (this.#readers.get(variable) ?? new Set()).add(node));
      } else {
        this.#lastWrite.set(variable, node);
        this.#readers.delete(variable);
      }
    if (outputs.length === 0 || (variables.length > 0 && !isRead)) this.effects.push(node);
    return outputs;
  }

  #keepsTensor = false;

  /** Notes whether tensors of the current scope of tf.tidy are kept; called at its end. */
  endScope(): void {
    const { activeScope } = tf.engine().state;
    this.#keepsTensor ||= activeScope.track.some((tensor) => tensor.kept && !tensor.isDisposed);
  }

  /** The id of a result in the graph. */
  output(tensor: Tensor): number {
    const [id] = backend.getInputTensorIds([tensor]) as [number];
    return this.#inGraph(id, 'a result');
  }

  /** Runs code, and records its kernels instead of running them. */
  listen<T>(run: () => T): T {
    const { createTensor, executeOp, tensorDataSync } = binding;
    const variables = Object.values(tf.engine().registeredVariables);
    // The values of a tf.Variable that is only in JavaScript so far would be recorded as a constant.
    backend.getInputTensorIds(variables);
    const valuesBefore = variables.map(({ dataId }) => dataId);
    const tensorsBefore = tf.memory().numTensors;
    binding.createTensor = (shape, dtype, values) => {
      const id = createTensor(shape, dtype, values);
      this.tensorMade(id, shape, dtype, values);
      return id;
    };
    binding.executeOp = (kernel, attributes, inputs) => this.record(kernel, attributes, inputs);
    binding.tensorDataSync = (id) => this.tensorRead(id);
    try {
      const result = run();
      if (this.#failure) throw this.#failure;
      const keepsTensor = this.#keepsTensor || tf.memory().numTensors > tensorsBefore;
      if (keepsTensor || variables.some(({ dataId }, i) => dataId !== valuesBefore[i]))
        this.fail(
          'it keeps a tensor (tf.keep, tf.variable), which has no values',
          'Return it, or store it in a ResourceVariable.',
        );
      return result;
    } finally {
      Object.assign(binding, { createTensor, executeOp, tensorDataSync });
    }
  }
}

/** Whether a value is an object of tensors. */
const isNamedTensors = (value: unknown): value is NamedTensors =>
  typeof value === 'object' && value !== null && Object.values(value).every((each) => each instanceof tf.Tensor);

let functionCount = 0;
let recording = false;

class CapturedFunction<Inputs extends NamedTensors, Outputs extends NamedTensors> implements TensorFunction<
  Inputs,
  Outputs
> {
  readonly #body: (inputs: Inputs) => Outputs;
  readonly #options: Required<FunctionOptions>;
  /** Graphs by the types and shapes of the inputs, in the order of last use. */
  readonly #concrete = new Map<string, ConcreteFunction>();
  #captures = 0;
  #captureSeconds = 0;

  constructor(body: (inputs: Inputs) => Outputs, options: FunctionOptions = {}) {
    this.#body = body;
    this.#options = {
      name: options.name ?? 'function',
      eager: options.eager ?? false,
      jitCompile: options.jitCompile ?? false,
      anyShape: options.anyShape ?? false,
      limit: options.limit ?? 128,
    };
    const { name, limit } = this.#options;
    if (!Number.isInteger(limit) || limit < 1)
      throw new ArgumentError(
        'ARGUMENT_LIMIT_INVALID',
        `The limit of graphs of ${name} is ${limit}. It must be a whole number from 1.`,
        { name: 'limit', value: limit },
      );
  }

  get captures(): number {
    return this.#captures;
  }

  get captureSeconds(): number {
    return this.#captureSeconds;
  }

  call(inputs: Inputs): Outputs {
    // Inside another capture, that capture records the kernels of the code.
    if (this.#options.eager || recording || tf.engine().state.gradientDepth > 0) {
      const given = new Set(Object.values(inputs));
      const results = tf.tidy(() => this.#body(inputs));
      return Object.fromEntries(
        Object.entries(results).map(([name, result]) => [name, given.has(result) ? result.clone() : result]),
      ) as Outputs;
    }
    const names = Object.keys(inputs).sort();
    const tensors = names.map((name) => inputs[name]!);
    const ids = backend.getInputTensorIds(tensors);
    const shapeOf = ({ shape }: Tensor) =>
      this.#options.anyShape ? shape.map((size) => (size > 1 ? '*' : size)).join() : shape.join();
    // A tensor passed under two names is one input of the graph.
    const signature = tensors
      .map((tensor, i) => `${names[i]}:${nativeType(tensor)}[${shapeOf(tensor)}]${ids.indexOf(ids[i]!)}`)
      .join();
    let concrete = this.#concrete.get(signature);
    if (concrete) {
      // Moves to the end, so that the first graph is the least recently used one.
      this.#concrete.delete(signature);
      this.#concrete.set(signature, concrete);
      if (concrete.variables.some((variable) => variable.isDisposed))
        throw new ArgumentError(
          'ARGUMENT_VARIABLE_DISPOSED',
          `${this.#options.name} uses a variable that was disposed of after the capture. Create a new function.`,
          { name: this.#options.name },
        );
    } else concrete = this.#capture(signature, inputs, ids, tensors);
    const from = performance.now();
    const results = binding.executeOp(
      concrete.name,
      this.#options.jitCompile ? [boolAttribute('_XlaMustCompile', true)] : [],
      [...new Set(ids), ...concrete.variables.map((variable) => variable.handle)],
      concrete.outputs.length,
    );
    // XLA compiles a graph at its first call.
    if (concrete.calls++ === 0 && this.#options.jitCompile) this.#captureSeconds += (performance.now() - from) / 1000;
    return Object.fromEntries(results.map((result, i) => [concrete.outputs[i]!, outputTensor(result)])) as Outputs;
  }

  #capture(signature: string, inputs: Inputs, ids: number[], tensors: Tensor[]): ConcreteFunction {
    const from = performance.now();
    const { name: title, limit } = this.#options;
    const record = new Recording(title);
    const distinct = new Map(tensors.map((tensor, i) => [ids[i]!, tensor]));
    const placeholders = Array.from(distinct, ([id, tensor]) => record.input(id, nativeType(tensor), tensor.shape));
    recording = true;
    let outputs: [name: string, id: number][];
    try {
      outputs = record.listen(() =>
        tf.tidy(() => {
          const results: unknown = this.#body(inputs);
          if (results instanceof Promise) record.fail('it is asynchronous', 'Use a function that returns tensors.');
          if (!isNamedTensors(results))
            return record.fail('it does not return tensors by name', 'Return an object of tensors: { loss, logits }.');
          record.endScope();
          if (tensors.some(({ isDisposed }) => isDisposed))
            record.fail('it disposes of an input', 'Do that after the call.');
          return Object.entries(results).map(([name, result]) => [name, record.output(result)]);
        }),
      );
    } finally {
      recording = false;
    }
    const name = `${title.replace(/\W+/g, '_')}_${functionCount++}`;
    const outputIds = outputs.map(([, id]) => id);
    record.graph.addFunction(name, [...placeholders, ...record.variables.values()], outputIds, record.effects);
    const concrete = {
      name,
      variables: [...record.variables.keys()],
      outputs: outputs.map(([name]) => name),
      calls: 0,
    };
    this.#concrete.set(signature, concrete);
    this.#captures++;
    const [oldest] = this.#concrete.keys();
    if (this.#concrete.size > limit) this.#remove(oldest!);
    this.#captureSeconds += (performance.now() - from) / 1000;
    return concrete;
  }

  #remove(signature: string): void {
    binding.removeFunction(this.#concrete.get(signature)!.name);
    this.#concrete.delete(signature);
  }

  dispose(): void {
    for (const signature of [...this.#concrete.keys()]) this.#remove(signature);
  }
}

/**
 * Creates a function that runs as a graph, one for each set of input shapes.
 * @param body code that computes with the inputs and with resource variables and returns tensors by name; its
 * intermediate tensors are disposed of
 */
export const tensorFunction = <Inputs extends NamedTensors, Outputs extends NamedTensors>(
  body: (inputs: Inputs) => Outputs,
  options?: FunctionOptions,
): TensorFunction<Inputs, Outputs> => new CapturedFunction(body, options);
