/** Files on their way, as a bar below the cell that is updated in place and ends as a table: what came from where. */
import { randomUUID } from 'node:crypto';
import { colours } from '../figures/figure.js';
import type { DownloadProgress } from '../hub/download.js';
import type { Journal } from '../runs/journal.js';
import { escapeHtml, tableBundle } from '../figures/html-table.js';
import { show } from './kernel.js';
import { duration, size } from '../figures/format.js';
import { pauseMilliseconds } from './progress.js';

/**
 * One line that says how far a file is.
 * @param progress of a download
 */
export const describeDownload = ({ file, received, size: all, rate, secondsLeft }: DownloadProgress): string =>
  `${file}: ${size(received)} of ${size(all)}` + (rate > 0 ? `, ${size(rate)}/s, ${duration(secondsLeft)} left` : '');

/**
 * A bar below the cell, updated in place, and at the end a table of the files.
 * @param journal told too, so that whoever started the notebook can show it
 * @returns to be given to what downloads, and to be called with the files when they are there
 */
export function downloadProgress(journal?: Journal): {
  /** Draws how far it is. */
  onProgress: (progress: DownloadProgress) => void;
  /** Puts the table in the bar's place: what came from where, in groups by model and reviews. */
  finish: (...groups: { name: string; files: { file: string; size: number; from: string }[] }[]) => void;
} {
  const displayId = randomUUID();
  let drawn = -Infinity;
  return {
    onProgress(progress) {
      const now = performance.now();
      if (now - drawn < pauseMilliseconds && progress.received < progress.size) return;
      journal?.write('download', progress);
      const share = progress.size > 0 ? progress.received / progress.size : 1;
      const words = describeDownload(progress);
      show(
        {
          'text/html':
            `<div style="width:400px;height:8px;border-radius:4px;background:#e6e6e6"><div style="width:${(100 * share).toFixed(1)}%;` +
            `height:8px;border-radius:4px;background:${colours.blue}"></div></div><div>${escapeHtml(words)}</div>`,
          'text/plain': words,
        },
        displayId,
        drawn > 0,
      );
      drawn = now;
    },
    finish(...groups) {
      const rows = groups.flatMap(({ name, files }) =>
        files.map(({ file, size: bytes, from }, i) => ({ what: i === 0 ? name : '', file, size: size(bytes), from })),
      );
      show(tableBundle(rows), displayId, drawn > 0);
    },
  };
}
