/** A confusion matrix. */
import { axis, layoutOf, escapeMarkup, type Figure } from './figure.js';

/** Maximum number of characters of a class name on an axis. The description has the full names. */
const maxNameLength = 12;

/** Margins around the grid in pixels. */
const margin = { l: 110, r: 24, t: 56, b: 64 };

/**
 * Draws a grid of counts with true labels as rows and predicted labels as columns. Colors and percentages are fractions
 * of a row.
 * @param confusion counts by true class, then by predicted class, as in ClassificationMetrics
 * @param labelNames class names by class number
 * @example
 * figures.confusionMatrix(metrics.confusion, labels);
 */
export function confusionMatrixFigure(confusion: number[][], labelNames: string[]): Figure {
  // The axes use class numbers: on an axis of names, Plotly uses names that look like numbers (stars) as coordinates.
  const numbers = labelNames.map((_, i) => i);
  const classes = {
    tickvals: numbers,
    ticktext: labelNames.map((name) =>
      escapeMarkup(name.length > maxNameLength ? `${name.slice(0, maxNameLength - 1)}…` : name),
    ),
    tickangle: 0,
    showgrid: false,
  };
  const fractions = confusion.map((row) =>
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
        z: fractions,
        text: confusion.map((row, i) =>
          row.map((count, j) => escapeMarkup(`true ${labelNames[i]}, predicted ${labelNames[j]}: ${count}`)),
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
        xaxis: axis('predicted label', { ...classes, side: 'bottom' }),
        yaxis: axis('true label', { ...classes, autorange: 'reversed' }),
        margin,
        annotations: confusion.flatMap((row, i) =>
          row.map((count, j) => ({
            x: j,
            y: i,
            text: `${count} (${(100 * fractions[i]![j]!).toFixed(1)} %)`,
            showarrow: false,
            font: { size: 15, color: fractions[i]![j]! > 0.5 ? '#ffffff' : '#222222' },
          })),
        ),
      },
      // A cell has space for its count and percentage.
      Math.max(460, margin.l + margin.r + 115 * labelNames.length),
      Math.max(380, margin.t + margin.b + 40 * labelNames.length),
    ),
    description: labelNames
      .map((name, i) => `${name}: ${confusion[i]!.map((count, j) => `${count} predicted ${labelNames[j]}`).join(', ')}`)
      .join('; '),
  };
}
