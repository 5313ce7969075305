// `npm test`: every *.test.js under test/dist in Node's runner, one file a process. Names or parts of them as arguments choose some;
// `--quick` leaves out what takes long or wants more than the project itself, such as a browser or an MLflow server.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
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
const result = spawnSync(
  process.execPath,
  ['--test', '--test-concurrency=2', '--test-timeout=600000', ...files.map((name) => path.join(dist, name))],
  { stdio: 'inherit', cwd: path.join(dist, '../..') },
);
process.exit(result.status ?? 1);
