/** The folder of a local model: a model folder, the model of a run, or the snapshot of a repository in the hub's cache. */
import fs from 'node:fs';
import path from 'node:path';
import { FileError, ModelFormatError, RunError } from '../errors.js';
import { closestName } from '../settings/did-you-mean.js';
import { settingText } from '../settings/setting-text.js';
import { cachedCommit, snapshotFolder } from './cache.js';
import { isLocalPath } from './repository.js';

const isFolder = (name: string) => fs.existsSync(name) && fs.statSync(name).isDirectory();

/** Whether a name is a local model rather than one on the hub. */
export const isModelPath = (text: string): boolean =>
  isLocalPath(text, (name) => /\.(safetensors|bin|h5|onnx)$/.test(name));

/** Creates the error for a folder that does not exist. */
function noFolderError(name: string): FileError {
  const [parent, last] = [path.dirname(name), path.basename(name)];
  const similar = isFolder(parent) ? closestName(last, fs.readdirSync(parent)) : undefined;
  const reason = isFolder(parent) ? '' : `: ${parent} does not exist`;
  return new FileError(
    'FILE_NOT_FOUND',
    `There is no model folder ${name}${reason}.${similar === undefined ? '' : ` Did you mean ${name.slice(0, name.lastIndexOf(last))}${similar}?`} ` +
      `Correct ${settingText('model')}: a folder in Hugging Face format, a run, 'embedded', or owner/name of a model on the hub.`,
    { path: name },
  );
}

/** Folders `checkpoint-N` in a folder, the newest first. */
const checkpointsIn = (folder: string): string[] =>
  fs
    .readdirSync(folder)
    .filter((name) => /^checkpoint-\d+$/.test(name) && fs.existsSync(path.join(folder, name, 'config.json')))
    .sort((a, b) => Number(b.slice(11)) - Number(a.slice(11)))
    .map((name) => path.join(folder, name));

/** The only commit in a cached repository, if it lacks the reference of its main branch. */
function onlyCommit(repository: string): string | undefined {
  const commits = fs.readdirSync(path.join(repository, 'snapshots'));
  return commits.length === 1 ? commits[0] : undefined;
}

/**
 * Finds the folder of a local model.
 * @param name an existing path
 * @returns the folder, and a note if it is not the named one
 * @throws FileError if there is no such folder; RunError for a run without a model; ModelFormatError for a folder of checkpoints
 */
export function findModelFolder(name: string): { folder: string; notes: string[] } {
  if (!fs.existsSync(name)) throw noFolderError(name);
  if (!isFolder(name))
    throw new FileError(
      'FILE_UNUSABLE',
      `${name} is a file, but ${settingText('model')} must be a folder in Hugging Face format, with config.json and model.safetensors.` +
        (fs.existsSync(path.join(path.dirname(name), 'config.json')) ? ` Use ${path.dirname(name)}.` : ''),
      { path: name },
    );
  const has = (...parts: string[]) => fs.existsSync(path.join(name, ...parts));
  if (has('config.json')) return { folder: name, notes: [] };
  if (has('snapshots')) {
    const commit = cachedCommit(name, 'main') ?? onlyCommit(name);
    if (commit) {
      const folder = snapshotFolder(name, commit);
      return { folder, notes: [`${name} is a folder of the hub's cache; its snapshot ${folder} is used.`] };
    }
  }
  if (has('model', 'config.json')) {
    const folder = path.join(name, 'model');
    return { folder, notes: [`${name} is the folder of a run; its model ${folder} is used.`] };
  }
  const isRun = has('settings.json') && has('status.json');
  const [newest] = [name, path.join(name, 'checkpoints')].filter(isFolder).flatMap(checkpointsIn);
  if (isRun)
    throw new RunError(
      'RUN_NO_MODEL',
      `${name} is a run without a model: it has not finished. Resume it` +
        (newest ? `, or use its newest checkpoint: ${settingText('model', newest)}.` : ', or use another model.'),
      { folder: name, checkpoint: newest },
    );
  if (newest)
    throw new ModelFormatError(
      'MODEL_NO_FILE',
      `${name} contains checkpoints but no config.json. Use one of its checkpoints; the newest is ${settingText('model', newest)}.`,
      { folder: name, file: 'config.json', checkpoint: newest },
    );
  return { folder: name, notes: [] };
}
