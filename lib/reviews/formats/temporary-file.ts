/**
 * Temporary files for rows that cannot be read at random otherwise, such as those of compressed files. A file has no
 * name: it disappears with the process, however that ends. Worker threads share its descriptor.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { randomUUID } from 'node:crypto';
import { FileError } from '../../errors.js';

/** Closes files whose owner has been garbage-collected. */
const closing = new FinalizationRegistry((fd: number) => {
  fs.closeSync(fd);
});

/** Closes a file once an object has been garbage-collected. */
export function closeWith(owner: object, fd: number): void {
  closing.register(owner, fd);
}

/** A file without a name, to which bytes are appended. */
export class TemporaryFile {
  readonly fd: number;
  size = 0;

  constructor() {
    const file = path.join(os.tmpdir(), `tunebook-${randomUUID()}`);
    try {
      this.fd = fs.openSync(file, 'wx+', 0o600);
    } catch (error) {
      throw this.#error(error);
    }
    fs.unlinkSync(file);
  }

  /**
   * Appends bytes.
   * @throws FileError if the disk is full
   */
  append(bytes: Uint8Array): void {
    try {
      for (let written = 0; written < bytes.length;)
        written += fs.writeSync(this.fd, bytes, written, bytes.length - written);
    } catch (error) {
      throw this.#error(error);
    }
    this.size += bytes.length;
  }

  #error(error: unknown): unknown {
    const { code, message } = error as NodeJS.ErrnoException;
    const isFull = code === 'ENOSPC' || code === 'EDQUOT';
    return new FileError(
      isFull ? 'FILE_DISK_FULL' : 'FILE_UNUSABLE',
      `Rows cannot be stored in ${os.tmpdir()}: ${isFull ? 'the disk is full' : message}. Free space, or name another folder: TMPDIR=/path.`,
      { folder: os.tmpdir(), systemCode: code },
    );
  }
}

/** Copies bytes to a temporary file. */
export async function copyToTemporaryFile(bytes: AsyncIterable<Buffer>): Promise<{ fd: number; size: number }> {
  const file = new TemporaryFile();
  for await (const part of bytes) file.append(part);
  const place = { fd: file.fd, size: file.size };
  closeWith(place, file.fd);
  return place;
}

/** Reads bytes of a file by its descriptor. */
export function readAt(fd: number, from: number, size: number): Promise<Buffer> {
  const bytes = Buffer.alloc(size);
  return new Promise((resolve, reject) => {
    fs.read(fd, bytes, 0, size, from, (error, count) => {
      if (error) reject(error);
      else resolve(bytes.subarray(0, count));
    });
  });
}
