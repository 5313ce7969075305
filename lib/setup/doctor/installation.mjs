// Checks of what set-up has installed, up to a matrix product of TensorFlow: existing files do not prove that it works.
// @ts-check
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { addon } from '../addon.mjs';
import { addonFolder, embeddedReviewsFile, installedKind, runtimeFolder } from '../cache.mjs';
import { compiledLibrary } from '../compile.mjs';
import { embeddedModel, embeddedReviews } from '../embedded.mjs';
import { filesUnder } from '../hash.mjs';
import { failedCompiler, kernelLog } from '../kernels.mjs';
import { packages } from '../packages.mjs';
import { python, root, setupFolder, venv } from '../paths.mjs';
import { kernel, kernelFile, pythonEnvironment } from '../python.mjs';
import { sourcesOf } from '../sources.mjs';
import { faultyFile, isDone, storedFingerprint } from '../steps.mjs';
import { tensorflowKind, tensorflowRuntime } from '../tensorflow.mjs';
import { failed, ok, repeatStep, setUp, shorten, warning } from './check.mjs';
import { compiled, runProgram } from './probe.mjs';

/** @typedef {import('../cache.mjs').Kind} Kind */

/** @type {Record<Kind, string>} */
export const buildNames = { cpu: 'the CPU build', gpu: 'the GPU build' };

/** Returns the build of TensorFlow that is loaded, if its libraries are there. @returns {Kind | undefined} */
export function presentBuild() {
  const kind = installedKind();
  return fs.existsSync(runtimeFolder(kind)) ? kind : undefined;
}

/** Returns the version of a build that data/sources.json pins. @param {Kind} kind */
const pinnedVersion = (kind) => sourcesOf(`tensorflow-${kind}`)[0]?.version;

/** Prevents Python from writing bytecode files. */
const noBytecode = { PYTHONDONTWRITEBYTECODE: '1' };

/** Names the first three faults. @param {string[]} faults */
const describeFaults = (faults) =>
  `${faults.slice(0, 3).join(', ')}${faults.length > 3 ? `, and ${faults.length - 3} more` : ''}.`;

/** Parses the last line of a program's output, a JSON object. @param {string} stdout */
const lastObject = (stdout) => JSON.parse(stdout.trim().split('\n').pop() ?? '');

/**
 * Lists the differences between node_modules and package-lock.json.
 * @param {Record<string, { version?: string, optional?: boolean, os?: string[], cpu?: string[], libc?: string[] }>} locked
 */
const packageFaults = (locked) =>
  Object.entries(locked).flatMap(([folder, { version, optional, os, cpu, libc = ['glibc'] }]) => {
    const name = folder.slice('node_modules/'.length);
    // An optional package with a platform is the native part of another. A link to a folder has no version.
    const expected =
      !optional || (os?.includes(process.platform) && cpu?.includes(process.arch) && libc.includes('glibc'));
    if (!folder.startsWith('node_modules/') || !expected) return [];
    const file = path.join(root, folder, 'package.json');
    if (!fs.existsSync(file)) return [`${name} is missing`];
    const found = JSON.parse(fs.readFileSync(file, 'utf8')).version;
    return version && found !== version ? [`${name} is ${found}, not ${version}`] : [];
  });

/** Number of published reviews. The last line has no line end, so only the count shows whether the file is complete. */
const expectedReviews = 3708;

/** @param {string} error message of the dynamic loader or of Node */
function loadFailure(error) {
  // Messages of the loaders of Linux and macOS.
  const [, onLinux, onMacos] =
    /(\S+\.so[\d.]*): cannot open shared object|Library not loaded: (?:@rpath\/)?(\S+)/.exec(error) ?? [];
  const missing = onLinux ?? onMacos;
  const reason = missing ? `it needs ${missing}, which is not found` : error.split('\n')[0];
  return failed(
    `TensorFlow's addon does not load: ${reason}.`,
    missing?.startsWith('libtensorflow')
      ? repeatStep(tensorflowRuntime, runtimeFolder(installedKind()))
      : repeatStep(addon, addonFolder(installedKind())),
  );
}

