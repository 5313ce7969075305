/**
 * `npm run bench:read -- [--gigabytes 1] [--rounds 3] [--folder FOLDER]`: opens a compressed file of reviews (.tsv.gz with
 * labels such as 5.0) of that size, in turns with Python's gzip and csv. Opening reads all rows, counts their labels and
 * stores them for reading at random; Python reads the rows and counts the labels. Needs four times the size on the disk.
 */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { once } from 'node:events';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import zlib from 'node:zlib';
import { seededRandom } from '#lib/reviews/random.js';
import { root } from '../checkout.js';
import { reviewTexts } from './review-texts.js';

const { values } = parseArgs({
  options: {
    gigabytes: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '3' },
    folder: { type: 'string' },
  },
});
const bytes = Number(values.gigabytes) * 1e9;

/** Sentences that are generated; reviews combine them, so that none repeats within gzip's window of 32 KiB. */
const sentences = 20_000;

/** Writes rows as pandas does, with quotes where a text contains some, until the compressed file has the wanted size. */
async function writeReviews(file: string): Promise<void> {
  const random = seededRandom(1);
  const text = await reviewTexts(random);
  const pool = Array.from({ length: sentences }, () => text(6 + Math.floor(random() * 24)));
  const combined = (count: number) =>
    Array.from({ length: count }, () => pool[Math.floor(random() * sentences)]!).join(' ');
  const cell = (value: string) => (value.includes('"') ? `"${value.replaceAll('"', '""')}"` : value);
  const compressor = zlib.createGzip({ level: 1 });
  const output = fs.createWriteStream(file);
  const written = pipeline(compressor, output);
  compressor.write('asin\tstars\tsummary\ttext\n');
  for (let row = 0; output.bytesWritten < bytes;) {
    const rows: string[] = [];
    for (let i = 0; i < 1000; i++, row++)
      rows.push(
        `B${String(row).padStart(9, '0')}\t${1 + Math.floor(random() * 5)}.0\t${cell(combined(1).slice(0, 30))}\t` +
          `${cell(combined(1 + Math.floor(random() * 8)))}\n`,
      );
    if (!compressor.write(rows.join(''))) await once(compressor, 'drain');
  }
  compressor.end();
  await written;
}

interface Turn {
  rows: number;
  seconds: number;
  peakBytes: number;
  labels: Record<string, number>;
}

const folder = fs.mkdtempSync(path.join(values.folder ?? os.tmpdir(), 'tunebook-read-'));
try {
  const file = path.join(folder, 'reviews.tsv.gz');
  await writeReviews(file);
  const { size } = fs.statSync(file);
  console.log(`${(size / 1e9).toFixed(2)} GB compressed`);
  const turn = (command: string, script: string) =>
    JSON.parse(
      execFileSync(command, [path.join(root, script), file], {
        encoding: 'utf8',
        env: { ...process.env, TMPDIR: folder },
        stdio: ['ignore', 'pipe', 'inherit'],
      }),
    ) as Turn;
  const sides = {
    Tunebook: () => turn(process.execPath, 'test/dist/bench/read-turn.js'),
    Python: () => turn(process.env['TUNEBOOK_PYTHON'] ?? 'python3', 'test/bench/read.py'),
  };
  const turns: Record<keyof typeof sides, Turn[]> = { Tunebook: [], Python: [] };
  for (let round = 0; round < Number(values.rounds); round++)
    for (const side of ['Tunebook', 'Python'] as const) {
      const result = sides[side]();
      turns[side].push(result);
      console.log(
        `${side}: ${result.rows} rows in ${result.seconds.toFixed(1)} s, ${(size / 1e6 / result.seconds).toFixed(1)} MB/s ` +
          `compressed, peak ${(result.peakBytes / 1e6).toFixed(0)} MB`,
      );
    }
  const first = (side: keyof typeof sides) => turns[side][0]!;
  const total = (labels: Record<string, number>) => Object.values(labels).join(', ');
  if (total(first('Tunebook').labels) !== total(first('Python').labels))
    throw new Error('Both sides must count the same labels.');
  const median = (side: keyof typeof sides) =>
    turns[side].map(({ seconds }) => seconds).sort((a, b) => a - b)[Math.floor(turns[side].length / 2)]!;
  console.log(`Ratio of the medians: ${(median('Python') / median('Tunebook')).toFixed(2)}`);
} finally {
  fs.rmSync(folder, { recursive: true });
}
