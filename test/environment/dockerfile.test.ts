// Lints the Dockerfiles with hadolint and validates the GitHub workflows. Building the image takes minutes and needs
// root; `npm run test:image` does it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { root } from '../checkout.js';
import { pythonWith } from '../python-environment.js';

const linters = path.dirname(pythonWith('linters'));
const run = (tool: string, ...argv: string[]) =>
  spawnSync(path.join(linters, tool), argv, { cwd: root, encoding: 'utf8' });
const dockerfile = fs.readFileSync(path.join(root, 'environment.Dockerfile'), 'utf8');

test('hadolint finds no problems in the Dockerfiles, but finds them in a faulty one', () => {
  const { stdout, status } = run('hadolint', 'environment.Dockerfile', 'lib/platforms/sagemaker.Dockerfile');
  assert.equal(stdout, '');
  assert.equal(status, 0);
  const faulty = path.join(root, '.tunebook/faulty.Dockerfile');
  fs.writeFileSync(faulty, 'FROM debian\nRUN cd /tmp && apt-get install nodejs\n');
  try {
    assert.match(run('hadolint', faulty).stdout, /DL3006[\s\S]*DL3008/);
  } finally {
    fs.rmSync(faulty);
  }
});

test('the files that the image copies exist, and its steps are steps of the setup', () => {
  const copied = [...dockerfile.matchAll(/^COPY --chown=\S+ (.+) \S+$/gm)].flatMap(([, sources]) =>
    sources!.split(' '),
  );
  assert.ok(copied.length > 5);
  for (const source of copied) assert.ok(fs.existsSync(path.join(root, source)), source);
  const steps = [...dockerfile.matchAll(/--through (\w+)/g)].map(([, step]) => step!);
  assert.deepEqual(steps, ['packages', 'kernel', 'tensorflow', 'addon']);
  for (const step of steps) {
    const { stderr, status } = spawnSync(process.execPath, ['lib/setup/main.mjs', '--through', step], {
      cwd: root,
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
  }
  assert.ok(
    !/==|@\d|npm install|pip install/.test(dockerfile.replace(/^#.*$/gm, '')),
    'versions belong in the lock files',
  );
});

test('an unknown setup step is an error that lists the steps', () => {
  const { stderr, status } = spawnSync(process.execPath, ['lib/setup/main.mjs', '--through', 'tensorflw'], {
    cwd: root,
    encoding: 'utf8',
  });
  assert.equal(status, 1);
  assert.match(stderr, /Unknown step 'tensorflw'\. The steps are packages, python, kernel, (headers, )?tensorflow/);
});

test('the GitHub workflows match their schema, and their commands exist', () => {
  const folder = '.github/workflows';
  const files = fs.readdirSync(path.join(root, folder)).map((name) => path.join(folder, name));
  const { stdout, stderr, status } = run('check-jsonschema', '--builtin-schema', 'vendor.github-workflows', ...files);
  assert.equal(status, 0, stdout + stderr);
  const { scripts } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  for (const file of files) {
    const { jobs } = parse(fs.readFileSync(path.join(root, file), 'utf8')) as {
      jobs: Record<string, { steps: { run?: string }[] }>;
    };
    const commands = Object.values(jobs).flatMap(({ steps }) => steps.flatMap(({ run: line }) => line ?? []));
    if (/push|weekly/.test(file)) assert.ok(commands.includes('npm test'), file);
    for (const line of commands.flatMap((command) => command.split('\n'))) {
      const [, script] = /^npm run (\S+)/.exec(line) ?? [];
      if (script) assert.ok(scripts[script], line);
      const [, command] = /\btunebook (\w+)/.exec(line) ?? [];
      if (command) assert.match(command, /^(doctor|notebooks|finetune|export)$/, line);
    }
  }
});
