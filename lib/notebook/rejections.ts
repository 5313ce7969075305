/**
 * Preloaded into the kernel by execute.py: writes down promises that failed and that nobody awaited. tslab prints them
 * where no cell shows them, and every cell counts as good.
 */
import fs from 'node:fs';
import { inspect } from 'node:util';

const file = process.env['TUNEBOOK_REJECTIONS'];
if (file)
  for (const event of ['unhandledRejection', 'uncaughtException'] as const)
    process.on(event, (reason: unknown) => fs.appendFileSync(file, `${inspect(reason)}\n`));
