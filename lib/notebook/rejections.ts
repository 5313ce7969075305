/**
 * Preloaded into the kernel by execute.py: appends unhandled rejections and uncaught exceptions to a file. tslab prints
 * them where no cell shows them, so every cell would count as successful.
 */
import fs from 'node:fs';
import { inspect } from 'node:util';

const file = process.env['TUNEBOOK_REJECTIONS'];
if (file)
  for (const event of ['unhandledRejection', 'uncaughtException'] as const)
    process.on(event, (reason: unknown) => fs.appendFileSync(file, `${inspect(reason)}\n`));
