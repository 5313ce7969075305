/** The error for a failure to load TensorFlow. Importing this file does not load TensorFlow. */
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
      ? `TensorFlow's addon needs ${missing}, which was not found. Run npm run setup.`
      : `TensorFlow's addon could not be loaded (${reason.split('\n')[0]}). Run npm run setup. If it finds nothing to do, delete .tunebook and run it again.`,
    missing ? { library: missing } : { reason: reason.split('\n')[0] },
    { cause },
  );
}
