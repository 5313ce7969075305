// Checks the prerequisites of set-up: a supported system, Node, npm, Python and a C++ compiler.
// @ts-check
import os from 'node:os';
import { isNewEnough } from '../npm.mjs';
import { packages } from '../packages.mjs';
import { platform, platforms } from '../platform.mjs';
import { checkNode, checkSystem, compilerCommand, compilerVersion, findPython } from '../tools.mjs';
import { pythonEnvironment } from '../python.mjs';
import { SetupError } from '../run.mjs';
import { isDone } from '../steps.mjs';
import { addon } from '../tensorflow.mjs';
import { describeFailure, runProgram } from './ask.mjs';
import { wantedBuild } from './build.mjs';
import { failed, ok, warning } from './finding.mjs';

/** @typedef {import('./finding.mjs').Check} Check */

/**
 * Calls a function of set-up and returns its result or its error.
 * @template T
 * @param {() => T} check
 * @returns {{ value: T } | { error: SetupError }}
 */
function tryCheck(check) {
  try {
    return { value: check() };
  } catch (error) {
    if (error instanceof SetupError) return { error };
    throw error;
  }
}

/**
 * Returns the finding for a missing tool that only set-up uses: failed if set-up still needs it, otherwise a warning.
 * @param {SetupError} error
 * @param {boolean} needed
 * @param {string} unaffected what works without the tool
 */
const missingTool = ({ what, remedy }, needed, unaffected) =>
  needed ? failed(what, remedy) : warning(`${what} Only the next set-up needs it; ${unaffected}.`, remedy);

/** Returns the version of the GNU C library, which the pinned wheels need; undefined with another C library. */
function glibc() {
  // Otherwise the report would resolve the names of all network connections.
  Object.assign(process.report ?? {}, { excludeNetwork: true });
  const report = /** @type {{ header: { glibcVersionRuntime?: string } }} */ (process.report?.getReport());
  return report.header.glibcVersionRuntime;
}

/** Checks the version of macOS; macOS 12 is Darwin 21. @param {string} name */
const macos = (name) =>
  Number.parseInt(os.release()) >= 21
    ? ok(`${name}, Darwin ${os.release()}`)
    : failed(`${name}, Darwin ${os.release()}: TensorFlow's wheels need macOS 12 or newer.`, 'Update macOS.');

/** @type {Check} */
const system = {
  name: 'system',
  about: 'Linux on x64 or arm64, with the GNU C library, or macOS on arm64',
  examine() {
    const result = tryCheck(checkSystem);
    if ('error' in result) return failed(result.error.what, result.error.remedy);
    const name = platforms[/** @type {keyof typeof platforms} */ (platform)];
    if (process.platform === 'darwin') return macos(name);
    const version = glibc();
    if (version) return ok(`${name}, glibc ${version}`);
    return failed(
      `${name} without the GNU C library, which TensorFlow's wheels need.`,
      'Use a system with glibc 2.27 or newer, such as Debian or Ubuntu, instead of Alpine.',
    );
  },
};

/** @type {Check} */
const node = {
  name: 'node',
  about: 'Node 20 from 20.19 on, or 22 or newer',
  examine() {
    const result = tryCheck(checkNode);
    return 'error' in result
      ? failed(result.error.what, result.error.remedy)
      : ok(`${process.versions.node} (${process.execPath})`);
  },
};

/** @type {Check} */
const npm = {
  name: 'npm',
  about: 'npm 10 or newer, which installs packages',
  async examine() {
    const result = await runProgram('npm', ['--version']);
    const version = result.stdout.trim();
    if (result.status === 0 && isNewEnough(version)) return ok(version);
    if (result.status === 0)
      return warning(
        `npm ${version} is too old. Set-up downloads a newer one for its own use, but 'npx tunebook' fails.`,
        'Install a newer one: npm install --global npm@10',
      );
    const error = new SetupError(`npm ${describeFailure(result)}.`, 'Install npm 10 or newer; it comes with Node.');
    return missingTool(error, !isDone(packages), 'the installed packages keep working');
  },
};

/** @type {Check} */
const python = {
  name: 'python',
  about: 'Python 3.10 or newer with venv and pip',
  async examine() {
    const result = tryCheck(findPython);
    if ('error' in result)
      return missingTool(result.error, !isDone(pythonEnvironment), 'the Python in .venv keeps working');
    const { stdout } = await runProgram(result.value, [
      '-c',
      'import platform, sys; print(platform.python_version(), "with venv and pip", f"({sys.executable})")',
    ]);
    return ok(stdout.trim());
  },
};

/** @type {Check} */
const compiler = {
  name: 'compiler',
  about: "a C++ compiler, which compiles TensorFlow's addon",
  async examine() {
    const result = tryCheck(compilerCommand);
    if ('error' in result)
      return missingTool(result.error, !wantedBuild().kind || !isDone(addon), 'the compiled addon keeps working');
    return ok(`${result.value.join(' ')}: ${compilerVersion()}`);
  },
};

export const machineChecks = [system, node, npm, python, compiler];
