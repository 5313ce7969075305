// The TensorFlow runtime: shared libraries from the pinned wheel, and the addon of tfjs-node-gpu compiled against them.
// The wheel is a current TensorFlow. The one that tfjs-node-gpu would download is from 2022 and supports no GPU newer
// than Ampere.
// @ts-check
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { buildFolder, download, sourcesOf, unpack } from './downloads.mjs';
import { compileKernels, compilerHasChanged, kernelFolder } from './kernels.mjs';
import { addonPackage, root, tensorflowFolder } from './paths.mjs';
import { linking, platform, platforms } from './platform.mjs';
import { SetupError, run } from './run.mjs';
import { filesUnder, hash, hashFiles } from './steps.mjs';
import { compilerCommand } from './tools.mjs';

/** @typedef {'cpu' | 'gpu'} Kind a build of TensorFlow */

/** @type {boolean | undefined} cached, because nvidia-smi can take seconds */
let gpuListed;

function listsGpu() {
  if (gpuListed === undefined) {
    const result = spawnSync('nvidia-smi', ['--list-gpus'], { encoding: 'utf8', timeout: 30_000 });
    gpuListed = result.status === 0 && /^GPU 0/m.test(result.stdout);
  }
  return gpuListed;
}

/**
 * Returns the build for this machine: TUNEBOOK_TENSORFLOW if set, else gpu if the platform has a GPU build and
 * nvidia-smi lists a GPU.
 * @returns {Kind}
 * @throws {SetupError} if TUNEBOOK_TENSORFLOW is neither cpu nor gpu, or is gpu and the platform has no GPU build
 */
export function tensorflowKind() {
  const requested = process.env['TUNEBOOK_TENSORFLOW'];
  const hasGpuBuild = sourcesOf('tensorflow-gpu').length > 0;
  if (requested === 'gpu' && !hasGpuBuild)
    throw new SetupError(
      `TUNEBOOK_TENSORFLOW is 'gpu', but TensorFlow has no GPU build for ${platforms[/** @type {keyof typeof platforms} */ (platform)]}.`,
      'Set it to cpu, or run: unset TUNEBOOK_TENSORFLOW',
    );
  if (requested === 'cpu' || requested === 'gpu') return requested;
  if (requested)
    throw new SetupError(
      `TUNEBOOK_TENSORFLOW is '${requested}'; it must be cpu or gpu.`,
      'Correct it, or run: unset TUNEBOOK_TENSORFLOW',
    );
  return hasGpuBuild && listsGpu() ? 'gpu' : 'cpu';
}

const runtime = () => path.join(tensorflowFolder, tensorflowKind());

/** Hash of the sources of a build; a change causes a new download. @param {Kind} kind */
export const runtimeFingerprint = (kind) => hash(JSON.stringify(sourcesOf(`tensorflow-${kind}`)));

/** @type {import('./steps.mjs').Step} */
export const tensorflowRuntime = {
  name: 'TensorFlow runtime',
  stamp: 'tensorflow',
  get megabytes() {
    return tensorflowKind() === 'gpu' ? 9000 : 1500;
  },
  fingerprint: () => runtimeFingerprint(tensorflowKind()),
  get outputs() {
    return Object.keys(linking.libraries).map((name) => path.join(runtime(), 'tensorflow', name));
  },
  async make() {
    /** @type {string[]} */
    const archives = [];
    for (const source of sourcesOf(`tensorflow-${tensorflowKind()}`)) archives.push(await download(source));
    fs.mkdirSync(tensorflowFolder, { recursive: true });
    await buildFolder(runtime(), async (temporary) => {
      for (const archive of archives)
        await unpack(archive, temporary, [
          ...Object.values(linking.libraries).map((file) => `tensorflow/${file}`),
          'tensorflow/include/*',
          'nvidia/*/lib/*',
          'nvidia/cuda_nvcc/*',
        ]);
      const libraries = path.join(temporary, 'tensorflow');
      for (const [name, file] of Object.entries(linking.libraries)) fs.symlinkSync(file, path.join(libraries, name));
      const compiler = path.join(temporary, 'nvidia/cuda_nvcc/bin/ptxas');
      if (fs.existsSync(compiler)) fs.chmodSync(compiler, 0o755);
    });
    for (const archive of archives) fs.rmSync(archive);
  },
};

