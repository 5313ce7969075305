#!/usr/bin/env node
// `npx tunebook …`, `npm start` and `npm run lab`: sets up and compiles what is missing or has changed, then runs the
// command.
// @ts-check
import { findNpm, isRunning } from '../setup/npm-process.mjs';
import { isCheckout } from '../setup/paths.mjs';
import { prepare } from '../setup/prepare.mjs';

/** Commands of a checkout that parse their own command line. */
const programs = new Map([
  ['start', '../dist/cli/start.js'],
  ['lab', '../dist/cli/lab.js'],
]);

/** Commands that need TensorFlow. Others need no set-up, except in a checkout, which must be compiled. */
const usesTensorflow = ['finetune', 'adapt', 'sweep', 'launch', 'inspect', 'export', 'sagemaker'];

/** Sets up what a command needs. @param {string} name */
async function setUpFor(name) {
  if (isCheckout) return prepare({ quiet: true });
  if (wantsHelp) return true;
  if (usesTensorflow.includes(name)) return prepare({ quiet: true });
  return name === 'init' ? prepare({ quiet: true, only: 'embedded-reviews' }) : true;
}

// A reader that ends early, as in `tunebook runs | head`, is not an error.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

// Before set-up, since npm may be killed during it.
const npm = findNpm();
const name = process.argv[2] ?? '';
const wantsHelp = process.argv.some((argument) => argument === '--help' || argument === '-h');
if (name === 'doctor') import('../setup/doctor.mjs');
else if (name === 'setup' && !wantsHelp) prepare({ quiet: false });
else
  setUpFor(name).then(async (ready) => {
    if (!ready) return;
    if (npm !== undefined) {
      // @ts-ignore -- compiled
      const { endWhen } = await import('../dist/signals.js');
      endWhen(() => !isRunning(npm));
    }
    const program = isCheckout ? programs.get(name) : undefined;
    // These commands expect their arguments without the command name.
    if (program) process.argv.splice(2, 1);
    await import(program ?? '../dist/cli/main.js');
  });
