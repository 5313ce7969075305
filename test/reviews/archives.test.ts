// Archives and files of other kinds: what can be read, and errors that name what a file is and what to do.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import zlib from 'node:zlib';
import { ReviewsError } from '#lib/errors.js';
import { fixtures } from '../checkout.js';
import { failure } from '../failure.js';
import { readText } from './files.js';

const formats = path.join(fixtures, 'formats');
const fixture = (name: string) => fs.readFileSync(path.join(formats, name));
const table = 'text,label\ngood,positive\nbad,negative\n';

/** A ZIP archive of one stored file. */
function zipOf(name: string, content: Buffer, { method = 0, flags = 0 } = {}): Buffer {
  const fields = Buffer.alloc(26);
  fields.writeUInt16LE(20, 0);
  fields.writeUInt16LE(flags, 2);
  fields.writeUInt16LE(method, 4);
  fields.writeUInt32LE(zlib.crc32(content), 10);
  fields.writeUInt32LE(content.length, 14);
  // An encrypted file has a header of 12 bytes.
  fields.writeUInt32LE(content.length - (flags === 1 ? 12 : 0), 18);
  fields.writeUInt16LE(name.length, 22);
  const local = Buffer.concat([Buffer.from('PK\x03\x04'), fields, Buffer.from(name), content]);
  const central = Buffer.concat([Buffer.from('PK\x01\x02\x14\0'), fields, Buffer.alloc(14), Buffer.from(name)]);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06');
  end.writeUInt16LE(1, 8);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(local.length, 16);
  return Buffer.concat([local, central, end]);
}

test('a workbook in a ZIP archive, and Zstandard that begins with metadata, are read', async () => {
  const stored = await readText('a.zip', zipOf('reviews.xlsx', fixture('reviews.xlsx')));
  assert.equal(stored.description.format, "Excel, sheet 'Reviews'");
  assert.equal((await readText('a.zip', zipOf('a.csv', Buffer.from(table)))).reviews.length, 2);
  const metadata = Buffer.from('502a4d1804000000deadbeef', 'hex');
  const skipped = await readText('a.csv.zst', Buffer.concat([metadata, fixture('reviews.csv.zst')]));
  assert.equal(skipped.description.compression, 'zstd');
});

test('the error for an unsupported archive names its kind', async () => {
  const tar = Buffer.alloc(1536);
  tar.write('a.csv');
  tar.write('ustar', 257);
  for (const [name, content, code, what] of [
    ['a.csv.xz', Buffer.from('fd377a585a000004', 'hex'), 'REVIEWS_FORMAT_UNKNOWN', /compressed with xz/],
    ['a.tar', tar, 'REVIEWS_FORMAT_UNKNOWN', /a tar archive/],
    ['a.tar.gz', zlib.gzipSync(tar), 'REVIEWS_FORMAT_UNKNOWN', /a tar archive/],
    [
      'a.zip',
      zipOf('a.zip', zipOf('a.csv', Buffer.from(table))),
      'REVIEWS_ARCHIVE_UNSUPPORTED',
      /a zip file within a zip file/,
    ],
    ['a.zip', zipOf('a.gz', zlib.gzipSync(table)), 'REVIEWS_ARCHIVE_UNSUPPORTED', /a gzip file within a zip file/],
    ['a.zip', zipOf('a.csv', Buffer.from(table), { method: 14 }), 'REVIEWS_ARCHIVE_UNSUPPORTED', /method 14/],
    ['a.zip', zipOf('a.csv', Buffer.from(table), { flags: 1 }), 'REVIEWS_ARCHIVE_UNSUPPORTED', /is encrypted/],
    [
      'a.zip',
      Buffer.concat([Buffer.from('PK\x05\x06'), Buffer.alloc(18)]),
      'REVIEWS_FORMAT_UNKNOWN',
      /an empty ZIP archive/,
    ],
    ['a.feather', Buffer.from('FEA1\0\0\0\0FEA1'), 'REVIEWS_FORMAT_UNKNOWN', /Feather file of version 1/],
  ] as const)
    await assert.rejects(readText(name, content), (error: Error) => {
      assert.match(error.message, what);
      return failure(ReviewsError, code)(error);
    });
});

test('empty and damaged files say so, without errors of libraries about their variables', async () => {
  for (const extension of ['arrow', 'feather', 'parquet', 'xlsx'])
    await assert.rejects(readText(`a.${extension}`, ''), (error: Error) => {
      assert.match(error.message, /is empty/);
      return failure(ReviewsError, 'REVIEWS_NO_ROWS')(error);
    });
  for (const [name, code] of [
    ['reviews.csv.bz2', 'REVIEWS_DAMAGED'],
    ['reviews.csv.gz', 'REVIEWS_DAMAGED'],
    ['reviews.csv.zst', 'REVIEWS_DAMAGED'],
    ['stream.arrow', 'REVIEWS_DAMAGED'],
    ['lz4.feather', 'REVIEWS_DAMAGED'],
    ['reviews.parquet', 'REVIEWS_MALFORMED'],
  ] as const) {
    const bytes = fixture(name);
    const cut = [0.2, 0.5, 0.9].map((part) => bytes.subarray(0, Math.floor(part * bytes.length)));
    // Parquet has no checksums, but a footer.
    const overwritten = [bytes.length - 40, 8].map((at) => Buffer.from(bytes).fill(255, at, at + 24));
    for (const content of name.endsWith('.parquet') ? [...cut, ...overwritten] : cut)
      await assert.rejects(readText(name, content), (error: Error) => {
        assert.match(error.message, /damaged or incomplete/);
        assert.doesNotMatch(error.message, /undefined|Cannot read|Offset|NaN|is not a function/);
        return failure(ReviewsError, code)(error);
      });
  }
});

test('a JSON document on one line is the table in it', async () => {
  const rows = [
    { text: 'good', label: 'positive' },
    { text: 'bad', label: 'negative' },
  ];
  const wanted = ['good|positive', 'bad|negative'];
  for (const document of [
    { version: '1', data: rows },
    { features: [{ name: 'text' }], rows: rows.map((row, i) => ({ row_idx: i, row })), num_rows_total: 2 },
  ])
    for (const indent of [0, 1])
      assert.deepEqual((await readText('a.json', JSON.stringify(document, undefined, indent))).reviews, wanted);
  // A row with a list of objects is a row.
  const row = { text: 'good', label: 'positive', images: [{ url: 'x' }] };
  assert.deepEqual((await readText('a.json', JSON.stringify(row))).reviews, ['good|positive']);
});
