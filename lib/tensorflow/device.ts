/** Describes the CPU or GPU in use, for notebooks, summaries and error messages. */
import { execFileSync } from 'node:child_process';
import os from 'node:os';
import { backend, binding } from './runtime.js';

/** A CPU or GPU used by TensorFlow. */
export interface Device {
  kind: 'CPU' | 'GPU';
  /** Name of the CPU or GPU model. */
  name: string;
  /** Memory in bytes: all memory of the machine for a CPU, the part that TensorFlow may use for a GPU. */
  memoryBytes: number;
  /** Maximum number of threads per kernel. */
  threads: number;
  /** Version of TensorFlow. */
  tensorflow: string;
}

/** Queries the NVIDIA driver for a field of the first GPU, which TensorFlow's C API does not expose. */
function queryDriver(field: string): string | undefined {
  try {
    return execFileSync('nvidia-smi', [`--query-gpu=${field}`, '--format=csv,noheader'], { encoding: 'utf8' })
      .trim()
      .split('\n')[0];
  } catch {
    return undefined;
  }
}

/** Compute capability of the GPU: 7.0 Volta, 7.5 Turing, 8.x Ampere and Ada, 9.0 Hopper; 0 if it is unknown. */
export const computeCapability = (): number => Number(queryDriver('compute_cap')) || 0;

/** Name of the CPU model. On Linux arm64 Node reports some CPUs as unknown. */
function cpuName(): string {
  const name = os.cpus()[0]?.model ?? 'unknown';
  return name === 'unknown' ? `${os.arch()} CPU` : name;
}

/**
 * Describes the device in use: the GPU if TensorFlow detects one, else the CPU.
 * @example
 * const { kind, name, threads } = describeDevice();
 */
export function describeDevice(): Device {
  const gpu = backend.isUsingGpuDevice ? binding.listDevices().find(({ type }) => type === 'GPU') : undefined;
  return {
    kind: gpu ? 'GPU' : 'CPU',
    name: gpu ? (queryDriver('name') ?? 'NVIDIA GPU') : cpuName(),
    memoryBytes: gpu ? gpu.memoryBytes : os.totalmem(),
    threads: Number(process.env['TF_NUM_INTRAOP_THREADS']) || os.availableParallelism(),
    tensorflow: binding.TF_Version,
  };
}
