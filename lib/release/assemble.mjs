// `npm run package`: assembles and packs the folders that are published on npm, below .tunebook/package: `tunebook`, and the addons
// that are compiled for this platform, which are optional dependencies of it. The release workflow runs it on each platform.
// @ts-check
import fs from 'node:fs';
import path from 'node:path';
import { compiledPackageName, sourcesFile as addonSourcesFile } from '../setup/addon.mjs';
import { addonFiles, addonFolder, addonSources, nativeFolder } from '../setup/cache.mjs';
import { packageFolder, root, sourcesFile, workFolder } from '../setup/paths.mjs';
import { platform, platforms } from '../setup/platform.mjs';
import { run } from '../setup/run.mjs';

const manifest = JSON.parse(fs.readFileSync(path.join(packageFolder, 'package.json'), 'utf8'));

const { version, license, engines } = manifest;

/**
 * Creates an empty folder for a package.
 * @param {string} name of the package
 */
function emptyFolder(name) {
  const folder = path.join(workFolder, 'package', name.replace('@', '').replace('/', '-'));
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  fs.copyFileSync(path.join(root, 'LICENSE'), path.join(folder, 'LICENSE'));
  return folder;
}

/** @param {string} folder @param {object} content */
const writeManifest = (folder, content) =>
  fs.writeFileSync(path.join(folder, 'package.json'), `${JSON.stringify(content, null, 2)}\n`);

/** Files that are not needed where the package is installed: of the compiler, sources, and of a checkout. */
const left = /\.(js\.map|tsbuildinfo)$|\/app\/.*\.ts$|\/(tsconfig\.json|requirements\.(in|txt)|venv\.py|kernel\.py)$/;

const tfjs = '@tensorflow/tfjs-node-gpu';

/**
 * Adds the part of tfjs-node-gpu that is used to a package, as a bundled dependency. Its install script would download the
 * TensorFlow of 2022, and npm runs install scripts unless a user forbids them. npm does not install the dependencies of a
 * bundled package, so they are dependencies of the library.
 * @param {string} folder of the package
 */
function bundleTfjs(folder) {
  const source = path.join(root, 'node_modules', tfjs);
  const target = path.join(folder, 'node_modules', tfjs);
  const {
    scripts: _,
    devDependencies: __,
    dependencies: ___,
    ...rest
  } = JSON.parse(fs.readFileSync(path.join(source, 'package.json'), 'utf8'));
  const used = [
    'register_all_kernels.js',
    'nodejs_kernel_backend.js',
    'int64_tensors.js',
    'kernels',
    'proto/api_pb.js',
  ];
  for (const name of ['LICENSE', 'binding', ...used.map((file) => path.join('dist', file))])
    if (fs.existsSync(path.join(source, name)))
      fs.cpSync(path.join(source, name), path.join(target, name), {
        recursive: true,
        filter: (file) => !/\.(d\.ts|map)$/.test(file),
      });
  writeManifest(target, rest);
}

/** Assembles the package `tunebook`. @returns its folder */
function assembleLibrary() {
  const folder = emptyFolder(manifest.name);
  const files = [
    'README.md',
    'dist',
    'setup',
    'cli/tunebook.mjs',
    'cli/template',
    nativeFolder,
    'serving/app',
    'lesson/app',
    'browser',
    'distributed/manifests',
  ];
  for (const file of files)
    fs.cpSync(path.join(packageFolder, file), path.join(folder, file), {
      recursive: true,
      filter: (source) => !left.test(source),
    });
  fs.cpSync(sourcesFile, path.join(folder, 'data/sources.json'));
  const { private: _, ...rest } = manifest;
  const natives = Object.keys(platforms).map((each) => [compiledPackageName(each), version]);
  bundleTfjs(folder);
  writeManifest(folder, {
    ...rest,
    bundleDependencies: [tfjs],
    optionalDependencies: Object.fromEntries(natives),
  });
  return folder;
}

/** Assembles the package with the addons for this platform. @returns its folder */
function assembleAddons() {
  const name = compiledPackageName(platform);
  const folder = emptyFolder(name);
  for (const file of Object.values(addonFiles))
    fs.copyFileSync(path.join(addonFolder('cpu'), file), path.join(folder, file));
  fs.writeFileSync(path.join(folder, addonSourcesFile), `${addonSources()}\n`);
  const [system, cpu] = platform.split('-');
  writeManifest(folder, {
    name,
    version,
    description: `TensorFlow's addon for tunebook, compiled for ${platforms[/** @type {keyof typeof platforms} */ (platform)]}.`,
    license,
    engines,
    type: 'commonjs',
    os: [system],
    cpu: [cpu],
    ...(system === 'linux' && { libc: ['glibc'] }),
  });
  return folder;
}

for (const folder of [assembleLibrary(), assembleAddons()]) {
  await run('npm', ['pack', '--silent', '--pack-destination', path.dirname(folder)], {
    cwd: folder,
    what: `Packing ${folder}`,
  });
  console.log(path.relative(process.cwd(), folder));
}
