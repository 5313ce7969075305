// The measurements in the documentation agree with the result files.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { currentPages } from './readme.js';

test('the measurements on the pages agree with the result files (npm run bench:readme updates them)', async () => {
  for (const [file, page] of await currentPages()) assert.equal(fs.readFileSync(file, 'utf8'), page);
});
