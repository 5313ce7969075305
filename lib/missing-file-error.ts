/** A file or folder that a person named and that does not exist. The command is refused, whatever the file was to hold. */
export class MissingFileError extends Error {
  override name = 'MissingFileError';
}
