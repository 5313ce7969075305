// The folders of the per-user cache. A name contains the hash of what the folder was made from, so that versions of Tunebook
// share what is equal and never overwrite what another one uses. A folder appears when it is complete.
// @ts-check
import fs from 'node:fs';
import path from 'node:path';
import { filesUnder, hash, hashFiles } from './hash.mjs';
import { cacheFolder, packageFolder } from './paths.mjs';
import { sourcesOf } from './sources.mjs';

/** @typedef {'cpu' | 'gpu'} Kind a build of TensorFlow */

/** Folder of the sources of the addons, relative to the package. */
export const nativeFolder = 'tensorflow/native';
/** Changes to the sources of tfjs's addon, relative to the package. */
export const patchFile = 'setup/addon.patch';

/** @param {string} name @param {string} fingerprint */
const folderOf = (name, fingerprint) => path.join(cacheFolder, `${name}-${fingerprint.slice(0, 12)}`);

/** @param {string} name of a source */
const hashOfSource = (name) => hash(JSON.stringify(sourcesOf(name)));

/** The folder of TensorFlow's libraries. @param {Kind} kind */
export const runtimeFolder = (kind) => folderOf(`tensorflow-${kind}`, hashOfSource(`tensorflow-${kind}`));

/** The folder of TensorFlow's headers, which are the same for both builds. */
export const headersFolder = () => folderOf('tensorflow-headers', hashOfSource('tensorflow-cpu'));

/** @type {string | undefined} the files do not change while a process runs */
let hashOfAddonSources;

/** Hash of everything from which the addons are compiled but TensorFlow. They run on every CPU of their architecture. */
export const addonSources = () => (hashOfAddonSources ??= hashAddonSources());

function hashAddonSources() {
  const { dependencies } = JSON.parse(fs.readFileSync(path.join(packageFolder, 'package.json'), 'utf8'));
  const files = [patchFile, 'setup/addon.mjs', 'setup/kernels.mjs', ...filesUnder(nativeFolder, /\.(cc|h)$/)];
  return hash(dependencies['@tensorflow/tfjs-node-gpu'], hashFiles(...files));
}

/** The folder of the addons. @param {Kind} kind build of TensorFlow that they load */
export const addonFolder = (kind) =>
  folderOf(`addon-${kind}`, hash(hashOfSource(`tensorflow-${kind}`), addonSources()));

/**
 * The build of TensorFlow to load: TUNEBOOK_TENSORFLOW, else the GPU build if it is set up, which uses the CPU where there is
 * no GPU, else the CPU build.
 * @returns {Kind}
 */
export const installedKind = () =>
  (process.env['TUNEBOOK_TENSORFLOW'] || (fs.existsSync(addonFolder('gpu')) ? 'gpu' : 'cpu')) === 'gpu' ? 'gpu' : 'cpu';

/** The module that converts the embedded model. */
export const compiledConversion = path.join(packageFolder, 'dist/model/from-bert.js');

/** The folder of the embedded model, in Hugging Face's format. */
export function embeddedModelFolder() {
  // In a checkout it is compiled before the model is set up.
  const code = fs.existsSync(compiledConversion) ? fs.readFileSync(compiledConversion, 'utf8') : '';
  return folderOf('embedded-model', hash(hashOfSource('embedded-model'), code));
}

/** The embedded reviews, a file in their folder. */
export const embeddedReviewsFile = 'amazonReviewSnippets_GroundTruth.txt';

/** The folder of the embedded reviews. */
export const embeddedReviewsFolder = () => folderOf('embedded-reviews', hashOfSource('embedded-reviews'));

/** Files in the folder of the addons: tfjs's, and those of this project (tensorflow/native). */
export const addonFiles = {
  tfjs: 'tfjs_binding.node',
  /** Builds graphs, see graph.cc. */
  graph: 'graph.node',
  /** Captures the output of TensorFlow while it loads, see stderr.cc. */
  stderr: 'stderr.node',
  /** Preloaded into ranks on one machine to restrict them to loopback, see loopback.cc. */
  loopback: 'loopback.so',
};
