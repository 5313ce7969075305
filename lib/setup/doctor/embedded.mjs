// Whether the embedded model and reviews exist and are complete. A truncated file would otherwise fail in the middle of
// a run.
// @ts-check
import fs from 'node:fs';
import path from 'node:path';
import { embeddedModel, embeddedReviews } from '../embedded.mjs';
import { embeddedFolder, root } from '../paths.mjs';
import { isDone } from '../steps.mjs';
import { failed, ok } from './finding.mjs';
import { repeatStep, setUp } from './remedies.mjs';

const modelFolder = path.join(embeddedFolder, 'model');
const reviewsFolder = path.join(embeddedFolder, 'reviews');
const weights = path.join(modelFolder, 'model.safetensors');
const reviews = path.join(reviewsFolder, 'amazonReviewSnippets_GroundTruth.txt');

/**
 * Whether a .safetensors file has the length that its header specifies: an 8-byte length, JSON, then tensor data.
 * @param {string} file
 */
function hasFullLength(file) {
  const descriptor = fs.openSync(file, 'r');
  try {
    const start = Buffer.alloc(8);
    fs.readSync(descriptor, start, 0, 8, 0);
    const { size } = fs.fstatSync(descriptor);
    const length = Number(start.readBigUInt64LE());
    if (length > size - 8) return false;
    const header = Buffer.alloc(length);
    fs.readSync(descriptor, header, 0, length, 8);
    /** @type {Record<string, { data_offsets?: number[] }>} */
    const tensors = JSON.parse(header.toString('utf8'));
    const ends = Object.values(tensors).map(({ data_offsets: offsets }) => offsets?.[1] ?? 0);
    return size === 8 + length + Math.max(...ends);
  } catch {
    return false;
  } finally {
    fs.closeSync(descriptor);
  }
}

/** @param {string} file */
function isJson(file) {
  try {
    JSON.parse(fs.readFileSync(file, 'utf8'));
    return true;
  } catch {
    return false;
  }
}

/** Number of published reviews. The last line has no line end, so only the count shows whether the file is complete. */
const expectedReviews = 3708;

/** Counts the lines with an id, a rating and a text. @param {string} file */
const countReviews = (file) =>
  fs
    .readFileSync(file, 'latin1')
    .split('\n')
    .filter((line) => line.split('\t').length >= 3).length;

/** @type {import('./finding.mjs').Check} */
export const embedded = {
  name: 'embedded',
  about: 'the embedded model and reviews: present and complete',
  needs: ['node', 'set-up'],
  examine() {
    for (const file of [weights, reviews])
      if (!fs.existsSync(file)) return failed(`${path.relative(root, file)} is missing.`, setUp);
    const jsonFiles = ['config.json', 'tokenizer.json', 'tokenizer_config.json'].map((name) =>
      path.join(modelFolder, name),
    );
    const broken = hasFullLength(weights) ? jsonFiles.find((file) => !isJson(file)) : weights;
    if (broken)
      return failed(`${path.relative(root, broken)} is incomplete or damaged.`, repeatStep(embeddedModel, modelFolder));
    const count = countReviews(reviews);
    if (count !== expectedReviews)
      return failed(
        `${path.relative(root, reviews)} contains ${count} reviews instead of ${expectedReviews}.`,
        repeatStep(embeddedReviews, reviewsFolder),
      );
    return isDone(embeddedModel) && isDone(embeddedReviews)
      ? ok(`model (${Math.round(fs.statSync(weights).size / 1e6)} MB) and ${count} reviews`)
      : failed('The embedded model or reviews are not the versions that data/sources.json pins.', setUp);
  },
};
