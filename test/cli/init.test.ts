// `tunebook init` and `tunebook kernel`: a new project trains, and Jupyter finds the kernel.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import ts from 'typescript';
import { executeNotebook } from '#lib/notebook/execute.js';
import { loadReviews } from '#lib/reviews/load-reviews.js';
import { root } from '../checkout.js';
import { tunebook } from './command.js';

// Inside the checkout, so that its node_modules are found.
const scratch = fs.mkdtempSync(path.join(root, '.tunebook/init-'));
after(() => fs.rmSync(scratch, { recursive: true }));

test('init creates a project whose script and notebook train, and overwrites nothing', async () => {
  const first = await tunebook(['init', 'my-reviews'], { cwd: scratch });
  assert.equal(first.status, 0, first.stderr);
  const folder = path.join(scratch, 'my-reviews');
  const names = ['.npmrc', 'finetune.ipynb', 'finetune.ts', 'package.json', 'reviews.csv'];
  assert.deepEqual(fs.readdirSync(folder).sort(), names);
  // Tunebook is found in the checkout, and is named only where it is not, so that npm need not find it.
  const dependencies = (project: string) =>
    Object.keys(
      (JSON.parse(fs.readFileSync(path.join(project, 'package.json'), 'utf8')) as { dependencies: object })
        .dependencies,
    );
  assert.deepEqual(dependencies(folder), ['tslab']);
  const elsewhere = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-init-'));
  assert.equal((await tunebook(['init', elsewhere])).status, 0);
  assert.deepEqual(dependencies(elsewhere), ['tslab', 'tunebook']);
  fs.rmSync(elsewhere, { recursive: true });
  const { train, validation, test, labels } = await loadReviews(path.join(folder, 'reviews.csv'));
  assert.deepEqual(
    [train, validation, test].map((set) => set.length).reduce((a, b) => a + b),
    600,
  );
  assert.deepEqual(labels, ['negative', 'positive']);

  // Older versions of Node do not run TypeScript.
  const script = path.join(folder, 'finetune.ts');
  const { outputText } = ts.transpileModule(fs.readFileSync(script, 'utf8'), {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
  });
  fs.writeFileSync(path.join(folder, 'script.mjs'), outputText);
  const run = spawnSync(process.execPath, ['script.mjs'], { cwd: folder, encoding: 'utf8' });
  assert.equal(run.status, 0, run.stderr);
  assert.match(run.stdout, /^accuracy 0\.\d{3}, 95 % interval/);
  assert.ok(fs.existsSync(path.join(folder, 'model/model.safetensors')));

  const report = path.join(scratch, 'report.html');
  const executed = path.join(scratch, 'executed.ipynb');
  await executeNotebook(path.join(folder, 'finetune.ipynb'), { executed, report });
  assert.match(fs.readFileSync(executed, 'utf8'), /image\/png/);

  const second = await tunebook(['init', 'my-reviews'], { cwd: scratch });
  assert.equal(second.status, 2);
  assert.match(second.stderr, /FILE_EXISTS.*\.npmrc exists already\. Choose another folder/);
});

test('kernel install and uninstall; another kernel of the same name is kept', async () => {
  const data = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-jupyter-'));
  const env = { JUPYTER_DATA_DIR: data };
  const file = path.join(data, 'kernels/tslab/kernel.json');
  const command = (...argv: string[]) => tunebook(['kernel', ...argv], { cwd: root, env });
  assert.equal((await command('install')).status, 0);
  const jupyter = spawnSync(path.join(root, '.venv/bin/jupyter-kernelspec'), ['list', '--json'], {
    encoding: 'utf8',
    env: { ...process.env, ...env, JUPYTER_PREFER_ENV_PATH: '0' },
  });
  const { kernelspecs } = JSON.parse(jupyter.stdout) as { kernelspecs: Record<string, { resource_dir: string }> };
  assert.equal(kernelspecs['tslab']!.resource_dir, path.dirname(file));
  assert.equal((await command('install')).status, 0, 'the same specification is no conflict');
  fs.writeFileSync(file, '{}');
  const conflict = await command('install');
  assert.deepEqual([conflict.status, fs.readFileSync(file, 'utf8')], [2, '{}']);
  assert.match(conflict.stderr, /FILE_EXISTS.*another kernel\. To replace it, add --overwrite/);
  assert.equal((await command('install', '--overwrite')).status, 0);
  assert.match(fs.readFileSync(file, 'utf8'), /TypeScript \(tslab\)/);
  const logo = path.join(path.dirname(file), 'logo.png');
  fs.writeFileSync(logo, 'logo');
  assert.equal((await command('uninstall')).status, 0);
  assert.deepEqual(fs.readdirSync(path.dirname(file)), ['logo.png'], 'files of others are kept');
  fs.writeFileSync(file, '{"argv": ["python3", "-m", "other"]}');
  assert.match((await command('uninstall')).stderr, /FILE_UNUSABLE.*of another kernel\. Delete it by hand/);
  fs.rmSync(path.dirname(file), { recursive: true });
  assert.equal((await command('install')).status, 0);
  assert.equal((await command('uninstall')).status, 0);
  assert.ok(!fs.existsSync(path.dirname(file)));
  assert.match((await command('uninstall')).stderr, /FILE_NOT_FOUND.*nothing to uninstall/);
  fs.rmSync(data, { recursive: true });
});
