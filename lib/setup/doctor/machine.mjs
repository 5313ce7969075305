// Checks of the prerequisites of set-up: a supported system, Node, npm, Python, a C++ compiler, disk space.
// @ts-check
import os from 'node:os';
import { isNewEnough } from '../npm.mjs';
import { addon, compiledPackage } from '../addon.mjs';
import { packages } from '../packages.mjs';
import { freeMegabytes } from '../paths.mjs';
import { platform, platforms } from '../platform.mjs';
import { pythonEnvironment } from '../python.mjs';
import { SetupError } from '../run.mjs';
import { commonSteps, megabytesNeeded, runningSetUp } from '../set-up.mjs';
import { checkNode, checkSystem, compilerCommand, compilerVersion, findPython } from '../tools.mjs';
import { failed, ok, warning } from './check.mjs';
import { runProgram } from './probe.mjs';

/** Size of the checkpoints, the model and the report of a run, in MB. */
const megabytesOfRun = 1000;

/** @param {number} megabytes */
export const gigabytes = (megabytes) => `${(megabytes / 1000).toFixed(1)} GB`;

/** Returns the version of the GNU C library, which the pinned wheels need; undefined with another C library. */
function glibc() {
  // Otherwise the report would resolve the names of all network connections.
  Object.assign(process.report ?? {}, { excludeNetwork: true });
  const report = /** @type {{ header: { glibcVersionRuntime?: string } }} */ (process.report?.getReport());
  return report.header.glibcVersionRuntime;
}

/** Disk space that the remaining steps need, in MB. If TUNEBOOK_TENSORFLOW is invalid, none is known. */
function megabytesForSetUp() {
  try {
    return megabytesNeeded(commonSteps());
  } catch (error) {
    if (error instanceof SetupError) return megabytesNeeded([]);
    throw error;
  }
}

/** @type {import('./check.mjs').Check[]} */
export const machineChecks = [
  {
    name: 'system',
    about: 'Linux on x64 or arm64, with the GNU C library, or macOS on arm64',
    run() {
      checkSystem();
      const name = platforms[/** @type {keyof typeof platforms} */ (platform)];
      if (process.platform === 'darwin') {
        const release = `${name}, Darwin ${os.release()}`;
        // macOS 12 is Darwin 21.
        return Number.parseInt(os.release()) >= 21
          ? ok(release)
          : failed(`${release}: TensorFlow's wheels need macOS 12 or newer.`, 'Update macOS.');
      }
      const version = glibc();
      if (version) return ok(`${name}, glibc ${version}`);
      return failed(
        `${name} without the GNU C library, which TensorFlow's wheels need.`,
        'Use a system with glibc 2.27 or newer, such as Debian or Ubuntu, instead of Alpine.',
      );
    },
  },
  {
    name: 'node',
    about: 'Node 20 from 20.19 on, or 22 or newer',
    run() {
      checkNode();
      return ok(`${process.versions.node} (${process.execPath})`);
    },
  },
  {
    name: 'npm',
    checkoutOnly: true,
    about: 'npm 10 or newer, which installs packages',
    onlyFor: packages,
    async run() {
      const { failure, stdout } = await runProgram('npm', ['--version']);
      if (failure) throw new SetupError(`npm ${failure}.`, 'Install npm 10 or newer; it comes with Node.');
      if (isNewEnough(stdout)) return ok(stdout.trim());
      return warning(
        `npm ${stdout.trim()} is too old. Set-up downloads a newer one for its own use, but 'npx tunebook' fails.`,
        'Install a newer one: npm install --global npm@10',
      );
    },
  },
  {
    name: 'python',
    checkoutOnly: true,
    about: 'Python 3.10 or newer with venv and pip',
    onlyFor: pythonEnvironment,
    async run() {
      const script =
        'import platform, sys; print(platform.python_version(), "with venv and pip", f"({sys.executable})")';
      const { stdout } = await runProgram(findPython(), ['-c', script]);
      return ok(stdout.trim());
    },
  },
  {
    name: 'compiler',
    about: "a C++ compiler, which compiles TensorFlow's addon",
    onlyFor: addon,
    run: () =>
      ok(
        compiledPackage()
          ? 'not needed: the addons are compiled for this platform'
          : `${compilerCommand().join(' ')}: ${compilerVersion()}`,
      ),
  },
  {
    name: 'disk',
    about: 'free disk space for set-up and for a run',
    needs: ['node'],
    run() {
      const disks = megabytesForSetUp().map(({ folder, needed: forSetUp }, i) => {
        // Runs are written to the first disk.
        const needed = forSetUp + (i === 0 ? megabytesOfRun : 0);
        const free = freeMegabytes(folder);
        const use = forSetUp > 0 ? `, of which ${gigabytes(forSetUp)} for set-up` : ' for a run';
        return { folder, full: free < needed, found: `${gigabytes(free)} free, ${gigabytes(needed)} needed${use}` };
      });
      const full = disks.find((disk) => disk.full);
      return full
        ? failed(full.found, `Free space on the disk of ${full.folder}: df -h, du -sh *`)
        : ok(disks.map(({ found }) => found).join('; '));
    },
  },
  {
    name: 'set-up',
    about: 'whether a set-up is running',
    run() {
      const other = runningSetUp();
      if (!other) return ok('not running');
      // Missing files are not a problem then, and no remedy may delete files.
      return { ...warning(`running (process ${other})`, 'Wait until it has finished.'), blocker: 'set-up' };
    },
  },
];
