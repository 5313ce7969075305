/**
 * Loads the only TensorFlow of the process: tfjs-node-gpu with the native library that setup installed.
 *
 * All code imports `tf` from here, never from a tfjs package. Preparations for loading TensorFlow (environment
 * variables, functions that Node has removed) are therefore made once and first.
 */
import { createRequire } from 'node:module';
import path from 'node:path';
import type * as TensorFlow from '@tensorflow/tfjs';
import type { DataType, KernelBackend, Tensor } from '@tensorflow/tfjs';
import { addonFiles, addonFolder, installedKind } from '#setup/cache.mjs';
import { loadError } from './load-error.js';

/** An attribute of a kernel, as the addon expects it. */
export interface Attribute {
  name: string;
  type: number;
  value: unknown;
}

/** Metadata of a result of a kernel. */
export interface OutputMetadata {
  id: number;
  shape: number[];
  dtype: number;
}

/** A device that TensorFlow detects. */
export interface NativeDevice {
  name: string;
  type: string;
  memoryBytes: number;
}

/** The functions of the addon, and TensorFlow's numbers of types and attributes. */
export interface Binding {
  /** Runs a kernel on tensors, by their ids. */
  executeOp: (kernel: string, attributes: Attribute[], inputIds: number[], outputs: number) => OutputMetadata[];
  /** Copies values to the device. @returns the id of the tensor */
  createTensor: (shape: number[], dtype: number, values: unknown) => number;
  /** Waits until a tensor is computed and copies its values to JavaScript. */
  tensorDataSync: (id: number) => unknown;
  /** Frees the memory of a tensor. */
  deleteTensor: (id: number) => void;
  /** Adds a serialized FunctionDef, which runs as a kernel of its name. Added by addon.patch. */
  addFunction: (functionDef: Uint8Array) => void;
  /** Removes a function added by `addFunction`. */
  removeFunction: (name: string) => void;
  /** Joins the cluster of a serialized ServerDef, which replaces the devices. Added by addon.patch, as the next 4. */
  joinCluster: (serverDef: Uint8Array) => void;
  /** Waits until all tasks have reached the barrier. */
  waitAtBarrier: (name: string, milliseconds: number) => void;
  /** Throws if a task does not respond. */
  checkPeer: (task: string, milliseconds: number) => void;
  /** Aborts the collective operations of all tasks with a message. */
  reportError: (message: string) => void;
  /** The devices that TensorFlow detects. */
  listDevices: () => NativeDevice[];
  /** Number of tensors in memory, for leak tests. */
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

/** The part of tfjs's native backend that is used here. */
export interface NativeBackend {
  binding: Binding;
  isUsingGpuDevice: boolean;
  /** Tensors on the device, by their `dataId`. */
  tensorMap: {
    /** The number of the type on the device. */
    get(dataId: object): { dtype: number };
  };
  /** The ids of tensors for kernels. Copies tensors that are only in JavaScript to the device. */
  getInputTensorIds(tensors: Tensor[]): number[];
  /** Converts a result of a kernel to a tensor of tfjs. */
  createOutputTensor(metadata: OutputMetadata): Tensor;
}

/** The module with tfjs's native backend. */
interface NativeBackendModule {
  NodeJSKernelBackend: new (binding: Binding, name: string) => KernelBackend;
}

/** The addon that captures standard error (native/stderr.cc). */
interface StderrCapture {
  capture(): void;
  /** Ends capturing. @returns the captured text */
  release(): string;
}

const require = createRequire(import.meta.url);

/** The path of an addon that set-up has installed, see setup/cache.mjs. */
export const addonFile = (name: keyof typeof addonFiles): string =>
  path.join(addonFolder(installedKind()), addonFiles[name]);

/** Loads an addon. */
export const loadAddon = <T>(name: keyof typeof addonFiles): T => require(addonFile(name)) as T;

/**
 * Loads tfjs and creates its backend, which loads TensorFlow's library.
 * @throws TensorFlowLoadError if the addon or the library cannot be loaded
 */
function load(): typeof TensorFlow {
  // TensorFlow prints notices at every log level while it loads. They are hidden unless the log level is 0 or 1.
  const logLevel = (process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '2');
  // tfjs-node 4.22 calls functions of util that Node 22 deprecates and Node 23 removed (tensorflow/tfjs#8609).
  const util = require('node:util') as Record<string, unknown>;
  util['isNullOrUndefined'] = (value: unknown) => value === null || value === undefined;
  util['isArray'] = (value: unknown) => Array.isArray(value);
  let stderr: StderrCapture | undefined;
  let log = '';
  try {
    if (Number(logLevel) >= 2) stderr = loadAddon<StderrCapture>('stderr');
    // Node detects the type of standard error at its first use. This must happen before the capture replaces it with a
    // file, since progress bars require a terminal.
    void process.stderr;
    stderr?.capture();
    try {
      const tf = require('@tensorflow/tfjs') as typeof TensorFlow;
      // The parts of tfjs-node-gpu that are needed, not its main module: that one finds the addon in its own folder only, and
      // registers file formats and callbacks that are not used here.
      require('@tensorflow/tfjs-node-gpu/dist/register_all_kernels');
      const { NodeJSKernelBackend } =
        require('@tensorflow/tfjs-node-gpu/dist/nodejs_kernel_backend') as NativeBackendModule;
      const addon = loadAddon<Binding>('tfjs');
      tf.registerBackend('tensorflow', () => new NodeJSKernelBackend(addon, '@tensorflow/tfjs-node-gpu'));
      void tf.setBackend('tensorflow');
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

/** The native backend, for operations without a function in tfjs. */
export const backend = tf.backend() as unknown as NativeBackend;

/**
 * The functions and constants of the addon, also used by tfjs. They are a copy, since the addon's own properties cannot
 * be replaced, which recording (function.ts) requires.
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

/** TensorFlow's numbers (types.proto) of types that tfjs does not support. */
export const nativeTypes = { int16: 5, bfloat16: 14, float16: 19, uint64: 23 } as const;

/** A type attribute with TensorFlow's number of the type. */
export const typeAttributeOf = (dtype: number, name = 'T'): Attribute => ({
  name,
  type: binding.TF_ATTR_TYPE,
  value: dtype,
});

/** A type attribute with the tfjs name of the type. */
export const typeAttribute = (dtype: DataType, name = 'T'): Attribute => typeAttributeOf(typeNumbers[dtype]!, name);

/** A boolean attribute. */
export const boolAttribute = (name: string, value: boolean): Attribute => ({ name, type: binding.TF_ATTR_BOOL, value });

/** An integer attribute. */
export const intAttribute = (name: string, value: number): Attribute => ({ name, type: binding.TF_ATTR_INT, value });

/** A float attribute. */
export const floatAttribute = (name: string, value: number): Attribute => ({
  name,
  type: binding.TF_ATTR_FLOAT,
  value,
});

/** The number of the type of a tensor on the device. */
export const nativeType = (tensor: Tensor): number => backend.tensorMap.get(tensor.dataId).dtype;

/** The attribute `T` with the type of a tensor. */
export const typeOf = (tensor: Tensor): Attribute => typeAttributeOf(nativeType(tensor));

const unsupportedByTfjs = new Set<number>(Object.values(nativeTypes));

/**
 * Converts a result of a kernel to a tensor. Types that tfjs does not support are labeled float32, since its gradients
 * require this type. `nativeType` returns the actual type. tfjs's own functions throw TensorFlow's type error for such
 * a tensor.
 */
export function outputTensor(metadata: OutputMetadata): Tensor {
  if (!unsupportedByTfjs.has(metadata.dtype)) return backend.createOutputTensor(metadata);
  const tensor = backend.createOutputTensor({ ...metadata, dtype: binding.TF_FLOAT });
  backend.tensorMap.get(tensor.dataId).dtype = metadata.dtype;
  return tensor;
}

/**
 * Runs a TensorFlow kernel by its registered name and returns its outputs.
 * @throws Error from TensorFlow with the name of the kernel, for invalid shapes or types
 */
export function execute(kernel: string, attributes: Attribute[], inputs: Tensor[], outputs = 1): Tensor[] {
  return binding.executeOp(kernel, attributes, backend.getInputTensorIds(inputs), outputs).map(outputTensor);
}

/** Runs a kernel with one output. */
export function executeOne(kernel: string, attributes: Attribute[], inputs: Tensor[]): Tensor {
  return execute(kernel, attributes, inputs)[0]!;
}
