/**
 * `tunebook notebooks`: runs the notebooks headlessly, as a reviewer or a CI does, and says of each whether it ran and whether
 * its key numbers are the committed ones. The committed files stay as they are, unless `--update`.
 */
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Builder } from 'junit-report-builder';
import { CellError, InterruptedError, SettingsError } from '../errors.js';
import { executeNotebook, root } from '../notebook/execute.js';
import { tableBundle } from '../figures/html-table.js';
import { duration } from '../figures/format.js';
import {
  compareKeyNumbers,
  describeDifference,
  mostBytes,
  readKeyNumbers,
  type ComparedNumber,
} from '../notebook/review.js';
import { didYouMean } from '../settings/did-you-mean.js';
import { environmentLayer } from '../settings/settings.js';

/** What the command line says. */
export interface NotebooksOptions {
  fastDevRun?: boolean;
  list?: boolean;
  update?: boolean;
  junit?: string;
  /** Where executed notebooks and reports go. */
  out: string;
}

/** How a notebook fared. */
interface Review {
  name: string;
  seconds: number;
  cells: number;
  /** Why it did not run to its end; undefined where it did. */
  failure?: string;
  numbers: ComparedNumber[];
  bytes: number;
}

const folder = path.join(root, 'notebooks');

/** In the order in which they are to be read: the first is the one that explains the others' words. */
const reading = ['finetune', 'explore', 'adapt', 'compare', 'explain', 'serve'];

/** @throws SettingsError for a notebook that does not exist */
function choose(wanted: string[]): string[] {
  const place = (name: string) => (reading.includes(name) ? reading.indexOf(name) : reading.length);
  const there = fs
    .readdirSync(folder)
    .filter((file) => file.endsWith('.ipynb'))
    .map((file) => path.basename(file, '.ipynb'))
    .sort((a, b) => place(a) - place(b) || a.localeCompare(b));
  const names = wanted.map((word) => path.basename(word, '.ipynb'));
  for (const name of names)
    if (!there.includes(name))
      throw new SettingsError(
        'NOTEBOOK_NOT_FOUND',
        `There is no notebook ${name}.${didYouMean(name, there)} There are ${there.join(', ')}.`,
        { name, notebooks: there },
      );
  return names.length > 0 ? there.filter((name) => names.includes(name)) : there;
}

/** What is wrong with a notebook, in sentences; none where all is well. */
const faults = ({ failure, numbers, bytes }: Review): string[] => [
  ...(failure === undefined ? [] : [failure]),
  ...(failure === undefined ? numbers.flatMap((number) => describeDifference(number) ?? []) : []),
  ...(bytes > mostBytes
    ? [
        `The executed notebook has ${(bytes / 1e6).toFixed(1)} MB; ${mostBytes / 1e6} MB is the most. Show less in a cell.`,
      ]
    : []),
];

/** Whether a run's outputs may be committed. */
const canBeKept = ({ failure, bytes }: Review) => failure === undefined && bytes <= mostBytes;

