/**
 * Loads the one TensorFlow of the process: tfjs-node-gpu on the native library that set-up put beside it.
 *
 * Everything that wants a tensor imports `tf` from here, never from a tfjs package, so that what must happen before
 * TensorFlow is loaded (environment, functions that Node has dropped) happens once and first.
 */
import { createRequire } from 'node:module';
import path from 'node:path';
import type * as TensorFlow from '@tensorflow/tfjs-node-gpu';
import type { DataType, Tensor } from '@tensorflow/tfjs';
import { loadError } from './load-error.js';

/** A kernel's attribute as the addon takes it. */
export interface Attribute {
  name: string;
  type: number;
  value: unknown;
}

/** What the addon tells of a kernel's result. */
export interface OutputMetadata {
  id: number;
  shape: number[];
  dtype: number;
}

/** A device that TensorFlow sees. */
export interface NativeDevice {
  name: string;
  type: string;
  memoryBytes: number;
}

/** The addon's functions and TensorFlow's numbers of types and attributes. */
export interface Binding {
  /** Runs a kernel on tensors, by their ids. */
  executeOp: (kernel: string, attributes: Attribute[], inputIds: number[], outputs: number) => OutputMetadata[];
  /** Copies numbers to the device. @returns the tensor's id */
  createTensor: (shape: number[], dtype: number, values: unknown) => number;
  /** Copies a tensor's numbers to JavaScript, when they are computed. */
  tensorDataSync: (id: number) => unknown;
  /** Frees a tensor's memory. */
  deleteTensor: (id: number) => void;
  /** Makes a function of a serialized GraphDef, which runs as a kernel of that name; the project's own (addon.patch). */
  addGraph: (name: string, graphDef: Uint8Array, inputs: string[], outputs: string[], effects: string[]) => void;
  /** Removes a function that `addGraph` made. */
  removeFunction: (name: string) => void;
  /** Joins the cluster of a serialized ServerDef, which replaces the devices; the project's own, as those below (addon.patch). */
  joinCluster: (serverDef: Uint8Array) => void;
  /** Waits until all tasks are there. */
  waitAtBarrier: (name: string, milliseconds: number) => void;
  /** Throws when a task does not answer. */
  checkPeer: (task: string, milliseconds: number) => void;
  /** Ends what all tasks are doing together, with a message. */
  reportError: (message: string) => void;
  /** The devices that TensorFlow sees. */
  listDevices: () => NativeDevice[];
  /** Tensors alive, for tests that look for leaks. */
  getNumOfTensors: () => number;
  /** Whether kernels run on a GPU. */
  isUsingGpuDevice: () => boolean;
  TF_Version: string;
  TF_FLOAT: number;
  TF_INT32: number;
  TF_BOOL: number;
  TF_RESOURCE: number;
  TF_ATTR_TYPE: number;
  TF_ATTR_BOOL: number;
  TF_ATTR_INT: number;
  TF_ATTR_FLOAT: number;
  TF_ATTR_STRING: number;
  TF_ATTR_SHAPE: number;
}

/** What is used of tfjs's native backend. */
export interface NativeBackend {
  binding: Binding;
  isUsingGpuDevice: boolean;
  /** What the device holds of a tensor, by its `dataId`. */
  tensorMap: {
    /** The number of the type that it has there. */
    get(dataId: object): { dtype: number };
  };
  /** The ids by which kernels take tensors; what JavaScript alone holds is put on the device. */
  getInputTensorIds(tensors: Tensor[]): number[];
  /** A kernel's result as a tensor of tfjs. */
  createOutputTensor(metadata: OutputMetadata): Tensor;
}

/** The addon that captures standard error (native/stderr.cc). */
interface StderrCapture {
  capture(): void;
  /** Ends capturing. @returns what was written meanwhile */
  release(): string;
}

/**
 * Loads tfjs and creates its backend, which loads TensorFlow's library.
 * @throws TensorFlowLoadError
 */
