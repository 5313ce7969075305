// The addons: that of tfjs-node-gpu with the project's changes and kernels, and those of lib/tensorflow/native. The npm package
// has them compiled for each platform; elsewhere, and where the sources differ, they are compiled here.
// @ts-check
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import {
  addonFiles,
  addonFolder,
  addonSources,
  headersFolder,
  nativeFolder,
  patchFile,
  runtimeFolder,
} from './cache.mjs';
import { compileKernels, compilerHasChanged } from './kernels.mjs';
import { packageFolder, setUpCommand } from './paths.mjs';
import { linking, platform } from './platform.mjs';
import { SetupError, run } from './run.mjs';
import { tensorflowKind } from './tensorflow.mjs';
import { compilerCommand } from './tools.mjs';

const load = createRequire(import.meta.url);

/** File in a package of compiled addons with the hash of their sources. */
export const sourcesFile = 'sources.sha256';

/** Name of the package with the compiled addons of a platform. @param {string} platform */
export const compiledPackageName = (platform) => `@tunebook/native-${platform}`;

/**
 * Returns the folder of the installed package with addons compiled from the same sources for this platform.
 * @returns {string | undefined}
 */
export function compiledPackage() {
  try {
    const folder = path.dirname(load.resolve(`${compiledPackageName(platform)}/package.json`));
    return fs.readFileSync(path.join(folder, sourcesFile), 'utf8').trim() === addonSources() ? folder : undefined;
  } catch {
    return undefined;
  }
}

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
 * Compiles the addons.
 * @param {string} temporary folder for them
 */
async function compile(temporary) {
  const addonPackage = path.dirname(load.resolve('@tensorflow/tfjs-node-gpu/package.json'));
  const [compiler, ...first] = compilerCommand();
  fs.cpSync(path.join(addonPackage, 'binding'), path.join(temporary, 'binding'), { recursive: true });
  await patchSources(fs.readFileSync(path.join(packageFolder, patchFile), 'utf8'), temporary);
  const includes = [`-I${path.join(headersFolder(), 'tensorflow/include')}`];
  /** @type {{ include_dir: string }} */
  const { include_dir: nodeHeaders } = load('node-api-headers');
  const node = ['-DNAPI_VERSION=8', `-I${nodeHeaders}`];
  const common = ['-fPIC', '-std=c++17', '-O2', '-w', '-DNDEBUG'];
  const tensorflow = [
    `-L${path.join(temporary, 'tensorflow')}`,
    '-ltensorflow',
    '-ltensorflow_framework',
    `-Wl,-rpath,${linking.origin}/tensorflow`,
  ];
  /** @param {string} what @param {string[]} argv */
  const compilePart = (what, argv) =>
    run(compiler, [...first, ...argv], {
      cwd: temporary,
      what: `Compiling ${what}`,
      remedy: `See the compiler output above. To use another compiler: CXX=clang++ ${setUpCommand}`,
    });
  const bindings = ['tfjs_backend', 'tfjs_binding'];
  const [kernels] = await Promise.all([
    compileKernels(temporary, includes, addonFolder(tensorflowKind())),
    ...bindings.map((name) =>
      compilePart('the TensorFlow addon', [
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
    compilePart('the library that restricts ranks to loopback', [
      ...common,
      '-shared',
      path.join(packageFolder, nativeFolder, 'loopback.cc'),
      '-o',
      addonFiles.loopback,
      ...(process.platform === 'linux' ? ['-ldl'] : []),
    ]),
    compilePart('the addon that captures standard error', [
      ...common,
      ...node,
      '-shared',
      ...linking.addonFlags,
      path.join(packageFolder, nativeFolder, 'stderr.cc'),
      '-o',
      addonFiles.stderr,
    ]),
    compilePart('the addon that builds graphs', [
      ...common,
      ...node,
      ...includes,
      '-shared',
      ...linking.addonFlags,
      path.join(packageFolder, nativeFolder, 'graph.cc'),
      '-o',
      addonFiles.graph,
      ...tensorflow,
    ]),
  ]);
  await compilePart('the TensorFlow addon', [
    '-shared',
    ...linking.addonFlags,
    ...bindings.map((name) => `${name}.o`),
    ...kernels,
    '-o',
    addonFiles.tfjs,
    ...tensorflow,
  ]);
  for (const name of fs.readdirSync(temporary)) if (/\.o(\.log)?$/.test(name)) fs.rmSync(path.join(temporary, name));
  fs.rmSync(path.join(temporary, 'binding'), { recursive: true });
}

/** @type {import('./steps.mjs').CacheStep} */
export const addon = {
  get name() {
    return compiledPackage() ? 'TensorFlow addon' : 'TensorFlow addon (compiling, about 25 s)';
  },
  id: 'addon',
  silent: true,
  folder: () => addonFolder(tensorflowKind()),
  files: () => Object.values(addonFiles),
  isOutdated: () => compilerHasChanged(addonFolder(tensorflowKind())),
  async make(temporary) {
    // The libraries are found relative to the addons, so that compiled addons work in any cache and with either build.
    const runtime = path.basename(runtimeFolder(tensorflowKind()));
    fs.symlinkSync(`../${runtime}/tensorflow`, path.join(temporary, 'tensorflow'));
    const compiled = compiledPackage();
    if (!compiled) return compile(temporary);
    for (const file of Object.values(addonFiles))
      fs.copyFileSync(path.join(compiled, file), path.join(temporary, file));
  },
};
