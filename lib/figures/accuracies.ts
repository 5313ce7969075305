/** A bar chart of accuracies with 95 % confidence intervals, of models or of groups of rows. */
import type { NamedAccuracy } from '../evaluation/metrics.js';
import { axis, colors, layoutOf, escapeMarkup, type Figure } from './figure.js';

/** Draws one bar per accuracy, labeled with its value, on an axis from 0 to 100 %. */
export function accuraciesFigure(title: string, rows: NamedAccuracy[]): Figure {
  return {
    data: [
      {
        type: 'bar',
        // A name with a comma is broken into two lines, so that Plotly does not rotate or cut it.
        x: rows.map(({ name }) => escapeMarkup(name).replace(', ', ',<br>')),
        y: rows.map(({ accuracy }) => accuracy),
        marker: { color: colors.blue },
        width: 0.55,
        text: rows.map(({ accuracy }) => `${(100 * accuracy).toFixed(1)} %`),
        textposition: 'inside',
        insidetextanchor: 'start',
        textangle: 0,
        textfont: { color: '#ffffff', size: rows.length > 4 ? 12 : 14 },
        error_y: {
          type: 'data',
          symmetric: false,
          array: rows.map(({ accuracy, interval }) => interval.high - accuracy),
          arrayminus: rows.map(({ accuracy, interval }) => accuracy - interval.low),
          color: '#222222',
        },
      },
    ],
    layout: layoutOf(
      title,
      {
        xaxis: axis('', { type: 'category' }),
        yaxis: axis('accuracy', { range: [0, 1.02], tickformat: '.0%' }),
        showlegend: false,
      },
      rows.length > 4 ? 760 : 620,
      340,
    ),
    description: rows
      .map(
        ({ name, accuracy, interval }) =>
          `${name}: ${(100 * accuracy).toFixed(1)} % (95 % interval ${(100 * interval.low).toFixed(1)} to ${(100 * interval.high).toFixed(1)})`,
      )
      .join('; '),
  };
}
