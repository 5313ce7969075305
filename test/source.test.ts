// Static checks: formatting, the linter, types of the setup scripts and of the notebooks' cells, and the direction of imports.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { root } from './checkout.js';

const modules = path.join(root, 'node_modules');
const node = (...argv: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, argv, { cwd: root, encoding: 'utf8' });
  assert.equal(status, 0, stdout + stderr);
};

// The cells of each notebook are written to a file here, so that the compiler and the linter check them.
const cells = path.join(root, 'test/cells');
after(() => fs.rmSync(cells, { recursive: true, force: true }));

test('all files are formatted', () => node(path.join(modules, 'prettier/bin/prettier.cjs'), '--check', '.'));

test('the setup scripts have no type errors', () => node(path.join(modules, 'typescript/bin/tsc'), '-p', 'lib/setup'));

test('the cells of the notebooks have no type errors, and the linter finds nothing in lib, test and the cells', () => {
  fs.mkdirSync(cells, { recursive: true });
  const files: string[] = [];
  for (const name of fs.readdirSync(path.join(root, 'notebooks')).filter((file) => file.endsWith('.ipynb'))) {
    const notebook = JSON.parse(fs.readFileSync(path.join(root, 'notebooks', name), 'utf8')) as {
      cells: { cell_type: string; source: string | string[] }[];
    };
    const code = notebook.cells
      .filter(({ cell_type }) => cell_type === 'code')
      .map(({ source }) => [source].flat().join(''));
    const file = path.join(cells, name.replace('.ipynb', '.ts'));
    fs.writeFileSync(file, `${code.join('\n\n')}\n`);
    files.push(file);
  }
  // tslab does not check indexed access strictly either.
  const options = { noEmit: true, composite: false, rootDir: '.', noUncheckedIndexedAccess: false };
  fs.writeFileSync(
    path.join(cells, 'tsconfig.json'),
    JSON.stringify({ extends: '../../tsconfig.json', compilerOptions: options, include: ['*.ts'], exclude: [] }),
  );
  node(path.join(modules, 'typescript/bin/tsc'), '-p', cells);
  // The cells are passed by name, since oxlint skips folders that git ignores.
  node(path.join(modules, 'oxlint/bin/oxlint'), '--type-aware', '--config', '.oxlintrc.json', 'lib', 'test', ...files);
});

test('imports, including type imports, only go to lower layers', () =>
  node(
    path.join(modules, 'dependency-cruiser/bin/dependency-cruise.mjs'),
    '--config',
    '.dependency-cruiser.mjs',
    'lib',
  ));

test('the lock file names no registry host', () => {
  assert.doesNotMatch(fs.readFileSync(path.join(root, 'package-lock.json'), 'utf8'), /"resolved": "https?:/);
});
