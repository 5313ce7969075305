/**
 * Reading and writing .safetensors: an 8-byte length, a JSON header, then the tensors' bytes. Small and fixed enough to
 * be ours; the format's checks are those of its specification (huggingface/safetensors, README, "Format").
 */
import fs from 'node:fs';
import { ModelFormatError } from './config.js';

export interface StoredTensor {
  shape: number[];
  data: Float32Array;
}

interface Entry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

function parseHeader(file: string, descriptor: number, size: number): { header: Record<string, Entry>; start: number } {
  const broken = (what: string) =>
    new ModelFormatError(`${file} is not a whole safetensors file: ${what}. Download or save it again.`);
  const prefix = Buffer.alloc(8);
  if (size < 8 || fs.readSync(descriptor, prefix, 0, 8, 0) < 8) throw broken(`it has ${size} bytes`);
  const length = Number(prefix.readBigUInt64LE());
  if (length > size - 8) throw broken('its header is longer than the file');
  const text = Buffer.alloc(length);
  fs.readSync(descriptor, text, 0, length, 8);
  let header: Record<string, Entry>;
  try {
    header = JSON.parse(text.toString('utf8')) as Record<string, Entry>;
  } catch {
    throw broken('its header is not JSON');
  }
  delete header['__metadata__'];
  for (const [name, { shape, data_offsets, dtype }] of Object.entries(header)) {
    if (dtype !== 'F32' && dtype !== 'I64')
      throw new ModelFormatError(`${file} stores ${name} as ${dtype}; this reads F32.`);
    if (8 + length + data_offsets[1] > size) throw broken(`${name} ends behind the file's end`);
    const bytes = shape.reduce((a, b) => a * b, 1) * (dtype === 'F32' ? 4 : 8);
    if (data_offsets[1] - data_offsets[0] !== bytes) throw broken(`${name} has not the bytes its shape needs`);
  }
  return { header, start: 8 + length };
}

/**
 * Reads every float32 tensor (integer buffers, such as position ids of older checkpoints, are left aside).
 * @throws ModelFormatError when the file is cut off, not safetensors, or of another type
 */
export function readSafetensors(file: string): Map<string, StoredTensor> {
  const descriptor = fs.openSync(file, 'r');
  try {
    const { header, start } = parseHeader(file, descriptor, fs.fstatSync(descriptor).size);
    const tensors = new Map<string, StoredTensor>();
    for (const [name, { dtype, shape, data_offsets }] of Object.entries(header)) {
      if (dtype !== 'F32') continue;
      const data = new Float32Array((data_offsets[1] - data_offsets[0]) / 4);
      fs.readSync(descriptor, new Uint8Array(data.buffer), 0, data.byteLength, start + data_offsets[0]);
      tensors.set(name, { shape, data });
    }
    return tensors;
  } finally {
    fs.closeSync(descriptor);
  }
}

/** Writes the tensors in their order, aside and then in place, so that a file under the name is always whole. */
export function writeSafetensors(file: string, tensors: Map<string, StoredTensor>): void {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  let offset = 0;
  for (const [name, { shape, data }] of tensors) {
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  let text = JSON.stringify(header);
  text += ' '.repeat((8 - (Buffer.byteLength(text) % 8)) % 8);
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(Buffer.byteLength(text)));
  const aside = `${file}.new`;
  const descriptor = fs.openSync(aside, 'w');
  try {
    fs.writeSync(descriptor, prefix);
    fs.writeSync(descriptor, text);
    for (const { data } of tensors.values())
      fs.writeSync(descriptor, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
  fs.renameSync(aside, file);
}
