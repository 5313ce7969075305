/**
 * Generates a data set of the size and shape of amazon_polarity: the same columns, text lengths (a title of a few words,
 * content with a mean of 78 and a median of 70 words) and row groups of 1,000 rows. The texts are
 * those of review-texts.ts.
 */
import fs from 'node:fs';
import path from 'node:path';
import { fileWriter, ParquetWriter } from 'hyparquet-writer';
import { seededRandom } from '#lib/reviews/random.js';
import { reviewTexts } from './review-texts.js';

const rowsPerFile = 900_000;
const rowsPerWrite = 20_000;

/** Writes train-….parquet files, and a test file with a tenth of the rows, unless they exist. */
export async function writeLargeSet(folder: string, rows: number): Promise<void> {
  if (fs.existsSync(path.join(folder, 'test.parquet'))) return;
  fs.mkdirSync(folder, { recursive: true });
  const random = seededRandom(1);
  const text = await reviewTexts(random);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

  const write = async (file: string, count: number) => {
    const writer = new ParquetWriter({
      writer: fileWriter(`${file}.new`),
      schema: [
        { name: 'root', num_children: 3 },
        { name: 'label', type: 'INT64', repetition_type: 'OPTIONAL' },
        { name: 'title', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
        { name: 'content', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
      ],
    });
    for (let written = 0; written < count; written += rowsPerWrite) {
      const length = Math.min(rowsPerWrite, count - written);
      const column = <T>(make: () => T) => Array.from({ length }, make);
      await writer.write({
        rowGroupSize: 1000,
        columnData: [
          { name: 'label', data: column(() => BigInt(random() < 0.5 ? 0 : 1)) },
          { name: 'title', data: column(() => text(1 + Math.floor(random() * 8))) },
          {
            name: 'content',
            data: column(() => text(Math.min(220, Math.max(8, Math.round(66 * Math.exp(0.58 * normal())))))),
          },
        ],
      });
    }
    await writer.finish();
    fs.renameSync(`${file}.new`, file);
  };
  const files = Math.ceil(rows / rowsPerFile);
  for (let i = 0; i < files; i++)
    await write(path.join(folder, `train-${i}.parquet`), Math.min(rowsPerFile, rows - i * rowsPerFile));
  await write(path.join(folder, 'test.parquet'), Math.ceil(rows / 10));
}
