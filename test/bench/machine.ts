// The machine of a benchmark. Virtual machines report many CPUs as just "AMD EPYC" or "Intel Xeon Processor"; family, model
// number and the instructions for matrix products distinguish them.
import fs from 'node:fs';
import os from 'node:os';
import type { Device } from '#lib/tensorflow/device.js';

export interface Machine {
  /** Name of the CPU, see describeProcessor. */
  processor: string;
  cores: number;
  memoryBytes: number;
  gpu: string | null;
}

/** Instructions for matrix products by their flag in /proc/cpuinfo, the fastest first. */
const instructions: [RegExp, string][] = [
  [/\bamx_bf16\b/, 'bfloat16 by AMX'],
  [/\bavx512_bf16\b/, 'bfloat16 by AVX-512'],
  [/\bavx512f\b/, 'AVX-512 without bfloat16'],
  [/\bavx2\b/, 'AVX2'],
  [/\bbf16\b/, 'bfloat16 by NEON'],
];

/**
 * Describes a CPU so that its name differs from those of other types.
 * @param name name of the model
 * @param cpuinfo content of /proc/cpuinfo; empty where there is none
 * @example
 * describeProcessor('AMD EPYC', cpuinfo); // 'AMD EPYC (family 25, model 17, bfloat16 by AVX-512)'
 */
export function describeProcessor(name: string, cpuinfo: string): string {
  const field = (key: string) => new RegExp(`^${key}\\s*: (.*)$`, 'm').exec(cpuinfo)?.[1];
  const numbers = [
    ['family', field('cpu family')],
    ['model', field('model')],
    ['part', field('CPU part')],
  ].flatMap(([title, value]) => (value ? [`${title} ${value}`] : []));
  const features = field('flags') ?? field('Features') ?? '';
  const best = instructions.find(([flag]) => flag.test(features))?.[1];
  const details = [...numbers, ...(best ? [best] : [])];
  return details.length > 0 ? `${name} (${details.join(', ')})` : name;
}

/** Describes the machine on which this process runs. */
export function currentMachine({ kind, name }: Device): Machine {
  const cpuinfo = fs.existsSync('/proc/cpuinfo') ? fs.readFileSync('/proc/cpuinfo', 'utf8') : '';
  return {
    processor: describeProcessor(kind === 'CPU' ? name : (os.cpus()[0]?.model ?? 'unknown'), cpuinfo),
    cores: os.availableParallelism(),
    memoryBytes: os.totalmem(),
    gpu: kind === 'GPU' ? name : null,
  };
}
