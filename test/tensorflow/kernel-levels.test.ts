// The kernels at every instruction-set level that this processor supports, and the layers without kernels. The level
// is selected once per process, so each level is tested in a separate process.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { kernelLevel, kernelLevels } from '#lib/tensorflow/fused-kernels.js';
import { root } from '../checkout.js';

/** Runs Node with an instruction-set level. */
function node(level: string, ...argv: string[]) {
  // With this variable, a test process would report to its parent instead of printing to stdout.
  const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
  return spawnSync(process.execPath, argv, {
    cwd: root,
    encoding: 'utf8',
    env: { ...environment, TUNEBOOK_KERNEL_LEVEL: level },
  });
}

const describeEngine = `
  const { describeEngine, engineOf } = await import('#lib/model/model.js');
  const { kernelLevel } = await import('#lib/tensorflow/fused-kernels.js');
  console.log(kernelLevel, describeEngine(engineOf({ precision: 'float32' })));`;

const { supported } = kernelLevels()!;

test('the best level is selected', () =>
  assert.equal(kernelLevel, process.env['TUNEBOOK_KERNEL_LEVEL'] ?? supported[0]));

const tests = ['tensorflow/fused-kernels', 'model/parity'].map((name) =>
  path.join(root, 'test/dist', `${name}.test.js`),
);
for (const level of supported.filter((level) => level !== kernelLevel))
  test(`at level ${level} the results equal those of the composed layers and of PyTorch`, () => {
    assert.equal(node(level, '-e', describeEngine).stdout, `${level} graph, float32\n`);
    const { status, stdout } = node(level, '--test', ...tests);
    assert.equal(status, 0, stdout);
  });

test('without kernels the layers are composed, and the description of the engine says that it is slower', () => {
  const { stdout, stderr } = node('none', '-e', describeEngine);
  assert.deepEqual([stdout, stderr], ['undefined graph, float32, without fused kernels (slower)\n', '']);
});

test('the error for an unsupported level lists the supported ones', () => {
  const { status, stderr } = node('x86-64-v9', '-e', describeEngine);
  assert.equal(status, 1);
  assert.ok(
    stderr.includes(
      `TUNEBOOK_KERNEL_LEVEL is 'x86-64-v9'; this processor supports ${[...supported, 'none'].join(', ')}.`,
    ),
    stderr,
  );
});
