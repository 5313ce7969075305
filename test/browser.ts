// Starts Chromium for tests of web pages: the one that setup unpacks into .tunebook/chromium, or the one in TUNEBOOK_CHROMIUM.
/// <reference lib="dom" />
// The types of the page, for functions that tests pass to Playwright's `$eval`.
import fs from 'node:fs';
import path from 'node:path';
import { chromium, type Browser } from 'playwright-core';
import { root } from './checkout.js';

const folder = path.join(root, '.tunebook/chromium');

/** What makes Chromium compute WebGPU on the processor. */
const softwareWebGpu = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--enable-features=Vulkan'];

/**
 * Starts a headless Chromium.
 * @param options.webGpu whether pages can use WebGPU. @default false
 */
export async function openBrowser({ webGpu = false } = {}): Promise<Browser> {
  const configured = process.env['TUNEBOOK_CHROMIUM'];
  const executablePath = configured || path.join(folder, 'chromium');
  if (!fs.existsSync(executablePath))
    throw new Error(
      `There is no Chromium at ${executablePath}. ` +
        (configured
          ? 'Correct TUNEBOOK_CHROMIUM, or unset it to use the pinned version.'
          : 'On Linux x64, run: npm run setup -- --for test. On other systems, install Chromium and set TUNEBOOK_CHROMIUM to its path.'),
    );
  return chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-background-networking', ...(webGpu ? softwareWebGpu : ['--disable-gpu'])],
    timeout: 120_000,
    ...(!configured && {
      env: {
        ...process.env,
        LD_LIBRARY_PATH: path.join(folder, 'lib'),
        FONTCONFIG_PATH: folder,
        XDG_CACHE_HOME: path.join(folder, 'cache'),
      },
    }),
  });
}
