// `npm test`: every *.test.js under test/dist in Node's runner, one file a process. Names or parts of them as arguments choose some.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const dist = path.dirname(fileURLToPath(import.meta.url));
const wanted = process.argv.slice(2);
const files = fs
  .readdirSync(dist, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.js') && (wanted.length === 0 || wanted.some((part) => name.includes(part))))
  // A compiled test whose source is gone is not a test.
  .filter((name) => fs.existsSync(path.join(dist, '..', name.replace(/\.js$/, '.ts'))))
  .sort();
const result = spawnSync(
  process.execPath,
  ['--test', '--test-concurrency=2', '--test-timeout=600000', ...files.map((name) => path.join(dist, name))],
  { stdio: 'inherit', cwd: path.join(dist, '../..') },
);
process.exit(result.status ?? 1);
