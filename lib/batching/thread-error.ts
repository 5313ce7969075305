/**
 * Transfer of errors from worker threads. Structured cloning keeps an error's message, stack and cause, but loses its
 * class and fields, which are therefore transferred in `cause`.
 */
import * as errors from '../errors.js';
import { TunebookError } from '../errors.js';

/** The parts of a TunebookError that cloning loses. */
interface ErrorParts {
  className: string;
  fields: Record<string, unknown>;
}

/** In the worker: packs a TunebookError so that cloning loses nothing. Returns other errors unchanged. */
export function packError(error: unknown): unknown {
  if (!(error instanceof TunebookError)) return error;
  const parts: ErrorParts = { className: error.name, fields: Object.fromEntries(Object.entries(error)) };
  return Object.assign(new Error(error.message, { cause: parts }), { stack: error.stack });
}

/** In the receiving thread: restores a packed error. Returns other errors unchanged. */
export function unpackError(error: unknown): unknown {
  const { className, fields } = ((error as Error).cause ?? {}) as Partial<ErrorParts>;
  const errorClass = className && (errors as Record<string, unknown>)[className];
  if (!(error instanceof Error) || typeof errorClass !== 'function') return error;
  delete error.cause;
  return Object.assign(Object.setPrototypeOf(error, errorClass.prototype as object) as object, fields);
}