function load(): typeof TensorFlow {
  // TensorFlow prints notices while it loads at every log level; they are hidden unless its log is asked for (0 or 1).
  const logLevel = (process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '2');
  const require = createRequire(import.meta.url);
  // tfjs-node 4.22 calls what Node 22 deprecates and Node 23 has removed from util (tensorflow/tfjs#8609).
  const util = require('node:util') as Record<string, unknown>;
  util['isNullOrUndefined'] = (value: unknown) => value === null || value === undefined;
  util['isArray'] = (value: unknown) => Array.isArray(value);
  let stderr: StderrCapture | undefined;
  let log = '';
  try {
    const tfjs = path.dirname(require.resolve('@tensorflow/tfjs-node-gpu/package.json'));
    if (Number(logLevel) >= 2) stderr = require(path.join(tfjs, 'lib/napi-v8/stderr.node')) as StderrCapture;
    // Node looks at standard error when it is first used, and must not see the capture's file: progress bars need a terminal.
    void process.stderr;
    stderr?.capture();
    try {
      const tf = require('@tensorflow/tfjs-node-gpu') as typeof TensorFlow;
      tf.backend();
      return tf;
    } finally {
      log = stderr?.release() ?? '';
    }
  } catch (error) {
    process.stderr.write(log);
    throw loadError(error);
  }
}

/** tfjs on the native backend. */
export const tf = load();

/** The native backend, for what tfjs has no function for. */
export const backend = tf.backend() as unknown as NativeBackend;

/**
 * The addon, its constants among it. A copy, and the one that tfjs uses too: the addon's own properties cannot be
 * replaced, and recording (function.ts) stands between tfjs and the addon.
 */
export const binding = Object.fromEntries(
  Object.getOwnPropertyNames(backend.binding).map((name) => [name, backend.binding[name as keyof Binding]]),
) as unknown as Binding;
backend.binding = binding;

const typeNumbers: Partial<Record<DataType, number>> = {
  float32: binding.TF_FLOAT,
  int32: binding.TF_INT32,
  bool: binding.TF_BOOL,
};

/** TensorFlow's numbers (types.proto) of types that tfjs does not know. */
export const nativeTypes = { int16: 5, bfloat16: 14, float16: 19, uint64: 23 } as const;

/** An attribute that is a type by TensorFlow's number, `T` unless named otherwise. */
export const typeAttributeOf = (dtype: number, name = 'T'): Attribute => ({
  name,
  type: binding.TF_ATTR_TYPE,
  value: dtype,
});

/** An attribute that is a type of tfjs, `T` unless named otherwise. */
export const typeAttribute = (dtype: DataType, name = 'T'): Attribute => typeAttributeOf(typeNumbers[dtype]!, name);

/** An attribute that is true or false. */
export const boolAttribute = (name: string, value: boolean): Attribute => ({ name, type: binding.TF_ATTR_BOOL, value });

/** An integer attribute. */
export const intAttribute = (name: string, value: number): Attribute => ({ name, type: binding.TF_ATTR_INT, value });

/** A float attribute. */
export const floatAttribute = (name: string, value: number): Attribute => ({
  name,
  type: binding.TF_ATTR_FLOAT,
  value,
});

/** The number of the type that a tensor has on the device. */
export const nativeType = (tensor: Tensor): number => backend.tensorMap.get(tensor.dataId).dtype;

/** The attribute `T` of kernels whose type is that of a tensor. */
export const typeOf = (tensor: Tensor): Attribute => typeAttributeOf(nativeType(tensor));

const unknownToTfjs = new Set<number>(Object.values(nativeTypes));

/**
 * A kernel's result as a tensor. Types that tfjs does not know go under the name of float32, since its gradients want
 * that of all they meet; `nativeType` tells the truth, and tfjs's own functions refuse such a tensor with TensorFlow's
 * words about types.
 */
export function outputTensor(metadata: OutputMetadata): Tensor {
  if (!unknownToTfjs.has(metadata.dtype)) return backend.createOutputTensor(metadata);
  const tensor = backend.createOutputTensor({ ...metadata, dtype: binding.TF_FLOAT });
  backend.tensorMap.get(tensor.dataId).dtype = metadata.dtype;
  return tensor;
}

/**
 * Runs a TensorFlow kernel by its registered name and returns its outputs.
 * @throws Error from TensorFlow, naming the kernel, for wrong shapes or types
 */
export function execute(kernel: string, attributes: Attribute[], inputs: Tensor[], outputs = 1): Tensor[] {
  return binding.executeOp(kernel, attributes, backend.getInputTensorIds(inputs), outputs).map(outputTensor);
}

/** Runs a kernel of one output. */
export function executeOne(kernel: string, attributes: Attribute[], inputs: Tensor[]): Tensor {
  return execute(kernel, attributes, inputs)[0]!;
}
