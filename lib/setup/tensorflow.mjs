// The TensorFlow runtime: shared libraries out of the pinned wheel, and tfjs-node-gpu's addon compiled against them.
// The wheel is today's TensorFlow; the one tfjs-node-gpu would download is of 2022 and knows no GPU newer than Ampere.
// @ts-check
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { download, inPlace, sourcesOf, unpack } from './downloads.mjs';
import { compileKernels, deservesAnotherTry, kernelFolder } from './kernels.mjs';
import { addonPackage, root, tensorflowFolder } from './paths.mjs';
import { linking, platform, platforms } from './platform.mjs';
import { SetupError, run } from './run.mjs';
import { filesUnder, hash, hashFiles } from './steps.mjs';
import { compilerCommand } from './tools.mjs';

/** @typedef {'cpu' | 'gpu'} Kind a build of TensorFlow */

/** @type {boolean | undefined} asked for once a process: nvidia-smi can take seconds */
let gpuListed;

function listsGpu() {
  if (gpuListed === undefined) {
    const seen = spawnSync('nvidia-smi', ['--list-gpus'], { encoding: 'utf8', timeout: 30_000 });
    gpuListed = seen.status === 0 && /^GPU 0/m.test(seen.stdout);
  }
  return gpuListed;
}

/**
 * The build for this machine: TUNEBOOK_TENSORFLOW, else the GPU's if this platform has one and nvidia-smi lists a GPU.
 * @returns {Kind}
 * @throws {SetupError} when TUNEBOOK_TENSORFLOW is neither, or gpu where there is no such build
 */
export function tensorflowKind() {
  const requested = process.env['TUNEBOOK_TENSORFLOW'];
  const hasGpuBuild = sourcesOf('tensorflow-gpu').length > 0;
  if (requested === 'gpu' && !hasGpuBuild)
    throw new SetupError(
      `TUNEBOOK_TENSORFLOW is 'gpu', and TensorFlow has no GPU build for ${platforms[/** @type {keyof typeof platforms} */ (platform)]}.`,
      'Unset it or set it to cpu.',
    );
  if (requested === 'cpu' || requested === 'gpu') return requested;
  if (requested) throw new SetupError(`TUNEBOOK_TENSORFLOW is '${requested}'; it takes cpu or gpu.`);
  return hasGpuBuild && listsGpu() ? 'gpu' : 'cpu';
}

const runtime = () => path.join(tensorflowFolder, tensorflowKind());

/** Changes when the libraries of a build must be fetched again. @param {Kind} kind */
export const runtimeFingerprint = (kind) => hash(JSON.stringify(sourcesOf(`tensorflow-${kind}`)));

/** @type {import('./steps.mjs').Step} */
export const tensorflowRuntime = {
  name: 'TensorFlow runtime',
  stamp: 'tensorflow',
  get megabytes() {
    return tensorflowKind() === 'gpu' ? 9000 : 1500;
  },
  fingerprint: () => runtimeFingerprint(tensorflowKind()),
  get makes() {
    return Object.keys(linking.libraries).map((name) => path.join(runtime(), 'tensorflow', name));
  },
  async make() {
    /** @type {string[]} */
    const archives = [];
    for (const source of sourcesOf(`tensorflow-${tensorflowKind()}`)) archives.push(await download(source));
    fs.mkdirSync(tensorflowFolder, { recursive: true });
    await inPlace(runtime(), async (aside) => {
      for (const archive of archives)
        await unpack(archive, aside, [
          ...Object.values(linking.libraries).map((file) => `tensorflow/${file}`),
          'tensorflow/include/*',
          'nvidia/*/lib/*',
          'nvidia/cuda_nvcc/*',
        ]);
      const libraries = path.join(aside, 'tensorflow');
      for (const [name, file] of Object.entries(linking.libraries)) fs.symlinkSync(file, path.join(libraries, name));
      const compiler = path.join(aside, 'nvidia/cuda_nvcc/bin/ptxas');
      if (fs.existsSync(compiler)) fs.chmodSync(compiler, 0o755);
    });
    for (const archive of archives) fs.rmSync(archive);
  },
};

const patchFile = 'lib/setup/addon.patch';
const addonFolder = path.join(addonPackage, 'lib/napi-v8');
export const addonFile = path.join(addonFolder, 'tfjs_binding.node');
/** What ranks of one machine are started with, see lib/tensorflow/native/loopback.cc. */
export const loopbackFile = path.join(addonFolder, 'loopback.so');
/** Captures what TensorFlow prints while it loads, see lib/tensorflow/native/stderr.cc. */
const stderrFile = path.join(addonFolder, 'stderr.node');

