/** The errors for damaged files. Libraries fail on them with errors about their own variables, which say nothing to a reader. */

/** Why a file cannot be read, in parentheses, if the error of a library says it; otherwise ''. */
function reasonOf(error: unknown): string {
  const { message } = error as Error;
  const isInternal = error instanceof TypeError || error instanceof RangeError || /\bundefined\b|\bNaN\b/.test(message);
  return isInternal ? '' : ` (${message})`;
}

/**
 * A sentence on a file that is damaged.
 * @param what the file should be, such as `Parquet file`
 */
export const damagedText = (name: string, what: string, error: unknown): string =>
  `${name} is not a valid ${what}, but damaged or incomplete${reasonOf(error)}.`;
