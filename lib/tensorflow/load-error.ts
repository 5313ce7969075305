/** The error for a failure to load TensorFlow. Importing this file does not load TensorFlow. */
import { cacheFolder, setUpCommand } from '#setup/paths.mjs';
import { TensorFlowLoadError } from '../errors.js';

/** Converts an error from loading the addon to an error with a remedy. */
export function loadError(cause: unknown): TensorFlowLoadError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  // Messages of the loaders of Linux and macOS.
  const [, onLinux, onMacos] =
    /(\S+\.so[\d.]*): cannot open shared object|Library not loaded: (?:@rpath\/)?(\S+)/.exec(reason) ?? [];
  const missing = onLinux ?? onMacos;
  return new TensorFlowLoadError(
    missing ? 'TENSORFLOW_LIBRARY_MISSING' : 'TENSORFLOW_NOT_LOADED',
    missing
      ? `TensorFlow's addon needs ${missing}, which was not found. Run ${setUpCommand}.`
      : `TensorFlow's addon could not be loaded (${reason.split('\n')[0]}). Run ${setUpCommand}. If it finds nothing to do, delete ${cacheFolder} and run it again.`,
    missing ? { library: missing } : { reason: reason.split('\n')[0] },
    { cause },
  );
}