/**
 * Applies the project's patch to the addon's sources.
 * @param {string} patch
 * @param {string} folder holds `binding`
 * @throws {SetupError} when the patch does not fit
 */
export async function patchSources(patch, folder) {
  // npm has been run by now, so the library that reads patches is there.
  const { applyPatch, parsePatch } = await import('diff');
  for (const change of parsePatch(patch)) {
    const file = path.join(folder, (change.newFileName ?? '').replace(/^b\//, ''));
    const patched = applyPatch(fs.readFileSync(file, 'utf8'), change);
    if (patched === false)
      throw new SetupError(
        `${path.basename(patchFile)} does not fit ${path.basename(file)} of the installed tfjs-node-gpu.`,
      );
    fs.writeFileSync(file, patched);
  }
}

/**
 * What the addon is made from, in parts, so that a change can be named. One addon runs on every processor of its architecture.
 * @param {Kind} kind
 */
export const addonParts = (kind) => ({
  runtime: runtimeFingerprint(kind),
  sources: hashFiles(
    patchFile,
    'package-lock.json',
    'lib/setup/tensorflow.mjs',
    'lib/setup/kernels.mjs',
    ...filesUnder(kernelFolder, /\.(cc|h)$/),
  ),
});

/** @type {import('./steps.mjs').Step} */
export const addon = {
  name: 'TensorFlow addon (compiling, about 25 s)',
  stamp: 'addon',
  silent: true,
  fingerprint: () =>
    JSON.stringify({ ...addonParts(tensorflowKind()), ...(deservesAnotherTry() && { compiler: 'new' }) }),
  makes: [addonFile, loopbackFile, stderrFile],
  async make() {
    const libraries = path.join(runtime(), 'tensorflow');
    const load = createRequire(import.meta.url);
    const headers = load('node-api-headers').include_dir;
    const [compiler, ...first] = compilerCommand();
    await inPlace(addonFolder, async (aside) => {
      const sources = path.join(aside, 'binding');
      fs.cpSync(path.join(addonPackage, 'binding'), sources, { recursive: true });
      await patchSources(fs.readFileSync(path.join(root, patchFile), 'utf8'), aside);
      const fromAddon = path.relative(fs.realpathSync(path.dirname(addonFolder)), libraries);
      const includes = [`-I${path.join(libraries, 'include')}`];
      const node = ['-DNAPI_VERSION=8', `-I${headers}`];
      const common = ['-fPIC', '-std=c++17', '-O2', '-w', '-DNDEBUG'];
      /** @param {string} what @param {string[]} argv */
      const compile = (what, argv) =>
        run(compiler, [...first, ...argv], {
          cwd: aside,
          what: `Compiling ${what}`,
          remedy: "The compiler's output above says why. Another compiler: CXX=clang++ npm run setup",
        });
      const bindings = ['tfjs_backend', 'tfjs_binding'];
      const [kernels] = await Promise.all([
        compileKernels(aside, includes),
        ...bindings.map((name) =>
          compile('the TensorFlow addon', [
            ...[...common, ...node, ...includes, `-I${aside}`, `-I${addonPackage}`],
            ...['-c', `binding/${name}.cc`, '-o', `${name}.o`],
          ]),
        ),
        compile('what keeps ranks to their machine', [
          ...[...common, '-shared', path.join(root, kernelFolder, 'loopback.cc')],
          ...['-o', path.basename(loopbackFile), ...(process.platform === 'linux' ? ['-ldl'] : [])],
        ]),
        compile('what captures standard error', [
          ...[...common, ...node, '-shared', ...linking.addonFlags, path.join(root, kernelFolder, 'stderr.cc')],
          ...['-o', path.basename(stderrFile)],
        ]),
      ]);
      await compile('the TensorFlow addon', [
        '-shared',
        ...linking.addonFlags,
        ...[...bindings.map((name) => `${name}.o`), ...kernels],
        ...['-o', 'tfjs_binding.node', `-L${libraries}`, '-ltensorflow', '-ltensorflow_framework'],
        // Relative to the addon, so that a checkout may be moved.
        `-Wl,-rpath,${linking.origin}/${path.join('..', fromAddon)}`,
      ]);
      for (const name of fs.readdirSync(aside)) if (/\.o(\.log)?$/.test(name)) fs.rmSync(path.join(aside, name));
    });
  },
};
