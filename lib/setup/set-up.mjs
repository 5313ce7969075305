// The steps of set-up in their order; each is done when it is missing or what it is made from has changed.
// @ts-check
import fs from 'node:fs';
import path from 'node:path';
import { compiledLibrary, compiledTests } from './compile.mjs';
import { embeddedModel, embeddedReviews } from './embedded.mjs';
import { packages } from './packages.mjs';
import { freeMegabytes, root, workFolder } from './paths.mjs';
import { kernel, pythonEnvironment } from './python.mjs';
import { SetupError } from './run.mjs';
import { isDone, perform } from './steps.mjs';
import { addon, tensorflowRuntime } from './tensorflow.mjs';
import { checkCompiler, findPython } from './tools.mjs';

/** Two set-ups at once would move each other's files away. The lock of a process that is no more does not count. */
function lock() {
  const file = path.join(workFolder, 'set-up.pid');
  fs.mkdirSync(workFolder, { recursive: true });
  const other = fs.existsSync(file) ? Number(fs.readFileSync(file, 'utf8')) : 0;
  if (other && fs.existsSync(`/proc/${other}`))
    throw new SetupError(
      `Another set-up is under way in this checkout (process ${other}). Wait until it has ended, then run it again.`,
    );
  fs.writeFileSync(file, String(process.pid));
  process.on('exit', () => fs.rmSync(file, { force: true }));
}

/**
 * Says what it does on standard error: what `tunebook … --json` prints is for machines.
 * @param {{ quiet: boolean, tests: boolean }} options quiet: says nothing when there is nothing to do; tests: compiles them too
 * @throws {SetupError} in words for the person who sees it
 */
export async function setUp({ quiet, tests }) {
  const started = performance.now();
  const steps = [
    packages,
    pythonEnvironment,
    kernel,
    tensorflowRuntime,
    addon,
    compiledLibrary,
    embeddedModel,
    embeddedReviews,
  ];
  if (tests) steps.push(compiledTests);
  let made = 0;
  for (const [index, step] of steps.entries()) {
    // npm removes what set-up had put into node_modules, so each step is looked at when its turn comes.
    if (isDone(step)) continue;
    if (made === 0) {
      lock();
      // What the machine lacks is said before anything is fetched.
      if (!isDone(pythonEnvironment)) findPython();
      if (!isDone(addon)) checkCompiler();
      const needed = steps.reduce((sum, each) => sum + (isDone(each) ? 0 : (each.megabytes ?? 0)), 0);
      if (freeMegabytes() < needed)
        throw new SetupError(
          `About ${(needed / 1000).toFixed(1)} GB of disk are needed and ${(freeMegabytes() / 1000).toFixed(1)} GB are free ` +
            `at ${root}. Make room and run the same command again.`,
        );
    }
    console.error(`[${index + 1}/${steps.length}] ${step.name} …`);
    const from = performance.now();
    const seconds = () => Math.round((performance.now() - from) / 1000);
    const ticker = step.silent ? setInterval(() => console.error(`      ${seconds()} s …`), 10_000) : undefined;
    await perform(step).finally(() => clearInterval(ticker));
    console.error(`      done in ${((performance.now() - from) / 1000).toFixed(1)} s`);
    made++;
  }
  if (made > 0) console.error(`Set up in ${((performance.now() - started) / 1000).toFixed(0)} s.\n`);
  else if (!quiet) console.error('Everything is set up.');
}
