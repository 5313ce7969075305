// `npm test`: every *.test.js under test/dist in Node's runner, one file a process. Names or parts of them as arguments choose some;
// `--quick` leaves out what takes long or wants more than the project itself, such as a browser or an MLflow server. A test that is
// skipped has shown nothing, so it counts as failed, and so does a file that the tests leave in the checkout.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';

const dist = path.dirname(fileURLToPath(import.meta.url));
const quick = process.argv.includes('--quick');
const wanted = process.argv.slice(2).filter((word) => word !== '--quick');
const slow =
  /^(documentation|environment|export|hub|launch|runs|serving|tracking)\/|jupyterlab|notebooks\.test|engine\.test|doctor/;
const files = fs
  .readdirSync(dist, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.js') && (wanted.length === 0 || wanted.some((part) => name.includes(part))))
  .filter((name) => !quick || !slow.test(name))
  // A compiled test whose source is gone is not a test.
  .filter((name) => fs.existsSync(path.join(dist, '..', name.replace(/\.js$/, '.ts'))))
  .sort();
if (files.length === 0) {
  console.error(`No test file has ${wanted.join(' or ')} in its name. \`ls test/*/*.test.ts\` lists them.`);
  process.exit(2);
}
process.chdir(path.join(dist, '../..'));
/** Files that git does not know, or that differ from the last commit; nothing without git. */
const changedFiles = () => spawnSync('git', ['status', '--porcelain'], { encoding: 'utf8' }).stdout;
const before = changedFiles();
const skipped: string[] = [];
const results = run({ files: files.map((name) => path.join(dist, name)), concurrency: 2, timeout: 600_000 });
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
