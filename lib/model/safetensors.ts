/**
 * Reads and writes .safetensors files: an 8-byte length, a JSON header, then the bytes of the tensors. The format is
 * small and stable, so that no library is needed. The checks follow its specification (huggingface/safetensors, README,
 * "Format").
 */
import fs from 'node:fs';
import { ModelFormatError } from '../errors.js';
import { isLfsPointer, lfsPointerError } from '../hub/model-json.js';

/** A tensor read from a file or the device, converted to float32. */
export interface StoredTensor {
  shape: number[];
  /** Values, row by row. */
  data: Float32Array;
}

/** Bytes per value, by type. */
const bytesOf: Record<string, number> = { F16: 2, BF16: 2, F32: 4, F64: 8, I32: 4, I64: 8, BOOL: 1 };
const floats = new Set(['F16', 'BF16', 'F32', 'F64']);

interface Entry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

function parseHeader(file: string, descriptor: number, size: number): { header: Record<string, Entry>; start: number } {
  const damaged = (reason: string) =>
    new ModelFormatError(
      'MODEL_FILE_DAMAGED',
      `${file} is not a complete safetensors file: ${reason}. Download or save it again.`,
      { file },
    );
  const start = Buffer.alloc(64);
  fs.readSync(descriptor, start, 0, start.length, 0);
  if (isLfsPointer(start)) throw lfsPointerError(file);
  if (size < 8) throw damaged(`it has only ${size} bytes`);
  const length = Number(start.readBigUInt64LE());
  if (length > size - 8) throw damaged('its header is longer than the file');
  const text = Buffer.alloc(length);
  fs.readSync(descriptor, text, 0, length, 8);
  let header: Record<string, Entry>;
  try {
    header = JSON.parse(text.toString('utf8')) as Record<string, Entry>;
  } catch {
    throw damaged('its header is not JSON');
  }
  delete header['__metadata__'];
  for (const [name, { shape, data_offsets, dtype }] of Object.entries(header)) {
    const width = bytesOf[dtype];
    if (!width)
      throw new ModelFormatError(
        'MODEL_DTYPE_UNSUPPORTED',
        `${file} stores ${name} as ${dtype}. Supported types: ${Object.keys(bytesOf).join(', ')}.`,
        { file, name, dtype },
      );
    if (8 + length + data_offsets[1] > size) throw damaged(`${name} extends past the end of the file`);
    const bytes = shape.reduce((a, b) => a * b, 1) * width;
    if (data_offsets[1] - data_offsets[0] !== bytes) throw damaged(`the size of ${name} does not match its shape`);
  }
  return { header, start: 8 + length };
}

/** Converts float16 (IEEE 754 binary16) to float32. */
function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** All float16 values, indexed by their bits. */
let halves: Float32Array | undefined;

/** Converts the bytes of a tensor to float32. */
function toFloats(dtype: string, bytes: Uint8Array<ArrayBuffer>): Float32Array {
  if (dtype === 'F32') return new Float32Array(bytes.buffer);
  if (dtype === 'F64') return Float32Array.from(new Float64Array(bytes.buffer));
  const short = new Uint16Array(bytes.buffer);
  // bfloat16 is the upper half of a float32.
  if (dtype === 'BF16') return new Float32Array(Uint32Array.from(short, (bits) => bits << 16).buffer);
  halves ??= Float32Array.from({ length: 1 << 16 }, (_, bits) => halfToFloat(bits));
  return Float32Array.from(short, (bits) => halves![bits]!);
}

/**
 * Checks the header of a file, and that the file is complete.
 * @throws ModelFormatError see readSafetensors
 */
export function checkSafetensors(file: string): void {
  const descriptor = fs.openSync(file, 'r');
  try {
    parseHeader(file, descriptor, fs.fstatSync(descriptor).size);
  } finally {
    fs.closeSync(descriptor);
  }
}

/**
 * Reads all floating-point tensors as float32. Integer tensors, such as position ids of older checkpoints, are ignored.
 * @throws ModelFormatError if the file is truncated, is not a safetensors file, is a Git LFS pointer, or contains an unsupported type
 */
export function readSafetensors(file: string): Map<string, StoredTensor> {
  const descriptor = fs.openSync(file, 'r');
  try {
    const { header, start } = parseHeader(file, descriptor, fs.fstatSync(descriptor).size);
    const tensors = new Map<string, StoredTensor>();
    for (const [name, { dtype, shape, data_offsets }] of Object.entries(header)) {
      if (!floats.has(dtype)) continue;
      const bytes = new Uint8Array(data_offsets[1] - data_offsets[0]);
      fs.readSync(descriptor, bytes, 0, bytes.length, start + data_offsets[0]);
      tensors.set(name, { shape, data: toFloats(dtype, bytes) });
    }
    return tensors;
  } finally {
    fs.closeSync(descriptor);
  }
}

/** Writes tensors in order, first to a temporary file that then replaces `file`, so that `file` is always complete. */
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
  const temporaryFile = `${file}.new`;
  const descriptor = fs.openSync(temporaryFile, 'w');
  try {
    // Not writeSync: on a full disk it writes only a part, without an error.
    fs.writeFileSync(descriptor, prefix);
    fs.writeFileSync(descriptor, text);
    for (const { data } of tensors.values())
      fs.writeFileSync(descriptor, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
  fs.renameSync(temporaryFile, file);
}
