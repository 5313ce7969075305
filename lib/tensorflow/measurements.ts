/** What was measured on this machine, kept in the checkout: measuring again takes time, and might lead to another choice. */
import fs from 'node:fs';
import os from 'node:os';
import { inWorkFolder, writeAtomically } from '../work-folder.js';
import { describeDevice } from './device.js';

/** Speed-up that a measured alternative must reach to be preferred. */
export const leastSpeedup = 1.1;

/** The median of measured values, which are sorted in place; of an even number the upper one. */
export const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!;

/** Measured values by a key of everything that they depend on. */
const file = inWorkFolder('measurements.json');

function readAll(): Record<string, unknown> {
  try {
    const kept: unknown = JSON.parse(fs.readFileSync(file, 'utf8'));
    if (typeof kept === 'object' && kept !== null) return kept as Record<string, unknown>;
  } catch {
    // There is none yet, or it was cut off.
  }
  // All is measured again.
  return {};
}

/**
 * A measurement of the device in use, taken only if it has not been kept before.
 * @param what is measured, with all that it depends on besides the device and TensorFlow's version
 * @param isComplete whether a kept one has all that is needed; it may have been cut off, or edited
 * @param measure takes it; what it returns must survive JSON
 */
export function measuredOnce<Value extends object>(
  what: string,
  isComplete: (kept: Partial<Value>) => boolean,
  measure: () => Value,
): Value {
  const { name, threads, tensorflow } = describeDevice();
  const isa = process.env['ONEDNN_MAX_CPU_ISA'] ?? '';
  const key = [name, os.arch(), `${threads} threads`, `TensorFlow ${tensorflow}`, isa, what].join(', ');
  const kept = readAll()[key] as Value | undefined;
  if (kept && isComplete(kept)) return kept;
  const value = measure();
  try {
    writeAtomically(file, JSON.stringify({ ...readAll(), [key]: value }, null, 2));
  } catch {
    // It cannot be kept, in a checkout that is read-only for example: each process measures again.
  }
  return value;
}
