// The npm package: complete, small, with all of its dependencies declared, and importable from ES modules and CommonJS.
// `npm run test:package` installs it on another machine.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { builtinModules } from 'node:module';
import path from 'node:path';
import { test } from 'node:test';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import ts from 'typescript';
import { root } from '../checkout.js';

const run = (argv: string[], cwd = root) => {
  const { status, stdout, stderr } = spawnSync(argv[0]!, argv.slice(1), { cwd, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout.trim();
};

const [library, addons] = run([process.execPath, 'lib/release/assemble.mjs'])
  .split('\n')
  .map((folder) => path.join(root, folder)) as [string, string];

interface Manifest {
  name: string;
  version: string;
  dependencies: Record<string, string>;
  optionalDependencies: Record<string, string>;
  peerDependencies: Record<string, string>;
  private?: boolean;
}
const manifestOf = (folder: string) =>
  JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8')) as Manifest;

test('the package is complete, smaller than 1 MB and unpacked than 4 MB', () => {
  const [{ size, unpackedSize, files }] = JSON.parse(run(['npm', 'pack', '--dry-run', '--json'], library)) as [
    { size: number; unpackedSize: number; files: { path: string }[] },
  ];
  assert.ok(size < 1e6 && unpackedSize < 4e6, `${size} bytes, ${unpackedSize} unpacked`);
  const names = files.map((file) => file.path);
  for (const name of [
    'LICENSE',
    'README.md',
    'cli/tunebook.mjs',
    'data/sources.json',
    'dist/index.d.ts',
    'dist/serving/app/page.js',
    'serving/app/index.html',
    'setup/addon.patch',
    'tensorflow/native/graph.cc',
  ])
    assert.ok(names.includes(name), name);
  assert.deepEqual(
    names.filter((name) => /\.map$|(?<!\.d)\.ts$|tsbuildinfo/.test(name)),
    ['cli/template/finetune.ts'],
  );
});

test('it declares every package that it imports, and the addons of all platforms at its own version', () => {
  const { dependencies, optionalDependencies, peerDependencies, version, ...manifest } = manifestOf(library);
  assert.equal(manifest.private, undefined);
  const declared = new Set([...Object.keys({ ...dependencies, ...peerDependencies }), 'tunebook', ...builtinModules]);
  const imported = new Map<string, string>();
  for (const name of fs.readdirSync(library, { recursive: true, encoding: 'utf8' })) {
    // The page is for browsers, and the server resolves its imports. tfjs-node-gpu is bundled.
    if (!/\.m?js$/.test(name) || /serving\/app|^node_modules/.test(name)) continue;
    const code = fs.readFileSync(path.join(library, name), 'utf8');
    const { importedFiles } = ts.preProcessFile(code, true, true);
    for (const { fileName: specifier } of importedFiles)
      if (!/^[.#/]|^node:/.test(specifier))
        imported.set(specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/'), name);
  }
  assert.ok(imported.size > 20);
  assert.deepEqual(
    [...imported].filter(([name]) => !declared.has(name)),
    [],
  );
  assert.deepEqual(optionalDependencies, {
    '@tunebook/native-linux-x64': version,
    '@tunebook/native-linux-arm64': version,
    '@tunebook/native-darwin-arm64': version,
  });
  assert.equal(manifestOf(addons).version, version);
});

test('publint finds nothing', async () => {
  for (const folder of [library, addons]) {
    const { messages, pkg } = await publint({ pkgDir: folder, strict: true });
    assert.deepEqual(
      messages.map((message) => formatMessage(message, pkg)),
      [],
    );
  }
});

test('it is imported from ES modules and CommonJS', () => {
  const code = (load: string) => `${load} console.log([tunebook.Trainer.name, serving.openSentimentModel.name].join())`;
  const esm = code("import * as tunebook from 'tunebook'; import * as serving from 'tunebook/serving';");
  const commonjs = code("const tunebook = require('tunebook'); const serving = require('tunebook/serving');");
  for (const [type, text] of [
    ['module', esm],
    ['commonjs', commonjs],
  ] as const)
    assert.equal(
      run([process.execPath, '--no-warnings', `--input-type=${type}`, '-e', text]),
      'Trainer,openSentimentModel',
    );
});
