/** Which class is taken for which. */
import { axis, layoutOf, type Figure } from './figure.js';

/**
 * A grid of counts, rows the true classes and columns the predicted ones; colours and percentages are shares of a row.
 * @param confusion counts by true class, then by predicted class, as in ClassificationMetrics
 * @param labelNames class names in order of their numbers
 */
export function confusionMatrixFigure(confusion: number[][], labelNames: string[]): Figure {
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
        x: labelNames,
        y: labelNames,
        z: shares,
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
        xaxis: axis('predicted', { side: 'bottom', showgrid: false }),
        yaxis: axis('true', { autorange: 'reversed', showgrid: false }),
        margin: { l: 110, r: 24, t: 56, b: 64 },
        annotations: confusion.flatMap((row, i) =>
          row.map((count, j) => ({
            x: labelNames[j],
            y: labelNames[i],
            text: `${count} (${(100 * shares[i]![j]!).toFixed(1)} %)`,
            showarrow: false,
            font: { size: 15, color: shares[i]![j]! > 0.5 ? '#ffffff' : '#222222' },
          })),
        ),
      },
      460,
      380,
    ),
    description: labelNames
      .map((name, i) => `${name}: ${confusion[i]!.map((count, j) => `${count} as ${labelNames[j]}`).join(', ')}`)
      .join('; '),
  };
}
