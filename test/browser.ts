// The Chromium in which tests look at pages: the one that set-up unpacks into .tunebook/chromium, or the one that TUNEBOOK_CHROMIUM names.
/// <reference lib="dom" />
// Functions that tests give to Playwright's `$eval` run in the page: these are its types.
import fs from 'node:fs';
import path from 'node:path';
import { chromium, type Browser } from 'playwright-core';
import { root } from './checkout.js';

const folder = path.join(root, '.tunebook/chromium');

/** Starts a headless Chromium. */
export async function openBrowser(): Promise<Browser> {
  const named = process.env['TUNEBOOK_CHROMIUM'];
  const executablePath = named || path.join(folder, 'chromium');
  if (!fs.existsSync(executablePath))
    throw new Error(
      `There is no Chromium at ${executablePath}. ` +
        (named
          ? 'Correct TUNEBOOK_CHROMIUM, or unset it to use the pinned one.'
          : 'npm run setup -- --for test unpacks one for Linux x64; elsewhere install one and name it in TUNEBOOK_CHROMIUM.'),
    );
  return chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
    timeout: 120_000,
    ...(!named && {
      env: {
        ...process.env,
        LD_LIBRARY_PATH: path.join(folder, 'lib'),
        FONTCONFIG_PATH: folder,
        XDG_CACHE_HOME: path.join(folder, 'cache'),
      },
    }),
  });
}
