// `tunebook notebooks`: what a reviewer is told of notebooks that are as committed, that differ, that break, and that do not exist; and
// that the other headless runners take the notebooks as they are.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { compareKeyNumbers, describeDifference } from '#lib/notebook/review.js';
import { assertFailed } from '../failure.js';
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

test('a notebook that is as committed is good, its file untouched, and JUnit XML says so', () => {
  const before = fs.readFileSync(explore);
  const { stdout, stderr, status } = tunebook('explore', '--junit', 'junit.xml', '--out', 'out');
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /^passed {2}explore, (\d+ min )?\d+ s$/m);
  assert.match(stdout, /explore\s+(\d+ min )?\d+ s\s+\d+\s+yes\s+5 of 5/);
  assert.ok(fs.readFileSync(explore).equals(before));
  assert.ok(fs.existsSync(path.join(folder, 'out/explore/explore.html')));
  const xml = fs.readFileSync(path.join(folder, 'junit.xml'), 'utf8');
  assert.match(xml, /<testsuite name="explore"[^>]*failures="0"/);
  assert.match(xml, /testcase classname="explore" name="key number: reviews"/);
});

test('a notebook that does not exist, and an update from a quick run, are refused before any work', () => {
  const missing = tunebook('exlore');
  assertFailed(missing, 2, 'SettingsError', 'NOTEBOOK_NOT_FOUND', 'exlore', 'Did you mean explore?');
  const update = tunebook('explore', '--fast-dev-run', '--update');
  assertFailed(update, 2, 'SettingsError', 'SETTING_CONFLICT', '--update', '--fast-dev-run');
});

test('key numbers are the same within what the notebook states, and what differs is said with both values', () => {
  const committed = [
    { name: 'accuracy', value: 0.9, tolerance: 0.02, quickTolerance: 0.2 },
    { name: 'rows', value: 100, tolerance: 0 },
  ];
  const at = (accuracy: number, rows: number) => [
    { ...committed[0]!, value: accuracy },
    { ...committed[1]!, value: rows },
  ];
  const results = (found: typeof committed, quick: boolean) =>
    compareKeyNumbers(committed, found, quick).map(({ result }) => result);
  assert.deepEqual(results(at(0.92, 100), false), ['same', 'same']);
  assert.deepEqual(results(at(0.879, 101), false), ['differs', 'differs']);
  assert.deepEqual(results(at(0.75, 40), true), ['same', 'not compared']);
  assert.deepEqual(results([committed[0]!], false), ['same', 'missing']);
  const [accuracy] = compareKeyNumbers(committed, at(0.8, 100), false);
  assert.equal(describeDifference(accuracy!), 'accuracy: committed as 0.9, now 0.8; the tolerance is 0.02.');
  const [, gone] = compareKeyNumbers(committed, [committed[0]!], false);
  assert.match(describeDifference(gone!)!, /rows: committed as 100, but missing in this run/);
});

test('jupyter execute and papermill run a notebook as it is, with parameters from the environment', () => {
  const quick = { ...environment, TUNEBOOK_FAST_DEV_RUN: 'true', TUNEBOOK_RUN_FOLDER: path.join(folder, 'run') };
  const executed = path.join(folder, 'executed.ipynb');
  const jupyter = spawnSync(path.join(root, '.venv/bin/jupyter'), ['execute', explore, '--output', executed], {
    encoding: 'utf8',
    env: quick,
  });
  assert.equal(jupyter.status, 0, jupyter.stderr);
  assert.match(fs.readFileSync(executed, 'utf8'), /800 reviews from/);
  const papermill = pythonWith('papermill');
  const run = (notebook: string) =>
    spawnSync(
      papermill,
      ['-m', 'papermill', notebook, path.join(folder, 'papermill.ipynb'), '--cwd', path.join(root, 'notebooks')],
      {
        encoding: 'utf8',
        // Its kernel is the project's.
        env: { ...quick, JUPYTER_PATH: path.join(root, '.venv/share/jupyter') },
      },
    );
  const good = run(explore);
  assert.equal(good.status, 0, good.stderr);
  assert.match(fs.readFileSync(path.join(folder, 'papermill.ipynb'), 'utf8'), /800 reviews from/);
  // Versions before 2.6 called a notebook good whose cell had failed.
  const broken = path.join(folder, 'broken.ipynb');
  const notebook = JSON.parse(fs.readFileSync(explore, 'utf8')) as { cells: { cell_type: string; source: string }[] };
  notebook.cells.find(({ cell_type }) => cell_type === 'code')!.source = "throw new Error('broken on purpose');";
  fs.writeFileSync(broken, JSON.stringify(notebook));
  assert.notEqual(run(broken).status, 0);
});
