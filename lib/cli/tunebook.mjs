#!/usr/bin/env node
// `npx tunebook …`, `npm start` and `npm run lab`: sets up what is missing or has changed, then runs the command, which set-up
// compiles. Only the doctor runs without set-up.
// @ts-check
import { findNpm, isRunning } from '../setup/npm-process.mjs';
import { prepare } from '../setup/prepare.mjs';

/** Commands with a command line of their own. */
const programs = new Map([
  ['start', '../dist/cli/start.js'],
  ['lab', '../dist/cli/lab.js'],
]);

// Now, since npm may be killed during set-up.
const npm = findNpm();
const name = process.argv[2] ?? '';
if (name === 'doctor') import('../setup/doctor.mjs');
else
  prepare({ quiet: true, tests: false }).then(async (ready) => {
    if (!ready) return;
    if (npm !== undefined) {
      // @ts-ignore -- compiled
      const { endWhen } = await import('../dist/signals.js');
      endWhen(() => !isRunning(npm));
    }
    const program = programs.get(name);
    // Their arguments are all that follows the name.
    if (program) process.argv.splice(2, 1);
    await import(program ?? '../dist/cli/main.js');
  });
