// Sets up all that is missing and nothing else: what `npm start`, `npm test`, `npm run lab` and `npm run setup` run first.
// Plain Node without a dependency, since nothing is installed yet.
//   node lib/setup/main.mjs [--quiet] [--for test]
// @ts-check
import fs from 'node:fs';
import { parseArgs } from 'node:util';
import { compiledLibrary, compiledTests } from './compile.mjs';
import { embeddedModel, embeddedReviews } from './embedded.mjs';
import { packages } from './packages.mjs';
import { workFolder } from './paths.mjs';
import { kernel, pythonEnvironment } from './python.mjs';
import { SetupError } from './run.mjs';
import { isDone, perform } from './steps.mjs';
import { addon, tensorflowRuntime } from './tensorflow.mjs';
import { checkNode } from './tools.mjs';

async function main() {
  const { values } = parseArgs({
    options: { quiet: { type: 'boolean', default: false }, for: { type: 'string', default: 'start' } },
  });
  checkNode();
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
  if (values.for === 'test') steps.push(compiledTests);
  let made = 0;
  for (const [index, step] of steps.entries()) {
    // npm removes what set-up had put into node_modules, so each step is looked at when its turn comes.
    if (isDone(step)) continue;
    console.log(`[${index + 1}/${steps.length}] ${step.name} …`);
    const from = performance.now();
    fs.mkdirSync(workFolder, { recursive: true });
    await perform(step);
    console.log(`      done in ${((performance.now() - from) / 1000).toFixed(1)} s`);
    made++;
  }
  if (made > 0) console.log(`Set up in ${((performance.now() - started) / 1000).toFixed(0)} s.\n`);
  else if (!values.quiet) console.log('Everything is set up.');
}

try {
  await main();
} catch (error) {
  const full = error instanceof Error && 'code' in error && error.code === 'ENOSPC';
  if (full)
    console.error(
      '\nSet-up stopped: the disk is full. Make room (about 4 GB are needed) and run the same command again.',
    );
  else if (error instanceof SetupError) console.error(`\nSet-up stopped: ${error.message}`);
  else throw error;
  process.exit(1);
}
