/** What the computing happens on, said in one place: the notebook, the summary and error messages all ask here. */
import { execFileSync } from 'node:child_process';
import os from 'node:os';
import { backend, binding } from './runtime.js';

/** A processor or a GPU, as TensorFlow uses it. */
export interface Device {
  kind: 'CPU' | 'GPU';
  /** The processor's or the GPU's own name. */
  name: string;
  /** Bytes: the machine's for a CPU, what TensorFlow may use of the card for a GPU. */
  memoryBytes: number;
  /** Threads that one kernel may use. */
  threads: number;
  /** TensorFlow's version. */
  tensorflow: string;
}

/** What the driver tells of the first GPU; TensorFlow's C interface does not say. */
function askDriver(field: string): string | undefined {
  try {
    return execFileSync('nvidia-smi', [`--query-gpu=${field}`, '--format=csv,noheader'], { encoding: 'utf8' })
      .trim()
      .split('\n')[0];
  } catch {
    return undefined;
  }
}

/** The GPU's generation: 7.0 Volta, 7.5 Turing, 8.x Ampere and Ada, 9.0 Hopper; 0 where the driver does not say. */
export const computeCapability = (): number => Number(askDriver('compute_cap')) || 0;

/** The CPU's own name. On Linux arm64 Node does not know the names of all CPUs. */
function cpuName(): string {
  const name = os.cpus()[0]?.model ?? 'unknown';
  return name === 'unknown' ? `${os.arch()} CPU` : name;
}

/** The device in use: the GPU where TensorFlow sees one, else the CPU. */
export function describeDevice(): Device {
  const gpu = backend.isUsingGpuDevice ? binding.listDevices().find(({ type }) => type === 'GPU') : undefined;
  return {
    kind: gpu ? 'GPU' : 'CPU',
    name: gpu ? (askDriver('name') ?? 'NVIDIA GPU') : cpuName(),
    memoryBytes: gpu ? gpu.memoryBytes : os.totalmem(),
    threads: Number(process.env['TF_NUM_INTRAOP_THREADS']) || os.availableParallelism(),
    tensorflow: binding.TF_Version,
  };
}
