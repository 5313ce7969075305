// The tools that the machine itself must have: Node, Python with venv and pip, and a C++ compiler.
// @ts-check
import { spawnSync } from 'node:child_process';
import { installation, platform, platforms } from './platform.mjs';
import { SetupError } from './run.mjs';

/** @param {string} command @param {string[]} argv */
const answers = (command, argv) => spawnSync(command, argv, { encoding: 'utf8', timeout: 30_000 }).status === 0;

/** @param {string} version like 20.19.0 @returns {boolean} */
export function nodeIsNewEnough(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 20 ? major >= 22 : major === 20 && minor >= 19;
}

/**
 * The Python that makes .venv: the first of python3, python3.13 … python3.10 that is 3.10 or newer and has venv and pip.
 * @returns {string}
 * @throws {SetupError} naming what is missing and the command that installs it
 */
export function findPython() {
  const named = process.env['TUNEBOOK_PYTHON'];
  const candidates = named ? [named] : ['python3', 'python3.13', 'python3.12', 'python3.11', 'python3.10'];
  const recent = candidates.filter((name) => answers(name, ['-c', 'import sys; sys.exit(sys.version_info < (3, 10))']));
  if (recent.length === 0)
    throw new SetupError(
      `No Python 3.10 or newer was found (looked for ${candidates.join(', ')}).`,
      `Install it (${installation('python3 python3-venv python3-pip', 'brew install python')}), or name one in TUNEBOOK_PYTHON.`,
    );
  const whole = recent.find((name) => answers(name, ['-c', 'import venv, ensurepip']));
  if (!whole)
    throw new SetupError(
      `${recent[0]} has no venv or no pip.`,
      `Install them (${installation('python3-venv python3-pip', 'brew install python')}).`,
    );
  return whole;
}

/** @throws {SetupError} when this platform is not supported */
export function checkSystem() {
  if (!(platform in platforms))
    throw new SetupError(
      `Tunebook runs on ${Object.values(platforms).join(', ')}; this is ${process.platform} ${process.arch}.`,
      'Use one of them, or a container or virtual machine of Linux.',
    );
}

/** @throws {SetupError} when this Node is too old */
export function checkNode() {
  if (!nodeIsNewEnough(process.versions.node))
    throw new SetupError(
      `Node ${process.versions.node} is too old or unsupported: Tunebook needs 20.19 or newer, 22 or newer.`,
      "Install one (for example: npx --yes node@22, nvm install 22, or your system's package) and run it again.",
    );
}

/** The C++ compilers that are looked for, in this order. macOS's TensorFlow is compiled with clang's C++ library, which g++ does not use. */
const compilers = process.platform === 'darwin' ? ['clang++', 'c++'] : ['g++', 'clang++', 'c++'];

/** CXX, as make understands it, or nothing. @returns {string[]} */
const namedCompiler = () => (process.env['CXX'] ?? '').split(' ').filter(Boolean);

/**
 * The C++ compiler and its first arguments: CXX, else the first of `compilers`.
 * @returns {[string, ...string[]]}
 * @throws {SetupError} when there is none
 */
export function compilerCommand() {
  const named = namedCompiler();
  const found = (named.length > 0 ? [named] : compilers.map((name) => [name])).find(([name = '', ...argv]) =>
    answers(name, [...argv, '--version']),
  );
  if (found) return /** @type {[string, ...string[]]} */ (found);
  if (named.length > 0)
    throw new SetupError(
      `CXX is '${named.join(' ')}', which cannot be run; it compiles the TensorFlow addon.`,
      'Name a C++ compiler that is installed, or unset CXX.',
    );
  throw new SetupError(
    `No C++ compiler was found (looked for ${compilers.join(', ')}); it compiles the TensorFlow addon.`,
    `Install one (${installation('g++', 'xcode-select --install')}).`,
  );
}

/** The first line that the compiler prints of itself. */
export function compilerVersion() {
  const [compiler, ...argv] = compilerCommand();
  const { stdout } = spawnSync(compiler, [...argv, '--version'], { encoding: 'utf8' });
  return stdout.split('\n')[0] ?? '';
}
