// The measurements on the pages are those of the files of results.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { currentPages } from './readme.js';

test('the measurements are those of the results (npm run bench:readme)', async () => {
  for (const [file, page] of await currentPages()) assert.equal(fs.readFileSync(file, 'utf8'), page);
});
