// Chromium for the tests, from the npm package @sparticuz/chromium, which includes the shared libraries that a minimal
// system lacks. It needs neither root nor system packages and is the same on every machine. Only the package's files
// are used: its own code unpacks them into /tmp, and the libraries only on Amazon's machines.
// @ts-check
import fs from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createBrotliDecompress } from 'node:zlib';
import { buildFolder } from './downloads.mjs';
import { npmCommand, unpackPackage } from './npm.mjs';
import { workFolder } from './paths.mjs';
import { run } from './run.mjs';
import { hashFiles } from './hash.mjs';

/** @type {import('./npm.mjs').PinnedPackage} */
const pinned = {
  name: '@sparticuz/chromium',
  version: '153.0.0',
  sha512: 'jiGWqSvPMdu4+P9TilYqAR7yEGPEHINx+lCvE/NqNO/EHYzF/x1hUiI5T6ioVIt7dEy7n88byyT0vk+dnsgQwA==',
};

const folder = path.join(workFolder, 'chromium');

// Restricts the browser to these fonts, so that screenshots do not depend on the fonts of the machine.
const fonts = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir prefix="relative">../../node_modules/dejavu-fonts-ttf/ttf</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
</fontconfig>
`;

/** @type {import('./steps.mjs').CheckoutStep} */
export const chromium = {
  name: 'Chromium for the tests',
  id: 'chromium',
  megabytes: 400,
  silent: true,
  fingerprint: () => hashFiles('setup/chromium.mjs'),
  outputs: [path.join(folder, 'chromium')],
  make: async () => {
    const npm = await npmCommand();
    await buildFolder(folder, async (temporary) => {
      await unpackPackage(npm, pinned, temporary);
      for (const name of ['chromium', 'al2023.tar', 'swiftshader.tar'])
        await pipeline(
          fs.createReadStream(path.join(temporary, 'package/bin', `${name}.br`)),
          createBrotliDecompress(),
          fs.createWriteStream(path.join(temporary, name), { mode: 0o755 }),
        );
      // SwiftShader computes WebGPU on the processor.
      for (const name of ['al2023.tar', 'swiftshader.tar']) {
        await run('tar', ['-xf', path.join(temporary, name), '-C', temporary], {
          what: "Unpacking Chromium's libraries",
        });
        fs.rmSync(path.join(temporary, name));
      }
      fs.writeFileSync(path.join(temporary, 'fonts.conf'), fonts);
      fs.copyFileSync(path.join(temporary, 'package/LICENSE'), path.join(temporary, 'LICENSE'));
      fs.rmSync(path.join(temporary, 'package'), { recursive: true });
    });
  },
};
