/**
 * A data set of amazon_polarity's size and shape: its columns, its lengths (a title of a few words; of content 78 words on
 * average, 70 at the median), its row groups of 1,000 rows. Words follow each other as in the embedded reviews; one in
 * twenty-five is misspelt, so that there is no end of new ones, as there is none in real reviews.
 */
import fs from 'node:fs';
import path from 'node:path';
import { fileWriter, ParquetWriter } from 'hyparquet-writer';
import { embeddedReviews } from '#lib/reviews/embedded.js';
import { sampleReviews } from '#lib/reviews/sample.js';
import { seededRandom } from '#lib/reviews/random.js';

const rowsInFile = 900_000;
const rowsInSlab = 20_000;

/** Writes train-….parquet files and one test file of a tenth of the rows, unless they are there. */
export async function writeLargeSet(folder: string, rows: number): Promise<void> {
  if (fs.existsSync(path.join(folder, 'test.parquet'))) return;
  fs.mkdirSync(folder, { recursive: true });
  const random = seededRandom(1);
  const followers = new Map<string, string[]>();
  const words: string[] = [];
  for (const { text } of await sampleReviews(embeddedReviews())) {
    const sentence = text.split(/\s+/);
    words.push(...sentence);
    sentence.slice(1).forEach((word, i) => {
      const list = followers.get(sentence[i]!);
      if (list) list.push(word);
      else followers.set(sentence[i]!, [word]);
    });
  }
  const any = (list: string[]) => list[Math.floor(random() * list.length)]!;
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const misspelt = (word: string) => {
    const at = Math.floor(random() * word.length);
    return word.slice(0, at) + String.fromCharCode(97 + Math.floor(random() * 26)) + word.slice(at + 1);
  };
  const text = (count: number) => {
    const chosen = [any(words)];
    while (chosen.length < count) {
      const list = followers.get(chosen.at(-1)!);
      const word = list && random() < 0.8 ? any(list) : any(words);
      chosen.push(random() < 0.04 ? misspelt(word) : word);
    }
    return chosen.join(' ');
  };

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
    for (let written = 0; written < count; written += rowsInSlab) {
      const length = Math.min(rowsInSlab, count - written);
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
  const files = Math.ceil(rows / rowsInFile);
  for (let i = 0; i < files; i++)
    await write(path.join(folder, `train-${i}.parquet`), Math.min(rowsInFile, rows - i * rowsInFile));
  await write(path.join(folder, 'test.parquet'), Math.ceil(rows / 10));
}
