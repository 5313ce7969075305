/**
 * The runs of a sweep or a cross-validation train on the same reviews: a run whose reviews differ from those of a finished one, since
 * a file has changed in between, does not start.
 */
import path from 'node:path';
import { ReviewsError } from '../errors.js';
import { settingsList, type Settings } from '../settings/settings.js';
import type { RunMetrics } from './metrics.js';
import { findRuns, type RunFolder } from './run-folder.js';

/** Settings of models and reviews on which the reviews do not depend. */
const ofModel = ['source', 'model', 'teacher', 'maxLength', 'fold'];

/** The settings on which it depends which reviews a run reads, before they are divided into sets. */
const settingsOfReviews = settingsList
  .filter(({ name, group }) => name === 'seed' || (group === 'Model and reviews' && !ofModel.includes(name)))
  .map(({ name }) => name);

/**
 * Checks that a run of a sweep or a cross-validation reads the same reviews as the finished runs next to it.
 * @param settings of the run
 * @param fingerprint of the reviews, see ReviewSource
 * @throws ReviewsError if another run with the same settings of reviews has read others
 */
export function assertSameReviews(run: RunFolder, settings: Settings, fingerprint: string | undefined): void {
  const parent = path.dirname(run.folder);
  if (!run.isPart) return;
  const readBy = (of: Settings) => JSON.stringify(settingsOfReviews.map((name) => of[name]));
  const other = findRuns(parent).find((each) => {
    const metrics = each.read<RunMetrics>('metrics.json');
    const found = metrics?.data?.fingerprint;
    return found !== undefined && found !== fingerprint && readBy(each.settings!.settings) === readBy(settings);
  });
  if (other)
    throw new ReviewsError(
      'REVIEWS_CHANGED',
      `The reviews have changed since ${other.folder} was trained on them, so that the results in ${parent} could not be compared. ` +
        'Restore the reviews and resume, or start again in another folder.',
      { folder: other.folder },
    );
}
