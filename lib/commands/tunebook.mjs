#!/usr/bin/env node
// `npx tunebook …`: sets up what is missing or has changed, then runs the command line, which set-up compiles.
// @ts-check
import { prepare } from '../setup/prepare.mjs';

prepare({ quiet: true, tests: false }).then((ready) => {
  // @ts-ignore -- compiled
  if (ready) return import('../dist/commands/main.js');
});
