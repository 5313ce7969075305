// `npm test`: every *.test.js under test/dist in Node's runner, one file a process. Names or parts of them as arguments choose some;
// `--quick` leaves out what takes long or wants more than the project itself, such as a browser or an MLflow server. A test that is
// skipped has shown nothing, so it counts as failed, and so does a file that the tests leave in the checkout.
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
const wanted = process.argv.slice(2).filter((word) => word !== '--quick');
const slow =
  /^(distributed|documentation|environment|export|hub|jobs|runs|serving|tracking)\/|jupyterlab|notebooks\.test|engine\.test|doctor/;
// Files that take a minute or more, the longest first: begun last, one of them would run alone at the end.
const long = [
  ...['setup/doctor', 'jobs/finetune', 'tracking/mlflow', 'source', 'hub/start', 'jobs/adapt', 'notebook/notebooks'],
  ...[
    'notebook/jupyterlab',
    'distributed/lost-ranks',
    'training/engine',
    'distributed/data-parallel',
    'distributed/launch',
  ],
  ...['documentation/code-blocks', 'jobs/sweep', 'notebook/execute'],
].map((name) => `${name}.test.js`);
const place = (name: string) => (long.includes(name) ? long.indexOf(name) : long.length);
const files = fs
  .readdirSync(dist, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.js') && (wanted.length === 0 || wanted.some((part) => name.includes(part))))
  .filter((name) => !quick || !slow.test(name))
  // A compiled test whose source is gone is not a test.
  .filter((name) => fs.existsSync(path.join(dist, '..', name.replace(/\.js$/, '.ts'))))
  .sort((a, b) => place(a) - place(b) || (a < b ? -1 : 1));
if (files.length === 0) {
  console.error(`No test file has ${wanted.join(' or ')} in its name. \`ls test/*/*.test.ts\` lists them.`);
  process.exit(2);
}
process.chdir(path.join(dist, '../..'));
/** Files that git does not know, or that differ from the last commit; nothing without git. */
const changedFiles = () => spawnSync('git', ['status', '--porcelain'], { encoding: 'utf8' }).stdout;
const before = changedFiles();
// From Node 22 on, the processes that tests start share what they compile.
process.env['NODE_COMPILE_CACHE'] ??= path.resolve('.tunebook/compile-cache');
// And so do Python's.
delete process.env['PYTHONDONTWRITEBYTECODE'];
for (const [name, folder] of Object.entries(environments) as [keyof typeof environments, string][])
  if (files.some((file) => file.startsWith(`${folder}/`))) pythonWith(name);
// Two more than there are processors, since most files wait for processes half of their time; each takes up to 1.6 GB.
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
    console.error(`Skipped, which counts as failed: ${skipped.join('; ')}.`);
    process.exitCode = 1;
  }
  if (changedFiles() !== before) {
    console.error(`The tests changed files of the checkout, which counts as failed:\n${changedFiles()}`);
    process.exitCode = 1;
  }
});
results.pipe(new spec()).pipe(process.stdout);