const patchFile = 'lib/setup/addon.patch';
const addonFolder = path.join(addonPackage, 'lib/napi-v8');
export const addonFile = path.join(addonFolder, 'tfjs_binding.node');
/** Preloaded into ranks on one machine to restrict them to loopback, see lib/tensorflow/native/loopback.cc. */
export const loopbackFile = path.join(addonFolder, 'loopback.so');
/** Captures the output of TensorFlow while it loads, see lib/tensorflow/native/stderr.cc. */
const stderrFile = path.join(addonFolder, 'stderr.node');
/** Builds graphs, see lib/tensorflow/native/graph.cc. */
const graphFile = path.join(addonFolder, 'graph.node');

/**
 * Applies the project's patch to the addon's sources.
 * @param {string} patch
 * @param {string} folder that contains `binding`
 * @throws {SetupError} if the patch cannot be applied
 */
export async function patchSources(patch, folder) {
  // Imported here, because npm installs this package in an earlier step.
  const { applyPatch, parsePatch } = await import('diff');
  for (const change of parsePatch(patch)) {
    const file = path.join(folder, (change.newFileName ?? '').replace(/^b\//, ''));
    const patched = applyPatch(fs.readFileSync(file, 'utf8'), change);
    if (patched === false)
      throw new SetupError(
        `${path.basename(patchFile)} cannot be applied to ${path.basename(file)} of the installed tfjs-node-gpu.`,
      );
    fs.writeFileSync(file, patched);
  }
}

/**
 * Returns the hashes of the addon's inputs by part, so that messages can name the part that changed.
 * One addon runs on every CPU of its architecture.
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
    JSON.stringify({ ...addonParts(tensorflowKind()), ...(compilerHasChanged() && { compiler: 'new' }) }),
  outputs: [addonFile, loopbackFile, stderrFile, graphFile],
  async make() {
    const libraries = path.join(runtime(), 'tensorflow');
    const load = createRequire(import.meta.url);
    const headers = load('node-api-headers').include_dir;
    const [compiler, ...first] = compilerCommand();
    await buildFolder(addonFolder, async (temporary) => {
      const sources = path.join(temporary, 'binding');
      fs.cpSync(path.join(addonPackage, 'binding'), sources, { recursive: true });
      await patchSources(fs.readFileSync(path.join(root, patchFile), 'utf8'), temporary);
      const fromAddon = path.relative(fs.realpathSync(path.dirname(addonFolder)), libraries);
      const includes = [`-I${path.join(libraries, 'include')}`];
      const node = ['-DNAPI_VERSION=8', `-I${headers}`];
      const common = ['-fPIC', '-std=c++17', '-O2', '-w', '-DNDEBUG'];
      const tensorflow = [
        `-L${libraries}`,
        '-ltensorflow',
        '-ltensorflow_framework',
        // Relative to the addon, so that the checkout can be moved.
        `-Wl,-rpath,${linking.origin}/${path.join('..', fromAddon)}`,
      ];
      /** @param {string} what @param {string[]} argv */
      const compile = (what, argv) =>
        run(compiler, [...first, ...argv], {
          cwd: temporary,
          what: `Compiling ${what}`,
          remedy: 'See the compiler output above. To use another compiler: CXX=clang++ npm run setup',
        });
      const bindings = ['tfjs_backend', 'tfjs_binding'];
      const [kernels] = await Promise.all([
        compileKernels(temporary, includes),
        ...bindings.map((name) =>
          compile('the TensorFlow addon', [
            ...common,
            ...node,
            ...includes,
            `-I${temporary}`,
            `-I${addonPackage}`,
            '-c',
            `binding/${name}.cc`,
            '-o',
            `${name}.o`,
          ]),
        ),
        compile('the library that restricts ranks to loopback', [
          ...common,
          '-shared',
          path.join(root, kernelFolder, 'loopback.cc'),
          '-o',
          path.basename(loopbackFile),
          ...(process.platform === 'linux' ? ['-ldl'] : []),
        ]),
        compile('the addon that captures standard error', [
          ...common,
          ...node,
          '-shared',
          ...linking.addonFlags,
          path.join(root, kernelFolder, 'stderr.cc'),
          '-o',
          path.basename(stderrFile),
        ]),
        compile('the addon that builds graphs', [
          ...common,
          ...node,
          ...includes,
          '-shared',
          ...linking.addonFlags,
          path.join(root, kernelFolder, 'graph.cc'),
          '-o',
          path.basename(graphFile),
          ...tensorflow,
        ]),
      ]);
      await compile('the TensorFlow addon', [
        '-shared',
        ...linking.addonFlags,
        ...bindings.map((name) => `${name}.o`),
        ...kernels,
        '-o',
        'tfjs_binding.node',
        ...tensorflow,
      ]);
      for (const name of fs.readdirSync(temporary))
        if (/\.o(\.log)?$/.test(name)) fs.rmSync(path.join(temporary, name));
    });
  },
};
