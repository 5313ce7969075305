/** JSON files of models, such as config.json and tokenizer.json. A damaged one is an error that names the file and the cause. */
import fs from 'node:fs';
import { ModelFormatError } from '../errors.js';
import { parseObject } from '../json.js';

/** The beginning of a file that Git LFS has not replaced by its content (git-lfs, "Specification"). */
const pointerStart = 'version https://git-lfs.github.com/spec/';

/** Whether the beginning of a file is that of a Git LFS pointer. */
export const isLfsPointer = (start: Buffer): boolean =>
  start.subarray(0, pointerStart.length).toString('latin1') === pointerStart;

/** Creates the error for a Git LFS pointer. */
export const lfsPointerError = (file: string): ModelFormatError =>
  new ModelFormatError(
    'MODEL_LFS_POINTER',
    `${file} is a Git LFS pointer of about 130 bytes instead of the file itself: the repository was cloned without Git LFS. ` +
      "Run 'git lfs install' and 'git lfs pull' in that repository, or use the model's name on the hub instead of the folder.",
    { file },
  );

/**
 * Reads a JSON file of a model.
 * @throws ModelFormatError if it is a Git LFS pointer, is not valid JSON, or does not contain an object
 */
export function readModelJson(file: string): Record<string, unknown> {
  const content = fs.readFileSync(file);
  if (isLfsPointer(content)) throw lfsPointerError(file);
  return parseObject(
    content.toString('utf8'),
    (reason) =>
      new ModelFormatError('MODEL_FILE_DAMAGED', `${file} is damaged: ${reason}. Download or save it again.`, { file }),
  );
}
