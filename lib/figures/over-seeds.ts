/** Figures of runs with several seeds: the accuracy of each run, and the mean with its 95 % confidence interval. */
import { overSeeds } from '../training/seeds.js';
import { axis, colors, layoutOf, type Figure } from './figure.js';

/** A variant, with the accuracy of each seed. */
export interface SeededAccuracies {
  name: string;
  accuracies: number[];
}

const percent = (fraction: number) => `${(100 * fraction).toFixed(1)} %`;

const describe = ({ name, accuracies }: SeededAccuracies): string => {
  const { mean, interval, count } = overSeeds(accuracies);
  const range = count > 1 ? ` (95 % interval ${percent(interval.low)} to ${percent(interval.high)})` : '';
  return `${name}: ${percent(mean)}${range}`;
};

/**
 * Draws the runs, mean and confidence interval of each variant side by side.
 * @example
 * figures.overSeeds('Three seeds each', [{ name: 'head only', accuracies: [0.81, 0.8, 0.82] }]);
 */
export function overSeedsFigure(title: string, rows: SeededAccuracies[]): Figure {
  const statistics = rows.map(({ accuracies }) => overSeeds(accuracies));
  const lowest = Math.min(
    ...rows.flatMap(({ accuracies }) => accuracies),
    ...statistics.map(({ interval }) => interval.low),
  );
  return {
    data: [
      {
        type: 'scatter',
        mode: 'markers',
        name: 'single run',
        x: rows.flatMap(({ name, accuracies }) => accuracies.map(() => name)),
        y: rows.flatMap(({ accuracies }) => accuracies),
        marker: { color: '#9cc3de', size: 9 },
      },
      {
        type: 'scatter',
        mode: 'markers',
        name: 'mean with 95 % interval',
        x: rows.map(({ name }) => name),
        y: statistics.map(({ mean }) => mean),
        marker: { color: colors.orange, size: 10, symbol: 'line-ew-open', line: { width: 3 } },
        error_y: {
          type: 'data',
          array: statistics.map(({ mean, interval }) => interval.high - mean),
          color: colors.orange,
        },
      },
    ],
    layout: layoutOf(
      title,
      {
        // Names may be long.
        xaxis: axis('', { type: 'category', automargin: true }),
        yaxis: axis('held-out accuracy', {
          tickformat: '.0%',
          range: [Math.max(0, Math.floor(20 * lowest - 0.5) / 20), 1],
        }),
        legend: { orientation: 'h', x: 0, y: 1, yanchor: 'bottom' },
      },
      620,
      360,
    ),
    description: rows.map(describe).join('; '),
  };
}

/** A method, with its accuracies by number of labels. */
export interface LabelCurve {
  name: string;
  points: { rows: number; accuracies: number[] }[];
}

/** Texts of the figure of accuracies by number of labels. */
export interface LabelCurveTexts {
  /** @default Accuracy by number of labeled reviews */
  title?: string;
  /** What the number of labels counts. @default labeled training reviews */
  labels?: string;
  /** What the accuracies measure. @default held-out accuracy */
  accuracy?: string;
}

/**
 * Draws the accuracy by number of labels, on a logarithmic axis. From the fourth curve on, lines are dashed.
 * @param curves one for each method
 * @param texts title and axes
 * @example
 * figures.labelCurve([{ name: 'fine-tuned', points: [{ rows: 100, accuracies: [0.8, 0.79, 0.82] }] }]);
 */
export function labelCurveFigure(curves: LabelCurve[], texts: LabelCurveTexts = {}): Figure {
  const {
    title = 'Accuracy by number of labeled reviews',
    labels = 'labeled training reviews',
    accuracy = 'held-out accuracy',
  } = texts;
  const marks = [colors.blue, colors.orange, colors.green];
  const rows = [...new Set(curves.flatMap(({ points }) => points.map((point) => point.rows)))].sort((a, b) => a - b);
  return {
    data: curves.map(({ name, points }, i) => {
      const statistics = points.map(({ accuracies }) => overSeeds(accuracies));
      return {
        type: 'scatter',
        mode: 'lines+markers',
        name,
        x: points.map((point) => point.rows),
        y: statistics.map(({ mean }) => mean),
        error_y: { type: 'data', array: statistics.map(({ mean, interval }) => interval.high - mean), thickness: 1.5 },
        marker: { size: 8, color: marks[i % marks.length] },
        line: { color: marks[i % marks.length], width: 2.5, dash: i < marks.length ? 'solid' : 'dash' },
      };
    }),
    layout: layoutOf(
      title,
      {
        xaxis: axis(labels, { type: 'log', tickvals: rows, ticktext: rows.map(String) }),
        yaxis: axis(accuracy, { tickformat: '.0%' }),
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
