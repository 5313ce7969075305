// The pinned files on the Python package index, from data/sources.json.
// @ts-check
import fs from 'node:fs';
import { sourcesFile } from './paths.mjs';
import { platform } from './platform.mjs';

/** @typedef {{ project: string, version: string, file: string, sha256: string, licence: string }} Source */

/**
 * Returns the files of a source for a platform.
 * @param {string} name key of data/sources.json
 * @param {string} [on] a key of `platforms`; default: this platform
 * @returns {Source[]} empty if there is none for the platform
 */
export function sourcesOf(name, on = platform) {
  /** @type {Source[] | Record<string, Source[]>} a list if the files are the same on every platform */
  const sources = JSON.parse(fs.readFileSync(sourcesFile, 'utf8'))[name];
  return Array.isArray(sources) ? sources : (sources[on] ?? []);
}
