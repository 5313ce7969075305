/** Accuracies beside each other, each with its 95 % interval: of models, or of groups of rows. */
import type { NamedAccuracy } from '../evaluation/metrics.js';
import { axis, colours, layoutOf, literally, type Figure } from './figure.js';

/** Bars from 0 to 100 %, each with its number on it and its interval, in the order of the rows. */
export function accuraciesFigure(title: string, rows: NamedAccuracy[]): Figure {
  return {
    data: [
      {
        type: 'bar',
        // A name of two parts stands in two lines, so that none is turned or cut.
        x: rows.map(({ name }) => literally(name).replace(', ', ',<br>')),
        y: rows.map(({ accuracy }) => accuracy),
        marker: { color: colours.blue },
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
          `${name}: ${(100 * accuracy).toFixed(1)} % (${(100 * interval.low).toFixed(1)} to ${(100 * interval.high).toFixed(1)})`,
      )
      .join('; '),
  };
}
