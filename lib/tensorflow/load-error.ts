/** Why TensorFlow could not be loaded. A file of its own, for code that does not load TensorFlow. */
import { TensorFlowLoadError } from '../errors.js';

/** What a failure to load the addon means, for the person who meets it. */
export function loadError(cause: unknown): TensorFlowLoadError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  // Linux's loader and macOS's.
  const [, onLinux, onMacos] =
    /(\S+\.so[\d.]*): cannot open shared object|Library not loaded: (?:@rpath\/)?(\S+)/.exec(reason) ?? [];
  const missing = onLinux ?? onMacos;
  return new TensorFlowLoadError(
    missing ? 'TENSORFLOW_LIBRARY_MISSING' : 'TENSORFLOW_NOT_LOADED',
    missing
      ? `TensorFlow's addon needs ${missing}, which is not where set-up put it. Run npm run setup.`
      : `TensorFlow's addon could not be loaded (${reason.split('\n')[0]}). Run npm run setup; if it says all is set up, delete .tunebook and run it again.`,
    missing ? { library: missing } : { reason: reason.split('\n')[0] },
    { cause },
  );
}
