/** What a job's exit code says. Schedulers go by it: 2 and 3 need a person, 130, 138 and 143 want to be started again. */
import fs from 'node:fs';
import path from 'node:path';
import { HubError } from '../hub/errors.js';
import { MissingFileError } from '../missing-file-error.js';
import { ModelFormatError } from '../model/config.js';
import { ReviewsError } from '../reviews/review.js';
import { SettingsError } from '../settings.js';
import { DiskFullError, OtherRowsError } from '../training/checkpoint.js';
import { DivergedError } from '../training/diverged-error.js';
import { ClusterDefinitionError } from '../tensorflow/cluster-definition.js';
import { RankFailedError, RankLostError, RanksDifferError } from '../tensorflow/cluster-error.js';
import { TensorFlowLoadError } from '../tensorflow/load-error.js';
import { RunError } from './run-folder.js';

export const exitCodes = {
  /** Trained, tested and saved. */
  done: 0,
  /** None of the others; the words on standard error say what. */
  unexpected: 1,
  /** Refused before any work: a flag, a setting, or a run's folder. */
  refused: 2,
  /** The model or the reviews cannot be had or cannot be used. */
  data: 3,
  /** The loss became no number. The last checkpoint is whole. */
  diverged: 4,
  /** The disk is full. The last checkpoint is whole. */
  diskFull: 5,
  /** Ended by SIGHUP, by SIGINT (Ctrl-C), by SIGTERM; a checkpoint was written if training was under way. */
  SIGHUP: 129,
  SIGINT: 130,
  SIGTERM: 143,
  /** Another rank was lost. 138 is what Kubeflow leaves to programs to ask for a new start by (of SIGUSR1, which nobody sends). */
  rankLost: 138,
} as const;

export type EndingSignal = 'SIGHUP' | 'SIGINT' | 'SIGTERM';

/** A signal ended the work before it was complete. */
export class InterruptedError extends Error {
  override name = 'InterruptedError';
  constructor(
    message: string,
    readonly signal: EndingSignal,
  ) {
    super(message);
  }
}

const isDiskFull = (error: unknown) => ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '');

/** What is wrong with a file or folder that a command cannot use, by the system's code. */
const wrongWithFile: Record<string, string> = {
  EACCES: 'may not be used by this user',
  EPERM: 'may not be used by this user',
  EROFS: 'is on a file system that cannot be written to',
  ENOTDIR: 'is a file or lies below one, where a folder must be',
  EEXIST: 'exists, and is not a folder',
  EISDIR: 'is a folder, not a file',
  ENAMETOOLONG: 'has too long a name',
  ELOOP: 'is a link that leads to itself',
  ENOENT: 'does not exist',
};

/** A system's error about a file or folder. */
const isFileError = (error: unknown): error is NodeJS.ErrnoException & { path: string; code: string } =>
  ((error as NodeJS.ErrnoException).code ?? '') in wrongWithFile && (error as NodeJS.ErrnoException).path !== undefined;

/** The exit code of an error. */
export function exitCodeOf(error: unknown): number {
  const isOneOf = (...classes: (new (...given: never[]) => Error)[]) => classes.some((each) => error instanceof each);
  if (
    isOneOf(
      ...[SettingsError, RunError, ClusterDefinitionError, RanksDifferError, MissingFileError, TensorFlowLoadError],
    )
  )
    return exitCodes.refused;
  if (error instanceof RankLostError) return exitCodes.rankLost;
  if (error instanceof RankFailedError) return error.exitCode;
  if (error instanceof InterruptedError) return exitCodes[error.signal];
  if (error instanceof DiskFullError || isDiskFull(error)) return exitCodes.diskFull;
  if (error instanceof DivergedError) return exitCodes.diverged;
  if (isFileError(error)) return exitCodes.refused;
  if (isOneOf(OtherRowsError, HubError, ReviewsError, ModelFormatError)) return exitCodes.data;
  return exitCodes.unexpected;
}

/** What an error says to a person: its message; of one that was not foreseen where it was, too. */
export function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (isDiskFull(error))
    return `The disk is full: ${(error as NodeJS.ErrnoException).path ?? 'a file'} could not be written. Make room, then go on with --resume.`;
  if (isFileError(error)) {
    const { code } = error;
    // A file that was to be written does not exist, and neither does its folder.
    const folder = path.dirname(error.path);
    const file = code === 'ENOENT' && !fs.existsSync(folder) ? folder : error.path;
    return `${file} ${wrongWithFile[code]} (${code}). Correct the path, or name another one.`;
  }
  const foreseen = exitCodeOf(error) !== exitCodes.unexpected || error.constructor !== Error;
  return foreseen && !(error instanceof TypeError) ? error.message : (error.stack ?? error.message);
}
