// Finds the tools that must be installed on the machine: Node, Python with venv and pip, and a C++ compiler.
// @ts-check
import { spawnSync } from 'node:child_process';
import { installation, platform, platforms } from './platform.mjs';
import { SetupError } from './run.mjs';

/** Whether a command exits with 0. @param {string} command @param {string[]} argv */
const succeeds = (command, argv) => spawnSync(command, argv, { encoding: 'utf8', timeout: 30_000 }).status === 0;

/** @param {string} version like 20.19.0 @returns {boolean} */
export function nodeIsNewEnough(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 20 ? major >= 22 : major === 20 && minor >= 19;
}

/**
 * Returns the Python that creates .venv: TUNEBOOK_PYTHON, else the first of python3, python3.13 … python3.10 that is
 * 3.10 or newer and has venv and pip.
 * @returns {string}
 * @throws {SetupError} with what is missing and the command that installs it
 */
export function findPython() {
  const named = process.env['TUNEBOOK_PYTHON'];
  const candidates = named ? [named] : ['python3', 'python3.13', 'python3.12', 'python3.11', 'python3.10'];
  const recent = candidates.filter((name) =>
    succeeds(name, ['-c', 'import sys; sys.exit(sys.version_info < (3, 10))']),
  );
  if (recent.length === 0)
    throw new SetupError(
      `No Python 3.10 or newer was found (looked for ${candidates.join(', ')}).`,
      `Install it (${installation('python3 python3-venv python3-pip', 'brew install python')}) or set TUNEBOOK_PYTHON.`,
    );
  const complete = recent.find((name) => succeeds(name, ['-c', 'import venv, ensurepip']));
  if (!complete)
    throw new SetupError(
      `${recent[0]} lacks venv or pip.`,
      `Install them (${installation('python3-venv python3-pip', 'brew install python')}).`,
    );
  return complete;
}

/** @throws {SetupError} if this platform is not supported */
export function checkSystem() {
  if (!(platform in platforms))
    throw new SetupError(
      `Tunebook supports ${Object.values(platforms).join(', ')}, but this is ${process.platform} ${process.arch}.`,
      'Use a supported platform, or a Linux container or virtual machine.',
    );
}

/** @throws {SetupError} if this version of Node is not supported */
export function checkNode() {
  if (!nodeIsNewEnough(process.versions.node))
    throw new SetupError(
      `Node ${process.versions.node} is not supported. Tunebook needs Node 20 from 20.19 on, or Node 22 or newer.`,
      "Install one (for example: npx --yes node@22, nvm install 22, or your system's package) and try again.",
    );
}

/**
 * C++ compilers to search for, in this order. TensorFlow for macOS is built with clang's C++ library, which g++ does
 * not use.
 */
const compilers = process.platform === 'darwin' ? ['clang++', 'c++'] : ['g++', 'clang++', 'c++'];

/** CXX, split into program and arguments as make does; empty if it is not set. @returns {string[]} */
const namedCompiler = () => (process.env['CXX'] ?? '').split(' ').filter(Boolean);

/**
 * Returns the C++ compiler and its first arguments: CXX if set, else the first of `compilers` that runs.
 * @returns {[string, ...string[]]}
 * @throws {SetupError} if there is none
 */
export function compilerCommand() {
  const named = namedCompiler();
  const found = (named.length > 0 ? [named] : compilers.map((name) => [name])).find(([name = '', ...argv]) =>
    succeeds(name, [...argv, '--version']),
  );
  if (found) return /** @type {[string, ...string[]]} */ (found);
  if (named.length > 0)
    throw new SetupError(
      `CXX is '${named.join(' ')}', which cannot be run. A C++ compiler is needed for the TensorFlow addon.`,
      'Set CXX to an installed C++ compiler, or unset it.',
    );
  throw new SetupError(
    `No C++ compiler was found (looked for ${compilers.join(', ')}). It is needed for the TensorFlow addon.`,
    `Install one (${installation('g++', 'xcode-select --install')}).`,
  );
}

/** Returns the first line of the output of the compiler's --version. */
export function compilerVersion() {
  const [compiler, ...argv] = compilerCommand();
  const { stdout } = spawnSync(compiler, [...argv, '--version'], { encoding: 'utf8' });
  return stdout.split('\n')[0] ?? '';
}
