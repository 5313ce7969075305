// Errors of set-up and the platforms that it supports. Complete set-up runs before any test.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { root } from '../checkout.js';

/** Runs code in the checkout, by default set-up. */
const runSetup = (environment: Record<string, string> = {}, code = "await import('./lib/setup/main.mjs')") =>
  spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, ...environment },
  });

test('a second run does nothing', () => {
  const { stderr, status } = runSetup();
  assert.equal(status, 0);
  assert.match(stderr, /Everything is set up/);
});

test('an invalid TUNEBOOK_TENSORFLOW is an error that lists the valid values', () => {
  const { stderr, status } = runSetup({ TUNEBOOK_TENSORFLOW: 'tpu' });
  assert.equal(status, 1);
  assert.match(stderr, /TUNEBOOK_TENSORFLOW is 'tpu'; it must be cpu or gpu/);
});

/** Evaluates code of set-up as if on another platform. @param platform a key of data/sources.json */
function evaluateOn(platform: string, code: string, environment: Record<string, string> = {}): unknown {
  const [system, arch] = platform.split('-');
  const { stdout, stderr } = runSetup(
    environment,
    `Object.defineProperty(process, 'platform', { value: '${system}' });
     Object.defineProperty(process, 'arch', { value: '${arch}' });
     const { sourcesOf } = await import('./lib/setup/downloads.mjs');
     const { linking } = await import('./lib/setup/platform.mjs');
     const { checkSystem, compilerCommand, findPython } = await import('./lib/setup/tools.mjs');
     const { tensorflowKind, tensorflowRuntime } = await import('./lib/setup/tensorflow.mjs');
     const message = (action) => { try { return action() } catch (error) { return error.message } };
     console.log(JSON.stringify(${code}));`,
  );
  assert.ok(stdout, stderr);
  return JSON.parse(stdout);
}

test('each supported platform has its own build of the same TensorFlow, with the library names of its loader', () => {
  const sources = JSON.parse(fs.readFileSync(path.join(root, 'data/sources.json'), 'utf8')) as {
    'tensorflow-cpu': Record<string, { version: string; file: string; sha256: string }[]>;
  };
  const builds = Object.entries(sources['tensorflow-cpu']);
  assert.deepEqual(
    builds.map(([platform, [{ version, file } = assert.fail()]]) => [platform, version, file.replace(/.*-cp311-/, '')]),
    [
      ['linux-x64', '2.21.0', 'manylinux_2_27_x86_64.whl'],
      ['linux-arm64', '2.21.0', 'manylinux_2_27_aarch64.whl'],
      ['darwin-arm64', '2.21.0', 'macosx_12_0_arm64.whl'],
    ],
  );
  for (const [platform, files] of builds) {
    const actual = evaluateOn(
      platform,
      `[checkSystem() ?? 'supported', sourcesOf('tensorflow-cpu'), sourcesOf('embedded-model').length, tensorflowRuntime.outputs]`,
    ) as [string, unknown, number, string[]];
    const extension = platform.startsWith('darwin') ? 'dylib' : 'so';
    assert.deepEqual(actual.slice(0, 3), ['supported', files, 1]);
    assert.deepEqual(
      actual[3].map((file) => path.basename(file)),
      [`libtensorflow.${extension}`, `libtensorflow_framework.${extension}`],
    );
  }
});

test('an unsupported platform and an unavailable GPU build are rejected', () => {
  assert.match(
    String(evaluateOn('win32-x64', 'message(checkSystem)')),
    /supports Linux x64, Linux arm64, macOS arm64, but this is win32 x64\. Use a supported platform/,
  );
  for (const platform of ['linux-arm64', 'darwin-arm64'])
    assert.match(
      String(evaluateOn(platform, 'message(tensorflowKind)', { TUNEBOOK_TENSORFLOW: 'gpu' })),
      /TUNEBOOK_TENSORFLOW is 'gpu', but TensorFlow has no GPU build for (Linux|macOS) arm64\. Set it to cpu/,
    );
});

test('errors about a missing compiler or Python contain the command that installs it', () => {
  const emptyFolder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-path-'));
  const messages = (platform: string) =>
    evaluateOn(platform, '[message(compilerCommand), message(findPython)]', { PATH: emptyFolder, CXX: '' }) as [
      string,
      string,
    ];
  const [compiler, python] = messages('linux-x64');
  assert.match(compiler, /No C\+\+ compiler was found.*apt-get install g\+\+/);
  assert.match(python, /No Python 3\.10.*apt-get install python3/);
  // TensorFlow's build for macOS uses clang's C++ library.
  const [clang, homebrew] = messages('darwin-arm64');
  assert.match(clang, /looked for clang\+\+, c\+\+\).*xcode-select --install/);
  assert.match(homebrew, /No Python 3\.10.*brew install python/);
  fs.rmdirSync(emptyFolder);
});

test('a download that does not match the pinned hash is deleted and rejected', () => {
  const source = {
    project: 'six',
    version: '1.17.0',
    file: 'six-1.17.0-py2.py3-none-any.whl',
    sha256: '0'.repeat(64),
    licence: 'MIT',
  };
  const { stdout } = runSetup(
    {},
    `import { download } from './lib/setup/downloads.mjs'; try { await download(${JSON.stringify(source)}) } catch (error) { console.log(error.message) }`,
  );
  assert.match(stdout, /has sha256 [0-9a-f]{64}, but data\/sources\.json pins 0{64}/);
  assert.ok(!fs.existsSync(path.join(root, '.tunebook/downloads', source.file)));
});

test('a patch that does not apply to the installed sources is an error, and the existing addon is kept', () => {
  const addon = path.join(root, 'node_modules/@tensorflow/tfjs-node-gpu/lib/napi-v8/tfjs_binding.node');
  const { stdout } = runSetup(
    {},
    `import { patchSources } from './lib/setup/tensorflow.mjs';
     await patchSources('--- a/binding/tfjs_backend.h\\n+++ b/binding/tfjs_backend.h\\n@@ -1,1 +1,1 @@\\n-not there\\n+new\\n', 'node_modules/@tensorflow/tfjs-node-gpu')
       .catch((error) => console.log(error.message));`,
  );
  assert.match(stdout, /addon\.patch cannot be applied to tfjs_backend\.h of the installed tfjs-node-gpu/);
  assert.ok(fs.existsSync(addon));
});
