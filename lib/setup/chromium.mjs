// The browser of the tests: Chromium as npm's @sparticuz/chromium packs it for servers, with the shared libraries that a bare machine
// lacks. It needs neither root nor a package of the system, and is the same on every machine. Only the files are used: the package's own
// code unpacks them into /tmp, the libraries on Amazon's machines alone.
// @ts-check
import fs from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createBrotliDecompress } from 'node:zlib';
import { inPlace } from './downloads.mjs';
import { npmCommand, unpackPackage } from './npm.mjs';
import { workFolder } from './paths.mjs';
import { run } from './run.mjs';
import { hashFiles } from './steps.mjs';

/** @type {import('./npm.mjs').PinnedPackage} */
const pinned = {
  name: '@sparticuz/chromium',
  version: '153.0.0',
  sha512: 'jiGWqSvPMdu4+P9TilYqAR7yEGPEHINx+lCvE/NqNO/EHYzF/x1hUiI5T6ioVIt7dEy7n88byyT0vk+dnsgQwA==',
};

const folder = path.join(workFolder, 'chromium');

// The only fonts that the browser sees: what it draws does not depend on the machine's.
const fonts = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir prefix="relative">../../node_modules/dejavu-fonts-ttf/ttf</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
</fontconfig>
`;

/** @type {import('./steps.mjs').Step} */
export const chromium = {
  name: 'Chromium for the tests',
  stamp: 'chromium',
  megabytes: 400,
  silent: true,
  fingerprint: () => hashFiles('lib/setup/chromium.mjs'),
  makes: [path.join(folder, 'chromium')],
  make: async () => {
    const npm = await npmCommand();
    await inPlace(folder, async (aside) => {
      await unpackPackage(npm, pinned, aside);
      for (const name of ['chromium', 'al2023.tar'])
        await pipeline(
          fs.createReadStream(path.join(aside, 'package/bin', `${name}.br`)),
          createBrotliDecompress(),
          fs.createWriteStream(path.join(aside, name), { mode: 0o755 }),
        );
      const libraries = path.join(aside, 'al2023.tar');
      await run('tar', ['-xf', libraries, '-C', aside], { what: "Unpacking Chromium's libraries" });
      fs.writeFileSync(path.join(aside, 'fonts.conf'), fonts);
      fs.copyFileSync(path.join(aside, 'package/LICENSE'), path.join(aside, 'LICENSE'));
      for (const made of [libraries, path.join(aside, 'package')]) fs.rmSync(made, { recursive: true });
    });
  },
};
