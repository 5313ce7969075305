/** Figures of several seeds: each run a dot, their mean with its 95 % interval beside it. One dot alone would be an anecdote. */
import { overSeeds } from '../training/seeds.js';
import { axis, colours, layoutOf, type Figure } from './figure.js';

/** A thing that was tried, with the accuracy that each seed gave. */
export interface SeededAccuracies {
  name: string;
  accuracies: number[];
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

const describe = ({ name, accuracies }: SeededAccuracies): string => {
  const { mean, interval, count } = overSeeds(accuracies);
  return `${name}: ${percent(mean)}${count > 1 ? ` (${percent(interval.low)} to ${percent(interval.high)})` : ''}`;
};

/** Means and intervals of what was tried, side by side. */
export function overSeedsFigure(title: string, rows: SeededAccuracies[]): Figure {
  const found = rows.map(({ accuracies }) => overSeeds(accuracies));
  const lowest = Math.min(
    ...rows.flatMap(({ accuracies }) => accuracies),
    ...found.map(({ interval }) => interval.low),
  );
  return {
    data: [
      {
        type: 'scatter',
        mode: 'markers',
        name: 'one seed',
        x: rows.flatMap(({ name, accuracies }) => accuracies.map(() => name)),
        y: rows.flatMap(({ accuracies }) => accuracies),
        marker: { color: '#9cc3de', size: 9 },
      },
      {
        type: 'scatter',
        mode: 'markers',
        name: 'mean, 95 % interval',
        x: rows.map(({ name }) => name),
        y: found.map(({ mean }) => mean),
        marker: { color: colours.orange, size: 10, symbol: 'line-ew-open', line: { width: 3 } },
        error_y: {
          type: 'data',
          array: found.map(({ mean, interval }) => interval.high - mean),
          color: colours.orange,
        },
      },
    ],
    layout: layoutOf(
      title,
      {
        xaxis: axis('', { type: 'category' }),
        yaxis: axis('held-out accuracy', {
          tickformat: '.0%',
          range: [Math.max(0, Math.floor(20 * lowest - 0.5) / 20), 1],
        }),
        legend: { x: 0.02, y: 0.02, yanchor: 'bottom', bgcolor: 'rgba(255,255,255,0.8)' },
      },
      620,
      360,
    ),
    description: rows.map(describe).join('; '),
  };
}

/** One way of learning, over numbers of labelled reviews. */
export interface LabelCurve {
  name: string;
  points: { rows: number; accuracies: number[] }[];
}

/** How accuracy grows with the number of labelled reviews, on a logarithmic axis. */
export function labelCurveFigure(curves: LabelCurve[]): Figure {
  const marks = [colours.blue, colours.orange, colours.green];
  const rows = [...new Set(curves.flatMap(({ points }) => points.map((point) => point.rows)))].sort((a, b) => a - b);
  return {
    data: curves.map(({ name, points }, i) => {
      const found = points.map(({ accuracies }) => overSeeds(accuracies));
      return {
        type: 'scatter',
        mode: 'lines+markers',
        name,
        x: points.map((point) => point.rows),
        y: found.map(({ mean }) => mean),
        error_y: { type: 'data', array: found.map(({ mean, interval }) => interval.high - mean), thickness: 1.5 },
        marker: { size: 8, color: marks[i % marks.length] },
        line: { color: marks[i % marks.length], width: 2.5 },
      };
    }),
    layout: layoutOf(
      'What labels buy',
      {
        xaxis: axis('labelled reviews', { type: 'log', tickvals: rows, ticktext: rows.map(String) }),
        yaxis: axis('held-out accuracy', { tickformat: '.0%' }),
        legend: { x: 0.98, y: 0.04, xanchor: 'right', yanchor: 'bottom', bgcolor: 'rgba(255,255,255,0.8)' },
      },
      660,
      380,
    ),
    description: curves
      .map(({ name, points }) =>
        points.map((point) => describe({ name: `${name}, ${point.rows}`, accuracies: point.accuracies })).join('; '),
      )
      .join('; '),
  };
}
