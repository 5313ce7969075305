/**
 * Loads the one TensorFlow of the process: tfjs-node-gpu on the native library that set-up put beside it.
 *
 * Everything that wants a tensor imports `tf` from here, never from a tfjs package, so that what must happen before
 * TensorFlow is loaded (environment, functions that Node has dropped) happens once and first.
 */
import { createRequire } from 'node:module';
import type * as TensorFlow from '@tensorflow/tfjs-node-gpu';
import type { DataType, Tensor } from '@tensorflow/tfjs';

/** A kernel's attribute as the addon takes it. */
export interface Attribute {
  name: string;
  type: number;
  value: unknown;
}

interface OutputMetadata {
  id: number;
  shape: number[];
  dtype: number;
}

export interface NativeDevice {
  name: string;
  type: string;
  memoryBytes: number;
}

interface Binding {
  executeOp(kernel: string, attributes: Attribute[], inputIds: number[], outputs: number): OutputMetadata[];
  deleteTensor(id: number): void;
  listDevices(): NativeDevice[];
  isUsingGpuDevice(): boolean;
  TF_Version: string;
  TF_FLOAT: number;
  TF_INT32: number;
  TF_BOOL: number;
  TF_ATTR_TYPE: number;
  TF_ATTR_BOOL: number;
  TF_ATTR_INT: number;
  TF_ATTR_FLOAT: number;
  TF_ATTR_STRING: number;
  TF_ATTR_SHAPE: number;
}

interface NativeBackend {
  binding: Binding;
  isUsingGpuDevice: boolean;
  getInputTensorIds(tensors: Tensor[]): number[];
  createOutputTensor(metadata: OutputMetadata): Tensor;
}

/** TensorFlow could not be loaded; the message says what is missing and what to do. */
export class TensorFlowLoadError extends Error {
  override name = 'TensorFlowLoadError';
}

/** What a failure to load the addon means, for the person who meets it. */
export function loadError(cause: unknown): TensorFlowLoadError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const missing = /(\S+\.so[\d.]*): cannot open shared object/.exec(reason)?.[1];
  return new TensorFlowLoadError(
    missing
      ? `TensorFlow's addon needs ${missing}, which is not where set-up put it. Run npm run setup.`
      : `TensorFlow's addon could not be loaded (${reason.split('\n')[0]}). Run npm run setup; if it says all is set up, delete .tunebook and run it again.`,
    { cause },
  );
}

function load(): typeof TensorFlow {
  // Without this, TensorFlow's start-up notices are the first thing a reader of a notebook sees.
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '2';
  const require = createRequire(import.meta.url);
  // tfjs-node 4.22 calls what Node 22 deprecates and Node 23 has removed from util (tensorflow/tfjs#8609).
  const util = require('node:util') as Record<string, unknown>;
  util['isNullOrUndefined'] = (value: unknown) => value === null || value === undefined;
  util['isArray'] = (value: unknown) => Array.isArray(value);
  try {
    return require('@tensorflow/tfjs-node-gpu') as typeof TensorFlow;
  } catch (error) {
    throw loadError(error);
  }
}

/** tfjs on the native backend. */
export const tf = load();

/** The native backend, for what tfjs has no function for. */
export const backend = tf.backend() as unknown as NativeBackend;

/** The addon, its constants among it. */
export const binding = backend.binding;

const typeNumbers: Partial<Record<DataType, number>> = {
  float32: binding.TF_FLOAT,
  int32: binding.TF_INT32,
  bool: binding.TF_BOOL,
};

/** An attribute that is a type, `T` unless named otherwise. */
export const typeAttribute = (dtype: DataType, name = 'T'): Attribute => ({
  name,
  type: binding.TF_ATTR_TYPE,
  value: typeNumbers[dtype],
});

export const boolAttribute = (name: string, value: boolean): Attribute => ({ name, type: binding.TF_ATTR_BOOL, value });

/**
 * Runs a TensorFlow kernel by its registered name and returns its outputs.
 * @throws Error from TensorFlow, naming the kernel, for wrong shapes or types
 */
export function execute(kernel: string, attributes: Attribute[], inputs: Tensor[], outputs = 1): Tensor[] {
  return binding
    .executeOp(kernel, attributes, backend.getInputTensorIds(inputs), outputs)
    .map((metadata) => backend.createOutputTensor(metadata));
}

/** Runs a kernel of one output. */
export function executeOne(kernel: string, attributes: Attribute[], inputs: Tensor[]): Tensor {
  return execute(kernel, attributes, inputs)[0]!;
}
