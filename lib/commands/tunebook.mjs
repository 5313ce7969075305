#!/usr/bin/env node
// `npx tunebook …`: sets up what is missing or has changed, then runs the command line, which set-up compiles. Only the
// doctor is asked before anything is set up.
// @ts-check
import { prepare } from '../setup/prepare.mjs';

if (process.argv[2] === 'doctor') import('../setup/doctor.mjs');
else
  prepare({ quiet: true, tests: false }).then((ready) => {
    // @ts-ignore -- compiled
    if (ready) return import('../dist/commands/main.js');
  });
