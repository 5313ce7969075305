// What the machine itself must have before anything can be set up: a supported system, Node, npm, Python and a C++ compiler.
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
import { ask, wordsOf } from './ask.mjs';
import { wantedBuild } from './build.mjs';
import { failed, ok, warning } from './finding.mjs';

/** @typedef {import('./finding.mjs').Check} Check */

/**
 * What a function of set-up says when it refuses.
 * @template T
 * @param {() => T} look
 * @returns {{ value: T } | { refusal: SetupError }}
 */
function heeding(look) {
  try {
    return { value: look() };
  } catch (error) {
    if (error instanceof SetupError) return { refusal: error };
    throw error;
  }
}

/**
 * What set-up needs and a checkout that is set up does not: missing, it is a fault only where set-up has to be done.
 * @param {SetupError} refusal
 * @param {boolean} needed
 * @param {string} without what works all the same
 */
const missing = ({ what, remedy }, needed, without) =>
  needed ? failed(what, remedy) : warning(`${what} Until it is needed again, ${without}.`, remedy);

/** The GNU C library, which the pinned wheels are made for; another one is not told of. */
function glibc() {
  // The report would ask for the names of all network connections.
  Object.assign(process.report ?? {}, { excludeNetwork: true });
  const report = /** @type {{ header: { glibcVersionRuntime?: string } }} */ (process.report?.getReport());
  return report.header.glibcVersionRuntime;
}

/** macOS 12 has Darwin's version 21. @param {string} name */
const macos = (name) =>
  Number.parseInt(os.release()) >= 21
    ? ok(`${name}, Darwin ${os.release()}`)
    : failed(`${name}, Darwin ${os.release()}: TensorFlow's wheels need macOS 12 or newer.`, 'Update macOS.');

/** @type {Check} */
const system = {
  name: 'system',
  about: 'Linux on x64 or arm64, with the GNU C library, or macOS on arm64',
  examine() {
    const looked = heeding(checkSystem);
    if ('refusal' in looked) return failed(looked.refusal.what, looked.refusal.remedy);
    const name = platforms[/** @type {keyof typeof platforms} */ (platform)];
    if (process.platform === 'darwin') return macos(name);
    const version = glibc();
    if (version) return ok(`${name}, glibc ${version}`);
    return failed(
      `${name} without the GNU C library, which TensorFlow's wheels need.`,
      'Use a system with glibc 2.27 or newer, such as Debian or Ubuntu, in place of Alpine.',
    );
  },
};

/** @type {Check} */
const node = {
  name: 'node',
  about: 'Node 20.19 or newer, or 22, 24',
  examine() {
    const looked = heeding(checkNode);
    return 'refusal' in looked
      ? failed(looked.refusal.what, looked.refusal.remedy)
      : ok(`${process.versions.node} (${process.execPath})`);
  },
};

/** @type {Check} */
const npm = {
  name: 'npm',
  about: 'npm 10 or newer, which fetches packages',
  async examine() {
    const answer = await ask('npm', ['--version']);
    const version = answer.stdout.trim();
    if (answer.status === 0 && isNewEnough(version)) return ok(version);
    if (answer.status === 0)
      return warning(
        `npm ${version} is too old: set-up fetches a newer one for itself, but 'npx tunebook' fails.`,
        'Install a newer one: npm install --global npm@10',
      );
    const refusal = new SetupError(`npm ${wordsOf(answer)}.`, 'Install npm 10 or newer; it comes with Node.');
    return missing(refusal, !isDone(packages), 'the packages that are there work on');
  },
};

/** @type {Check} */
const python = {
  name: 'python',
  about: 'Python 3.10 or newer with venv and pip',
  async examine() {
    const looked = heeding(findPython);
    if ('refusal' in looked) return missing(looked.refusal, !isDone(pythonEnvironment), 'the one in .venv works on');
    const answer = await ask(looked.value, [
      '-c',
      'import platform, sys; print(platform.python_version(), "with venv and pip", f"({sys.executable})")',
    ]);
    return ok(answer.stdout.trim());
  },
};

/** @type {Check} */
const compiler = {
  name: 'compiler',
  about: "a C++ compiler, which compiles TensorFlow's addon",
  async examine() {
    const looked = heeding(compilerCommand);
    if ('refusal' in looked)
      return missing(looked.refusal, !wantedBuild().kind || !isDone(addon), 'the addon that is compiled works on');
    return ok(`${looked.value.join(' ')}: ${compilerVersion()}`);
  },
};

export const machineChecks = [system, node, npm, python, compiler];
