/**
 * Reading and writing .safetensors: an 8-byte length, a JSON header, then the tensors' bytes. Small and fixed enough to
 * be ours; the format's checks are those of its specification (huggingface/safetensors, README, "Format").
 */
import fs from 'node:fs';
import path from 'node:path';
import { ModelFormatError } from '../errors.js';

/** A tensor as it is read from a file or the device: in float32, whatever it is stored in. */
export interface StoredTensor {
  shape: number[];
  /** The numbers, row by row. */
  data: Float32Array;
}

/** Bytes of a number. */
const bytesOf: Record<string, number> = { F16: 2, BF16: 2, F32: 4, F64: 8, I32: 4, I64: 8, BOOL: 1 };
const floats = new Set(['F16', 'BF16', 'F32', 'F64']);

interface Entry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

function parseHeader(file: string, descriptor: number, size: number): { header: Record<string, Entry>; start: number } {
  const broken = (what: string) =>
    new ModelFormatError(
      'MODEL_FILE_DAMAGED',
      `${file} is not a whole safetensors file: ${what}. Download or save it again.`,
      { file },
    );
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
    const width = bytesOf[dtype];
    if (!width)
      throw new ModelFormatError(
        'MODEL_DTYPE_UNSUPPORTED',
        `${file} stores ${name} as ${dtype}, which this does not read; it reads ${Object.keys(bytesOf).join(', ')}.`,
        { file, name, dtype },
      );
    if (8 + length + data_offsets[1] > size) throw broken(`${name} ends behind the file's end`);
    const bytes = shape.reduce((a, b) => a * b, 1) * width;
    if (data_offsets[1] - data_offsets[0] !== bytes) throw broken(`${name} has not the bytes its shape needs`);
  }
  return { header, start: 8 + length };
}

/** float16 (IEEE 754 binary16) as float32. */
function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** Every float16 number, by its bits. */
let halves: Float32Array | undefined;

/** A tensor's bytes as float32. */
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
 * Reads every tensor of floating-point numbers as float32 (integer buffers, such as position ids of older checkpoints, are
 * left aside).
 * @throws ModelFormatError when the file is cut off, not safetensors, or of another type
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

/**
 * Reads the weights of a model's folder: model.safetensors, or the shards that model.safetensors.index.json names.
 * @throws ModelFormatError when a file is missing or broken
 */
export function readSafetensorsFolder(folder: string): Map<string, StoredTensor> {
  const there = (name: string) => fs.existsSync(path.join(folder, name));
  if (there('model.safetensors')) return readSafetensors(path.join(folder, 'model.safetensors'));
  const index = path.join(folder, 'model.safetensors.index.json');
  if (!there('model.safetensors.index.json'))
    throw new ModelFormatError(
      'MODEL_NO_FILE',
      `${folder} has no model.safetensors (it holds: ${fs.readdirSync(folder).join(', ')}). A Hugging Face model folder has config.json and model.safetensors.`,
      { folder, file: 'model.safetensors' },
    );
  const { weight_map: shardOf } = JSON.parse(fs.readFileSync(index, 'utf8')) as { weight_map: Record<string, string> };
  const tensors = new Map<string, StoredTensor>();
  for (const shard of new Set(Object.values(shardOf))) {
    if (!there(shard))
      throw new ModelFormatError('MODEL_NO_FILE', `${folder} lacks ${shard}, one of the files that ${index} names.`, {
        folder,
        file: shard,
      });
    for (const [name, tensor] of readSafetensors(path.join(folder, shard))) tensors.set(name, tensor);
  }
  return tensors;
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
    // All of it: writeSync takes the part that fits where a disk fills up, without an error.
    fs.writeFileSync(descriptor, prefix);
    fs.writeFileSync(descriptor, text);
    for (const { data } of tensors.values())
      fs.writeFileSync(descriptor, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
  fs.renameSync(aside, file);
}
