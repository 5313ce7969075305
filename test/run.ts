// `npm test`: runs every *.test.js in test/dist with Node's test runner, one process per file. Arguments select the files whose
// names contain them. `--quick` omits tests that take long or need external programs, such as a browser or an MLflow server.
// A skipped test counts as failed, since it verifies nothing, and so does a changed file in the checkout.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';
import { environments, pythonWith } from './python-environment.js';

const dist = path.dirname(fileURLToPath(import.meta.url));
const quick = process.argv.includes('--quick');
const patterns = process.argv.slice(2).filter((word) => word !== '--quick');
const slow =
  /^(distributed|documentation|environment|export|hub|jobs|runs|serving|tracking)\/|jupyterlab|notebooks\.test|engine\.test|tfjs-page|doctor/;
// Files that take a minute or more, the longest first. If one of them started last, it would run alone at the end.
const slowest = [
  'setup/doctor',
  'jobs/finetune',
  'tracking/mlflow',
  'source',
  'hub/start',
  'jobs/adapt',
  'notebook/notebooks',
  'notebook/jupyterlab',
  'distributed/lost-ranks',
  'training/engine',
  'distributed/data-parallel',
  'distributed/launch',
  'documentation/code-blocks',
  'jobs/sweep-sampled',
  'jobs/sweep',
  'notebook/execute',
].map((name) => `${name}.test.js`);
const priority = (name: string) => (slowest.includes(name) ? slowest.indexOf(name) : slowest.length);
const files = fs
  .readdirSync(dist, { recursive: true, encoding: 'utf8' })
  .filter(
    (name) => name.endsWith('.test.js') && (patterns.length === 0 || patterns.some((part) => name.includes(part))),
  )
  .filter((name) => !quick || !slow.test(name))
  // Ignores compiled tests whose source was deleted.
  .filter((name) => fs.existsSync(path.join(dist, '..', name.replace(/\.js$/, '.ts'))))
  .sort((a, b) => priority(a) - priority(b) || (a < b ? -1 : 1));
if (files.length === 0) {
  console.error(`No test file has ${patterns.join(' or ')} in its name. List the files with: ls test/*/*.test.ts`);
  process.exit(2);
}
process.chdir(path.join(dist, '../..'));
/** Returns the untracked and changed files; nothing without git. */
const changedFiles = () => spawnSync('git', ['status', '--porcelain'], { encoding: 'utf8' }).stdout;
const before = changedFiles();
// From Node 22 on, the processes that tests start share compiled code,
process.env['NODE_COMPILE_CACHE'] ??= path.resolve('.tunebook/compile-cache');
// and so do Python's processes.
delete process.env['PYTHONDONTWRITEBYTECODE'];
for (const [name, folder] of Object.entries(environments) as [keyof typeof environments, string][])
  if (files.some((file) => file.startsWith(`${folder}/`))) pythonWith(name);
// Two more than there are processors, since most files spend half of their time waiting for child processes. Each file
// needs up to 1.6 GB of memory.
const concurrency = Math.min(os.availableParallelism() + 2, 4);
const skipped: string[] = [];
const results = run({ files: files.map((name) => path.join(dist, name)), concurrency, timeout: 1_800_000 });
results.on('test:fail', ({ todo }) => {
  if (todo === undefined) process.exitCode = 1;
});
results.on('test:pass', ({ name, skip }) => {
  if (skip !== undefined) skipped.push(`${name}${typeof skip === 'string' ? ` (${skip})` : ''}`);
});
results.on('end', () => {
  if (skipped.length > 0) {
    console.error(`Skipped tests, which count as failed: ${skipped.join('; ')}.`);
    process.exitCode = 1;
  }
  if (changedFiles() !== before) {
    console.error(`The tests changed files in the checkout, which counts as failed:\n${changedFiles()}`);
    process.exitCode = 1;
  }
});
results.pipe(new spec()).pipe(process.stdout);
