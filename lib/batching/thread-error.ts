/**
 * Errors that a worker thread throws. Structured cloning keeps an error's message, stack and cause, and loses its class and its
 * fields: they travel as the cause.
 */
import * as errors from '../errors.js';
import { TunebookError } from '../errors.js';

/** What cloning loses of a TunebookError. */
interface Lost {
  className: string;
  fields: Record<string, unknown>;
}

/** In the worker: an error that keeps all of a TunebookError when it is cloned. Other errors stay as they are. */
export function packError(error: unknown): unknown {
  if (!(error instanceof TunebookError)) return error;
  const lost: Lost = { className: error.name, fields: Object.fromEntries(Object.entries(error)) };
  return Object.assign(new Error(error.message, { cause: lost }), { stack: error.stack });
}

/** In the thread that receives a packed error: the error as it was thrown. Other errors stay as they are. */
export function unpackError(error: unknown): unknown {
  const { className, fields } = ((error as Error).cause ?? {}) as Partial<Lost>;
  const kind = className && (errors as Record<string, unknown>)[className];
  if (!(error instanceof Error) || typeof kind !== 'function') return error;
  delete error.cause;
  return Object.assign(Object.setPrototypeOf(error, kind.prototype as object) as object, fields);
}