async function review(name: string, { fastDevRun = false, out }: NotebooksOptions): Promise<Review> {
  const started = performance.now();
  const place = path.join(path.resolve(out), name);
  const executed = path.join(place, `${name}.ipynb`);
  const result: Review = { name, seconds: 0, cells: 0, numbers: [], bytes: 0 };
  const interactive = process.stderr.isTTY;
  fs.rmSync(place, { recursive: true, force: true });
  fs.mkdirSync(place, { recursive: true });
  try {
    await executeNotebook(path.join(folder, `${name}.ipynb`), {
      executed,
      report: path.join(place, `${name}.html`),
      environment: {
        // The committed outputs are of the embedded pair.
        TUNEBOOK_SOURCE: process.env['TUNEBOOK_SOURCE'] || 'embedded',
        TUNEBOOK_FAST_DEV_RUN: String(fastDevRun),
        // The same words on every machine, since the notebook shows them.
        TUNEBOOK_RUN_FOLDER: path.relative(folder, place),
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
    if (!(error instanceof CellError)) result.failure += '\n`npx tunebook doctor` says what this machine lacks.';
  }
  if (interactive) process.stderr.write('\r\x1b[K');
  if (fs.existsSync(executed)) result.bytes = fs.statSync(executed).size;
  result.seconds = (performance.now() - started) / 1000;
  return result;
}

/** One suite a notebook, one case for its run, one for each key number that was compared, one for its size. */
function writeJunit(file: string, reviews: Review[]): void {
  // Its types speak of a default export that it does not have.
  const junit = createRequire(import.meta.url)('junit-report-builder') as { newBuilder(): Builder };
  const builder = junit.newBuilder();
  for (const { name, seconds, failure, numbers, bytes } of reviews) {
    const suite = builder
      .testSuite()
      .name(name)
      .time(Number(seconds.toFixed(3)));
    const add = (what: string, fault: string | undefined) => {
      const found = suite.testCase().className(name).name(what);
      if (fault !== undefined) found.failure(fault.split('\n')[0]).stacktrace(fault);
      return found;
    };
    add('runs from top to bottom', failure).time(Number(seconds.toFixed(3)));
    for (const number of failure === undefined ? numbers : []) {
      const found = add(`key number: ${number.name}`, describeDifference(number));
      if (number.result === 'not compared') found.skipped();
    }
    add('is of a size that can be kept', bytes > mostBytes ? `${bytes} bytes` : undefined);
  }
  fs.mkdirSync(path.dirname(path.resolve(file)), { recursive: true });
  builder.writeTo(path.resolve(file));
}

/**
 * @param wanted names of notebooks; none for all
 * @throws SettingsError for a notebook that does not exist, or for --update of a quick run
 */
export async function notebooks(wanted: string[], options: NotebooksOptions): Promise<void> {
  if (options.fastDevRun && options.update)
    throw new SettingsError(
      'SETTING_CONFLICT',
      '--update writes the outputs that are committed; those are of the full setting, not of --fast-dev-run.',
      { names: ['--update', '--fast-dev-run'] },
    );
  environmentLayer();
  const chosen = choose(wanted);
  if (options.list) return console.log(chosen.join('\n'));
  const reviews: Review[] = [];
  for (const name of chosen) {
    const found = await review(name, options);
    reviews.push(found);
    const kept = options.update && canBeKept(found);
    if (kept)
      fs.copyFileSync(path.join(path.resolve(options.out), name, `${name}.ipynb`), path.join(folder, `${name}.ipynb`));
    const verdict = kept ? 'updated' : faults(found).length === 0 ? 'good   ' : 'FAILED ';
    console.log(`${verdict} ${name}, ${duration(found.seconds)}`);
  }
  if (options.junit !== undefined) writeJunit(options.junit, reviews);
  const same = (numbers: ComparedNumber[]) => {
    const compared = numbers.filter(({ result }) => result !== 'not compared');
    return `${compared.filter(({ result }) => result === 'same').length} of ${compared.length}`;
  };
  const rows = reviews.map(({ name, seconds, cells, failure, numbers, bytes }) => ({
    notebook: name,
    time: duration(seconds),
    cells: String(cells),
    'ran to its end': failure === undefined ? 'yes' : 'NO',
    'key numbers as committed': failure === undefined ? same(numbers) : '',
    size: `${(bytes / 1000).toFixed(0)} kB`,
  }));
  console.log(`\n${tableBundle(rows)['text/plain']}`);
  const broken = reviews
    .map((found) => ({ name: found.name, wrong: faults(found) }))
    .filter(({ wrong }) => wrong.length > 0);
  // An update is what changed numbers are for; a notebook that does not run is not.
  const failed = options.update ? reviews.filter((found) => !canBeKept(found)) : broken;
  for (const { name, wrong } of broken)
    console.error(`\n${name}\n${wrong.map((words) => `  ${words.replaceAll('\n', '\n  ')}`).join('\n')}`);
  const total = reviews.reduce((sum, { seconds }) => sum + seconds, 0);
  console.log(`\n${duration(total)} in all. Executed notebooks and reports are in ${options.out}/.`);
  if (failed.length > 0) process.exitCode = 1;
}
