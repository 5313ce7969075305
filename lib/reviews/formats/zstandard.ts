/**
 * Zstandard (RFC 8878), frame by frame. Node has it since version 22.15 only; fzstd decompresses it everywhere, but does
 * not verify checksums, without which damaged bytes would be read as text.
 */
import { Decompress } from 'fzstd';
import xxhash from 'xxhash-wasm';

const frameMagic = 0xfd2fb528;
const isSkippable = (magic: number) => magic >>> 4 === 0x184d2a5;

const incomplete = () => new Error('unexpected end of file');

/** Reads given numbers of bytes of a stream. */
class ByteReader {
  #bytes = Buffer.alloc(0);
  readonly #input: AsyncIterator<Buffer>;

  constructor(input: AsyncIterable<Buffer>) {
    this.#input = input[Symbol.asyncIterator]();
  }

  /** Whether all bytes have been read. */
  async isAtEnd(): Promise<boolean> {
    while (this.#bytes.length === 0) {
      const next = await this.#input.next();
      if (next.done) return true;
      this.#bytes = next.value as Buffer<ArrayBuffer>;
    }
    return false;
  }

  async take(count: number): Promise<Buffer> {
    const parts = [this.#bytes];
    for (let length = this.#bytes.length; length < count;) {
      const next = await this.#input.next();
      if (next.done) throw incomplete();
      parts.push(next.value as Buffer<ArrayBuffer>);
      length += next.value.length;
    }
    if (parts.length > 1) this.#bytes = Buffer.concat(parts);
    const taken = this.#bytes.subarray(0, count);
    this.#bytes = this.#bytes.subarray(count);
    return taken;
  }

  /** Ends the input. */
  async close(): Promise<void> {
    await this.#input.return?.();
  }
}

/** Length of the rest of a frame header, after its first byte. */
function headerLength(descriptor: number): number {
  const isSingleSegment = (descriptor >> 5) & 1;
  const dictionary = [0, 1, 2, 4][descriptor & 3]!;
  const contentSize = [isSingleSegment, 2, 4, 8][descriptor >> 6]!;
  return 1 - isSingleSegment + dictionary + contentSize;
}

/** Decompresses a stream. @throws Error if it is incomplete or a checksum is wrong */
export async function* zstandard(input: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const hashes = await xxhash();
  const reader = new ByteReader(input);
  try {
    while (!(await reader.isAtEnd())) {
      const magic = await reader.take(4);
      if (isSkippable(magic.readUInt32LE())) {
        await reader.take((await reader.take(4)).readUInt32LE());
        continue;
      }
      if (magic.readUInt32LE() !== frameMagic) throw new Error('invalid frame');
      const descriptor = await reader.take(1);
      const hasChecksum = (descriptor[0]! & 4) > 0;
      let pending = Buffer.concat([magic, descriptor, await reader.take(headerLength(descriptor[0]!))]);
      const hash = hashes.create64();
      let output: Buffer[] = [];
      // The decompressor overwrites its buffers.
      const decompressor = new Decompress((bytes) => output.push(Buffer.from(bytes)));
      for (let isLast = false; !isLast;) {
        const header = await reader.take(3);
        isLast = (header[0]! & 1) > 0;
        const isRun = (header[0]! & 6) === 2;
        const block = await reader.take(isRun ? 1 : header.readUIntLE(0, 3) >> 3);
        const checksum = await reader.take(isLast && hasChecksum ? 4 : 0);
        pending = Buffer.concat([pending, header, block, checksum]);
        decompressor.push(pending, isLast);
        pending = Buffer.alloc(0);
        for (const bytes of output) hash.update(bytes);
        if (checksum.length > 0 && checksum.readUInt32LE() !== Number(hash.digest() & 0xffffffffn))
          throw new Error('its checksum is wrong');
        yield* output;
        output = [];
      }
    }
  } finally {
    await reader.close();
  }
}
