/** Tunebook's own JSON files in a model folder: each has a format version, and is validated when it is read. */
import fs from 'node:fs';
import * as z from 'zod';
import { ModelFormatError } from '../errors.js';

/**
 * Reads a file.
 * @param formatVersion the version that can be read
 * @param schema of the content without the version
 * @param texts for errors: what the file contains, after `which`, and what happens without it
 * @returns undefined if the file does not exist
 * @throws ModelFormatError if it is damaged or has another version
 */
export function readVersioned<Content>(
  file: string,
  formatVersion: number,
  schema: z.ZodType<Content>,
  texts: { content: string; withoutIt: string },
): Content | undefined {
  if (!fs.existsSync(file)) return undefined;
  const damaged = (reason: string) =>
    new ModelFormatError(
      'MODEL_FILE_DAMAGED',
      `${file}, which ${texts.content}, is damaged: ${reason}. Restore it, ${texts.withoutIt}`,
      { file },
    );
  let content: unknown;
  try {
    content = JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch (error) {
    throw damaged((error as Error).message);
  }
  const version = z.object({ formatVersion: z.unknown() }).safeParse(content).data?.formatVersion;
  if (typeof version === 'number' && version !== formatVersion)
    throw new ModelFormatError(
      'MODEL_CONFIG_UNSUPPORTED',
      `${file} has format ${version}; this version of Tunebook reads ${formatVersion}. Update Tunebook, ${texts.withoutIt}`,
      { file, name: 'formatVersion', value: version },
    );
  const result = schema.safeParse(content);
  if (!result.success) throw damaged(z.prettifyError(result.error).replace(/\s+/g, ' '));
  return result.data;
}
