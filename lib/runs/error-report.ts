/** Reports the error of a failed command: its exit code, its message, and the line on standard error. */
import fs from 'node:fs';
import path from 'node:path';
import { exitCodes, FileError, TunebookError } from '../errors.js';

/** Explanations of system errors about a file or folder, by the system's code. */
const fileProblems: Record<string, string> = {
  EACCES: 'is not accessible to this user',
  EPERM: 'is not accessible to this user',
  EROFS: 'is on a read-only file system',
  ENOTDIR: 'is a file, or is inside a file, but must be a folder',
  EEXIST: 'exists but is not a folder',
  EISDIR: 'is a folder, not a file',
  ENAMETOOLONG: 'has a name that is too long',
  ELOOP: 'is a symbolic link that points to itself',
  ENOENT: 'does not exist',
};

/** The error as a TunebookError: errors of the file system are converted. Undefined for any other error. */
export function asTunebookError(error: unknown): TunebookError | undefined {
  if (error instanceof TunebookError) return error;
  const { code = '', path: file } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new FileError(
      'FILE_DISK_FULL',
      `The disk is full: ${file ?? 'a file'} could not be written. Free some space, then resume with --resume.`,
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
    `${place} ${problem} (${code}). Correct the path, or use another one.`,
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

/** The line that a failed command prints: `ReviewsError [REVIEWS_NO_COLUMN]: reviews.csv has no column 'txt'. …` */
export function describeError(error: unknown): string {
  const known = asTunebookError(error);
  return known ? `${known.name} [${known.code}]: ${known.message}` : messageOf(error);
}
