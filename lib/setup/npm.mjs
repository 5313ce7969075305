// The npm that installs the packages: the machine's, or, where that is a 9 (Debian's and Ubuntu's own), a pinned newer one.
// npm 9.2 takes an override of a package whose version is an address for a broken lock file, and danfojs-node has one.
// @ts-check
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { inPlace } from './downloads.mjs';
import { workFolder } from './paths.mjs';
import { installation } from './platform.mjs';
import { SetupError, run } from './run.mjs';

const pinned = {
  version: '10.9.9',
  sha512: '1g+6jLQvaIuB4zwvHL7yrXuXcWZwDsCtBX8bbWDqbvJSSr9nPiDDWTHNgwXR27iIcTTW7v3A57hDW9RYv2W4Yg==',
};

/** @param {string} version like 10.8.2 @returns {boolean} */
export const isNewEnough = (version) => Number.parseInt(version) >= 10;

/** @returns {string} the machine's, like 10.8.2; empty where there is none */
function npmVersion() {
  return spawnSync('npm', ['--version'], { encoding: 'utf8' }).stdout?.trim() ?? '';
}

/**
 * @returns {Promise<[string, ...string[]]>} the words that call npm, before its own arguments
 * @throws {SetupError} where there is no npm, or the newer one cannot be had or is not what was pinned
 */
export async function npmCommand() {
  const version = npmVersion();
  if (version === '')
    throw new SetupError(
      'npm is missing.',
      `Install it (${installation('npm', 'brew install node@24')}), then run it again.`,
    );
  if (isNewEnough(version)) return ['npm'];
  const folder = path.join(workFolder, 'npm');
  const command = path.join(folder, 'package/bin/npm-cli.js');
  const own = path.join(folder, 'package/package.json');
  if (fs.existsSync(own) && JSON.parse(fs.readFileSync(own, 'utf8')).version === pinned.version)
    return [process.execPath, command];
  console.error(`      npm ${version} is too old; npm ${pinned.version} is fetched for this folder alone`);
  await inPlace(folder, async (aside) => {
    await run('npm', ['pack', '--silent', `npm@${pinned.version}`, '--pack-destination', aside], {
      what: `Downloading npm ${pinned.version}`,
      remedy: 'Check that the npm registry can be reached (npm ping), then run it again.',
    });
    const archive = path.join(aside, `npm-${pinned.version}.tgz`);
    const found = createHash('sha512').update(fs.readFileSync(archive)).digest('base64');
    if (found !== pinned.sha512)
      throw new SetupError(
        `npm ${pinned.version} arrived with sha512 ${found}, but ${pinned.sha512} is pinned. It was not used. Run the same command ` +
          'again; if it happens again, the registry or a proxy in between alters files.',
      );
    await run('tar', ['-xzf', archive, '-C', aside], { what: `Unpacking npm ${pinned.version}` });
    fs.rmSync(archive);
    // For who puts them on the PATH, as environment.Dockerfile does.
    fs.mkdirSync(path.join(aside, 'bin'));
    for (const name of ['npm', 'npx']) fs.symlinkSync(`../package/bin/${name}-cli.js`, path.join(aside, 'bin', name));
  });
  return [process.execPath, command];
}
