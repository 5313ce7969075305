/**
 * Live training progress: a bar and curves in one output that is updated in place. During training it is an SVG, since
 * JupyterLab's Plotly extension draws a figure once and ignores updates. At the end, a Plotly figure replaces it.
 */
import { randomUUID } from 'node:crypto';
import { accuracyFloor, smoothed, learningCurvesFigure } from '../figures/learning-curves.js';
import { colors } from '../figures/figure.js';
import { appendDownsampled, type TrainingRecord } from '../training/training-record.js';
import { duration } from '../figures/format.js';
import { showFigure } from './figure.js';
import { show } from './kernel.js';

/** Describes the progress of training in one line. */
export const describeRecord = (record: TrainingRecord): string =>
  `step ${record.step}/${record.totalSteps}, epoch ${record.epoch.toFixed(2)}, loss ${record.loss.toFixed(3)}, ` +
  `${record.samplesPerSecond.toFixed(1)} samples/s, ${duration(record.secondsLeft)} left`;

const width = 720;
const height = 210;

/** An SVG polyline in a panel, downsampled to about 300 points. */
function curve(
  points: [number, number][],
  left: number,
  color: string,
  totalSteps: number,
  low: number,
  high: number,
): string {
  const every = Math.max(1, Math.floor(points.length / 300));
  const dots = points
    .filter((_, i) => i % every === 0 || i === points.length - 1)
    .map(
      ([step, value]) =>
        `${(left + (300 * step) / totalSteps).toFixed(1)},${(185 - (115 * (value - low)) / (high - low || 1)).toFixed(1)}`,
    );
  const circles =
    points.length < 30
      ? dots.map((xy) => `<circle cx="${xy.split(',')[0]}" cy="${xy.split(',')[1]}" r="3" fill="${color}"/>`).join('')
      : '';
  return `<polyline points="${dots.join(' ')}" fill="none" stroke="${color}" stroke-width="2"/>${circles}`;
}

/** Draws the bar and the curves as an SVG. */
export function progressSvg(records: TrainingRecord[]): string {
  const last = records.at(-1)!;
  const losses = smoothed(records.map(({ loss }) => loss));
  const highest = Math.max(0.8, ...losses);
  const accuracies = records.flatMap(({ step, evalAccuracy }) =>
    evalAccuracy === undefined ? [] : [[step, evalAccuracy] as [number, number]],
  );
  const floor = accuracyFloor(accuracies.map(([, accuracy]) => accuracy));
  const panel = (left: number, title: string, top: string, bottom: string) =>
    `<text x="${left}" y="58" font-weight="bold">${title}</text><path d="M${left} 70V185H${left + 300}" fill="none" stroke="#8a8a8a"/>` +
    `<text x="${left - 6}" y="75" text-anchor="end">${top}</text><text x="${left - 6}" y="187" text-anchor="end">${bottom}</text>`;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="DejaVu Sans, sans-serif" font-size="11" fill="#222">` +
    `<rect width="${width}" height="${height}" fill="#fff"/><rect x="45" y="8" width="660" height="10" rx="5" fill="#e6e6e6"/>` +
    `<rect x="45" y="8" width="${((660 * last.step) / last.totalSteps).toFixed(1)}" height="10" rx="5" fill="${colors.blue}"/>` +
    `<text x="45" y="36">${describeRecord(last)}</text>` +
    panel(45, 'training loss', highest.toFixed(1), '0') +
    curve(
      losses.map((loss, i) => [records[i]!.step, loss]),
      45,
      colors.blue,
      last.totalSteps,
      0,
      highest,
    ) +
    panel(405, 'validation accuracy', '100%', `${100 * floor}%`) +
    curve(accuracies, 405, colors.orange, last.totalSteps, floor, 1) +
    '</svg>'
  );
}

/** Minimum milliseconds between two updates of a display; messages in rapid bursts would be lost. */
export const pauseMilliseconds = 500;

/**
 * Creates a display of training progress below the cell.
 * @param title title of the final figure. @default 'Fine-tuning'
 * @example
 * const progress = trainingProgress();
 * await trainer.train(reviews.train, { onRecord: (record) => progress.update(record) });
 * await progress.finish();
 */
export function trainingProgress(title?: string): {
  /** Adds a record. Redraws at most twice a second, and always for a record with an evaluation. */
  update(record: TrainingRecord): void;
  /** Replaces the display with the final figure. */
  finish(): Promise<void>;
} {
  const displayId = randomUUID();
  const records: TrainingRecord[] = [];
  let lastDrawn = -Infinity;
  return {
    update(record) {
      appendDownsampled(records, record);
      const now = performance.now();
      if (now - lastDrawn < pauseMilliseconds && record.evalAccuracy === undefined) return;
      show({ 'image/svg+xml': progressSvg(records), 'text/plain': describeRecord(record) }, displayId, lastDrawn > 0);
      lastDrawn = now;
    },
    async finish() {
      if (records.length > 0) await showFigure(learningCurvesFigure(records, title), displayId);
    },
  };
}
