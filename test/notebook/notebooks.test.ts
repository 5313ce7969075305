// `tunebook notebooks`: the report on notebooks that are unchanged, that differ, and that do not exist. The notebooks
// also run unchanged in other headless runners.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { ArgumentError } from '#lib/errors.js';
import { showKeyNumbers } from '#lib/notebook/key-numbers.js';
import { compareKeyNumbers, describeDifference } from '#lib/notebook/review.js';
import { assertFailed, failure } from '../failure.js';
import { root } from '../checkout.js';
import { pythonWith } from '../python-environment.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-notebooks-'));
after(() => fs.rmSync(folder, { recursive: true, force: true }));

const environment = { ...process.env, TUNEBOOK_SOURCE: 'embedded', JUPYTER_PREFER_ENV_PATH: '1' };
const tunebook = (...argv: string[]) =>
  spawnSync(process.execPath, [path.join(root, 'lib/dist/cli/main.js'), 'notebooks', ...argv], {
    cwd: folder,
    encoding: 'utf8',
    env: environment,
  });
const explore = path.join(root, 'notebooks/explore.ipynb');

test('an unchanged notebook passes, its file is not modified, and the JUnit report contains the result', () => {
  const before = fs.readFileSync(explore);
  const { stdout, stderr, status } = tunebook('explore', '--junit', 'junit.xml', '--out', 'out');
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /^passed {2}explore, (\d+ min )?\d+ s$/m);
  assert.match(stdout, /explore\s+(\d+ min )?\d+ s\s+\d+\s+yes\s+(\d+) of \2/);
  assert.ok(fs.readFileSync(explore).equals(before));
  assert.ok(fs.existsSync(path.join(folder, 'out/explore/explore.html')));
  const xml = fs.readFileSync(path.join(folder, 'junit.xml'), 'utf8');
  assert.match(xml, /<testsuite name="explore"[^>]*failures="0"/);
  assert.match(xml, /testcase classname="explore" name="key number: reviews"/);
});

test('a notebook that does not exist, and an update from a fast development run, are rejected before execution', () => {
  const missing = tunebook('exlore');
  assertFailed(missing, 2, 'SettingsError', 'NOTEBOOK_NOT_FOUND', 'exlore', 'Did you mean explore?');
  const update = tunebook('explore', '--fast-dev-run', '--update');
  assertFailed(update, 2, 'SettingsError', 'SETTING_CONFLICT', '--update', '--fast-dev-run');
});

test('key numbers may differ by the tolerance of the notebook; a larger difference is reported with both values', () => {
  const committed = [
    { name: 'accuracy', value: 0.9, tolerance: 0.02, quickTolerance: 0.2 },
    { name: 'rows', value: 100, tolerance: 0 },
  ];
  const numbers = (accuracy: number, rows: number) => [
    { ...committed[0]!, value: accuracy },
    { ...committed[1]!, value: rows },
  ];
  const results = (actual: typeof committed, quick: boolean) =>
    compareKeyNumbers(committed, actual, quick).map(({ result }) => result);
  assert.deepEqual(results(numbers(0.92, 100), false), ['same', 'same']);
  assert.deepEqual(results(numbers(0.879, 101), false), ['differs', 'differs']);
  assert.deepEqual(results(numbers(0.75, 40), true), ['same', 'not compared']);
  assert.deepEqual(results([committed[0]!], false), ['same', 'missing']);
  const [accuracy] = compareKeyNumbers(committed, numbers(0.8, 100), false);
  assert.equal(describeDifference(accuracy!), 'accuracy: committed as 0.9, now 0.8; the tolerance is 0.02.');
  const [, missingRows] = compareKeyNumbers(committed, [committed[0]!], false);
  assert.match(describeDifference(missingRows!)!, /rows: committed as 100, but missing in this run/);
});

test('a key number that is undefined in one run only is a difference', () => {
  const numbers = (value: number | null) => [{ name: 'ROC AUC', value, tolerance: 0.02 }];
  const compare = (committed: number | null, actual: number | null) =>
    compareKeyNumbers(numbers(committed), numbers(actual), false)[0]!;
  assert.equal(compare(null, null).result, 'same');
  assert.equal(
    describeDifference(compare(0.9, null)),
    'ROC AUC: committed as 0.9, now undefined; the tolerance is 0.02.',
  );
  assert.equal(describeDifference(compare(null, 0)), 'ROC AUC: committed as undefined, now 0; the tolerance is 0.02.');
  assert.match(describeDifference(compareKeyNumbers([], numbers(null), false)[0]!)!, /^ROC AUC: undefined in this run/);
});

test('NaN as a key number and a repeated name are errors', () => {
  const number = { name: 'ROC AUC', tolerance: 0.02 };
  for (const value of [NaN, Infinity])
    assert.throws(
      () => showKeyNumbers([{ ...number, value }]),
      failure(ArgumentError, 'ARGUMENT_KEY_NUMBER_INVALID', { name: 'ROC AUC' }),
    );
  assert.throws(
    () => showKeyNumbers([1, 2].map((value) => ({ ...number, value }))),
    failure(ArgumentError, 'ARGUMENT_KEY_NUMBER_REPEATED'),
  );
});

test('jupyter execute and papermill run an unchanged notebook with parameters from the environment', () => {
  const quick = { ...environment, TUNEBOOK_FAST_DEV_RUN: 'true', TUNEBOOK_RUN_FOLDER: path.join(folder, 'run') };
  const executed = path.join(folder, 'executed.ipynb');
  const jupyter = spawnSync(path.join(root, '.venv/bin/jupyter'), ['execute', explore, '--output', executed], {
    encoding: 'utf8',
    env: quick,
  });
  assert.equal(jupyter.status, 0, jupyter.stderr);
  assert.match(fs.readFileSync(executed, 'utf8'), /800 reviews from/);
  const papermill = pythonWith('notebook');
  const run = (notebook: string) =>
    spawnSync(
      papermill,
      ['-m', 'papermill', notebook, path.join(folder, 'papermill.ipynb'), '--cwd', path.join(root, 'notebooks')],
      {
        encoding: 'utf8',
        // papermill uses the project's kernel.
        env: { ...quick, JUPYTER_PATH: path.join(root, '.venv/share/jupyter') },
      },
    );
  const success = run(explore);
  assert.equal(success.status, 0, success.stderr);
  assert.match(fs.readFileSync(path.join(folder, 'papermill.ipynb'), 'utf8'), /800 reviews from/);
  // Versions before 2.6 reported success although a cell had failed.
  const broken = path.join(folder, 'broken.ipynb');
  const notebook = JSON.parse(fs.readFileSync(explore, 'utf8')) as { cells: { cell_type: string; source: string }[] };
  notebook.cells.find(({ cell_type }) => cell_type === 'code')!.source = "throw new Error('broken on purpose');";
  fs.writeFileSync(broken, JSON.stringify(notebook));
  assert.notEqual(run(broken).status, 0);
});
