// The checks that are no behaviour: formatting, the linter, types of set-up's scripts, and the cells of notebooks against lib.
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

// A cell's types and promises are checked as those of a file beside the tests.
const cells = path.join(root, 'test/cells');
after(() => fs.rmSync(cells, { recursive: true, force: true }));

test('formatting', () => node(path.join(modules, 'prettier/bin/prettier.cjs'), '--check', '.'));

test("types of set-up's scripts", () => node(path.join(modules, 'typescript/bin/tsc'), '-p', 'lib/setup'));

test("types of the notebooks' cells, and the linter, which looks at their promises too", () => {
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
  // tslab is not strict about what an index may miss.
  const options = { noEmit: true, composite: false, rootDir: '.', noUncheckedIndexedAccess: false };
  fs.writeFileSync(
    path.join(cells, 'tsconfig.json'),
    JSON.stringify({ extends: '../../tsconfig.json', compilerOptions: options, include: ['*.ts'], exclude: [] }),
  );
  node(path.join(modules, 'typescript/bin/tsc'), '-p', cells);
  // By their names: what git ignores it looks at only where that is asked for.
  node(path.join(modules, 'oxlint/bin/oxlint'), '--type-aware', '--config', '.oxlintrc.json', 'lib', 'test', ...files);
});

test('imports go down only, types too', () =>
  node(
    path.join(modules, 'dependency-cruiser/bin/dependency-cruise.mjs'),
    '--config',
    '.dependency-cruiser.mjs',
    'lib',
  ));

test('the lock file names no registry host', () => {
  assert.doesNotMatch(fs.readFileSync(path.join(root, 'package-lock.json'), 'utf8'), /"resolved": "https?:/);
});
