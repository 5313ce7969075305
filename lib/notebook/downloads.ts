/** Download progress below a cell: a bar that is updated in place and finally replaced by a table of the files. */
import { randomUUID } from 'node:crypto';
import { colors } from '../figures/figure.js';
import type { DownloadProgress } from '../hub/download.js';
import type { Journal } from '../runs/journal.js';
import { escapeHtml, tableBundle } from '../figures/html-table.js';
import { show } from './kernel.js';
import { duration, size } from '../figures/format.js';
import { pauseMilliseconds } from './progress.js';

/** Describes the progress of a download in one line. */
export const describeDownload = ({ file, received, size: all, rate, secondsLeft }: DownloadProgress): string =>
  `${file}: ${size(received)} of ${size(all)}` + (rate > 0 ? `, ${size(rate)}/s, ${duration(secondsLeft)} left` : '');

/**
 * Creates a progress bar below the cell that is updated in place.
 * @param journal also receives the progress, so that a program that executes the notebook can show it
 * @returns the callback for the download, and a function that ends the display
 * @example
 * const download = downloadProgress();
 * const files = await fetchModel('distilbert-base-uncased', download);
 * const source = await openReviews('amazon_polarity', download);
 * download.finish(files, source);
 */
export function downloadProgress(journal?: Journal): {
  /** Draws the progress. */
  onProgress: (progress: DownloadProgress) => void;
  /** Replaces the bar with a table of the files and their sources, in groups such as model and reviews. */
  finish: (...groups: { name: string; files: { file: string; size: number; from: string }[] }[]) => void;
} {
  const displayId = randomUUID();
  let lastDrawn = -Infinity;
  return {
    onProgress(progress) {
      const now = performance.now();
      if (now - lastDrawn < pauseMilliseconds && progress.received < progress.size) return;
      journal?.write('download', progress);
      const fraction = progress.size > 0 ? progress.received / progress.size : 1;
      const text = describeDownload(progress);
      show(
        {
          'text/html':
            `<div style="width:400px;height:8px;border-radius:4px;background:#e6e6e6"><div style="width:${(100 * fraction).toFixed(1)}%;` +
            `height:8px;border-radius:4px;background:${colors.blue}"></div></div><div>${escapeHtml(text)}</div>`,
          'text/plain': text,
        },
        displayId,
        lastDrawn > 0,
      );
      lastDrawn = now;
    },
    finish(...groups) {
      const rows = groups.flatMap(({ name, files }) =>
        files.map(({ file, size: bytes, from }, i) => ({
          name: i === 0 ? name : '',
          file,
          size: size(bytes),
          source: from,
        })),
      );
      show(tableBundle(rows), displayId, lastDrawn > 0);
    },
  };
}
