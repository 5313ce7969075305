// The program in the README runs; here with fewer steps.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { root } from '../checkout.js';
import { blocksOf } from './blocks.js';

// Inside the checkout, so that the package can be imported.
const folder = fs.mkdtempSync(path.join(root, '.tunebook/program-'));
after(() => fs.rmSync(folder, { recursive: true }));

test('the seven-line program of the README trains, evaluates and saves', () => {
  const blocks = blocksOf('README.md', fs.readFileSync(path.join(root, 'README.md'), 'utf8'));
  const program = blocks.find(({ language }) => language === 'ts')!.code;
  assert.equal(program.split('\n').length, 7);
  const quick = program.replace('epochs: 3', 'maxSteps: 12');
  assert.notEqual(quick, program);
  const file = path.join(folder, 'program.mjs');
  fs.writeFileSync(
    file,
    quick.replace('console.log(', 'console.log(JSON.stringify(').replace('));\nmodel', ')));\nmodel'),
  );
  const { status, stdout, stderr } = spawnSync(process.execPath, [file], { cwd: folder, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  const { count, macro } = JSON.parse(stdout) as { count: number; macro: { rocAuc: number } };
  // After so few steps the model may still predict one class, but positive reviews get higher probabilities.
  assert.deepEqual([count, macro.rocAuc > 0.65], [597, true], stdout);
  assert.deepEqual(fs.readdirSync(path.join(folder, 'runs/mine/model')).sort(), [
    'config.json',
    'model.safetensors',
    'tokenizer.json',
    'tokenizer_config.json',
    'tunebook.json',
  ]);
});
