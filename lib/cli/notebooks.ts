/**
 * `tunebook notebooks`: executes notebooks headlessly, for example in CI. Reports for each whether it ran and whether
 * its key numbers match the committed ones. The committed files are changed only with `--update`.
 */
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Builder } from 'junit-report-builder';
import { InterruptedError, SettingsError } from '../errors.js';
import { root } from '#setup/paths.mjs';
import { executeNotebook } from '../notebook/execute.js';
import { tableBundle } from '../figures/html-table.js';
import { duration } from '../figures/format.js';
import {
  compareKeyNumbers,
  describeDifference,
  maxBytes,
  readKeyNumbers,
  type ComparedNumber,
} from '../notebook/review.js';
import { didYouMean } from '../settings/did-you-mean.js';
import { environmentLayer } from '../settings/settings.js';

/** Options of the command line. */
export interface NotebooksOptions {
  fastDevRun?: boolean;
  list?: boolean;
  update?: boolean;
  junit?: string;
  /** Folder for executed notebooks and reports. */
  out: string;
}

/** Result of executing one notebook. */
interface CheckedNotebook {
  name: string;
  seconds: number;
  cells: number;
  /** Reason why the notebook did not complete; undefined if it did. */
  failure?: string;
  numbers: ComparedNumber[];
  bytes: number;
}

const folder = path.join(root, 'notebooks');

/** Notebooks in reading order; later ones use terms that the first explains. */
const readingOrder = ['label', 'finetune', 'explore', 'adapt', 'compare', 'explain', 'serve'];

/**
 * Selects notebooks, in reading order.
 * @param requested names of notebooks; empty for all
 * @throws SettingsError for a notebook that does not exist
 */
function chooseNotebooks(requested: string[]): string[] {
  const position = (name: string) => (readingOrder.includes(name) ? readingOrder.indexOf(name) : readingOrder.length);
  const available = fs
    .readdirSync(folder)
    .filter((file) => file.endsWith('.ipynb'))
    .map((file) => path.basename(file, '.ipynb'))
    .sort((a, b) => position(a) - position(b) || a.localeCompare(b));
  const names = requested.map((name) => path.basename(name, '.ipynb'));
  for (const name of names)
    if (!available.includes(name))
      throw new SettingsError(
        'NOTEBOOK_NOT_FOUND',
        `There is no notebook '${name}'.${didYouMean(name, available)} Available notebooks: ${available.join(', ')}.`,
        { name, notebooks: available },
      );
  return names.length > 0 ? available.filter((name) => names.includes(name)) : available;
}

/** Describes the problems of a notebook, one sentence each; empty if there are none. */
const problemsOf = ({ failure, numbers, bytes }: CheckedNotebook): string[] => [
  ...(failure === undefined ? [] : [failure]),
  ...(failure === undefined ? numbers.flatMap((number) => describeDifference(number) ?? []) : []),
  ...(bytes > maxBytes
    ? [`The executed notebook has ${(bytes / 1e6).toFixed(1)} MB, more than ${maxBytes / 1e6} MB. Reduce its outputs.`]
    : []),
];

/** Whether an executed notebook may be committed. */
const canBeCommitted = ({ failure, bytes }: CheckedNotebook) => failure === undefined && bytes <= maxBytes;

/** Executes a notebook and compares its key numbers with the committed ones. */
async function checkNotebook(name: string, { fastDevRun = false, out }: NotebooksOptions): Promise<CheckedNotebook> {
  const started = performance.now();
  const outputFolder = path.join(path.resolve(out), name);
  const executed = path.join(outputFolder, `${name}.ipynb`);
  const result: CheckedNotebook = { name, seconds: 0, cells: 0, numbers: [], bytes: 0 };
  const interactive = process.stderr.isTTY;
  fs.rmSync(outputFolder, { recursive: true, force: true });
  fs.mkdirSync(outputFolder, { recursive: true });
  try {
    await executeNotebook(path.join(folder, `${name}.ipynb`), {
      executed,
      report: path.join(outputFolder, `${name}.html`),
      environment: {
        // The committed outputs are those of the embedded model and reviews.
        TUNEBOOK_SOURCE: process.env['TUNEBOOK_SOURCE'] || 'embedded',
        TUNEBOOK_FAST_DEV_RUN: String(fastDevRun),
        // A relative path, so that the output of the notebook is the same on every machine.
        TUNEBOOK_RUN_FOLDER: path.relative(folder, outputFolder),
      },
      onEvent(event) {
        if (event.event !== 'cell') return;
        result.cells = event.cells;
        if (interactive) process.stderr.write(`\r\x1b[K${name}: cell ${event.cell} of ${event.cells}`);
      },
    });
    result.numbers = compareKeyNumbers(
      readKeyNumbers(path.join(folder, `${name}.ipynb`)),
      readKeyNumbers(executed),
      fastDevRun,
    );
  } catch (error) {
    if (error instanceof InterruptedError) throw error;
    result.failure = (error as Error).message;
  }
  if (interactive) process.stderr.write('\r\x1b[K');
  if (fs.existsSync(executed)) result.bytes = fs.statSync(executed).size;
  result.seconds = (performance.now() - started) / 1000;
  return result;
}

