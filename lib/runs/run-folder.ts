/**
 * A run's folder: its settings, status, journal, checkpoints and results. JSON files are written under another name and
 * renamed, so that a reader never sees a partial file. A lock ensures that one process at a time uses the folder.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { RunError } from '../errors.js';
import type { Sources } from '../hub/sources.js';
import { settingText } from '../settings/setting-text.js';
import type { Settings, SettingName } from '../settings/settings.js';
import { parseObject } from '../json.js';
import { runsFolder } from '../runs-folder.js';
import { readJournal } from './journal.js';
import { CheckpointFolder } from '../training/checkpoint.js';
import type { EndOfTraining } from '../training/training-record.js';

/** Commands that train. */
export type RunCommand = 'finetune' | 'adapt';

/** The content of settings.json. */
export interface RunSettings {
  command: RunCommand;
  settings: Settings;
  /** The origin of each setting: default, config file, environment, command line, resumed run or notebook. */
  origins: Record<SettingName, string>;
  /** The model and data set that `auto` chose; a resumed run uses the same. */
  sources: Sources;
}

/** The content of status.json. */
export interface RunStatus {
  /** `running` with a process that no longer exists is a run that died; see `RunFolder.state`. */
  state: 'running' | 'failed' | 'pruned' | EndOfTraining;
  startedAt: string;
  endedAt?: string;
  exitCode?: number;
  /** The error message of a failed run. */
  message?: string;
  /** The error's code, such as TRAINING_DIVERGED. */
  code?: string | undefined;
  /** Number of starts, including resumes. */
  starts: number;
  process: { id: number; host: string };
}

/** The content of pruned.json, which a sweep writes before it stops a run. */
export interface Pruning {
  /** The number of the evaluation after which the run was pruned, from 1. */
  evaluation: number;
  /** Why: the accuracies that were compared. */
  reason: string;
}

/** Seconds without a heartbeat after which a lock is stale. */
const staleAfter = 60;
/** Seconds between two heartbeats. */
const heartbeat = 10;

/** The folder of a run, at any path. */
export class RunFolder {
  constructor(readonly folder: string) {}

  /** The path of a file or folder inside. */
  path(...names: string[]): string {
    return path.join(this.folder, ...names);
  }

  get isRun(): boolean {
    return fs.existsSync(this.path('settings.json'));
  }

  /** Whether the run belongs to a sweep or a cross-validation. */
  get isPart(): boolean {
    return [sweepFile, crossValidationFile].some((file) => fs.existsSync(path.join(this.folder, '..', file)));
  }

  /** Whether the folder has a model, also of no run, or a run that has trained. Otherwise it can be used for a new run. */
  get hasTrained(): boolean {
    if (fs.existsSync(this.path('model'))) return true;
    if (!this.isRun) return false;
    if (this.checkpoints.steps().length > 0) return true;
    return readJournal(this.folder).some(({ kind }) => kind === 'step');
  }

  get checkpoints(): CheckpointFolder {
    return new CheckpointFolder(this.path('checkpoints'));
  }

