/** The reviews of a run, drawn and split: the same each time for the same settings, so that the test's rows are known later too. */
import type { DownloadOptions } from '../hub/download.js';
import { sampleReviews, sampleSize } from '../reviews/sample.js';
import { openReviews } from '../reviews/open-reviews.js';
import { splitReviews, type ReviewSplit } from '../reviews/split.js';
import { describeDevice } from '../tensorflow/device.js';
import type { RunSettings } from '../runs/run-folder.js';
import type { ReviewSource } from '../reviews/review-source.js';

/**
 * @param options.labelsOptional see openReviews
 * @throws ReviewsError, HubError
 */
export async function runReviews(
  { settings, sources }: Pick<RunSettings, 'settings' | 'sources'>,
  options: DownloadOptions & { labelsOptional?: boolean } = {},
): Promise<{ source: ReviewSource; split: ReviewSplit; labelled: boolean }> {
  const source = await openReviews(sources.dataset, { ...settings, ...options });
  const rows = sampleSize(settings, source, describeDevice());
  const sample = await sampleReviews(source, { rows, seed: settings.seed });
  const labelled = source.reading.labelColumn !== undefined;
  return { source, split: splitReviews(sample, { ...settings, labelNames: source.labelNames, labelled }), labelled };
}