/** @type {import('./check.mjs').Check[]} */
export const installationChecks = [
  {
    name: 'packages',
    checkoutOnly: true,
    about: 'npm packages: installed at the versions of package-lock.json',
    needs: ['node', 'npm', 'set-up'],
    run() {
      const modules = path.join(root, 'node_modules');
      if (!fs.existsSync(modules)) return failed('node_modules is missing.', setUp);
      const locked = JSON.parse(fs.readFileSync(path.join(root, 'package-lock.json'), 'utf8')).packages;
      const faults = packageFaults(locked);
      if (faults.length > 0) return failed(describeFaults(faults), repeatStep(packages, modules));
      return isDone(packages)
        ? ok('at the versions of package-lock.json')
        : warning('at the locked versions, but package.json or package-lock.json has changed since.', setUp);
    },
  },
  {
    name: 'venv',
    checkoutOnly: true,
    about: '.venv: its Python starts, JupyterLab has the locked versions',
    needs: ['python', 'set-up'],
    async run() {
      if (!fs.existsSync(venv)) return failed('.venv is missing.', setUp);
      const argv = [path.join(setupFolder, 'doctor/venv.py'), path.join(setupFolder, 'requirements.txt')];
      // Importing JupyterLab takes long on a slow disk, but creating .venv again takes longer.
      const { failure, stdout } = await runProgram(python, argv, { seconds: 60, env: noBytecode });
      const remedy = repeatStep(pythonEnvironment, venv);
      if (failure) return failed(`.venv/bin/python ${failure}.`, remedy);
      /** @type {{ python: string, packages: number, faults: string[] }} */
      const { python: version, packages, faults } = lastObject(stdout);
      if (faults.length > 0) return failed(describeFaults(faults), remedy);
      const found = `Python ${version}, ${packages} packages at the locked versions`;
      return isDone(pythonEnvironment)
        ? ok(found)
        : warning(`${found}, but their installation did not finish.`, remedy);
    },
  },
  {
    name: 'kernel',
    checkoutOnly: true,
    about: 'the TypeScript kernel: Jupyter finds it, and it runs code',
    needs: ['venv', 'packages'],
    async run() {
      const [seconds, started] = [30, performance.now()];
      const runtime = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-doctor-'));
      const env = { ...noBytecode, JUPYTER_PREFER_ENV_PATH: '1', JUPYTER_RUNTIME_DIR: runtime };
      const argv = [path.join(setupFolder, 'doctor/kernel.py'), String(seconds)];
      // Python gets more time for its own start.
      const { failure, stdout } = await runProgram(python, argv, { seconds: seconds + 10, env });
      fs.rmSync(runtime, { recursive: true, force: true });
      const objects = stdout.split('\n').filter((line) => line.startsWith('{'));
      const [specification, reply] = objects.map((line) => JSON.parse(line));
      const remedy = repeatStep(kernel, kernelFile);
      if (!specification) return failed(`Jupyter ${failure}.`, remedy);
      if (!specification.argv) return failed('Jupyter finds no tslab kernel.', remedy);
      if (path.relative(venv, specification.folder).startsWith('..'))
        return failed(`Jupyter finds a tslab kernel outside .venv: ${specification.folder}.`, remedy);
      const missing = specification.argv.slice(0, 2).find((/** @type {string} */ file) => !fs.existsSync(file));
      if (missing) return failed(`kernel.json refers to ${missing}, which does not exist.`, remedy);
      if (reply?.status === 'ok' && reply.answer === '2')
        return ok(`tslab responds (${((performance.now() - started) / 1000).toFixed(1)} s, ${specification.argv[0]})`);
      return failed(
        reply
          ? `tslab evaluates 1 + 1 to ${reply.answer || reply.status}.`
          : `tslab does not respond: Jupyter ${failure}.`,
        `rm -r node_modules && ${setUp}`,
      );
    },
  },
  {
    name: 'library',
    checkoutOnly: true,
    about: 'lib/dist: compiled from the current sources',
    needs: ['packages'],
    run() {
      const sources = filesUnder('.', /(?<!\.d)\.ts$/);
      const outputs = sources.map((file) => `lib/dist/${file.replace(/\.ts$/, '.js')}`);
      const missing = outputs.find((file) => !fs.existsSync(path.join(root, file)));
      // With its build info, the compiler does not notice that compiled files are missing.
      const files = ['lib/dist', 'lib/tsconfig.tsbuildinfo'].filter((file) => fs.existsSync(path.join(root, file)));
      const remedy = missing && files.length > 0 ? `rm -r ${files.join(' ')} && ${setUp}` : setUp;
      const stamp = storedFingerprint(compiledLibrary);
      if (!files.includes('lib/dist')) return failed('lib/dist is missing.', remedy);
      if (stamp === undefined) return failed('The compilation of lib/dist did not finish.', remedy);
      if (stamp !== compiledLibrary.fingerprint())
        return failed('lib/dist is out of date: its sources have changed since it was compiled.', remedy);
      return missing
        ? failed(`${missing} is missing.`, remedy)
        : ok(`${sources.length} files, compiled from the current sources`);
    },
  },
  {
    name: 'tensorflow',
    about: "TensorFlow's libraries: CPU or GPU build, pinned version, complete",
    needs: ['node', 'set-up'],
    run() {
      const wanted = tensorflowKind();
      if (isDone(tensorflowRuntime)) return ok(`${pinnedVersion(wanted)}, ${buildNames[wanted]}`);
      const folder = runtimeFolder(wanted);
      return failed(
        fs.existsSync(folder)
          ? `${faultyFile(tensorflowRuntime)} is missing or damaged in ${folder}.`
          : `TensorFlow's libraries (${pinnedVersion(wanted)}, ${buildNames[wanted]}) are not set up.`,
        setUp,
      );
    },
  },
  {
    name: 'addon',
    about: "TensorFlow's addon: compiled from the current sources, with the fused kernels",
    needs: ['packages', 'compiler', 'tensorflow'],
    run() {
      const folder = addon.folder();
      if (!fs.existsSync(folder))
        return failed("TensorFlow's addon is not compiled from the current sources and libraries.", setUp);
      const faulty = faultyFile(addon);
      if (faulty) return failed(`${faulty} is missing or damaged in ${folder}.`, setUp);
      const compiler = failedCompiler(folder);
      if (compiler === undefined) return ok('compiled from the current sources');
      return warning(
        `The fused kernels do not compile with ${compiler}, so training is slower. ` +
          `Compiler output: ${path.join(folder, kernelLog)}.`,
        `Install another compiler, then run: CXX=clang++ ${setUp}`,
      );
    },
  },
  {
    name: 'product',
    about: 'TensorFlow multiplies matrices: device, correctness, rate',
    needs: ['library', 'addon'],
    async run(outcome) {
      // A rate that is measured while the kernel starts would be too low.
      await outcome('kernel');
      const argv = [path.join(setupFolder, 'doctor/multiply.mjs')];
      const { failure, stdout } = await runProgram(process.execPath, argv, { seconds: 60 });
      if (failure === 'timed out')
        return failed("TensorFlow's process timed out.", 'Run it again when the machine is less busy.');
      if (failure) return failed(`TensorFlow's process ${failure}.`, repeatStep(addon, addonFolder(installedKind())));
      /** @type {import('./multiply.mjs').Output} */
      const { error, device, products = [], choice } = lastObject(stdout);
      if (!device) return loadFailure(error ?? '');
      const pinned = pinnedVersion(presentBuild() ?? 'cpu');
      const remedy = repeatStep(tensorflowRuntime, runtimeFolder(installedKind()));
      if (device.tensorflow !== pinned)
        return failed(`TensorFlow is ${device.tensorflow}; data/sources.json pins ${pinned}.`, remedy);
      const wrong = products.find(({ error, tolerance }) => !(error <= tolerance));
      if (wrong)
        return failed(
          `A product in ${wrong.precision} on the ${device.kind} is wrong by ${(100 * wrong.error).toFixed(1)} %.`,
          wrong.precision === 'float32' ? remedy : 'Train in float32: export TUNEBOOK_PRECISION=float32',
        );
      const rates = products
        .map(({ precision, rate }) => `${Math.round(rate / 1e9)} GFLOP/s in ${precision}`)
        .join(', ');
      const automatic = products.length > 1 ? `; precision auto selects ${choice}` : '';
      const threads = device.kind === 'CPU' ? `, ${device.threads} threads` : '';
      const found = `correct, ${rates}${automatic} (TensorFlow ${device.tensorflow}, ${device.name}${threads})`;
      return { ...ok(found), device: device.kind };
    },
  },
  {
    name: 'embedded',
    about: 'the embedded model and reviews: present and complete',
    needs: ['library'],
    async run() {
      const { readSafetensors } = await compiled('model/safetensors.js');
      const [modelFolder, reviewsFolder] = [embeddedModel.folder(), embeddedReviews.folder()];
      const weights = path.join(modelFolder, 'model.safetensors');
      const reviews = path.join(reviewsFolder, embeddedReviewsFile);
      for (const file of [weights, reviews])
        if (!fs.existsSync(file)) return failed(`${shorten(file)} is missing.`, setUp);
      for (const name of ['model.safetensors', 'config.json', 'tokenizer.json', 'tokenizer_config.json']) {
        const file = path.join(modelFolder, name);
        try {
          if (file === weights) readSafetensors(file);
          else JSON.parse(fs.readFileSync(file, 'utf8'));
        } catch {
          const found = `${shorten(file)} is incomplete or damaged.`;
          return failed(found, repeatStep(embeddedModel, modelFolder));
        }
      }
      const lines = fs.readFileSync(reviews, 'latin1').split('\n');
      const count = lines.filter((line) => line.split('\t').length >= 3).length;
      if (count !== expectedReviews)
        return failed(
          `${shorten(reviews)} contains ${count} reviews instead of ${expectedReviews}.`,
          repeatStep(embeddedReviews, reviewsFolder),
        );
      return ok(
        `model (${Math.round(fs.statSync(weights).size / 1e6)} MB) and ${count} reviews, in ${path.dirname(modelFolder)}`,
      );
    },
  },
];
