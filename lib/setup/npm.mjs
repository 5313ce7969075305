// Selects the npm that installs the packages: the system's, or a pinned newer one if the system's is npm 9, as on
// Debian and Ubuntu. npm 9.2 reports a broken lock file if an overridden package has a URL as its version, which
// danfojs-node does.
// @ts-check
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { buildFolder } from './downloads.mjs';
import { workFolder } from './paths.mjs';
import { installation } from './platform.mjs';
import { SetupError, run } from './run.mjs';

/**
 * @typedef {object} PinnedPackage
 * @property {string} name
 * @property {string} version
 * @property {string} sha512 hash of the archive in base64, as in package-lock.json
 */

/** @type {PinnedPackage} */
const pinned = {
  name: 'npm',
  version: '10.9.9',
  sha512: '1g+6jLQvaIuB4zwvHL7yrXuXcWZwDsCtBX8bbWDqbvJSSr9nPiDDWTHNgwXR27iIcTTW7v3A57hDW9RYv2W4Yg==',
};

/** @param {string} version like 10.8.2 @returns {boolean} */
export const isNewEnough = (version) => Number.parseInt(version) >= 10;

/** @returns {string} version of the system's npm, like 10.8.2; empty if there is none */
function npmVersion() {
  return spawnSync('npm', ['--version'], { encoding: 'utf8' }).stdout?.trim() ?? '';
}

/**
 * Returns the command that runs npm 10 or newer; downloads one if the system's is too old.
 * @returns {Promise<[string, ...string[]]>} program and first arguments
 * @throws {SetupError} if there is no npm, or if the pinned one cannot be downloaded or does not match its hash
 */
export async function npmCommand() {
  const version = npmVersion();
  if (version === '')
    throw new SetupError(
      'npm is not installed.',
      `Install it (${installation('npm', 'brew install node@24')}), then run the same command again.`,
    );
  if (isNewEnough(version)) return ['npm'];
  const folder = path.join(workFolder, 'npm');
  const command = path.join(folder, 'package/bin/npm-cli.js');
  const own = path.join(folder, 'package/package.json');
  if (fs.existsSync(own) && JSON.parse(fs.readFileSync(own, 'utf8')).version === pinned.version)
    return [process.execPath, command];
  console.error(`      npm ${version} is too old; downloading npm ${pinned.version} for use in this folder only`);
  await buildFolder(folder, async (temporary) => {
    await unpackPackage(['npm'], pinned, temporary);
    // A folder that can be added to PATH, as environment.Dockerfile does.
    fs.mkdirSync(path.join(temporary, 'bin'));
    for (const name of ['npm', 'npx'])
      fs.symlinkSync(`../package/bin/${name}-cli.js`, path.join(temporary, 'bin', name));
  });
  return [process.execPath, command];
}

/**
 * Downloads a package without its dependencies and unpacks it to `package` in a folder.
 * @param {[string, ...string[]]} npm program and first arguments of npm
 * @param {PinnedPackage} wanted
 * @param {string} folder
 * @throws {SetupError} if the package cannot be downloaded or does not match the pinned hash
 */
export async function unpackPackage([command, ...args], { name, version, sha512 }, folder) {
  await run(command, [...args, 'pack', '--silent', `${name}@${version}`, '--pack-destination', folder], {
    what: `Downloading ${name} ${version}`,
    remedy: 'Check that the npm registry can be reached (npm ping), then run the same command again.',
  });
  const archive = path.join(folder, `${name.replace('@', '').replace('/', '-')}-${version}.tgz`);
  const found = createHash('sha512').update(fs.readFileSync(archive)).digest('base64');
  if (found !== sha512)
    throw new SetupError(
      `${name} ${version} has sha512 ${found}, but ${sha512} is pinned. The package was not used. ` +
        'Run the same command again. If the error persists, the registry or a proxy modifies files.',
    );
  await run('tar', ['-xzf', archive, '-C', folder], { what: `Unpacking ${name} ${version}` });
  fs.rmSync(archive);
}
