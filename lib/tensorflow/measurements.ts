/** Cache of measurements on this machine, in the checkout. Repeating one takes time and may change the choice. */
import fs from 'node:fs';
import os from 'node:os';
import { inWorkFolder, writeAtomically } from '../work-folder.js';
import { describeDevice } from './device.js';

/** Minimum speed-up at which a measured alternative is preferred. */
export const minSpeedup = 1.1;

/** The median of values, which are sorted in place; for an even count the upper one. */
export const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!;

/** The file with measured values by a key that contains everything that they depend on. */
const file = inWorkFolder('measurements.json');

function readAll(): Record<string, unknown> {
  try {
    const stored: unknown = JSON.parse(fs.readFileSync(file, 'utf8'));
    if (typeof stored === 'object' && stored !== null) return stored as Record<string, unknown>;
  } catch {
    // The file does not exist yet or is truncated.
  }
  // Everything is measured again.
  return {};
}

/**
 * Finds a measurement of the device in use.
 * @param description what is measured, with all that it depends on except the device and TensorFlow's version
 * @param isComplete checks a stored measurement, which may be truncated or edited
 * @returns the value, undefined if it has not been measured before, and a function that stores and returns one; it must be
 * serializable as JSON
 */
export function storedMeasurement<Value extends object>(
  description: string,
  isComplete: (stored: Partial<Value>) => boolean,
): { value: Value | undefined; store: (value: Value) => Value } {
  const { name, threads, tensorflow } = describeDevice();
  const isa = process.env['ONEDNN_MAX_CPU_ISA'] ?? '';
  const key = [name, os.arch(), `${threads} threads`, `TensorFlow ${tensorflow}`, isa, description].join(', ');
  const stored = readAll()[key] as Value | undefined;
  const store = (value: Value) => {
    try {
      writeAtomically(file, JSON.stringify({ ...readAll(), [key]: value }, null, 2));
    } catch {
      // It cannot be stored, for example in a read-only checkout. Each process then measures again.
    }
    return value;
  };
  return { value: stored && isComplete(stored) ? stored : undefined, store };
}