  /**
   * Reads a JSON file; undefined if it does not exist.
   * @throws RunError if the file is damaged
   */
  read<Content>(name: string): Content | undefined {
    const file = this.path(name);
    if (!fs.existsSync(file)) return undefined;
    return parseObject(fs.readFileSync(file, 'utf8'), (reason) => this.#damaged(name, reason)) as Content;
  }

  /**
   * Reads a file with one JSON object per line.
   * @throws RunError if it is missing or damaged
   */
  readLines<Line>(name: string): Line[] {
    const file = this.path(name);
    if (!fs.existsSync(file)) throw this.#damaged(name, 'it does not exist');
    const lines = fs.readFileSync(file, 'utf8').split('\n').slice(0, -1);
    return lines.map(
      (line, i) => parseObject(line, (reason) => this.#damaged(name, `line ${i + 1}: ${reason}`)) as Line,
    );
  }

  #damaged(name: string, reason: string): RunError {
    return new RunError(
      'RUN_FILE_DAMAGED',
      `${this.path(name)} is damaged: ${reason}. Restore the file from a backup, or delete the run's folder.`,
      { folder: this.folder, file: this.path(name) },
    );
  }

  /** Writes a file atomically. */
  write(name: string, content: string | Buffer | object): void {
    const file = this.path(name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    const text =
      typeof content === 'string' || Buffer.isBuffer(content) ? content : `${JSON.stringify(content, null, 2)}\n`;
    fs.writeFileSync(`${file}.partial`, text);
    fs.renameSync(`${file}.partial`, file);
  }

  #readWith<Content>(name: string, required: (keyof Content & string)[]): Content | undefined {
    const content = this.read<Content>(name);
    const missing = content && required.find((key) => content[key] === undefined);
    if (missing) throw this.#damaged(name, `it has no '${missing}'`);
    return content;
  }

  /** @throws RunError if the file is damaged, or is not that of a run */
  get settings(): RunSettings | undefined {
    return this.#readWith<RunSettings>('settings.json', ['command', 'settings', 'sources']);
  }

  /** @throws RunError if the file is damaged, or is not that of a run */
  get status(): RunStatus | undefined {
    return this.#readWith<RunStatus>('status.json', ['state', 'process']);
  }

  /** The error if a file that describes the run is damaged. */
  get damage(): RunError | undefined {
    try {
      // Reading a file checks it.
      void [this.settings, this.status, this.read('metrics.json')];
      return undefined;
    } catch (error) {
      if (error instanceof RunError) return error;
      throw error;
    }
  }

  /** When and why a sweep has pruned the run; undefined if it has not. */
  get pruned(): Pruning | undefined {
    return this.read<Pruning>('pruned.json');
  }

  /** Records that the run is pruned; its process is to be stopped afterwards. */
  prune(pruning: Pruning): void {
    this.write('pruned.json', pruning);
  }

  /** The state of the run. `died` is a run whose process ended without writing its status. */
  get state(): RunStatus['state'] | 'died' {
    const status = this.status;
    if (!status) return 'died';
    if (status.state === 'running' && this.#isAlive(status)) return 'running';
    // A pruned run may have ended before it could be stopped.
    if (this.pruned) return 'pruned';
    return status.state === 'running' ? 'died' : status.state;
  }

  /** Whether the run has ended with a result. */
  get isFinished(): boolean {
    return this.state === 'completed' || this.state === 'early stopping';
  }

  get #lock(): string {
    return this.path('.lock');
  }

  /** Whether the process that last used the folder is running: its lock is fresh and, on this machine, it exists. */
  #isAlive({ process: { id, host } }: RunStatus): boolean {
    if (!fs.existsSync(this.#lock)) return false;
    if (Date.now() - fs.statSync(this.#lock).mtimeMs > 1000 * staleAfter) return false;
    return host !== os.hostname() || (id !== process.pid && isProcess(id));
  }

  /**
   * Locks the folder against other processes. A killed process leaves its lock behind. On the same machine, this is
   * detected at once; on another one, such as a restarted container, after a minute without a heartbeat.
   * @param onWait called with a message when it has to wait for a lock
   * @returns a function that unlocks the folder
   * @throws RunError if another process uses the folder
   */
  async lock(onWait: (message: string) => void = () => {}): Promise<() => Promise<void>> {
    fs.mkdirSync(this.folder, { recursive: true });
    // Loaded late, since the package installs signal handlers when it is loaded.
    const { lock } = await import('proper-lockfile');
    const lockTime = () => (fs.existsSync(this.#lock) ? fs.statSync(this.#lock).mtimeMs : 0);
    const firstTime = lockTime();
    for (let waited = 0; ; waited++) {
      try {
        return await lock(this.folder, {
          lockfilePath: this.#lock,
          stale: 1000 * staleAfter,
          update: 1000 * heartbeat,
          // The folder was removed; the next write will fail.
          onCompromised: () => {},
        });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ELOCKED') throw error;
      }
      const status = this.status;
      // A process that has just taken the lock may not have written its status yet.
      if (status && !this.#isAlive(status) && Date.now() - lockTime() > 2000) {
        fs.rmSync(this.#lock, { recursive: true, force: true });
        continue;
      }
      const owner = status ? `process ${status.process.id} on ${status.process.host}` : 'another process';
      if (lockTime() > firstTime)
        throw new RunError(
          'RUN_IN_USE',
          `${this.folder} is in use by ${owner}. Wait until it ends, or use another folder (${settingText('runFolder')}).`,
          { folder: this.folder },
        );
      if (waited === 3) onWait(`${this.folder} was in use by ${owner}; waiting up to ${staleAfter} s for a heartbeat.`);
      await pause(1000);
    }
  }
}

function isProcess(id: number): boolean {
  try {
    process.kill(id, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * The folder of a run's model.
 * @throws RunError if the run has no model yet
 */
export function modelFolderOf(run: RunFolder): string {
  const folder = run.path('model');
  if (!fs.existsSync(folder)) {
    const { command, settings } = run.settings!;
    throw new RunError(
      'RUN_NO_MODEL',
      settings.fold && fs.existsSync(run.path('metrics.json'))
        ? `${run.folder} is a fold of a cross-validation, whose model was deleted. Train a model on all reviews with npx tunebook finetune, or cross-validate with --keep-models.`
        : `${run.folder} has no model yet (${run.state}). Resume the run: npx tunebook ${command} --resume ${run.folder}`,
      { folder: run.folder, state: run.state },
    );
  }
  return folder;
}

/** Whether a folder is a model and not a run folder. */
export const isModelFolder = (folder: string): boolean =>
  fs.existsSync(path.join(folder, 'config.json')) && !new RunFolder(folder).isRun;

/**
 * The model in a folder that a notebook wrote, as serve.ipynb does: a folder with a model that is not a run.
 * @param name of the folder, or its name in `runs`
 */
export const notebookModel = (name: string): string | undefined =>
  [name, path.join(runsFolder, name)]
    .filter((folder) => !new RunFolder(folder).isRun)
    .map((folder) => path.join(folder, 'model'))
    .find(isModelFolder);

/**
 * Creates a folder named after the time, so that names sort by time: 2026-11-24T09-30-00, then 2026-11-24T09-30-00-2. A
 * folder that is still empty when the process exits is removed.
 */
export function newRunFolder(parent = runsFolder, prefix = ''): string {
  const stamp = prefix + new Date().toISOString().replace(/[:.]/g, '-').slice(0, 19);
  for (let number = 1; ; number++) {
    const folder = path.join(parent, number === 1 ? stamp : `${stamp}-${number}`);
    try {
      fs.mkdirSync(parent, { recursive: true });
      fs.mkdirSync(folder);
      process.once('exit', () => {
        try {
          fs.rmdirSync(folder);
        } catch {
          // The folder is not empty, which is the normal case.
        }
      });
      return folder;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

const foldersBelow = (folder: string): string[] =>
  fs.existsSync(folder)
    ? fs
        .readdirSync(folder, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => path.join(folder, entry.name))
        .sort()
    : [];

/** File in the folder of a sweep that contains its plan. */
export const sweepFile = 'sweep.json';

/** File in the folder of a cross-validation that contains its plan. */
export const crossValidationFile = 'cross-validation.json';

/** The folders in runs/ that contain a file, the newest last. */
export const foldersWith = (file: string): RunFolder[] =>
  foldersBelow(runsFolder)
    .map((folder) => new RunFolder(folder))
    .filter((folder) => fs.existsSync(folder.path(file)));

/**
 * The runs in a folder and in its sweeps and cross-validations, the newest last. A run whose files are damaged is left out.
 * @param onDamaged called with the error of each such run
 */
export function findRuns(parent = runsFolder, onDamaged: (error: RunError) => void = () => {}): RunFolder[] {
  const folders = foldersBelow(parent).flatMap((folder) => [folder, ...foldersBelow(folder)]);
  return folders
    .map((folder) => new RunFolder(folder))
    .filter((run) => run.isRun)
    .filter(({ damage }) => {
      if (damage) onDamaged(damage);
      return !damage;
    })
    .sort((a, b) => (a.status?.startedAt ?? '').localeCompare(b.status?.startedAt ?? ''));
}

/**
 * The newest classifier in a folder: of `finetune` runs, also in sweeps, and of notebooks; not of a run that a sweep has pruned, or
 * of a fold of a cross-validation, since it has not seen all rows.
 * @returns undefined if there is none
 */
export function newestModel(parent = runsFolder): string | undefined {
  const runs = findRuns(parent).filter(
    (run) => run.settings!.command === 'finetune' && !run.pruned && !run.settings!.settings.fold,
  );
  const models = [
    ...runs.map((run) => run.path('model')).filter(isModelFolder),
    ...foldersBelow(parent).flatMap((folder) => notebookModel(folder) ?? []),
  ];
  const time = (model: string) => fs.statSync(path.join(model, 'config.json')).mtimeMs;
  return models.sort((a, b) => time(a) - time(b)).at(-1);
}

/**
 * Opens a run by its folder or by its name in `runs`.
 * @throws RunError if it does not exist or is not a run
 */
export function openRun(name: string): RunFolder {
  for (const folder of [name, path.join(runsFolder, name)]) {
    const run = new RunFolder(folder);
    if (run.isRun) return run;
  }
  const runs = findRuns().map(({ folder }) => folder);
  const model = path.join(name, 'model');
  throw new RunError(
    fs.existsSync(name) ? 'RUN_NOT_A_RUN' : 'RUN_NOT_FOUND',
    fs.existsSync(name)
      ? `${name} is not a run: it has no settings.json.` +
          (isModelFolder(model)
            ? ` It contains a model: pass ${model} to export, score and serve.`
            : " 'npx tunebook runs' lists the runs.")
      : `There is no run ${name}.${runs.length > 0 ? ` The newest is ${runs.at(-1)}; 'npx tunebook runs' lists all.` : ` ${runsFolder}/ contains no runs.`}`,
    { folder: name },
  );
}
