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

/**
 * @typedef {object} PinnedPackage
 * @property {string} name
 * @property {string} version
 * @property {string} sha512 of its archive, in base64 as package-lock.json writes it
 */

/** @type {PinnedPackage} */
const pinned = {
  name: 'npm',
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
    await unpackPackage(['npm'], pinned, aside);
    // For who puts them on the PATH, as environment.Dockerfile does.
    fs.mkdirSync(path.join(aside, 'bin'));
    for (const name of ['npm', 'npx']) fs.symlinkSync(`../package/bin/${name}-cli.js`, path.join(aside, 'bin', name));
  });
  return [process.execPath, command];
}

/**
 * Downloads a package alone, without what it depends on, and unpacks it as `package` in a folder.
 * @param {[string, ...string[]]} npm the words that call npm
 * @param {PinnedPackage} wanted
 * @param {string} folder
 * @throws {SetupError} when it cannot be downloaded or is not what was pinned
 */
export async function unpackPackage([command, ...words], { name, version, sha512 }, folder) {
  await run(command, [...words, 'pack', '--silent', `${name}@${version}`, '--pack-destination', folder], {
    what: `Downloading ${name} ${version}`,
    remedy: 'Check that the npm registry can be reached (npm ping), then run it again.',
  });
  const archive = path.join(folder, `${name.replace('@', '').replace('/', '-')}-${version}.tgz`);
  const found = createHash('sha512').update(fs.readFileSync(archive)).digest('base64');
  if (found !== sha512)
    throw new SetupError(
      `${name} ${version} arrived with sha512 ${found}, but ${sha512} is pinned. It was not used. Run the same command ` +
        'again; if it happens again, the registry or a proxy in between alters files.',
    );
  await run('tar', ['-xzf', archive, '-C', folder], { what: `Unpacking ${name} ${version}` });
  fs.rmSync(archive);
}
