// TensorFlow's libraries and the addon, by what lies on the disk; whether they work is the product check's to say.
// @ts-check
import fs from 'node:fs';
import path from 'node:path';
import { sourcesOf } from '../downloads.mjs';
import { failedCompiler, kernelLog } from '../kernels.mjs';
import { root, tensorflowFolder } from '../paths.mjs';
import { linking } from '../platform.mjs';
import { madeFrom } from '../steps.mjs';
import { addonFile, addonParts, addon as addonStep, tensorflowRuntime } from '../tensorflow.mjs';
import { buildNames, presentBuild, wantedBuild } from './build.mjs';
import { failed, ok, warning } from './finding.mjs';
import { makeAgain, setUp } from './remedies.mjs';

const files = [...Object.values(linking.libraries), ...Object.keys(linking.libraries)];

/** The version that data/sources.json pins of a build. @param {import('../tensorflow.mjs').Kind} kind */
export const pinnedVersion = (kind) => sourcesOf(`tensorflow-${kind}`)[0]?.version;

/** @type {import('./finding.mjs').Check} */
export const tensorflow = {
  name: 'tensorflow',
  about: "TensorFlow's libraries: which build, of the pinned version, all there",
  needs: ['node', 'set-up'],
  examine() {
    const wanted = wantedBuild();
    if (!wanted.kind) return failed(wanted.refusal, 'unset TUNEBOOK_TENSORFLOW, or set it to cpu or gpu');
    const present = presentBuild();
    if (!present)
      return failed(
        fs.existsSync(tensorflowFolder)
          ? "TensorFlow's libraries are not whole, or not of the pinned version."
          : "TensorFlow's libraries are missing.",
        setUp,
      );
    // Where nobody has asked, and a GPU has come or gone, the gpu check says so.
    if (present !== wanted.kind && process.env['TUNEBOOK_TENSORFLOW'])
      return failed(
        `TUNEBOOK_TENSORFLOW asks for ${buildNames[wanted.kind]}; ${buildNames[present]} is set up.`,
        setUp,
      );
    const folder = path.join(tensorflowFolder, present, 'tensorflow');
    const missing = files.find((file) => !fs.existsSync(path.join(folder, file)));
    if (missing)
      return failed(
        `${missing} is missing in ${path.relative(root, folder)}.`,
        makeAgain(tensorflowRuntime, tensorflowFolder),
      );
    return ok(`${pinnedVersion(present)}, ${buildNames[present]}`);
  },
};

const changes = {
  runtime: 'against other libraries of TensorFlow',
  sources: 'from other sources than the present ones',
};

/** @param {string | undefined} stamp @returns {Partial<Record<keyof typeof changes, string>>} nothing of a stamp of an older kind */
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
  about: "TensorFlow's addon: compiled from the present sources, with the fused kernels",
  needs: ['packages', 'compiler', 'tensorflow'],
  examine() {
    if (!fs.existsSync(addonFile)) return failed(`${path.basename(addonFile)} is missing.`, setUp);
    const stamp = madeFrom(addonStep);
    if (stamp === undefined) return failed("TensorFlow's addon was not compiled to its end.", setUp);
    const wanted = addonParts(presentBuild() ?? 'cpu');
    const made = partsOf(stamp);
    const changed = /** @type {(keyof typeof changes)[]} */ (Object.keys(changes)).filter(
      (part) => made[part] !== wanted[part],
    );
    if (changed.length > 0)
      return failed(`TensorFlow's addon was compiled ${changed.map((part) => changes[part]).join(', ')}.`, setUp);
    const compiler = failedCompiler();
    return compiler === undefined
      ? ok('compiled from the present sources')
      : warning(
          `The fused kernels do not compile with ${compiler}: training is slower. ${path.relative(root, kernelLog)} says why.`,
          `Install another compiler, then: CXX=clang++ ${setUp}`,
        );
  },
};
