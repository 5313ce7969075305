/**
 * A run's folder: all that a job is told, does and makes. Small JSON files are written aside and renamed, so that a reader
 * never meets half a file, and one process at a time works in it.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { RunError } from '../errors.js';
import type { Sources } from '../hub/sources.js';
import type { Settings, SettingName } from '../settings/settings.js';
import { readJournal } from './journal.js';
import { CheckpointFolder } from '../training/checkpoint.js';
import type { EndOfTraining } from '../training/training-record.js';

export type RunCommand = 'finetune' | 'adapt';

/** settings.json */
export interface RunSettings {
  command: RunCommand;
  settings: Settings;
  /** Where each setting came from. */
  origins: Record<SettingName, string>;
  /** What `auto` had chosen, so that a run that goes on does not choose anew. */
  sources: Sources;
}

/** status.json */
export interface RunStatus {
  /** `running` of a process that is no more is a run that died. */
  state: 'running' | 'failed' | EndOfTraining;
  startedAt: string;
  endedAt?: string;
  exitCode?: number;
  /** Why it failed. */
  message?: string;
  /** The error's code, such as TRAINING_DIVERGED. */
  code?: string | undefined;
  /** How often it was started. */
  starts: number;
  process: { id: number; host: string };
}

/** Seconds after which a folder is free whose process shows no sign of life. */
const patience = 60;
const heartbeat = 10;

export class RunFolder {
  constructor(readonly folder: string) {}

  /** A file or folder inside. */
  of(...names: string[]): string {
    return path.join(this.folder, ...names);
  }

  get isRun(): boolean {
    return fs.existsSync(this.of('settings.json'));
  }

  /** Whether this is a run that has trained. Any other folder is free for a new run. */
  get hasTrained(): boolean {
    if (!this.isRun) return false;
    if (this.checkpoints.steps().length > 0 || fs.existsSync(this.of('model'))) return true;
    return readJournal(this.folder).some(({ kind }) => kind === 'step');
  }

  get checkpoints(): CheckpointFolder {
    return new CheckpointFolder(this.of('checkpoints'));
  }

  /** A JSON file's content; nothing where there is none. */
  read<Content>(name: string): Content | undefined {
    const file = this.of(name);
    return fs.existsSync(file) ? (JSON.parse(fs.readFileSync(file, 'utf8')) as Content) : undefined;
  }

  /** Writes a file, whole or not at all. */
  write(name: string, content: string | Buffer | object): void {
    const file = this.of(name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    const text =
      typeof content === 'string' || Buffer.isBuffer(content) ? content : `${JSON.stringify(content, null, 2)}\n`;
    fs.writeFileSync(`${file}.partial`, text);
    fs.renameSync(`${file}.partial`, file);
  }

  get settings(): RunSettings | undefined {
    return this.read<RunSettings>('settings.json');
  }

  get status(): RunStatus | undefined {
    return this.read<RunStatus>('status.json');
  }

  /** What became of it, for people. */
  get state(): RunStatus['state'] | 'died' {
    const status = this.status;
    if (!status) return 'died';
    return status.state === 'running' && !this.#isAlive(status) ? 'died' : status.state;
  }

  get #lock(): string {
    return this.of('.lock');
  }

  /** Whether the process that was last at work here shows signs of life. */
  #isAlive({ process: { id, host } }: RunStatus): boolean {
    if (!fs.existsSync(this.#lock)) return false;
    if (Date.now() - fs.statSync(this.#lock).mtimeMs > 1000 * patience) return false;
    return host !== os.hostname() || (id !== process.pid && isProcess(id));
  }

  /**
   * Keeps other processes out. A process that was killed leaves its lock behind: on the same machine that is seen at once,
   * from another (a container that was started anew) after a minute without a sign of life.
   * @param onWait called when there is something to wait for
   * @returns to be called at the end
   * @throws RunError when another process is at work here
   */
  async lock(onWait: (words: string) => void = () => {}): Promise<() => Promise<void>> {
    fs.mkdirSync(this.folder, { recursive: true });
    // It listens to signals from the moment it is loaded.
    const { lock } = await import('proper-lockfile');
    const seen = () => (fs.existsSync(this.#lock) ? fs.statSync(this.#lock).mtimeMs : 0);
    const first = seen();
    for (let waited = 0; ; waited++) {
      try {
        return await lock(this.folder, {
          lockfilePath: this.#lock,
          stale: 1000 * patience,
          update: 1000 * heartbeat,
          // The folder was taken away; what is written next will say so.
          onCompromised: () => {},
        });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ELOCKED') throw error;
      }
      const status = this.status;
      // Whoever has just come in has not yet said so.
      if (status && !this.#isAlive(status) && Date.now() - seen() > 2000) {
        fs.rmSync(this.#lock, { recursive: true, force: true });
        continue;
      }
      const at = status ? `process ${status.process.id} on ${status.process.host}` : 'another process';
      if (seen() > first)
        throw new RunError(
          'RUN_IN_USE',
          `${this.folder} is in use by ${at}. Wait until it has ended, or name another folder (--run-folder).`,
          { folder: this.folder },
        );
      if (waited === 3) onWait(`${this.folder} was in use by ${at}; waiting up to ${patience} s for a sign of life.`);
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
 * @throws RunError when there is none yet
 */
export function modelOf(run: RunFolder): string {
  const folder = run.of('model');
  if (!fs.existsSync(folder))
    throw new RunError(
      'RUN_NO_MODEL',
      `${run.folder} has no model yet (${run.state}). Go on with it: tunebook ${run.settings!.command} --resume ${run.folder}`,
      { folder: run.folder, state: run.state },
    );
  return folder;
}

/** Whether a folder is a model by itself, and no run that has one. */
export const isModelFolder = (folder: string): boolean =>
  fs.existsSync(path.join(folder, 'config.json')) && !new RunFolder(folder).isRun;

/** Where runs go that are not told where. */
export const runsFolder = 'runs';

/**
 * A new folder named after the time, so that names sort by time: 2026-11-24T09-30-00, then 2026-11-24T09-30-00-2. If it is still
 * empty when the process exits, it is removed.
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
          // It is in use, which is the normal case.
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

/** The sweeps below a folder, the newest last. */
export const findSweeps = (parent = runsFolder): RunFolder[] =>
  foldersBelow(parent)
    .map((folder) => new RunFolder(folder))
    .filter((folder) => fs.existsSync(folder.of('sweep.json')));

/** The runs below a folder, at a depth of one or two (a sweep's runs are below the sweep), the newest last. */
export function findRuns(parent = runsFolder): RunFolder[] {
  const folders = foldersBelow(parent).flatMap((folder) => [folder, ...foldersBelow(folder)]);
  return folders
    .map((folder) => new RunFolder(folder))
    .filter((run) => run.isRun)
    .sort((a, b) => (a.status?.startedAt ?? '').localeCompare(b.status?.startedAt ?? ''));
}

/**
 * A run by its folder or, below `runs`, by its name.
 * @throws RunError when it is none
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
      ? `${name} is no run: it has no settings.json.` +
          (isModelFolder(model)
            ? ` It holds a model, as the folder of a notebook does: for export, score and serve name ${model}.`
            : " 'tunebook runs' lists the runs.")
      : `There is no run ${name}.${runs.length > 0 ? ` The newest is ${runs.at(-1)}; 'tunebook runs' lists them all.` : ` There are none in ${runsFolder}/.`}`,
    { folder: name },
  );
}
