/** The folder of a local model: a model folder, the model of a run, or the snapshot of a repository in the hub's cache. */
import fs from 'node:fs';
import path from 'node:path';
import { FileError, ModelFormatError, RunError } from '../errors.js';
import { closestName } from '../settings/did-you-mean.js';
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
      `Name a folder in Hugging Face format, a run, 'embedded', or owner/name of a model on the hub.`,
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

const foldersIn = (folder: string): string[] =>
  fs.readdirSync(folder).filter((name) => isFolder(path.join(folder, name)));

/**
 * The snapshot of a cached repository: that of its main branch, or the only one.
 * @throws ModelFormatError if there are several
 */
function cachedSnapshot(repository: string): string {
  const commits = foldersIn(path.join(repository, 'snapshots'));
  const commit = cachedCommit(repository, 'main') ?? (commits.length === 1 ? commits[0] : undefined);
  if (commit === undefined) throw severalError(path.join(repository, 'snapshots'), commits, 'snapshots of a model');
  return snapshotFolder(repository, commit);
}

/** The error for a folder of the hub's cache with several models, or none. */
const severalError = (folder: string, names: string[], what: string): ModelFormatError =>
  new ModelFormatError(
    'MODEL_NO_FILE',
    `${folder} contains ${names.length} ${what}${names.length > 0 ? `: ${names.slice(0, 5).join(', ')}${names.length > 5 ? ', …' : ''}` : ''}. ` +
      `Name one of them, such as ${path.join(folder, names[0] ?? 'model')}.`,
    { folder, file: 'config.json', names },
  );

/**
 * The repository in the hub's cache that a folder stands for: itself, its `snapshots`, or the whole cache if it has one model.
 * @throws ModelFormatError for a cache of several models
 */
function cachedRepositoryOf(folder: string): string | undefined {
  if (isFolder(path.join(folder, 'snapshots'))) return folder;
  if (path.basename(path.resolve(folder)) === 'snapshots') return path.dirname(path.resolve(folder));
  const models = foldersIn(folder).filter((name) => /^models--/.test(name));
  if (models.length > 1) throw severalError(folder, models, 'models of the hub');
  const [only] = models.filter((name) => isFolder(path.join(folder, name, 'snapshots')));
  return only && path.join(folder, only);
}

/**
 * Finds the folder of a local model.
 * @param name an existing path
 * @returns the folder, and a note if it is not the named one
 * @throws FileError if there is no such folder; RunError for a run without a model; ModelFormatError for a folder of checkpoints or
 *   of several models in the hub's cache
 */
export function findModelFolder(name: string): { folder: string; notes: string[] } {
  if (!fs.existsSync(name)) throw noFolderError(name);
  if (!isFolder(name))
    throw new FileError(
      'FILE_UNUSABLE',
      `${name} is a file, but a model is a folder in Hugging Face format, with config.json and model.safetensors.` +
        (fs.existsSync(path.join(path.dirname(name), 'config.json')) ? ` Use ${path.dirname(name)}.` : ''),
      { path: name },
    );
  const has = (...parts: string[]) => fs.existsSync(path.join(name, ...parts));
  if (has('config.json')) return { folder: name, notes: [] };
  const repository = cachedRepositoryOf(name);
  if (repository !== undefined) {
    const folder = cachedSnapshot(repository);
    return { folder, notes: [`${name} is a folder of the hub's cache; its snapshot ${folder} is used.`] };
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
        (newest ? `, or use its newest checkpoint: ${newest}.` : ', or use another model.'),
      { folder: name, checkpoint: newest },
    );
  if (newest)
    throw new ModelFormatError(
      'MODEL_NO_FILE',
      `${name} contains checkpoints but no config.json. Use one of its checkpoints; the newest is ${newest}.`,
      { folder: name, file: 'config.json', checkpoint: newest },
    );
  return { folder: name, notes: [] };
}
