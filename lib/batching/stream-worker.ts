/** A worker of a ReviewStream: reads, cleans and tokenizes the rows of a block. */
import { move, transferableSymbol, valueSymbol, workerData } from 'piscina';
import { hubOfEnvironment } from '../hub/environment.js';
import { remoteFile } from '../hub/remote-file.js';
import { columnsOf, labelRow, nothingDropped, reviewsOfRows } from '../reviews/review.js';
import type { ReadRows } from '../reviews/row-file.js';
import { packError } from './thread-error.js';
import { textKey, type BlockPart, type PackedBlock, type WorkerSettings } from './stream-block.js';
import { useSettingForm } from '../settings/setting-text.js';
import { createTokenizer, encodeInput, type EncodedPair } from '../tokenizer/tokenizer.js';
import { chunkReader } from '../reviews/chunk-reader.js';

const { files, reading, tokenizerFiles, maxTokens, maxLength, without, form } = workerData as WorkerSettings;
useSettingForm(form);
const tokenizer = createTokenizer(tokenizerFiles, maxTokens);
const heldOutKeys = new Set(without);
const readers = new Map<number, Promise<ReadRows>>();
const hub = hubOfEnvironment();

/** The reader of a file, opened at its first use. */
function readerOf(file: number): Promise<ReadRows> {
  const location = files[file]!;
  const reader = readers.get(file) ?? chunkReader(location, (url, size) => remoteFile(hub, url, size));
  readers.set(file, reader);
  return reader;
}

/**
 * Reads, cleans and tokenizes a block.
 * @returns a PackedBlock, whose buffer is transferred without a copy
 */
export default (parts: BlockPart[]): Promise<unknown> =>
  encodeBlock(parts).catch((error: unknown) => {
    throw packError(error);
  });

async function encodeBlock(parts: BlockPart[]): Promise<unknown> {
  const dropped = nothingDropped();
  const encoded: EncodedPair[] = [];
  const labels: number[] = [];
  let heldOut = 0;
  for (const { file, chunk } of parts) {
    const read = await readerOf(file);
    const rows = await read(chunk, columnsOf(reading));
    for (const review of reviewsOfRows(rows, reading, dropped, files[file]!.name, chunk.start)) {
      if (heldOutKeys.size > 0 && heldOutKeys.has(textKey(review))) heldOut++;
      else {
        encoded.push(encodeInput(tokenizer, review, maxLength));
        labels.push(...labelRow(review, reading.classes.names.length));
      }
    }
  }
  const count = encoded.length;
  const packed = new Int32Array(2 * count + encoded.reduce((sum, { ids }) => sum + ids.length, 0));
  let offset = 2 * count;
  encoded.forEach(({ ids, pairStart }, i) => {
    packed[i] = ids.length;
    packed[count + i] = pairStart;
    packed.set(ids, offset);
    offset += ids.length;
  });
  const block: PackedBlock = { packed, labels: Float32Array.from(labels), rows: count, dropped, heldOut };
  return move({ [transferableSymbol]: packed.buffer, [valueSymbol]: block });
}
