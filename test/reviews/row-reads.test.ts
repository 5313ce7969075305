// The rows of a file are parsed twice: when it is opened, to validate it and to collect its labels, and for the sample.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, mock, test } from 'node:test';
import { loadReviews } from '#lib/reviews/load-reviews.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-reads-'));
after(() => fs.rmSync(folder, { recursive: true }));

test('the rows of a CSV file are read at most twice', async () => {
  const file = path.join(folder, 'stars.csv');
  const rows = Array.from({ length: 3000 }, (_, i) => `"review number ${i}",${1 + (i % 5)}`);
  fs.writeFileSync(file, `text,stars\n${rows.join('\n')}\n`);
  const { size } = fs.statSync(file);
  const { createReadStream } = fs;
  let bytes = 0;
  mock.method(fs, 'createReadStream', (name: string, range: { start?: number; end?: number } = {}) => {
    bytes += Math.min(range.end ?? size - 1, size - 1) - (range.start ?? 0) + 1;
    return createReadStream(name, range);
  });
  try {
    const { labels, train, validation, test: testSet } = await loadReviews(file, { labelColumn: 'stars' });
    assert.deepEqual(labels, ['1', '2', '3', '4', '5']);
    assert.equal(train.length + validation.length + testSet.length, rows.length);
  } finally {
    mock.restoreAll();
  }
  assert.ok(bytes > size && bytes <= 2 * size, `${bytes} of ${size} bytes`);
});
