/** What a threshold buys: verdicts below it go to a person, the others are more often right. */
import type { Coverage } from '../evaluation/thresholds.js';
import { axis, colours, layoutOf, type Figure } from './figure.js';

/**
 * Two curves over the threshold: what is judged, and how much of that rightly.
 * @param rows from the lowest threshold to the highest
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
  const say = (row: Coverage | undefined) =>
    row
      ? `from ${row.threshold}: ${(100 * row.coverage).toFixed(0)} % are judged, ${(100 * row.accuracy).toFixed(1)} % of them rightly`
      : 'no rows';
  return {
    data: [
      line(
        'right, of those that are judged',
        rows.map(({ accuracy }) => accuracy),
        colours.blue,
      ),
      line(
        'judged, of all',
        rows.map(({ coverage }) => coverage),
        colours.orange,
      ),
    ],
    layout: layoutOf(
      'Only when it is sure',
      {
        xaxis: axis('least probability of a verdict', { tickformat: '.0%' }),
        yaxis: axis('share', { range: [0, 1.05], tickformat: '.0%' }),
        legend: { x: 0.02, y: 0.1, bgcolor: 'rgba(255,255,255,0.8)' },
      },
      620,
      360,
    ),
    description: `${say(first)}; ${say(last)}`,
  };
}
