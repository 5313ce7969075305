// The run of a notebook: what prevents it, and what it leaves if the notebook fails. test/tracking/mlflow.test.ts has a whole one.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { CellError, RunError, SettingsError } from '#lib/errors.js';
import { executeNotebook } from '#lib/notebook/execute.js';
import { startRun } from '#lib/notebook/run.js';
import { readJournal } from '#lib/runs/journal.js';
import { RunFolder } from '#lib/runs/run-folder.js';
import { readSettings } from '#lib/settings/settings.js';
import { failure } from '../failure.js';
import { writeNotebook } from './write.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-test-'));
after(() => fs.rmSync(folder, { recursive: true }));
const sources = { model: 'embedded', dataset: 'embedded', banner: 'Embedded.', fallback: false };

test('a folder with a model, and a setting that only jobs apply, are rejected, and nothing is changed', async () => {
  const runFolder = path.join(folder, 'taken');
  fs.mkdirSync(path.join(runFolder, 'model'), { recursive: true });
  fs.writeFileSync(path.join(runFolder, 'model/mine.txt'), 'mine');
  await assert.rejects(
    startRun('finetune', readSettings({ runFolder }), sources),
    failure(RunError, 'RUN_EXISTS', { folder: runFolder }),
  );
  assert.deepEqual(fs.readdirSync(runFolder), ['model']);
  await assert.rejects(
    startRun('finetune', readSettings({ runFolder: path.join(folder, 'overfit'), overfitBatches: 1 }), sources),
    failure(SettingsError, 'SETTING_CONFLICT', { names: ['overfitBatches'] }),
  );
  assert.ok(!fs.existsSync(path.join(folder, 'overfit')));
});

test('a notebook that fails leaves a run that failed', async () => {
  const notebook = writeNotebook(folder, [
    `import * as tunebook from 'tunebook';
     const run = await tunebook.startRun('finetune', tunebook.readSettings(), ${JSON.stringify(sources)});`,
    `run.write('note', { message: 'before' });
     throw new Error('broken on purpose');`,
  ]);
  const environment = { TUNEBOOK_RUN_FOLDER: 'failed', MLFLOW_TRACKING_URI: '' };
  await assert.rejects(
    executeNotebook(notebook, {
      executed: path.join(folder, 'executed.ipynb'),
      report: path.join(folder, 'report.html'),
      environment,
    }),
    CellError,
  );
  const run = new RunFolder(path.join(folder, 'failed'));
  assert.equal(run.state, 'failed');
  assert.match(run.status!.message!, /kernel ended before the run was finished/);
  assert.deepEqual(
    readJournal(run.folder).map(({ kind }) => kind),
    ['start', 'banner', 'note', 'end'],
  );
});