/** Writes a JUnit XML file: one suite per notebook, with a case for its execution, each key number, and its size. */
function writeJunit(file: string, results: CheckedNotebook[]): void {
  // The package's types declare a default export that does not exist.
  const junit = createRequire(import.meta.url)('junit-report-builder') as { newBuilder(): Builder };
  const builder = junit.newBuilder();
  for (const { name, seconds, failure, numbers, bytes } of results) {
    const suite = builder
      .testSuite()
      .name(name)
      .time(Number(seconds.toFixed(3)));
    const addCase = (title: string, problem: string | undefined) => {
      const testCase = suite.testCase().className(name).name(title);
      if (problem !== undefined) testCase.failure(problem.split('\n')[0]).stacktrace(problem);
      return testCase;
    };
    addCase('runs to completion', failure).time(Number(seconds.toFixed(3)));
    for (const number of failure === undefined ? numbers : []) {
      const testCase = addCase(`key number: ${number.name}`, describeDifference(number));
      if (number.result === 'not compared') testCase.skipped();
    }
    addCase('file size', bytes > maxBytes ? `${bytes} bytes` : undefined);
  }
  fs.mkdirSync(path.dirname(path.resolve(file)), { recursive: true });
  builder.writeTo(path.resolve(file));
}

/**
 * Executes notebooks, prints a summary and sets the exit code.
 * @param requested names of notebooks; empty for all
 * @throws SettingsError for a notebook that does not exist, or for --update with --fast-dev-run
 */
export async function notebooks(requested: string[], options: NotebooksOptions): Promise<void> {
  if (options.fastDevRun && options.update)
    throw new SettingsError(
      'SETTING_CONFLICT',
      '--update replaces the committed outputs, which must be those of full runs. Remove --update or --fast-dev-run.',
      { names: ['--update', '--fast-dev-run'] },
    );
  environmentLayer();
  const chosen = chooseNotebooks(requested);
  if (options.list) return console.log(chosen.join('\n'));
  const results: CheckedNotebook[] = [];
  for (const name of chosen) {
    const result = await checkNotebook(name, options);
    results.push(result);
    const isUpdated = options.update && canBeCommitted(result);
    if (isUpdated)
      fs.copyFileSync(path.join(path.resolve(options.out), name, `${name}.ipynb`), path.join(folder, `${name}.ipynb`));
    const status = isUpdated ? 'updated' : problemsOf(result).length === 0 ? 'passed ' : 'FAILED ';
    console.log(`${status} ${name}, ${duration(result.seconds)}`);
  }
  if (options.junit !== undefined) writeJunit(options.junit, results);
  const describeMatches = (numbers: ComparedNumber[]) => {
    const compared = numbers.filter(({ result }) => result !== 'not compared');
    return `${compared.filter(({ result }) => result === 'same').length} of ${compared.length}`;
  };
  const rows = results.map(({ name, seconds, cells, failure, numbers, bytes }) => ({
    notebook: name,
    time: duration(seconds),
    cells: String(cells),
    completed: failure === undefined ? 'yes' : 'NO',
    'matching key numbers': failure === undefined ? describeMatches(numbers) : '',
    size: `${(bytes / 1000).toFixed(0)} kB`,
  }));
  console.log(`\n${tableBundle(rows)['text/plain']}`);
  const broken = results
    .map((result) => ({ name: result.name, problems: problemsOf(result) }))
    .filter(({ problems }) => problems.length > 0);
  // With --update, different key numbers are not a failure.
  const failed = options.update ? results.filter((result) => !canBeCommitted(result)) : broken;
  for (const { name, problems } of broken)
    console.error(`\n${name}\n${problems.map((problem) => `  ${problem.replaceAll('\n', '\n  ')}`).join('\n')}`);
  const total = results.reduce((sum, { seconds }) => sum + seconds, 0);
  console.log(`\nTotal time ${duration(total)}. Executed notebooks and reports: ${options.out}/`);
  if (failed.length > 0) process.exitCode = 1;
}
