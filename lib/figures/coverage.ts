/** A chart of accuracy and coverage by probability threshold, for selective prediction. */
import type { Coverage } from '../evaluation/thresholds.js';
import { axis, colors, layoutOf, type Figure } from './figure.js';

/**
 * Draws coverage and the accuracy of the accepted predictions over the threshold.
 * @param rows in ascending order of the threshold
 * @example
 * figures.coverage(coverageByThreshold(logits, testSet.labels, labels.length));
 */
export function coverageFigure(rows: Coverage[]): Figure {
  const line = (name: string, values: number[], color: string) => ({
    type: 'scatter',
    mode: 'lines',
    name,
    x: rows.map(({ threshold }) => threshold),
    y: values,
    line: { color, width: 2.5 },
  });
  const [first, last] = [rows[0], rows.at(-1)];
  const describe = (row: Coverage | undefined) =>
    row
      ? `threshold ${row.threshold}: coverage ${(100 * row.coverage).toFixed(0)} %, accuracy ${(100 * row.accuracy).toFixed(1)} %`
      : 'no rows';
  return {
    data: [
      line(
        'accuracy of accepted predictions',
        rows.map(({ accuracy }) => accuracy),
        colors.blue,
      ),
      line(
        'coverage',
        rows.map(({ coverage }) => coverage),
        colors.orange,
      ),
    ],
    layout: layoutOf(
      'Accuracy and coverage by threshold',
      {
        xaxis: axis('minimum probability of the prediction', { tickformat: '.0%' }),
        yaxis: axis('fraction', { range: [0, 1.05], tickformat: '.0%' }),
        legend: { x: 0.02, y: 0.1, bgcolor: 'rgba(255,255,255,0.8)' },
      },
      620,
      360,
    ),
    description: `${describe(first)}; ${describe(last)}`,
  };
}
