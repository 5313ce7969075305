// The API documentation (npm run docs:api) is complete: every export is documented, and every reference is resolved.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { root } from '../checkout.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-api-'));
after(() => fs.rmSync(folder, { recursive: true }));

test('TypeDoc prints no warnings and writes a page for each function and type', () => {
  const typedoc = path.join(root, 'node_modules/typedoc/bin/typedoc');
  const { status, stdout, stderr } = spawnSync(process.execPath, [typedoc, '--out', folder, '--logLevel', 'Warn'], {
    cwd: root,
    encoding: 'utf8',
  });
  assert.equal(stdout + stderr, '');
  assert.equal(status, 0);
  const read = (page: string) => fs.readFileSync(path.join(folder, page), 'utf8');
  assert.match(read('classes/tunebook.Trainer.html'), /Trains and evaluates a model/);
  assert.match(read('functions/tunebook_tensorflow.tensorFunction.html'), /runs as a graph/);
  assert.match(read('functions/tunebook_serving.openSentimentModel.html'), /exported model/);
  assert.match(read('index.html'), /TextClassifier/);
  // Destructured parameters have names.
  const pages = fs.readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.html'));
  assert.ok(pages.length > 200);
  for (const page of pages) assert.doesNotMatch(read(page), /__namedParameters/, page);
});
