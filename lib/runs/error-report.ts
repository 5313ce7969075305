/** How a failed command reports an error: its exit code, its message, and the line on standard error. */
import fs from 'node:fs';
import path from 'node:path';
import { exitCodes, FileError, TunebookError } from '../errors.js';

/** Explanations of system errors about a file or folder, by the system's code. */
const fileProblems: Record<string, string> = {
  EACCES: 'may not be used by this user',
  EPERM: 'may not be used by this user',
  EROFS: 'is on a read-only file system',
  ENOTDIR: 'is a file or lies below one, where a folder must be',
  EEXIST: 'exists, and is not a folder',
  EISDIR: 'is a folder, not a file',
  ENAMETOOLONG: 'has too long a name',
  ELOOP: 'is a link that leads to itself',
  ENOENT: 'does not exist',
};

/** The error as a TunebookError: errors of the file system are converted. Undefined for any other error. */
export function asTunebookError(error: unknown): TunebookError | undefined {
  if (error instanceof TunebookError) return error;
  const { code = '', path: file } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new FileError(
      'FILE_DISK_FULL',
      `The disk is full: ${file ?? 'a file'} could not be written. Make room, then go on with --resume.`,
      { path: file, systemCode: code },
      { cause: error },
    );
  const problem = fileProblems[code];
  if (problem === undefined || file === undefined) return undefined;
  // When a new file cannot be written, it is usually its folder that does not exist.
  const folder = path.dirname(file);
  const place = code === 'ENOENT' && !fs.existsSync(folder) ? folder : file;
  return new FileError(
    code === 'ENOENT' ? 'FILE_NOT_FOUND' : 'FILE_UNUSABLE',
    `${place} ${problem} (${code}). Correct the path, or name another one.`,
    { path: place, systemCode: code },
    { cause: error },
  );
}

/** The exit code of a command that fails with this error. */
export const exitCodeOf = (error: unknown): number => asTunebookError(error)?.exitCode ?? exitCodes.unexpected;

/** The message of an error; the stack trace of one that is a defect of Tunebook. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const known = asTunebookError(error);
  if (known) return known.message;
  const isDefect = error.constructor === Error || error instanceof TypeError;
  return isDefect ? (error.stack ?? error.message) : error.message;
}

/** What a command prints: `ReviewsError [REVIEWS_NO_COLUMN]: reviews.csv has no column 'txt'. …` */
export function describeError(error: unknown): string {
  const known = asTunebookError(error);
  return known ? `${known.name} [${known.code}]: ${known.message}` : messageOf(error);
}
