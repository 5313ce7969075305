// Whether the files of TensorFlow's libraries and of the addon are complete and current. The check `product` tests
// whether they work.
// @ts-check
import fs from 'node:fs';
import path from 'node:path';
import { sourcesOf } from '../downloads.mjs';
import { failedCompiler, kernelLog } from '../kernels.mjs';
import { root, tensorflowFolder } from '../paths.mjs';
import { linking } from '../platform.mjs';
import { storedFingerprint } from '../steps.mjs';
import { addonFile, addonParts, addon as addonStep, tensorflowRuntime } from '../tensorflow.mjs';
import { buildNames, presentBuild, wantedBuild } from './build.mjs';
import { failed, ok, warning } from './finding.mjs';
import { repeatStep, setUp } from './remedies.mjs';

const files = [...Object.values(linking.libraries), ...Object.keys(linking.libraries)];

/** Returns the version of a build that data/sources.json pins. @param {import('../tensorflow.mjs').Kind} kind */
export const pinnedVersion = (kind) => sourcesOf(`tensorflow-${kind}`)[0]?.version;

/** @type {import('./finding.mjs').Check} */
export const tensorflow = {
  name: 'tensorflow',
  about: "TensorFlow's libraries: CPU or GPU build, pinned version, complete",
  needs: ['node', 'set-up'],
  examine() {
    const wanted = wantedBuild();
    if (!wanted.kind) return failed(wanted.error, 'unset TUNEBOOK_TENSORFLOW, or set it to cpu or gpu');
    const present = presentBuild();
    if (!present)
      return failed(
        fs.existsSync(tensorflowFolder)
          ? "TensorFlow's libraries are incomplete, or not the pinned version."
          : "TensorFlow's libraries are missing.",
        setUp,
      );
    // If TUNEBOOK_TENSORFLOW is not set and a GPU was added or removed, the check `gpu` reports it.
    if (present !== wanted.kind && process.env['TUNEBOOK_TENSORFLOW'])
      return failed(
        `TUNEBOOK_TENSORFLOW selects ${buildNames[wanted.kind]}, but ${buildNames[present]} is installed.`,
        setUp,
      );
    const folder = path.join(tensorflowFolder, present, 'tensorflow');
    const missing = files.find((file) => !fs.existsSync(path.join(folder, file)));
    if (missing)
      return failed(
        `${missing} is missing in ${path.relative(root, folder)}.`,
        repeatStep(tensorflowRuntime, tensorflowFolder),
      );
    return ok(`${pinnedVersion(present)}, ${buildNames[present]}`);
  },
};

const changes = {
  runtime: "TensorFlow's libraries have changed",
  sources: 'its sources have changed',
};

/**
 * @param {string | undefined} stamp
 * @returns {Partial<Record<keyof typeof changes, string>>} empty for a stamp of an older format
 */
function partsOf(stamp) {
  try {
    return JSON.parse(stamp ?? '');
  } catch {
    return {};
  }
}

/** @type {import('./finding.mjs').Check} */
export const addon = {
  name: 'addon',
  about: "TensorFlow's addon: compiled from the current sources, with the fused kernels",
  needs: ['packages', 'compiler', 'tensorflow'],
  examine() {
    if (!fs.existsSync(addonFile)) return failed(`${path.basename(addonFile)} is missing.`, setUp);
    const stamp = storedFingerprint(addonStep);
    if (stamp === undefined) return failed("The compilation of TensorFlow's addon did not finish.", setUp);
    const current = addonParts(presentBuild() ?? 'cpu');
    const compiled = partsOf(stamp);
    const changed = /** @type {(keyof typeof changes)[]} */ (Object.keys(changes)).filter(
      (part) => compiled[part] !== current[part],
    );
    if (changed.length > 0)
      return failed(`TensorFlow's addon is out of date: ${changed.map((part) => changes[part]).join(' and ')}.`, setUp);
    const compiler = failedCompiler();
    return compiler === undefined
      ? ok('compiled from the current sources')
      : warning(
          `The fused kernels do not compile with ${compiler}, so training is slower. ` +
            `Compiler output: ${path.relative(root, kernelLog)}.`,
          `Install another compiler, then run: CXX=clang++ ${setUp}`,
        );
  },
};
