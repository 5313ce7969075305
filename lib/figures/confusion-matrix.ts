/** Which class is taken for which. */
import { axis, layoutOf, literally, type Figure } from './figure.js';

/** Characters of a class's name that find room beside a cell; the description has all. */
const longest = 12;

/** Pixels around the grid. */
const margin = { l: 110, r: 24, t: 56, b: 64 };

/**
 * A grid of counts, rows the true classes and columns the predicted ones; colours and percentages are shares of a row.
 * @param confusion counts by true class, then by predicted class, as in ClassificationMetrics
 * @param labelNames class names in order of their numbers
 */
export function confusionMatrixFigure(confusion: number[][], labelNames: string[]): Figure {
  // By their numbers: on an axis of names Plotly takes those that look like numbers, such as stars, for places.
  const numbers = labelNames.map((_, i) => i);
  const classes = {
    tickvals: numbers,
    ticktext: labelNames.map((name) => literally(name.length > longest ? `${name.slice(0, longest - 1)}…` : name)),
    tickangle: 0,
    showgrid: false,
  };
  const shares = confusion.map((row) =>
    row.map(
      (count) =>
        count /
        Math.max(
          1,
          row.reduce((a, b) => a + b, 0),
        ),
    ),
  );
  return {
    data: [
      {
        type: 'heatmap',
        x: numbers,
        y: numbers,
        z: shares,
        text: confusion.map((row, i) =>
          row.map((count, j) => literally(`${labelNames[i]} as ${labelNames[j]}: ${count}`)),
        ),
        hoverinfo: 'text',
        zmin: 0,
        zmax: 1,
        colorscale: [
          [0, '#f4f8fb'],
          [1, '#0072b2'],
        ],
        showscale: false,
      },
    ],
    layout: layoutOf(
      'Confusion matrix',
      {
        xaxis: axis('predicted', { ...classes, side: 'bottom' }),
        yaxis: axis('true', { ...classes, autorange: 'reversed' }),
        margin,
        annotations: confusion.flatMap((row, i) =>
          row.map((count, j) => ({
            x: j,
            y: i,
            text: `${count} (${(100 * shares[i]![j]!).toFixed(1)} %)`,
            showarrow: false,
            font: { size: 15, color: shares[i]![j]! > 0.5 ? '#ffffff' : '#222222' },
          })),
        ),
      },
      // A cell has room for its count and share.
      Math.max(460, margin.l + margin.r + 115 * labelNames.length),
      Math.max(380, margin.t + margin.b + 40 * labelNames.length),
    ),
    description: labelNames
      .map((name, i) => `${name}: ${confusion[i]!.map((count, j) => `${count} as ${labelNames[j]}`).join(', ')}`)
      .join('; '),
  };
}
