// Listing runs, comparing them, and creating reports again.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import type { RunSummary } from '#lib/runs/compare.js';
import { assertFailed } from '../failure.js';
import { tunebook, writeStarsCsv, writeTinyModel } from '../cli/command.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-runs-'));
after(() => fs.rmSync(folder, { recursive: true }));
writeTinyModel(path.join(folder, 'model'));
writeStarsCsv(path.join(folder, 'stars.csv'), 120);
const options = { cwd: folder };
const finetune = (...more: string[]) =>
  tunebook(
    [
      'finetune',
      '--dataset',
      'stars.csv',
      '--text-columns',
      'content',
      '--label-column',
      'stars',
      '--label-mapping',
      '1,2 -> negative; 4,5 -> positive',
      '--model',
      'model',
      '--max-length',
      '32',
      ...more,
    ],
    options,
  );

test('runs are listed and compared, a report is created again, and missing runs are reported', async () => {
  const none = await tunebook(['runs'], options);
  assertFailed(none, 2, 'RunError', 'RUN_NOT_FOUND', 'runs/');
  for (const more of [
    ['--max-steps', '2', '--lr', '1e-3'],
    ['--max-steps', '3', '--eval-batch-size', '7'],
  ])
    assert.equal((await finetune(...more)).status, 0);
  const failed = await finetune('--freeze', '9');
  assert.equal(failed.status, 2);

  const { stdout } = await tunebook(['runs'], options);
  const lines = stdout.trim().split('\n');
  assert.match(lines[0]!, /^run +command +state +model +reviews +changed settings +result$/);
  assert.match(lines[1]!, /finetune +completed +model +stars\.csv +.*maxSteps 2, learningRate 0\.001 +\d+\.\d % \(/);
  assert.match(lines[3]!, /finetune +failed/);
  const json = JSON.parse((await tunebook(['runs', '--json'], options)).stdout) as RunSummary[];
  assert.deepEqual(
    json.map(({ state }) => state),
    ['completed', 'completed', 'failed'],
  );
  const [first, second, third] = json.map(({ run }) => run) as [string, string, string];

  const compared = await tunebook(['runs', path.basename(first), second], options);
  assert.match(compared.stdout, /^learningRate +0\.001 +0\.00005$/m);
  assert.match(compared.stdout, /^maxSteps +2 +3$/m);
  assert.match(compared.stdout, /^test accuracy +\d+\.\d % +\d+\.\d %$/m);
  assert.doesNotMatch(
    compared.stdout,
    /epochs|evalBatchSize/,
    'equal settings and settings without effect on the result are omitted',
  );

  const report = path.join(folder, first, 'report.html');
  const before = fs.readFileSync(report, 'utf8');
  fs.rmSync(report);
  fs.rmSync(path.join(folder, first, 'figures'), { recursive: true });
  assert.equal((await tunebook(['report', first], options)).status, 0);
  assert.equal(fs.readFileSync(report, 'utf8'), before);
  assert.ok(fs.existsSync(path.join(folder, first, 'figures/plotly.js')));
  assert.equal((await tunebook(['report', third], options)).status, 0);
  assert.match(
    fs.readFileSync(path.join(folder, third, 'report.html'), 'utf8'),
    /This run is not finished: failed\. --freeze is 9, but the model has 2 layers/,
  );
  const missing = await tunebook(['report', 'nothing'], options);
  assertFailed(missing, 2, 'RunError', 'RUN_NOT_FOUND', 'nothing', 'The newest is runs/');
});

test('a run with a damaged file is an error with a code, and the other runs are still listed', async () => {
  const runs = fs.mkdtempSync(path.join(folder, 'damaged-'));
  const [newest] = fs.readdirSync(path.join(folder, 'runs')).sort();
  const copies: [name: string, file: string, content: string][] = [
    ['truncated', 'settings.json', '{"command": "finetune",'],
    ['empty', 'status.json', ''],
    ['foreign', 'settings.json', '{"editor.fontSize": 12}'],
    ['metrics', 'metrics.json', '[]'],
  ];
  for (const [name, file, content] of copies) {
    fs.cpSync(path.join(folder, 'runs', newest!), path.join(runs, name), { recursive: true });
    fs.writeFileSync(path.join(runs, name, file), content);
  }
  fs.cpSync(path.join(folder, 'runs', newest!), path.join(runs, 'intact'), { recursive: true });
  const { status, stdout, stderr } = await tunebook(['runs', '--folder', runs, '--json'], options);
  assert.equal(status, 0, stderr);
  assert.deepEqual(
    (JSON.parse(stdout) as RunSummary[]).map(({ run }) => path.basename(run)),
    ['intact'],
  );
  const left = stderr.trim().split('\n');
  assert.equal(left.length, copies.length, stderr);
  for (const [name, file] of copies) {
    assert.ok(
      left.some((line) => line.startsWith(`Left out: ${path.join(runs, name, file)} is damaged: `)),
      stderr,
    );
    const report = await tunebook(['report', path.join(runs, name)], options);
    assertFailed(report, 2, 'RunError', 'RUN_FILE_DAMAGED', path.join(runs, name, file));
  }
});
